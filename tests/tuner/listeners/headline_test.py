"""What a search says before its first trial: images, classes, schedule, how sure an accuracy is."""

import dataclasses

import numpy as np
import pytest

from epnas_tf.data import dataset as data_lib
from epnas_tf.tuner.listeners import headline
from tests.data.images import noise


def _lines(make_tuner, data, **overrides):
    return headline.lines(make_tuner(schedule="quick").plan(data, overrides), 7, "work")


def test_images_classes_and_schedule_are_said(make_tuner, data):
    first, second, *_ = _lines(make_tuner, data)
    images = "arrays: 72 training and 24 validation images of 8x8x1, 3 classes"
    assert first == f"{images}; at most 7 networks in work"
    assert second.startswith("a child: epochs 3, batches of 8 (for so few images, not of 32), ")


def test_an_epoch_that_is_not_all_images_is_said(make_tuner, data):
    _, child, *_ = _lines(make_tuner, data, epoch_images=40)
    assert child.startswith("a child: epochs 3 of 40 of the 72 training images each, batches of 8 ")


def test_names_of_classes_are_said_in_their_order(make_tuner):
    labels = np.array(["dog", "cat"])[np.arange(40) % 2]
    lines = _lines(make_tuner, data_lib.from_arrays(noise(40, 8, 8), labels))
    assert "2 classes (cat, dog); at most 7 networks" in lines[0]
    assert lines[-1].startswith("note: labels cat, dog are classes 0, 1 of the networks")


def test_uneven_classes_are_said_with_what_helps(make_tuner):
    labels = (np.arange(60) % 6 == 0).astype(int)
    lines = _lines(make_tuner, data_lib.from_arrays(noise(60, 8, 8), labels))
    assert "2 classes, largest class 0.8333; " in lines[0]
    (said,) = (line for line in lines if "uneven" in line)
    assert said.startswith("note: classes are uneven (0 40, 1 8 training images): --objective=")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (10, "on 10 validation images an accuracy is known to +-0.31 (95%): too few to compare"),
        (100, "on 100 validation images an accuracy is known to +-0.10 (95%)"),
        (499, "on 499 validation images an accuracy is known to +-0.04 (95%)"),
        (500, None),
    ],
)
def test_what_is_too_little_to_compare_by_is_said(make_tuner, data, count, said):
    few = dataclasses.replace(data, validation=data.validation.take(np.zeros(count, int)))
    notes = [line for line in _lines(make_tuner, few) if line.startswith("note: on ")]
    assert len(notes) == (said is not None)
    assert not notes or notes[0].startswith(f"note: {said}")
