"""Labels of every form become classes 0..k-1 in sorted order; what stands for no class is named."""

import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.data.labels import Classes, classes_of, shortened


@pytest.mark.parametrize(
    ("labels", "names", "encoded"),
    [
        ([0, 1, 2, 1], ("0", "1", "2"), [0, 1, 2, 1]),
        ([1, 2, 3, 2], ("1", "2", "3"), [0, 1, 2, 1]),
        ([10, 3, 700, 3], ("3", "10", "700"), [1, 0, 2, 0]),
        ([-1, 1, 1], ("-1", "1"), [0, 1, 1]),
        ([2.0, 0.0], ("0", "2"), [1, 0]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        (["dog", "cat", "dog"], ("cat", "dog"), [1, 0, 1]),
        ([b"dog", "çat".encode()], ("dog", "çat"), [0, 1]),
        (np.array(["b", "a"], object), ("a", "b"), [1, 0]),
        (np.array([7, 5], object), ("5", "7"), [1, 0]),
        ([[4], [2]], ("2", "4"), [1, 0]),
        (tf.constant([5, 6]), ("5", "6"), [0, 1]),
        (np.array([200, 3], np.uint8), ("3", "200"), [1, 0]),
    ],
)
def test_labels_are_mapped_in_sorted_order(labels, names, encoded):
    found = classes_of(labels)
    assert (found.names, found.one_hot) == (names, False)
    mapped = found.encode(labels)
    assert (mapped.tolist(), mapped.dtype) == (encoded, np.int32)


@pytest.mark.parametrize("kind", [np.int64, np.float32, bool])
def test_one_hot_labels_are_remembered(kind):
    labels = np.eye(3)[[2, 0, 1, 2]].astype(kind)
    found = classes_of(labels)
    assert found == Classes(("0", "1", "2"), one_hot=True)
    assert found.numbered
    assert found.encode(labels).tolist() == found.encode([2, 0, 1, 2]).tolist() == [2, 0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 1], "at least 2 classes, got 1"),
        ([0.5, 1], r"a class per image, .* \(regression\)"),
        ([0.0, np.nan], r"a class per image, .* \(regression\)"),
        ([[1, 1, 0], [0, 1, 0]], "one-hot, a single 1 per row.* several labels per image"),
        ([[0.2, 0.8], [0.6, 0.4]], "must be one-hot"),
        ([[1, 0, 0], [0, 1, 0]], "every column of one-hot y must be in use, got none of 2"),
        (["a", 1, None], r"labels of one type, text or numbers, got \['NoneType', 'int'\]"),
        ([], "must not be empty"),
        (np.zeros((2, 3, 4)), "must be a label per image"),
        (np.array([1, 2], complex), "whole numbers or text, got complex128"),
    ],
)
def test_what_are_no_classes_is_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        classes_of(labels if isinstance(labels, np.ndarray) else np.array(labels, _kind(labels)))


def _kind(labels):
    return object if any(isinstance(label, str) for label in labels) else None


def test_a_label_that_training_does_not_have_is_named():
    with pytest.raises(ValueError, match="held must hold labels of .*, cat, dog, got eel"):
        classes_of(["cat", "dog"]).encode(["dog", "eel"], "held")
    with pytest.raises(ValueError, match="y must have 2 columns, got 3"):
        classes_of(np.eye(2)).encode(np.eye(3))


def test_what_was_mapped_is_told_from_what_was_not():
    assert classes_of([0, 1, 2]).numbered
    assert not classes_of([1, 2]).numbered
    assert not classes_of(["0", "2"]).numbered


def test_a_long_list_is_shortened():
    assert shortened(range(3)) == "0, 1, 2"
    assert shortened(range(100)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, ... 99 (100 in all)"
