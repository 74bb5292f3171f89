"""Which images an export takes, and in which type."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data
from epnas_tf.exporting import source as source_lib
from epnas_tf.exporting.settings import FileSettings
from tests.exporting import networks


@pytest.fixture(name="data", scope="module")
def _data() -> Data:
    return data_lib.load("digits", train_fraction=0.5)


def test_bytes_are_taken_as_bytes_also_where_they_came_as_floats():
    given = np.array([-3.0, 0.4, 0.6, 254.7, 300.0], np.float32)
    taken = networks.source(255.0).taken(given)
    assert (taken.dtype, taken.tolist()) == (np.uint8, [0, 0, 1, 255, 255])


def test_pixels_of_another_scale_stay_floats():
    source = networks.source(1.0)
    taken = source.taken(np.array([-1.0, 0.25]))
    assert (source.dtype, taken.dtype, taken.tolist()) == ("float32", np.float32, [-1.0, 0.25])


def test_the_test_part_is_measured_on_and_the_training_part_calibrates(data):
    images = source_lib.images_of(data, networks.source(), FileSettings(calibration_images=9))
    assert images.measured_on == "test"
    assert (images.evaluation == data.test.images).all()
    assert (images.labels == data.test.labels).all()
    known = {image.tobytes() for image in data.train.images}
    assert len(images.calibration) == 9
    assert {image.tobytes() for image in images.calibration} <= known


def test_without_a_test_part_validation_images_are_measured_on(images_without_test):
    images = source_lib.images_of(images_without_test, networks.source(), FileSettings())
    assert images.measured_on == "validation"
    assert (images.evaluation == images_without_test.validation.images).all()


@pytest.fixture(name="images_without_test")
def _images_without_test(data: Data) -> Data:
    return data_lib.from_arrays(data.train.images, data.train.labels)


def test_of_many_images_the_same_few_are_taken_each_time(data):
    settings = FileSettings(evaluation_images=50)
    first, again = (source_lib.images_of(data, networks.source(), settings) for _ in range(2))
    assert len(first.labels) == 50
    assert (first.evaluation == again.evaluation).all() and (first.labels == again.labels).all()
    pairs = {(x.tobytes(), y) for x, y in zip(data.test.images, data.test.labels, strict=True)}
    assert {(x.tobytes(), y) for x, y in zip(first.evaluation, first.labels, strict=True)} <= pairs
    assert len(set(first.labels)) > 5  # from all over the part, whose images are in some order
