"""Convolutions that begin as the identity on the channels that input and output share.

As the Dirac initialisation of Jordan (https://arxiv.org/abs/2404.00498): a deep network begins as
a shallow one, and learns faster. Filters beyond the shared ones keep their initial values, and so
does the stem, whose input is an image.
"""

from __future__ import annotations

import keras
import numpy as np

from epnas_tf.modeling import names


def begin_as_identity(model: keras.Model) -> None:
    """Gives a network's convolutions their first values; it is made in the strategy's scope."""
    stem = names.joined(names.STEM, "")
    for layer in model.layers:
        if layer.name.startswith(stem):
            continue
        if type(layer) is keras.layers.DepthwiseConv2D and layer.depth_multiplier == 1:
            layer.kernel.assign(_depthwise(tuple(layer.kernel.shape)))
        elif type(layer) is keras.layers.Conv2D and layer.groups == 1:
            layer.kernel.assign(_shared(np.array(layer.kernel.numpy())))


def _depthwise(shape: tuple[int, ...]) -> np.ndarray:
    kernel = np.zeros(shape)
    kernel[_centre(shape)] = 1
    return kernel


def _shared(kernel: np.ndarray) -> np.ndarray:
    """Returns a kernel [height, width, inputs, filters] whose first filters pass their input."""
    shared = min(kernel.shape[2:])
    kernel[..., :shared] = 0
    kernel[(*_centre(kernel.shape), range(shared), range(shared))] = 1
    return kernel


def _centre(shape: tuple[int, ...]) -> tuple[int, int]:
    """Returns where an output's own pixel is; SAME pads an even kernel more at its end."""
    return (shape[0] - 1) // 2, (shape[1] - 1) // 2
