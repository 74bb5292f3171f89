"""Means over few seeds: the noise that networks have in common."""

from __future__ import annotations

import math

import pytest

from epnas_tf.studies import means
from epnas_tf.studies.means import Noise


def test_the_noise_is_that_of_all_networks_together():
    found = means.noise([[0.5, 0.7], [0.1, 0.1, 0.1], [0.9]])
    assert found.freedom == 3
    assert found.deviation == pytest.approx(math.sqrt(0.02 / 3))


def test_the_margin_is_students():
    # 12.706 is the quantile for one degree of freedom, 2.776 that for four.
    assert Noise(0.1, 1).margin(2) == pytest.approx(12.706 * 0.1 / math.sqrt(2), rel=1e-3)
    assert Noise(0.1, 4).margin(1, 4) == pytest.approx(2.776 * 0.1 * math.sqrt(1.25), rel=1e-3)


def test_nothing_is_known_of_noise_where_nothing_was_measured_twice():
    found = means.noise([[0.5], [0.6]])
    assert found.freedom == 0
    assert math.isnan(found.deviation)
    assert math.isnan(found.margin(1))
