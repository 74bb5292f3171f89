"""The auxiliary head: a second classifier at two thirds of a network's depth, in training alone.

As the PNAS code has it (PAPER_NOTES section 4): relu, average pooling of 5x5 with stride 3, 1x1
convolution to 128, a convolution of the whole map to 768, dense; batch norm and relu after both
convolutions. It is made for maps of 16x16 that have hundreds of channels. Windows grow with larger
maps, so that none is pooled to more than 5x5, and shrink with smaller ones. The first convolution
has no more channels than its input, the second six times as many as the first.
"""

from __future__ import annotations

import keras

from epnas_tf.modeling import layers as layers_lib
from epnas_tf.modeling import names
from epnas_tf.modeling.layers import BuildContext
from epnas_tf.modeling.names import BRANCH, CELL, LAYER, STEM, Place

_MAP, _WINDOW, _STRIDE = 16, 5, 3
_CHANNELS, _WIDER = 128, 6


def place(model: keras.Model) -> str | None:
    """Returns the name of the layer whose output has two thirds of a network before it.

    It is the last one of the cell before the second that reduces, or of layer 2/3 L of L, rounded
    down; the stem's of a chain of one. None where the network is not one of `build_model`.
    """
    depths = {layer.name: _depth(names.parse(layer.name).block.place) for layer in model.layers}
    known = {name: depth for name, depth in depths.items() if depth is not None}
    most = 2 * max(known.values(), default=0) // 3
    # Each of them leads on through the last one: in the order of the graph that comes last.
    return next((name for name in reversed(known) if known[name] <= most), None)


def _depth(place: Place | None) -> int | None:
    """Returns the number of a place's cell or layer, from 1; None for the head and what is none."""
    if place is None or place.kind not in (STEM, LAYER, CELL, BRANCH):
        return None
    if place.kind == STEM:
        return 0
    number = place.cell if place.kind == BRANCH else place.number
    assert number is not None, place
    return number if place.kind == LAYER else number + 1


def _pooling(size: int) -> tuple[int, int]:
    """Returns window and stride for a map's height or width."""
    growth = max(1.0, size / _MAP)
    return min(size, round(_WINDOW * growth)), round(_STRIDE * growth)


def head(features: keras.KerasTensor, num_classes: int, context: BuildContext) -> keras.KerasTensor:
    """Adds the head to some features and returns its logits."""
    height, width, channels = features.shape[1:]
    windows, strides = zip(_pooling(height), _pooling(width), strict=True)
    outputs = layers_lib.activation(features, "relu", context)
    outputs = keras.layers.AveragePooling2D(
        windows, strides, "valid", layers_lib.DATA_FORMAT, **context.layer("pool")
    )(outputs)
    narrow = min(_CHANNELS, channels)
    for role, filters, kernel in (
        ("1x1", narrow, (1, 1)),
        ("map", _WIDER * narrow, outputs.shape[1:3]),
    ):
        within = context.within(role)
        outputs = layers_lib.conv_bn(outputs, filters, kernel, within, padding="valid")
        outputs = layers_lib.activation(outputs, "relu", within)
    return layers_lib.head(outputs, num_classes, context)
