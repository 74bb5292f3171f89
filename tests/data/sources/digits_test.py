from __future__ import annotations

import numpy as np

from epnas_tf.data import dataset
from tests.data.images import rows, splits_of


def test_digits_are_split_60_20_20() -> None:
    source = dataset.load("digits")
    assert [len(split) for split in splits_of(source)] == [1079, 359, 359]
    assert (source.input_shape, source.num_classes) == ((8, 8, 1), 10)
    assert (source.train.images.dtype, source.train.labels.dtype) == (np.uint8, np.int32)
    assert source.train.images.max() == 255
    for split in splits_of(source):
        shares = np.bincount(split.labels) / len(split)
        assert abs(shares - 0.1).max() < 0.01


def test_splits_are_disjoint() -> None:
    # scikit-learn's digits hold no two equal images, so that equal ones would be the same one.
    source = dataset.load("digits")
    train, validation, test = (rows(split) for split in splits_of(source))
    assert len(train | validation | test) == 1797
