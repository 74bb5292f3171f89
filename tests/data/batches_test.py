"""tf.data sets, PyDatasets and arrays become two arrays; what has no end is stopped."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.data import arrays, batches, dataset
from epnas_tf.data.arrays import Split
from tests.data.images import noise, pairs


def _set(x, y, batch=0):
    found = tf.data.Dataset.from_tensor_slices((x, y))
    return found.batch(batch) if batch else found


def data_of(given, _, arguments, seed):
    held = arguments.get("validation_data")
    return dataset.from_arrays(*batches.pair(given, "x and y"), held, seed=seed)


@pytest.fixture(name="images")
def _images():
    return noise(96, 8, 8, 1), np.arange(96) % 3


@pytest.mark.parametrize("length", ["unknown", "infinite"])
def test_a_data_set_that_only_repeats_is_refused_whatever_it_says_of_its_length(images, length):
    endless = _set(*images, batch=32).repeat()
    if length == "unknown":
        endless = endless.filter(lambda x, y: True)
    with pytest.raises(ValueError, match="x and y: .* must be finite.* leave out repeat"):
        batches.pair(endless, "x and y")


def test_a_data_set_without_end_is_stopped_by_its_memory(images, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_GIB", 1e-4)
    rng = np.random.default_rng(0)

    def ever():
        while True:
            yield rng.integers(0, 256, (8, 8, 1)), 1

    kind = (tf.TensorSpec((8, 8, 1), tf.uint8), tf.TensorSpec((), tf.int32))
    endless = tf.data.Dataset.from_generator(ever, output_signature=kind)
    with pytest.raises(ValueError, match="x and y needs .*take.n. of a set without an end"):
        batches.pair(endless, "x and y")


class _Batches(keras.utils.PyDataset):
    def __init__(self, x, y, size):
        super().__init__()
        self.x, self.y, self.size = x, y, size

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __getitem__(self, index):
        part = slice(index * self.size, (index + 1) * self.size)
        return self.x[part], self.y[part]


def test_a_py_dataset_is_taken(images):
    x, y = images
    data = data_of(_Batches(x[:60], y[:60], 7), None, {"validation_data": (x[60:], y[60:])}, 0)
    assert pairs(data.train) == pairs(Split(x[:60], y[:60]))


def test_a_shuffled_data_set_is_the_same_data(images):
    shuffled = _set(*images).shuffle(96, seed=1, reshuffle_each_iteration=True)
    first, second, plain = (
        data_of(given, None, {}, 0) for given in (shuffled, shuffled, _set(*images))
    )
    for one in (second, plain):
        assert (one.train.images == first.train.images).all()
        assert (one.validation.labels == first.validation.labels).all()


def test_labels_of_text_come_out_of_a_data_set_too(images):
    x, y = images
    named = np.array(["cat", "dog", "elk"])[y]
    data = data_of(_set(x, named, 16), None, {}, 0)
    assert data.classes.names == ("cat", "dog", "elk")
    assert data.notes[-1].startswith("labels cat, dog, elk are classes 0, 1, 2 of the networks")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"image": 1, "label": 2}, "got a dict of 'image', 'label': give its entries"),
        ((pair for pair in ()), "a generator may have no end"),
        (map(str, ()), "a map may have no end"),
        ({1, 2}, "a set cannot be read"),
        (tf.ragged.constant([[1], [1, 2]]), "must be dense, got a .*RaggedTensor: resize"),
    ],
)
def test_what_is_no_array_is_named_with_what_to_do(given, reason):
    for each in (given, (given, [1, 2])):
        with pytest.raises(ValueError, match=f"x and y.*{reason}"):
            batches.pair(each, "x and y")


def test_images_of_several_sizes_are_refused(images):
    mixed = tf.data.Dataset.from_generator(
        lambda: ((np.zeros((size, 8, 1)), 0) for size in (8, 9)),
        output_signature=(tf.TensorSpec((None, 8, 1)), tf.TensorSpec((), tf.int32)),
    )
    with pytest.raises(ValueError, match="x and y: its images must be of one size"):
        batches.pair(mixed, "x and y")
