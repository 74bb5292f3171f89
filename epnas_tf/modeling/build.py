"""From a spec to a Keras model: stem, the pattern's own part, head; and one that takes pixels."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from epnas_tf import global_state
from epnas_tf.architecture.cost_rules import Shape
from epnas_tf.architecture.spec import LayerwiseSpec, Spec
from epnas_tf.modeling import cell, identity, layerwise
from epnas_tf.modeling import layers as layers_lib
from epnas_tf.modeling.layers import BUILDERS, BuildContext, Builder


def build_model(
    spec: Spec,
    input_shape: Shape,
    num_classes: int,
    *,
    seed: int = 0,
    builders: Mapping[str, Builder] = BUILDERS,
    synchronized: bool = False,
    dtype_policy: str = global_state.FLOAT32,
    identity_init: bool = False,
) -> keras.Model:
    """Returns the network of `spec` as a functional model that returns logits.

    Args:
      spec: the network.
      input_shape: height, width and channels of an image.
      num_classes: outputs of the classifier.
      seed: root of the initial weights; Keras' global seed plays no part.
      builders: operations of a user-defined space; the paper's by default.
      synchronized: whether batch norm takes its statistics over all replicas.
      dtype_policy: Keras' name of what the layers compute in, such as mixed_bfloat16; those of
        `builders` that name none take it too. Variables and logits are float32.
      identity_init: whether convolutions begin as the identity on the channels that they share.

    Raises:
      ValueError: an operation has no builder, or a skip cannot be made to fit.
    """
    context = BuildContext(seed, synchronized, dtype_policy=dtype_policy)
    with global_state.set_aside(dtype_policy):
        image = keras.Input(tuple(input_shape), dtype=context.variable_dtype, name="image")
        if isinstance(spec, LayerwiseSpec):
            stem = layers_lib.stem(image, spec.stem_filters, context)
            features = layerwise.chain(spec, stem, context, builders)
        else:
            stem = layers_lib.stem(image, spec.filters, context)
            features = cell.stack(spec, stem, context)
        logits = layers_lib.head(features, num_classes, context)
        model = keras.Model(image, logits, name=f"{spec.pattern}_{spec.key}")
        if identity_init:
            identity.begin_as_identity(model)
        return model


def with_normalisation(
    network: keras.Model, full_scale: float, mean: tuple[float, ...], std: tuple[float, ...]
) -> keras.Model:
    """Returns a model of pixels as users have them: normalises, then runs the trained network.

    Args:
      network: takes normalised images, returns logits.
      full_scale: value of a white pixel, 255 for bytes.
      mean: of each channel, at full scale 1.
      std: of each channel, at full scale 1.
    """
    # Pixels keep their precision where the network computes in 16 bits.
    float32 = global_state.FLOAT32
    with global_state.set_aside(network.dtype_policy.name):
        pixels = keras.Input(network.input_shape[1:], dtype=float32, name="pixels")
        # As maps of one pixel: for a list of channels the layer would go by the data format of the
        # process in which it runs.
        normalise = keras.layers.Rescaling(
            [[[1 / (full_scale * deviation) for deviation in std]]],
            [[[-centre / deviation for centre, deviation in zip(mean, std, strict=True)]]],
            dtype=float32,
            name="normalise",
        )
        return keras.Model(pixels, network(normalise(pixels)), name=f"{network.name}_of_pixels")
