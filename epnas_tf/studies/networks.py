"""What studies train: networks of a search and networks of blocks, counted and built alike."""

from __future__ import annotations

import epnas_tf.backend

from typing import TypeAlias

import keras

from epnas_tf import global_state
from epnas_tf.architecture import cost as cost_lib
from epnas_tf.architecture.cost_rules import Cost, Shape
from epnas_tf.architecture.spec import Spec
from epnas_tf.modeling import build_model, identity, names
from epnas_tf.modeling import layers as layers_lib
from epnas_tf.modeling.layers import BuildContext
from epnas_tf.studies.block_networks import Block, BlockNetwork, Conv

Network: TypeAlias = Spec | BlockNetwork


def cost(network: Network, input_shape: Shape, num_classes: int) -> Cost:
    """Returns the cost of a network for images of this [height, width, channels]."""
    if isinstance(network, BlockNetwork):
        return network.cost(input_shape, num_classes)
    return cost_lib.cost(network, input_shape, num_classes)


def build(
    network: Network,
    input_shape: Shape,
    num_classes: int,
    *,
    seed: int = 0,
    dtype_policy: str = global_state.FLOAT32,
    identity_init: bool = False,
) -> keras.Model:
    """Returns the network as a functional model of normalised images that returns logits.

    Args:
      network: what is built.
      input_shape: height, width and channels of an image.
      num_classes: outputs of the classifier.
      seed: root of the initial weights.
      dtype_policy: Keras' name of what the layers compute in.
      identity_init: whether convolutions begin as the identity on the channels that they share.
    """
    if not isinstance(network, BlockNetwork):
        return build_model(
            network,
            input_shape,
            num_classes,
            seed=seed,
            dtype_policy=dtype_policy,
            identity_init=identity_init,
        )
    context = BuildContext(seed, dtype_policy=dtype_policy)
    with global_state.set_aside(dtype_policy):
        image = keras.Input(tuple(input_shape), dtype=context.variable_dtype, name="image")
        output = image
        for number, block in enumerate(network.blocks):
            # The first one sees pixels, as a stem does.
            place = names.STEM if number == 0 else f"block{number}"
            output = _add_block(block, output, context.within(place))
        logits = layers_lib.head(output, num_classes, context)
        model = keras.Model(image, logits, name=f"blocks_{network.key}")
        if identity_init:
            identity.begin_as_identity(model)
        return model


def _add_block(block: Block, inputs: keras.KerasTensor, context: BuildContext) -> keras.KerasTensor:
    outputs = _add_convs(block.convs, inputs, context)
    if block.shortcut is not None:
        shortcut = _add_convs(block.shortcut, inputs, context.within("shortcut"))
        outputs = keras.layers.Add(**context.layer("add"))([outputs, shortcut])
    if block.activation is not None:
        outputs = layers_lib.activation(outputs, block.activation, context)
    return outputs


def _add_convs(
    convs: tuple[Conv, ...], inputs: keras.KerasTensor, context: BuildContext
) -> keras.KerasTensor:
    for number, conv in enumerate(convs):
        inputs = _add_conv(conv, inputs, context.within(f"op{number}"))
    return inputs


def _add_conv(conv: Conv, inputs: keras.KerasTensor, context: BuildContext) -> keras.KerasTensor:
    kernel = (conv.width, conv.width)
    if conv.channels is None:
        outputs = layers_lib.depthwise(inputs, kernel, context, conv.stride)
    else:
        outputs = layers_lib.conv(inputs, conv.channels, kernel, context, conv.stride, conv.bias)
    if conv.norm:
        outputs = layers_lib.batch_norm(outputs, context)
    if conv.activation is not None:
        outputs = layers_lib.activation(outputs, conv.activation, context)
    return outputs
