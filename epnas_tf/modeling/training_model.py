"""A network as final training sees it: its own layers, with paths to drop and an auxiliary head.

It shares the network's variables, and the network stays what it is: what is measured and saved
knows nothing of either.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from epnas_tf import global_state
from epnas_tf.fields import SettingError
from epnas_tf.modeling import auxiliary, names, walk
from epnas_tf.modeling import paths as paths_lib
from epnas_tf.modeling.layers import BuildContext
from epnas_tf.modeling.paths import Path


@dataclasses.dataclass(frozen=True)
class TrainingModel:
    """What is trained in a network's stead.

    Attributes:
      model: takes images, and where there are paths [images, factors], factors [images, paths]
        being what each path is multiplied by. It returns logits, and where there is an auxiliary
        head [logits, its logits].
      depths: of the paths, in their order (`paths.Path`).
    """

    model: keras.Model
    depths: tuple[float, ...] = ()


def training_model(
    network: keras.Model,
    *,
    drop_path: bool = False,
    auxiliary_head: bool = False,
    seed: int = 0,
    synchronized: bool = False,
) -> TrainingModel:
    """Returns what is trained in a network's stead: itself where nothing is to be added.

    Args:
      network: as `build_model` built it; a head's variables are made in the scope of its strategy.
      drop_path: whether its paths can be dropped.
      auxiliary_head: whether it has one.
      seed: root of the head's initial weights.
      synchronized: whether the head's batch norm takes its statistics over all replicas.

    Raises:
      SettingError: the network is another one, where to add something is not known.
    """
    if not drop_path and not auxiliary_head:
        return TrainingModel(network)
    place = auxiliary.place(network)
    if place is None:
        asked = "drop_path" if drop_path else "auxiliary_weight"
        reason = f"must be 0 for a network that no spec was built to, such as {network.name!r}"
        raise SettingError(asked, f"{reason}: the names of its layers tell no place")
    policy = network.dtype_policy.name
    context = BuildContext(seed, synchronized, names.AUXILIARY, policy)
    paths = paths_lib.find(network) if drop_path else ()
    with global_state.set_aside(policy):
        image = network.inputs[0]
        factors = keras.Input((len(paths),), dtype=context.variable_dtype, name="path_factors")
        logits, features = _called_again(network, paths, factors, place)
        head = [auxiliary.head(features, logits.shape[-1], context)] if auxiliary_head else []
        model = keras.Model(
            [image, factors] if paths else image,
            [logits, *head] if head else logits,
            name=f"{network.name}_in_training",
        )
    return TrainingModel(model, tuple(path.depth for path in paths))


def _called_again(
    network: keras.Model, paths: Sequence[Path], factors: keras.KerasTensor, place: str
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns a network's logits with its paths multiplied, and what the layer at a place returns.

    The network keeps to the first call of each layer.
    """
    at = {path.layer: index for index, path in enumerate(paths)}
    seen: dict[str, Any] = {}

    def multiplied(values: keras.KerasTensor, index: int) -> keras.KerasTensor:
        factor = keras.ops.reshape(factors[:, index], (-1, 1, 1, 1))
        traits = {"name": f"path{index}_multiply", "dtype": network.dtype_policy}
        return keras.layers.Multiply(**traits)([values, factor])

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        index = at.get(operation.name)
        if index is not None and paths[index].before:
            ((own, *others),) = args
            args = ([multiplied(own, index), *others],)
        outputs = operation(*args, **kwargs)
        if index is not None and not paths[index].before:
            outputs = multiplied(outputs, index)
        seen[operation.name] = outputs
        return outputs

    return walk.again(network, call), seen[place]
