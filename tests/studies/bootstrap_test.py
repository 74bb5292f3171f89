"""Medians and differences with their intervals."""

import numpy as np
import pytest

from epnas_tf.studies import bootstrap


def test_a_median_has_an_interval_that_narrows():
    few = bootstrap.median(np.arange(10))
    many = bootstrap.median(np.arange(1000) / 100)
    assert few["median"] == 4.5
    assert few["interval"][0] <= 4.5 <= few["interval"][1]
    assert np.diff(many["interval"])[0] < np.diff(few["interval"])[0]


def test_a_difference_has_its_sign_and_an_interval():
    told = bootstrap.difference(np.arange(100), np.arange(100) + 50)
    assert told["difference"] == -50
    assert told["interval"][0] < -50 < told["interval"][1] < 0


def test_pairs_are_drawn_together():
    a = np.random.default_rng(0).normal(0, 10, 50)
    told = bootstrap.difference(a + 1, a, paired=True)
    assert told == {"difference": pytest.approx(1), "interval": [pytest.approx(1)] * 2}
    assert bootstrap.difference(a + 1, a)["interval"][0] < -2
    with pytest.raises(ValueError, match="paired runs must be as many, got 50 and 49"):
        bootstrap.difference(a, a[1:], paired=True)
