"""Accuracy class by class: plain and balanced, and what a constant answer reaches."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.data.arrays import Split
from epnas_tf.training import accuracies
from epnas_tf.training.accuracies import ClassHits, largest_class


def _hits(correct, images):
    return ClassHits(np.array(correct, np.float64), np.array(images))


def test_a_constant_answer_is_accurate_but_not_balanced():
    constant, fair = _hits([95, 0], [95, 5]), _hits([85, 4], [95, 5])
    assert (constant.accuracy, constant.balanced_accuracy) == (0.95, 0.5)
    assert fair.accuracy < constant.accuracy
    assert fair.balanced_accuracy == pytest.approx((85 / 95 + 0.8) / 2)


def test_a_class_without_images_does_not_count():
    hits = _hits([3, 0, 1], [4, 0, 2])
    assert hits.shares == {0: 0.75, 2: 0.5}
    assert hits.balanced_accuracy == 0.625


def test_plain_accuracy_is_that_of_one_count():
    correct, images = [7, 11, 13], [31, 37, 41]
    assert _hits(correct, images).accuracy == 31 / 109


@pytest.mark.parametrize(
    ("images", "share"), [([95, 5], 0.95), ([50, 50], None), ([75, 25], None), ([6, 2, 2], 0.6)]
)
def test_the_largest_class_is_worth_a_word_where_classes_are_uneven(images, share):
    labels = np.repeat(np.arange(len(images)), images).astype(np.int32)
    split = Split(np.zeros((len(labels), 1, 1, 1), np.uint8), labels)
    assert largest_class(split, len(images)) == share


def test_hits_of_images_are_counted_by_class_and_kept():
    right, labels = np.array([True, False, True, True]), np.array([2, 0, 2, 0])
    hits = accuracies.class_hits(right, labels, 4)
    assert (list(hits.correct), list(hits.images)) == ([1, 0, 2, 0], [2, 0, 2, 0])
    assert hits.accuracy == 0.75
    assert hits.hits is right
