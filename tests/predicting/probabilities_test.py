"""Odds of classes: told or found to be logits, and never made of probabilities again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epnas_tf.predicting import probabilities

_ROWS = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=50)


@given(_ROWS)
def test_logits_become_odds_in_their_order(row):
    logits = np.array([row], np.float32)
    odds = probabilities.of(logits, True)
    assert odds.sum() == pytest.approx(1) and (odds > 0).all()
    order = np.argsort(logits[0], kind="stable")
    assert (np.diff(odds[0][order]) >= 0).all()
    np.testing.assert_allclose(odds, probabilities.of(logits + np.float32(3), True), rtol=1e-4)


@given(_ROWS)
def test_probabilities_stay_as_they_are(row):
    odds = probabilities.of(np.array([row], np.float32), True)
    np.testing.assert_array_equal(probabilities.of(odds, None), odds)
    np.testing.assert_array_equal(probabilities.of(odds, False), odds)


@given(_ROWS)
def test_of_8_bits_they_still_are_probabilities(row):
    odds = probabilities.of(np.array([row], np.float32), True)
    steps = np.minimum(np.rint(256 * odds), 255) / 256
    np.testing.assert_array_equal(probabilities.of(steps, None), steps)


@pytest.mark.parametrize("row", [[2.0, 1.0], [-0.1, 1.1], [0.2, 0.2], [90.0, -1000.0]])
def test_what_does_not_sum_to_one_is_logits(row):
    odds = probabilities.of(np.array([row]), None)
    assert odds.sum() == pytest.approx(1)
    assert odds[0].argmax() == np.argmax(row)


def test_one_row_of_logits_tells_for_all():
    odds = probabilities.of(np.array([[0.5, 0.5], [3.0, 0.0]]), None)
    np.testing.assert_allclose(odds.sum(1), 1)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_finite_is_not_hidden(number):
    assert np.isnan(probabilities.of(np.array([[1.0, number]]), True)).any()
