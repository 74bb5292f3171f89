from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from epnas_tf.data import dataset
from epnas_tf.data.arrays import Split
from tests.data.images import noise

GOOD_X, GOOD_Y = noise(20, 4, 4), np.arange(20) % 2


def test_floats_that_are_bytes_become_bytes() -> None:
    x = np.arange(40 * 16).reshape(40, 4, 4) % 256
    y = np.arange(40) % 2
    assert dataset.from_arrays(x.astype(np.float64), y).train.images.dtype == np.uint8
    floats, integers = dataset.from_arrays(x.astype(np.float32), y), dataset.from_arrays(x, y)
    assert (floats.train.images == integers.train.images).all()
    assert (floats.mean, floats.std) == (integers.mean, integers.std)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x / 255,
        lambda x: x // 128,  # 0 and 1: black and white at full scale 1
        lambda x: x - 1.0,
        lambda x: x + 1.0,
        lambda x: x * 0.5,
    ],
    ids=["scaled", "binary", "negative", "beyond 255", "between"],
)
def test_other_floats_stay_floats(change: Callable[[np.ndarray], np.ndarray]) -> None:
    x = noise(40, 4, 4).astype(int)
    x[0, 0, :2] = 0, 255
    pixels = change(x).astype(np.float32)
    images = dataset.from_arrays(
        pixels, np.arange(40) % 2, (pixels[::-1] / 2, np.arange(40) % 2)
    ).train.images
    assert images.dtype == np.float32
    assert {image.tobytes() for image in images} == {image.tobytes() for image in pixels}


def test_a_constant_channel_is_not_divided_by_zero() -> None:
    x = noise(20, 4, 4, 3)
    x[..., 1] = 7
    source = dataset.from_arrays(x, np.arange(20) % 2)
    assert source.std[1] == 1.0 and source.mean[1] == pytest.approx(7 / 255)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (GOOD_X, GOOD_Y[:19], "x and y must have the same length, got 20 and 19"),
        (GOOD_X, GOOD_Y * 0, "at least 2 classes, got 1"),
        (GOOD_X, GOOD_Y + 0.5, r"y must hold whole numbers or text, .* measures \(regression\)"),
        (GOOD_X, GOOD_Y.astype(complex), "y must hold whole numbers or text, got complex"),
        (GOOD_X, np.ones((20, 3)), r"y of shape \(20, 3\) must be one-hot"),
        (
            GOOD_X,
            np.ones((20, 3, 3)),
            "y must be a label per image",
        ),
        (GOOD_X[0, 0], GOOD_Y, r"x must be images .* got shape \(4,\)"),
        (GOOD_X[:0], GOOD_Y[:0], r"not empty, got shape \(0, 4, 4, 1\)"),
        (GOOD_X.astype(int) - 9, GOOD_Y, r"integers in x must be in 0\.\.255, .* got -9"),
        (GOOD_X.astype(int) * 300, GOOD_Y, r"or 0\.\.65535 of deeper pixels, got \d+\.\.\d{5}"),
        (GOOD_X * np.nan, GOOD_Y, "x must hold finite numbers"),
        (GOOD_X.astype("U"), GOOD_Y, "x must hold integers or floats, got <U"),
        (GOOD_X, np.where(np.arange(20) == 0, 1, 0), "at least 2 images .* class 1 has 1"),
    ],
)
def test_bad_arrays_are_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset.from_arrays(x, y)


@pytest.mark.parametrize("labels", [[0, 2**60], [0, -(2**60)], [0, 1e30], [0.0, float("inf")]])
def test_labels_that_cannot_be_classes_are_refused(labels):
    images = noise(2, 4, 4)
    with pytest.raises(ValueError, match=r"y must hold labels below 2\*\*53"):
        dataset.from_arrays(images, np.array(labels), (images, np.array([0, 1])))


def test_a_fingerprint_covers_weights_where_there_are_any() -> None:
    split = dataset.from_arrays(GOOD_X, GOOD_Y, (255 - GOOD_X, GOOD_Y)).train
    ones, twos = split.weighted(np.ones(20)), split.weighted(np.full(20, 2.0))
    assert len({split.fingerprint, ones.fingerprint, twos.fingerprint}) == 3
    assert ones.take(np.arange(20)[::-1]).fingerprint == ones.fingerprint
    assert twos.unweighted().fingerprint == split.fingerprint


def test_the_fingerprint_of_images_and_labels_stays_what_it_was() -> None:
    images = np.arange(2 * 2 * 2, dtype=np.uint8).reshape(2, 2, 2, 1)
    assert Split(images, np.array([0, 1], np.int32)).fingerprint == "5bbd6ee8b8030abb"


def test_weights_are_multiplied_and_taken_with_their_images() -> None:
    split = dataset.from_arrays(GOOD_X, GOOD_Y, (255 - GOOD_X, GOOD_Y)).train
    both = split.weighted(np.arange(20)).weighted(np.full((20, 1), 0.5))
    assert list(both.take(np.array([3, 1])).weights) == [1.5, 0.5]


@pytest.mark.parametrize("weighted", [(), (0,), (1,), (0, 1)])
def test_two_splits_are_joined_in_order(weighted: tuple[int, ...]) -> None:
    whole = Split(GOOD_X[..., None], GOOD_Y.astype(np.int32))
    parts = [whole.take(np.arange(12)), whole.take(np.arange(12, 20))]
    for index in weighted:
        parts[index] = parts[index].weighted(np.full(len(parts[index]), 2 + index))
    joined = parts[0].joined(parts[1])
    assert (joined.images == whole.images).all() and (joined.labels == whole.labels).all()
    if not weighted:
        assert joined.weights is None and joined.fingerprint == whole.fingerprint
    else:
        wanted = [2 if 0 in weighted else 1] * 12 + [3 if 1 in weighted else 1] * 8
        assert joined.weights.tolist() == wanted
