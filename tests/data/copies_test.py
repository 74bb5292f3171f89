"""Copies count once, between splits the later one loses them; disputed ones are only trained on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.data import copies, dataset
from epnas_tf.data.sources.common import Request
from tests.data.images import noise, rows


def test_images_that_are_equal_share_a_digest():
    images = noise(5, 3, 3)
    images[3] = images[1]
    digests = copies.digests_of(images)
    assert digests[3] == digests[1]
    assert len(np.unique(digests)) == 4


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1)), min_size=30, max_size=80),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_no_image_is_on_both_sides_of_a_split(examples, seed):
    # Enough of each class that is not disputed.
    examples += [(100 + n, n % 2) for n in range(20)]
    digests = np.array([digest for digest, _ in examples], np.uint64)
    labels = np.array([label for _, label in examples])
    found = copies.among(digests, labels)
    train, held, test = Request(seed=seed).choose(labels, 0.2, 0.2, copies=found)
    assert not {*digests[train]} & {*digests[held]}
    assert not {*digests[held]} & {*digests[test]}
    assert not {*digests[train]} & {*digests[test]}
    assert {*digests[train], *digests[held], *digests[test]} == {*digests}
    for part in (held, test):
        assert len(np.unique(digests[part])) == len(part)
        for index in part:
            assert len({*labels[digests == digests[index]]}) == 1
    assert (np.diff(train) > 0).all()


def test_where_there_are_no_copies_the_split_is_as_ever():
    labels = np.arange(60) % 3
    found = copies.among(np.arange(60).astype(np.uint64)[::-1], labels)
    plain = Request(seed=4, train_fraction=0.5).choose(labels, 0.2)
    for one, two in zip(
        plain, Request(seed=4, train_fraction=0.5).choose(labels, 0.2, copies=found), strict=True
    ):
        np.testing.assert_array_equal(one, two)


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
