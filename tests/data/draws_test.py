"""Numbers drawn for a batch are uniform, independent, and the same in any batch."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from epnas_tf import randomness
from epnas_tf.data import draws

_IMAGES = 40_000


def _drawn(*keys: int, first: int = 0, images: int = _IMAGES) -> np.ndarray:
    """Draws with each key for images that follow each other in the data set."""
    index = tf.range(first, first + images)
    return draws.uniform(tf.constant([keys] * images, tf.int32), index).numpy()


def _keys(count: int, seed: int = 1) -> list[int]:
    return [randomness.seed_of(seed, "test", number) for number in range(count)]


@pytest.mark.parametrize("key", [0, 1, -1, 2**31 - 1, -(2**31), *_keys(3)])
def test_draws_are_uniform_in_0_to_1(key):
    drawn = _drawn(key)[:, 0]
    assert drawn.dtype == np.float32 and drawn.min() >= 0 and drawn.max() < 1
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    # In the last bits too, which decide nothing here but would show a poor mix.
    low = np.bincount((drawn * 2**24).astype(np.int64) % 16, minlength=16)
    assert stats.chisquare(low).pvalue > 1e-3


def test_neighbours_keys_and_images_know_nothing_of_each_other():
    keys = [7, 8, *_keys(4)]
    drawn = _drawn(*keys)
    apart = np.corrcoef(drawn.T) - np.eye(len(keys))
    assert np.abs(apart).max() < 4.5 / np.sqrt(_IMAGES)
    for lag in (1, 2, 64):
        pairs = np.corrcoef(drawn[:-lag, 0], drawn[lag:, 0])[0, 1]
        assert abs(pairs) < 4.5 / np.sqrt(_IMAGES)
    cells = np.histogram2d(drawn[:-1, 0], drawn[1:, 0], bins=8)[0]
    assert stats.chisquare(cells.ravel()).pvalue > 1e-3
    assert len(np.unique(drawn[:, 0])) > 0.99 * _IMAGES


def test_a_draw_is_a_function_of_key_and_image_alone():
    together = _drawn(5, 9)
    np.testing.assert_array_equal(together[100:110], _drawn(5, 9, first=100, images=10))
    np.testing.assert_array_equal(together[:, 1:], _drawn(9))
    traced = tf.function(draws.uniform, autograph=False, jit_compile=True)
    index = tf.range(_IMAGES)
    np.testing.assert_array_equal(together, traced(tf.constant([[5, 9]] * _IMAGES), index))


@pytest.mark.parametrize("below", [1, 2, 9, 224, 2**24])
def test_whole_numbers_reach_all_and_not_their_bound(below):
    largest = np.float32(1 - 2.0**-24)
    ends = draws.whole(tf.constant([0.0, largest]), below).numpy()
    assert ends.tolist() == [0, below - 1]
    if below <= 224:
        counts = np.bincount(draws.whole(_drawn(3)[:, 0], below), minlength=below)
        assert len(counts) == below
        assert below == 1 or stats.chisquare(counts).pvalue > 1e-3
