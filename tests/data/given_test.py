"""Splits given as arrays: content decides their order, sizes and titles are checked."""

import numpy as np
import pytest

from epnas_tf.data import dataset
from tests.data.images import noise, pairs

X, Y = noise(30, 4, 4), np.arange(30) % 3


def test_the_same_images_shuffled_are_the_same_data():
    order = np.random.default_rng(3).permutation(30)
    plain, shuffled = dataset.from_arrays(X, Y), dataset.from_arrays(X[order], Y[order])
    for name in ("train", "validation"):
        one, two = getattr(plain, name), getattr(shuffled, name)
        np.testing.assert_array_equal(one.images, two.images)
        np.testing.assert_array_equal(one.labels, two.labels)


def test_npz_files_keep_their_order(tmp_path):
    np.savez(tmp_path / "set.npz", x_train=X, y_train=Y, x_val=255 - X, y_val=Y)
    data = dataset.load(f"npz:{tmp_path / 'set.npz'}")
    np.testing.assert_array_equal(data.train.images[..., 0], X)


@pytest.mark.parametrize("names", [["ant", "bee", "cow"], [1, 5, 9], [False, True, True]])
def test_labels_of_every_kind_give_the_classes_their_names(names):
    data = dataset.from_arrays(X, np.array(names)[Y], (255 - X, np.array(names)[Y]))
    assert data.classes.names == tuple(map(str, dict.fromkeys(names)))
    expected = {
        x[..., np.newaxis].tobytes(): names.index(names[y]) for x, y in zip(X, Y, strict=True)
    }
    assert dict(pairs(data.train)) == expected
    assert data.notes[-1].endswith("(encode_labels(y) maps yours)")


def test_lengths_are_compared_by_the_users_own_names(tmp_path):
    np.savez(tmp_path / "set.npz", x_train=X, y_train=Y, x_test=X[:4], y_test=Y[:3])
    with pytest.raises(ValueError, match="x_test and y_test must have the same length, got 4"):
        dataset.load(f"npz:{tmp_path / 'set.npz'}")
