"""Layer-by-layer networks: a chain of layers after the stem, with skips that are added."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from epnas_tf.architecture.spec import LayerwiseSpec
from epnas_tf.modeling import layers as layers_lib
from epnas_tf.modeling import names
from epnas_tf.modeling.layers import BuildContext, Builder


def chain(
    spec: LayerwiseSpec,
    stem: keras.KerasTensor,
    context: BuildContext,
    builders: Mapping[str, Builder],
) -> keras.KerasTensor:
    """Adds the layers of `spec` to the stem's output and returns the last one's.

    Raises:
      ValueError: an operation has no builder, or a skip cannot be made to fit.
    """
    outputs = [stem]
    for index, layer in enumerate(spec.layers, start=1):
        if layer.op not in builders:
            raise ValueError(
                f"op of layer {index} must be one of {tuple(sorted(builders))}, got {layer.op!r}"
            )
        place = context.within(names.layer(index))
        output = builders[layer.op](layer, outputs[-1], place.within(layer.op))
        if layer.src2 >= 0:
            output = _add_skip(output, outputs[layer.src2], place.within(names.SKIP))
        outputs.append(output)
    return outputs[-1]


def _add_skip(
    output: keras.KerasTensor, source: keras.KerasTensor, context: BuildContext
) -> keras.KerasTensor:
    if source.shape != output.shape:
        stride = _stride(source.shape[1:3], output.shape[1:3])
        source = layers_lib.conv_bn(source, output.shape[-1], (1, 1), context, stride)
    return keras.layers.Add(**context.layer("add"))([output, source])


def _stride(source: tuple[int, int], output: tuple[int, int]) -> int:
    """Returns the stride, 2^pools between, that takes a map's size to another.

    Halving n times with rounding up gives the same size as one SAME stride of 2^n, also for odd
    sizes.
    """
    stride = 1
    while -(-source[0] // stride) > output[0] or -(-source[1] // stride) > output[1]:
        stride *= 2
    reached = (-(-source[0] // stride), -(-source[1] // stride))
    if reached != tuple(output):
        raise ValueError(
            f"a skip's output must be its source {source} halved some times, got {output}"
        )
    return stride
