"""What `search` takes as data: arrays and tf.data sets as `fit` knows them, or a `Data`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.data import arrays
from epnas_tf.data.arrays import Split
from epnas_tf.tuner.inputs import data_of
from tests.data.images import pairs


def _set(x, y, batch=0):
    found = tf.data.Dataset.from_tensor_slices((x, y))
    return found.batch(batch) if batch else found


def test_arrays_with_validation_data(images):
    x, y = images
    data = data_of(x[:60], y[:60], {"validation_data": (x[60:], y[60:])}, 0)
    assert pairs(data.train) == pairs(Split(x[:60], y[:60]))
    assert pairs(data.validation) == pairs(Split(x[60:], y[60:]))
    assert (data.num_classes, data.test) == (3, None)


@pytest.mark.parametrize(("split", "held"), [(0.5, 48), (0.25, 24), (None, 18)])
def test_arrays_with_a_validation_split(images, split, held):
    data = data_of(*images, {"validation_split": split}, 0)
    assert (len(data.train), len(data.validation)) == (96 - held, held)


def test_a_split_depends_on_the_seed(images):
    first, again, other = (data_of(*images, {}, seed).validation.images for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("split", [0.0, 1.0, -0.1])
def test_a_split_that_leaves_a_part_empty_is_refused(images, split):
    with pytest.raises(ValueError, match=rf"validation_split must be in \(0, 1\), got {split}"):
        data_of(*images, {"validation_split": split}, 0)


def test_nothing_is_as_good_as_not_said(images):
    unset = dict.fromkeys(("validation_data", "validation_split", "callbacks", "sample_weight"))
    assert len(data_of(*images, unset, 0).validation) == 18


def test_other_arguments_are_named(images):
    with pytest.raises(ValueError, match=r"search\(\) takes x, y, .* got \['a', 'callbacks'\]"):
        data_of(*images, {"callbacks": [], "a": 1}, 0)


@pytest.mark.parametrize("batch", [0, 7, 36])
def test_data_sets_are_taken_apart(images, batch):
    x, y = images
    validation = {"validation_data": _set(x[60:], y[60:], batch)}
    data = data_of(_set(x[:60], y[:60], batch), None, validation, 0)
    assert pairs(data.train) == pairs(Split(x[:60], y[:60]))
    assert pairs(data.validation) == pairs(Split(x[60:], y[60:]))


@pytest.mark.parametrize("labels", ["numbers", "column", "one-hot"])
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 6), (6, 8, 3)])
@pytest.mark.parametrize("batched", [False, True, "equal"])
def test_images_and_labels_of_every_form_are_told_from_batches(shape, labels, batched):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (40, *shape)).astype(np.uint8)
    y = np.arange(40) % 4
    given = {"numbers": y, "column": y[:, np.newaxis], "one-hot": np.eye(4, dtype=np.int32)[y]}
    found = tf.data.Dataset.from_tensor_slices((x, given[labels]))
    if batched:
        found = found.batch(10, drop_remainder=batched == "equal")
    data = data_of(found, None, {"validation_data": (255 - x, y)}, 0)
    assert pairs(data.train) == pairs(Split(x, y))


def test_an_infinite_data_set_is_refused(images):
    endless = _set(*images, batch=8).repeat()
    with pytest.raises(ValueError, match="x and y: .* must be finite, got one that repeats"):
        data_of(endless, None, {}, 0)
    with pytest.raises(ValueError, match="validation_data: .* must be finite"):
        data_of(*images, {"validation_data": endless}, 0)


def test_a_data_set_of_something_else_is_refused(images):
    x, y = images
    only_images = tf.data.Dataset.from_tensor_slices(x)
    weighted = tf.data.Dataset.from_tensor_slices((x, y, np.ones(96)))
    named = tf.data.Dataset.from_tensor_slices({"image": x, "label": y})
    for given in (only_images, weighted, named):
        with pytest.raises(ValueError, match=r"must hold \(image, label\), got"):
            data_of(given, None, {}, 0)


@pytest.mark.parametrize("length", ["unknown", "infinite"])
def test_a_data_set_that_only_repeats_is_refused_whatever_it_says_of_its_length(images, length):
    endless = _set(*images, batch=32).repeat()
    if length == "unknown":
        endless = endless.filter(lambda x, y: True)
    with pytest.raises(ValueError, match="x and y: .* must be finite.* leave out repeat"):
        data_of(endless, None, {}, 0)


def test_a_data_set_without_end_is_stopped_by_its_memory(images, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_GIB", 1e-4)
    rng = np.random.default_rng(0)

    def ever():
        while True:
            yield rng.integers(0, 256, (8, 8, 1)), 1

    kind = (tf.TensorSpec((8, 8, 1), tf.uint8), tf.TensorSpec((), tf.int32))
    endless = tf.data.Dataset.from_generator(ever, output_signature=kind)
    with pytest.raises(ValueError, match="x and y needs .*take.n. of a set without an end"):
        data_of(endless, None, {}, 0)


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
    for x, y in ((given, None), (given, [1, 2])):
        with pytest.raises(ValueError, match=f"x and y.*{reason}"):
            data_of(x, y, {}, 0)


def test_images_of_several_sizes_are_refused(images):
    mixed = tf.data.Dataset.from_generator(
        lambda: ((np.zeros((size, 8, 1)), 0) for size in (8, 9)),
        output_signature=(tf.TensorSpec((None, 8, 1)), tf.TensorSpec((), tf.int32)),
    )
    with pytest.raises(ValueError, match="x and y: its images must be of one size"):
        data_of(mixed, None, {}, 0)


def test_sample_weights_are_refused(images):
    x, y = images
    message = r"validation_data must be images and labels, .* \(no sample weights\)"
    with pytest.raises(ValueError, match=message):
        data_of(x, y, {"validation_data": (x, y, np.ones(96))}, 0)
    with pytest.raises(ValueError, match="validation_data must be images and labels"):
        data_of(x, y, {"validation_data": x}, 0)


def test_images_without_labels_are_refused(images):
    with pytest.raises(ValueError, match="x and y must be images and labels"):
        data_of(images[0], None, {}, 0)


def test_a_data_is_taken_as_it_is(data, images):
    assert data_of(data, None, {"validation_data": None}, 0) is data
    for y, arguments in ((images[1], {}), (None, {"validation_data": images})):
        with pytest.raises(ValueError, match="a Data holds labels and validation part itself"):
            data_of(data, y, arguments, 0)
