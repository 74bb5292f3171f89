"""Random numbers for a whole batch at once, each a pure function of (key, image).

TensorFlow's stateless ops take one seed per call: a call per image and draw took five times as long
as everything else that makes an image. Here keys and places in the data set are mixed, as integers,
by the finaliser `lowbias32` (Wellons, "Prospecting for hash functions", nullprogram.com, 2018).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_STEP = 0x9E3779B9  # so that image 0 is no fixed point
_BITS = 24  # a float32 holds so many exactly


def uniform(keys: Any, index: Any) -> Any:
    """Returns float32 [images, draws], each uniform in [0, 1).

    Args:
      keys: int32 [images, draws], what each draw is keyed by besides the image.
      index: int32 [images], the images' places in the data set.
    """
    places = _mixed(tf.cast(index, tf.uint32) + _constant(_STEP))
    mixed = _mixed(tf.bitwise.bitwise_xor(tf.bitcast(keys, tf.uint32), places[:, tf.newaxis]))
    return tf.cast(_shifted(mixed, 32 - _BITS), tf.float32) * 2.0**-_BITS


def whole(drawn: Any, below: Any) -> Any:
    """Returns int32 in 0..below - 1 for what `uniform` drew; `below` is at most 2**24."""
    return tf.cast(drawn * below, tf.int32)


def _mixed(x: Any) -> Any:
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = tf.bitwise.bitwise_xor(x, _shifted(x, shift)) * _constant(factor)
    return tf.bitwise.bitwise_xor(x, _shifted(x, 16))


def _shifted(x: Any, bits: int) -> Any:
    return tf.bitwise.right_shift(x, _constant(bits))


def _constant(value: int) -> Any:
    return tf.constant(value, tf.uint32)
