"""Keras layers of the layer-by-layer pattern, and the primitives that both patterns share.

`BUILDERS` has the same keys as `architecture.ops.OPS`. Every layer's name says where it stands
(`modeling.names`), and every initial weight depends on the seed and this name only, so a spec and a
seed give the same bits whatever was built before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import keras

from epnas_tf import global_state, randomness
from epnas_tf.architecture.ops import filters_of
from epnas_tf.architecture.spec import LayerSpec
from epnas_tf.modeling import names

# Keras' momentum of 0.99 is useless after the few dozen updates of a child: DECISIONS 6.
BATCH_NORM_MOMENTUM = 0.9
BATCH_NORM_EPSILON = 1e-5

# Said by every layer: Keras' own default is whatever the user has set.
DATA_FORMAT = "channels_last"


@dataclasses.dataclass(frozen=True)
class BuildContext:
    """What a builder needs to know besides the layer and its input.

    Attributes:
      seed: root of all initial weights.
      synchronized: whether batch norm takes its statistics over all replicas.
      prefix: names the place in the network, such as "layer3_conv2d".
      dtype_policy: what layers compute in and hold their variables in.
    """

    seed: int = 0
    synchronized: bool = False
    prefix: str = ""
    dtype_policy: str = global_state.FLOAT32

    def within(self, place: str) -> BuildContext:
        """Returns the context of a place inside this one."""
        return dataclasses.replace(self, prefix=self.name(place))

    def name(self, role: str) -> str:
        """Returns the name of the layer that plays `role` here."""
        return names.joined(self.prefix, role)

    def layer(self, role: str) -> dict[str, str]:
        """Returns what the layer that plays `role` is made with: its name and type."""
        return {"name": self.name(role), "dtype": self.dtype_policy}

    @property
    def variable_dtype(self) -> str:
        """The type of the variables: float32 also where layers compute in 16 bits."""
        return str(keras.DTypePolicy(self.dtype_policy).variable_dtype)

    def initializer(self, role: str, scale: float = 2.0) -> keras.Initializer:
        """Returns the initialiser of the layer that plays `role`: variance scale / fan-in.

        The default is He et al.'s (https://arxiv.org/abs/1502.01852).
        """
        return keras.initializers.VarianceScaling(
            scale=scale,
            mode="fan_in",
            distribution="truncated_normal",
            seed=randomness.seed_of(self.seed, "weights", self.name(role)),
        )


Builder = Callable[[LayerSpec, keras.KerasTensor, BuildContext], keras.KerasTensor]


def batch_norm(inputs: keras.KerasTensor, context: BuildContext) -> keras.KerasTensor:
    """Adds batch norm."""
    return keras.layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM,
        epsilon=BATCH_NORM_EPSILON,
        synchronized=context.synchronized,
        axis=-1,
        **context.layer("bn"),
    )(inputs)


def conv(
    inputs: keras.KerasTensor,
    filters: int,
    kernel: tuple[int, int],
    context: BuildContext,
    strides: int | tuple[int, int] = 1,
    use_bias: bool = False,
    padding: str = "same",
) -> keras.KerasTensor:
    """Adds a convolution."""
    return keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding=padding,
        use_bias=use_bias,
        data_format=DATA_FORMAT,
        kernel_initializer=context.initializer("conv"),
        **context.layer("conv"),
    )(inputs)


def conv_bn(
    inputs: keras.KerasTensor,
    filters: int,
    kernel: tuple[int, int],
    context: BuildContext,
    strides: int | tuple[int, int] = 1,
    padding: str = "same",
) -> keras.KerasTensor:
    """Adds a convolution (no bias: batch norm has one) and batch norm, no activation."""
    outputs = conv(inputs, filters, kernel, context, strides, padding=padding)
    return batch_norm(outputs, context)


def depthwise(
    inputs: keras.KerasTensor, kernel: tuple[int, int], context: BuildContext, strides: int = 1
) -> keras.KerasTensor:
    """Adds a depthwise convolution (SAME, no bias)."""
    return keras.layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        # Keras takes all input channels for the fan-in; each output sees but one of them.
        depthwise_initializer=context.initializer("depthwise", scale=2.0 * inputs.shape[-1]),
        data_format=DATA_FORMAT,
        **context.layer("depthwise"),
    )(inputs)


def separable_bn(
    inputs: keras.KerasTensor, filters: int, kernel: tuple[int, int], context: BuildContext
) -> keras.KerasTensor:
    """Adds a depthwise and a pointwise convolution and batch norm, no activation."""
    outputs = depthwise(inputs, kernel, context)
    outputs = keras.layers.Conv2D(
        filters,
        1,
        use_bias=False,
        data_format=DATA_FORMAT,
        kernel_initializer=context.initializer("pointwise"),
        **context.layer("pointwise"),
    )(outputs)
    return batch_norm(outputs, context)


def activation(
    inputs: keras.KerasTensor, kind: str | None, context: BuildContext
) -> keras.KerasTensor:
    """Adds an activation: crelu (which doubles the channels) or any that Keras knows by name."""
    if kind != "crelu":
        return keras.layers.Activation(kind, **context.layer(kind or "linear"))(inputs)
    positive = keras.layers.ReLU(**context.layer("relu"))(inputs)
    # relu(-x) is relu(x) - x, exactly and in one pass, and needs no layer of our own to reload.
    negative = keras.layers.Subtract(**context.layer("negative"))([positive, inputs])
    return keras.layers.Concatenate(**context.layer("crelu"))([positive, negative])


def stem(inputs: keras.KerasTensor, filters: int, context: BuildContext) -> keras.KerasTensor:
    """Adds output 0 of a network: a 3x3 convolution, batch norm and relu."""
    place = context.within(names.STEM)
    return activation(conv_bn(inputs, filters, (3, 3), place), "relu", place)


def head(inputs: keras.KerasTensor, num_classes: int, context: BuildContext) -> keras.KerasTensor:
    """Adds global average pooling and a dense layer that returns logits.

    Both compute in the variables' type: float32 also where the rest computes in 16 bits, in which a
    mean over a map and a loss lose too much.
    """
    place = dataclasses.replace(context, dtype_policy=context.variable_dtype).within(names.HEAD)
    outputs = keras.layers.GlobalAveragePooling2D(DATA_FORMAT, **place.layer("pool"))(inputs)
    return keras.layers.Dense(
        num_classes,
        kernel_initializer=place.initializer("dense", scale=1.0),
        **place.layer("dense"),
    )(outputs)


def _conv2d(
    layer: LayerSpec, inputs: keras.KerasTensor, context: BuildContext
) -> keras.KerasTensor:
    assert layer.width is not None, layer
    outputs = conv_bn(inputs, filters_of(layer), (layer.width, layer.width), context)
    return activation(outputs, layer.activation, context)


def _separable(
    layer: LayerSpec, inputs: keras.KerasTensor, context: BuildContext
) -> keras.KerasTensor:
    assert layer.width is not None, layer
    outputs = separable_bn(inputs, filters_of(layer), (layer.width, layer.width), context)
    return activation(outputs, layer.activation, context)


def _max_pool(
    layer: LayerSpec, inputs: keras.KerasTensor, context: BuildContext
) -> keras.KerasTensor:
    return keras.layers.MaxPooling2D(layer.pool, 2, "same", DATA_FORMAT, **context.layer("pool"))(
        inputs
    )


def _avg_pool(
    layer: LayerSpec, inputs: keras.KerasTensor, context: BuildContext
) -> keras.KerasTensor:
    return keras.layers.AveragePooling2D(
        layer.pool, 2, "same", DATA_FORMAT, **context.layer("pool")
    )(inputs)


def _add(layer: LayerSpec, inputs: keras.KerasTensor, context: BuildContext) -> keras.KerasTensor:
    # Every layer's src2 is added after it, so that of the layer `add` as well.
    del layer, context
    return inputs


BUILDERS: Mapping[str, Builder] = {
    "conv2d": _conv2d,
    "dep_sep_conv2d": _separable,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "add": _add,
}
