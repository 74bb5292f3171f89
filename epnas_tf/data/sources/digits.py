"""The embedded digits of scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn import datasets as sklearn_datasets

from epnas_tf.data import arrays
from epnas_tf.data.arrays import Split
from epnas_tf.data.labels import Classes, numbers
from epnas_tf.data.sources.common import Raw, Request


def load(_: str, request: Request) -> Raw:
    """Returns scikit-learn's 1,797 digits of 8x8 pixels, split 60/20/20."""
    bunch = sklearn_datasets.load_digits()
    # Its pixels are counts in 0..16.
    images = np.round(bunch.images[..., np.newaxis] * (255 / 16)).astype(np.uint8)
    every = Split(arrays.resized(images, request.image_size), bunch.target.astype(np.int32))
    train, held, test = (every.take(each) for each in request.choose(every.labels, 0.2, 0.2))
    return Raw(train, held, test, Classes(numbers(10)))
