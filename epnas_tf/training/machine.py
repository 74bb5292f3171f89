"""What a search needs to know of its machine: its threads, and how fast it trains.

Both are settled once, when a search starts, and stored in its configuration: results change in
their last bits with the number of threads, and the rate decides what is too slow to be trained.
"""

from __future__ import annotations

import math
import os
import time

import tensorflow as tf

_BATCH, _SIZE, _CHANNELS = 64, 32, 32
_REPEATS = 5


def use_threads(count: int) -> int:
    """Lets an operation use this many threads and returns the number; 0 takes all cores.

    Raises:
      ValueError: TensorFlow has started with another number, which cannot be changed.
    """
    cores = os.cpu_count() or 1
    wanted = count or cores
    current = tf.config.threading.get_intra_op_parallelism_threads() or cores
    if wanted != current:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(wanted)
        except RuntimeError as error:
            raise ValueError(
                f"threads must be set before TensorFlow starts; it has {current}, got {wanted}"
            ) from error
    return wanted


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
