"""What `search` takes as data: arrays and tf.data sets as `fit` knows them, or a `Data`."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.data.arrays import Split
from epnas_tf.tuner.inputs import data_of, overrides_of
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
    with pytest.raises(ValueError, match=r"search\(\) takes x, y, .* got \['a', 'b'\]"):
        data_of(*images, {"callbacks": [], "b": 2, "a": 1}, 0)


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


def test_weights_of_what_is_measured_on_are_refused(images):
    x, y = images
    message = "validation_data must be images and labels, .* weights act on the training loss alone"
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


# Weights


def test_weights_go_with_their_images_and_only_in_training(images):
    x, y = images
    weights = np.arange(96) / 8
    data = data_of(x, y, {"sample_weight": weights}, 0)
    by_image = {image.tobytes(): weight for image, weight in zip(x, weights, strict=True)}
    assert data.train.weights.dtype == np.float32
    assert list(data.train.weights) == [by_image[image.tobytes()] for image in data.train.images]
    assert data.validation.weights is None
    bare = data_of(x, y, {}, 0)
    assert bare.train.weights is None
    assert (bare.train.images == data.train.images).all()


@pytest.mark.parametrize("given", ["arrays", "data set", "Data"])
def test_a_weight_by_label_goes_with_anything(images, data, given):
    x = {"arrays": images[0], "data set": _set(*images), "Data": data}[given]
    y = images[1] if given == "arrays" else None
    table = {0: 1, 1: 0.5, np.int64(2): 3.0}
    found = data_of(x, y, {"class_weight": table}, 0)
    assert list(found.train.weights) == [table[label] for label in found.train.labels]
    assert data.train.weights is None


def test_weights_by_image_and_by_label_are_multiplied(images):
    given = {"sample_weight": np.full(96, 2.0), "class_weight": {0: 1, 1: 3, 2: 0}}
    data = data_of(*images, given, 0)
    assert list(data.train.weights) == [[2, 6, 0][label] for label in data.train.labels]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(95), r"sample_weight must hold a number per image, \[96\], got \(95,\)"),
        (np.ones((96, 2)), r"sample_weight must hold a number per image, \[96\], got \(96, 2\)"),
        (np.array(["1"] * 96), "sample_weight must hold numbers, got <U1"),
        (np.append(np.ones(95), np.nan), "must hold finite numbers of at least 0, got nan"),
        (np.append(np.ones(95), 1e300), "must hold finite numbers of at least 0, got inf"),
        (np.append(np.ones(95), -0.5), "must hold finite numbers of at least 0, got -0.5"),
        (np.zeros(96), "must leave some image of the training split a weight above 0"),
    ],
)
def test_weights_that_cannot_be_are_refused(images, weights, message):
    with pytest.raises(ValueError, match=message):
        data_of(*images, {"sample_weight": weights}, 0)


def test_weights_beside_anything_but_arrays_are_refused(images, data):
    for x in (_set(*images), data):
        with pytest.raises(ValueError, match="sample_weight must stand beside arrays x and y"):
            data_of(x, None, {"sample_weight": np.ones(96)}, 0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({0: 1, 2: 1}, "of each label, 0, 1, 2, and of no other, got none of 1$"),
        ({0: 1, 1: 1, 2: 1, "cat": 2, 7: 1}, "and of no other, got one of cat, 7$"),
        ({1: 1, 3: 1}, r"got none of 0, 2, got one of 3$"),
        ({0: 1, 1: "2", 2: 1}, "class_weight of label 1 must be a number, got '2'"),
        ({0: 1, 1: -2, 2: 1}, "class_weight must hold finite numbers of at least 0, got -2.0"),
        ({0: 0, 1: 0, 2: 0}, "must leave some image of the training split a weight above 0"),
        ([1, 1, 1], r"class_weight must be a dict or 'balanced', got \[1, 1, 1\]"),
    ],
)
def test_weights_by_label_that_cannot_be_are_refused_by_name(images, table, message):
    with pytest.raises(ValueError, match=message):
        data_of(*images, {"class_weight": table}, 0)


def test_a_word_for_class_weight_is_the_schedules_and_a_table_is_not():
    said = {"epochs": 2, "batch_size": None, "class_weight": "balanced", "verbose": 0}
    assert overrides_of(said) == {"epochs": 2, "class_weight": "balanced"}
    assert said == {"verbose": 0}
    table = {"class_weight": {0: 1.0}}
    assert overrides_of(table) == {}
    assert table == {"class_weight": {0: 1.0}}
