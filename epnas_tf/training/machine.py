"""How fast this machine trains: measured once a search, then stored in its configuration."""

from __future__ import annotations

import math
import time

import tensorflow as tf

_BATCH, _SIZE, _CHANNELS = 64, 32, 32
_REPEATS = 5


def measure_gflops() -> float:
    """Returns the rate of a 3x3 convolution's forward pass in GFLOP/s, rounded to a power of two.

    32 channels on 32x32 maps, a middle size of small networks. Rounded, because the rate only
    says which networks are far too slow, and two starts of the same search should agree on it.
    """
    images = tf.zeros((_BATCH, _SIZE, _SIZE, _CHANNELS))
    kernel = tf.zeros((3, 3, _CHANNELS, _CHANNELS))
    convolve = tf.function(lambda x: tf.reduce_sum(tf.nn.conv2d(x, kernel, 1, "SAME")))
    convolve(images)
    seconds = min(_timed(convolve, images) for _ in range(_REPEATS))
    flops = 2 * _BATCH * _SIZE * _SIZE * 9 * _CHANNELS * _CHANNELS
    return float(2 ** round(math.log2(flops / seconds / 1e9)))


def _timed(convolve: tf.types.experimental.GenericFunction, images: tf.Tensor) -> float:
    start = time.perf_counter()
    float(convolve(images))
    return time.perf_counter() - start
