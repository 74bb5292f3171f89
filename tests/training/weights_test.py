"""How much each training image counts in the loss."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.data.arrays import Split
from epnas_tf.training.weights import balanced, loss_weights

_LABELS = np.array([0, 0, 0, 1], np.int32)


def _split(weights=None):
    return Split(np.zeros((4, 1, 1, 1), np.uint8), _LABELS, weights)


def test_a_class_counts_the_more_the_fewer_images_it_has():
    assert balanced(_LABELS, 2) == pytest.approx([4 / 6, 4 / 2])


def test_a_class_counts_ten_times_at_most():
    labels = np.repeat(np.array([0, 1], np.int32), [99, 1])
    assert balanced(labels, 2) == pytest.approx([100 / 198, 10.0])


def test_without_weights_there_are_none():
    assert loss_weights(_split(), "none", 2) is None


def test_weights_of_images_and_of_classes_are_multiplied():
    own = np.array([1, 0, 2, 3], np.float32)
    assert list(loss_weights(_split(own), "none", 2)) == list(own)
    assert loss_weights(_split(), "balanced", 2) == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])
    both = loss_weights(_split(own), "balanced", 2)
    assert both.dtype == np.float32
    assert both == pytest.approx([2 / 3, 0, 4 / 3, 6])
