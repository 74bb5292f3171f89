from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.data import dataset
from epnas_tf.data.arrays import Split
from tests.data.images import noise, pairs, rows, splits_of

GOOD_X, GOOD_Y = noise(20, 4, 4), np.arange(20) % 2


def test_splits_depend_on_the_seed_alone() -> None:
    first, again, other = (dataset.load("digits", seed=seed) for seed in (0, 0, 1))
    for one, two in zip(splits_of(first), splits_of(again), strict=True):
        np.testing.assert_array_equal(one.images, two.images)
    assert rows(first.test) != rows(other.test)


def test_statistics_are_those_of_the_training_split() -> None:
    source = dataset.load("digits")
    pixels = source.train.images / 255
    assert source.mean == pytest.approx([pixels.mean()])
    assert source.std == pytest.approx([pixels.std()])


def test_train_fraction_takes_of_the_training_split_only() -> None:
    whole, half = dataset.load("digits"), dataset.load("digits", train_fraction=0.5)
    assert abs(len(half.train) - len(whole.train) / 2) <= 5
    assert rows(half.train) < rows(whole.train)
    assert rows(half.validation) == rows(whole.validation)
    assert rows(half.test) == rows(whole.test)
    assert np.ptp(np.bincount(half.train.labels)) <= 3


def test_image_size_resizes() -> None:
    assert dataset.load("digits", image_size=16).input_shape == (16, 16, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": -1}, "image_size must be >= 0, got -1"),
        ({"train_fraction": 0.0}, r"train_fraction must be in \(0, 1\], got 0.0"),
        ({"train_fraction": 1.5}, r"train_fraction must be in \(0, 1\], got 1.5"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset.load("digits", **arguments)


def test_arrays_are_taken_as_keras_users_have_them() -> None:
    x, y = noise(40, 6, 5), np.arange(40) % 2
    for labels in (y, y[:, np.newaxis], y.astype(float), np.eye(2)[y]):
        source = dataset.from_arrays(x.astype(np.int64), labels, (255 - x, labels))
        assert source.input_shape == (6, 5, 1)
        assert source.train.images.dtype == np.uint8
        assert pairs(source.train) == pairs(Split(x[..., np.newaxis], y))
        assert source.num_classes == 2
    assert len(dataset.from_arrays(x, y, validation_split=0.25).validation) == 10
    floats = dataset.from_arrays(x / 255.0, y)
    assert floats.train.images.dtype == np.float32
    assert floats.mean == pytest.approx(dataset.from_arrays(x, y).mean, rel=0.1)  # other splits
    assert floats.test is None


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (noise(20, 5, 5), GOOD_Y, r"images of the validation split must be like .*\(5, 5, 1\)"),
        (GOOD_X / 255, GOOD_Y, "images of x and x of validation_data must be on one scale"),
        (GOOD_X, GOOD_Y + 1, "y of validation_data must hold labels of the training split, 0, 1,"),
    ],
)
def test_bad_validation_data_is_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset.from_arrays(GOOD_X, GOOD_Y, (x, y))


def test_a_bad_validation_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"validation_split must be in \(0, 1\), got 1"):
        dataset.from_arrays(GOOD_X, GOOD_Y, validation_split=1)
