"""Copies are told by their bytes; of given splits the later one loses them."""

import numpy as np
import pytest

from epnas_tf.data import copies, dataset
from tests.data.images import noise, rows


def test_images_that_are_equal_share_a_digest():
    images = noise(5, 3, 3)
    images[3] = images[1]
    digests = copies.digests_of(images)
    assert digests[3] == digests[1]
    assert len(np.unique(digests)) == 4


def test_a_later_split_loses_what_an_earlier_one_has():
    images = noise(40, 4, 4)
    labels = np.arange(40) % 2
    held = np.concatenate([images[:3], images[30:], images[30:31]])
    of_held = np.concatenate([labels[:3], labels[30:], labels[30:31]])
    data = dataset.from_arrays(images[:30], labels[:30], (held, of_held))
    assert (len(data.train), len(data.validation)) == (30, 10)
    assert not rows(data.train) & rows(data.validation)
    assert data.notes == (
        "left out as copies of images in an earlier split: 4 of the validation split",
    )


def test_copies_within_what_is_split_are_said():
    images = np.concatenate([noise(40, 4, 4), noise(40, 4, 4)[:5]])
    labels = np.arange(45) % 2
    labels[40:] = labels[:5]
    data = dataset.from_arrays(images, labels)
    assert not rows(data.train) & rows(data.validation)
    assert data.notes == ("5 images are copies of others and stay on one side of the split",)


def test_splits_of_nothing_but_copies_are_refused():
    images, labels = noise(20, 4, 4), np.arange(20) % 2
    with pytest.raises(ValueError, match="the validation split must hold images of its own"):
        dataset.from_arrays(images, labels, (images, labels))
    with pytest.raises(ValueError, match="images of different labels must differ"):
        dataset.from_arrays(np.zeros((20, 4, 4)), labels)
