"""What any source chooses: an image and its copies are on one side, disputed ones in training."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.data import copies
from epnas_tf.data.sources.common import Request


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
