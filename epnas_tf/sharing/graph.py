"""A Keras model as plain data: which layer reads which, and whose channels its outputs are.

Where every parameter of a child comes from is decided on this graph (`warm_start.py`), which holds
no Keras object. A layer's name says which block it belongs to (`modeling.names`).
"""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from epnas_tf.modeling import names
from epnas_tf.modeling.names import LayerName

# Layer name -> variable name -> value.
Weights = dict[str, dict[str, np.ndarray]]

CONV, DEPTHWISE, DENSE, BATCH_NORM = "conv", "depthwise", "dense", "batch_norm"
ADD, CONCATENATE, SUBTRACT, ACTIVATION = "add", "concatenate", "subtract", "activation"
INPUT, SAME, OTHER = "input", "same", "other"

_KINDS: Mapping[type, str] = {
    keras.layers.InputLayer: INPUT,
    keras.layers.Conv2D: CONV,
    keras.layers.DepthwiseConv2D: DEPTHWISE,
    keras.layers.Dense: DENSE,
    keras.layers.BatchNormalization: BATCH_NORM,
    keras.layers.Add: ADD,
    keras.layers.Concatenate: CONCATENATE,
    keras.layers.Subtract: SUBTRACT,
    keras.layers.Activation: ACTIVATION,
    keras.layers.ReLU: ACTIVATION,
    keras.layers.MaxPooling2D: SAME,
    keras.layers.AveragePooling2D: SAME,
    keras.layers.GlobalAveragePooling2D: SAME,
    keras.layers.GlobalMaxPooling2D: SAME,
    keras.layers.Dropout: SAME,
    keras.layers.Identity: SAME,
}


class LayoutError(ValueError):
    """A model whose parameters cannot be told apart by its layers."""


@dataclasses.dataclass(frozen=True)
class Node:
    """A layer as a warm start sees it.

    Attributes:
      name: the layer's.
      kind: what is done to channels, one of the constants above.
      inputs: names of the layers it reads, in order.
      channels: channels of its output.
      size: height and width of its input, (1, 1) for a vector.
      strides: of a convolution.
      activation: name of an activation's function.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    channels: int
    size: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    activation: str = ""

    @functools.cached_property
    def parsed(self) -> LayerName:
        """Its name, taken apart."""
        return names.parse(self.name)

    @property
    def block(self) -> str:
        """The block it belongs to: its name without the role."""
        return str(self.parsed.block) or self.name

    @property
    def role(self) -> str:
        """What it does in its block."""
        return self.parsed.role


def layout_of(model: keras.Model) -> tuple[Node, ...]:
    """Returns the model's layers, bare operations included, each after those that it reads.

    Raises:
      LayoutError: a layer is called more than once, is a model itself or returns several tensors.
    """
    maker: dict[int, str] = {}
    nodes = []
    for layer in model.operations:
        try:
            inputs = keras.tree.flatten(layer.input)
            (output,) = keras.tree.flatten(layer.output)
            reads = tuple(maker[id(tensor)] for tensor in inputs)
        except (AttributeError, KeyError, ValueError) as error:
            raise LayoutError(
                f"a layer must be called once, be no model and return one tensor; what "
                f"{layer.name!r} reads or returns is not so: {error!r}"
            ) from error
        maker[id(output)] = layer.name
        nodes.append(_node(layer, reads, [tensor.shape for tensor in inputs], output.shape))
    for tensor in model.outputs:
        if id(tensor) not in maker:
            raise LayoutError(f"a layer must be called once, got output {tensor.name!r}")
    return tuple(nodes)


def _node(layer: Any, inputs: tuple[str, ...], shapes: Sequence[Any], after: Any) -> Node:
    kind = _KINDS.get(type(layer), OTHER)
    before = shapes[0] if shapes else after
    size = (int(before[1]), int(before[2])) if len(before) == 4 else (1, 1)
    strides = tuple(layer.strides) if kind in (CONV, DEPTHWISE) else (1, 1)
    activation = ""
    if kind == ACTIVATION:
        function = getattr(layer, "activation", None)
        activation = getattr(function, "__name__", "relu")
    if kind in (CONV, DEPTHWISE) and not _is_plain(layer, kind):
        kind = OTHER
    if kind in (ADD, SUBTRACT) and any(shape[-1] != after[-1] for shape in shapes):
        kind = OTHER
    if kind == CONCATENATE and layer.axis not in (-1, len(after) - 1):
        kind = OTHER
    return Node(layer.name, kind, inputs, int(after[-1]), size, strides, activation)


def _is_plain(layer: Any, kind: str) -> bool:
    """Says whether every filter sees all channels, or one its own, at SAME padding."""
    same = layer.padding == "same" or set(layer.kernel_size) == {1}
    alone = layer.depth_multiplier == 1 if kind == DEPTHWISE else layer.groups == 1
    return same and alone and set(layer.dilation_rate) == {1}


def weights_of(model: keras.Model) -> Weights:
    """Returns the values of all layers' weights, batch-norm statistics included."""
    return {
        layer.name: {name: np.asarray(weight.numpy()) for name, weight in _named(layer).items()}
        for layer in model.layers
        if layer.weights
    }


def assign(model: keras.Model, weights: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Gives the model's layers these values."""
    for name, values in weights.items():
        for weight_name, weight in _named(model.get_layer(name)).items():
            weight.assign(values[weight_name])


def _named(layer: Any) -> dict[str, Any]:
    """Returns a layer's weights by name; a layer made of layers may have a name twice."""
    named: dict[str, Any] = {}
    for weight in layer.weights:
        again = sum(known.name == weight.name for known in named.values())
        named[f"{weight.name}:{again}" if again else weight.name] = weight
    return named
