"""What mixup blends with what: a pure function of seed and place, whatever the batch's layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.training import mixup

_checked = settings(deadline=None, derandomize=True, max_examples=60, database=None)


@_checked
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 9), st.integers(0, 3))
def test_partners_are_another_order_of_the_batch_and_nobodys_own(epochs, steps, batch, seed):
    shares, partners = mixup.plan(0.4, epochs, steps, batch, seed)
    assert shares.shape == (epochs * steps,) and ((shares >= 0) & (shares <= 1)).all()
    places = np.arange(epochs * steps * batch)
    assert np.sort(partners).tolist() == places.tolist()
    assert (partners // batch == places // batch).all()
    assert batch == 1 or (partners != places).all()


@_checked
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 3))
def test_a_longer_training_begins_with_the_same(epochs, more, seed):
    short, longer = (mixup.plan(0.4, n, 5, 8, seed) for n in (epochs, epochs + more))
    for one, other in zip(short, longer, strict=True):
        assert one.tolist() == other[: len(one)].tolist()


def test_another_seed_or_epoch_blends_otherwise():
    one, other = (mixup.plan(0.4, 2, 50, 8, seed) for seed in (1, 2))
    assert (one[0] != other[0]).all() and (one[1] != other[1]).any()
    assert (one[0][:50] != one[0][50:]).all()


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_are_drawn_from_beta(alpha):
    shares, _ = mixup.plan(alpha, 20, 200, 2, 0)
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.06)  # of Beta


def test_examples_are_blended_part_by_part():
    ours = np.array([[[[2.0]], [[4.0]]]] * 2), np.array([[1.0, 0.0]] * 2), np.array([1.0, 1.0])
    theirs = np.array([[[[6.0]], [[0.0]]]] * 2), np.array([[0.0, 1.0]] * 2), np.array([0.0, 2.0])
    images, labels, weights = mixup.blended(np.array([0.75, 0.5]), ours, theirs)
    np.testing.assert_array_equal(images[:, :, 0, 0], [[3.0, 3.0], [4.0, 2.0]])
    np.testing.assert_array_equal(labels, [[0.75, 0.25], [0.5, 0.5]])
    np.testing.assert_array_equal(weights, [0.75, 1.5])
