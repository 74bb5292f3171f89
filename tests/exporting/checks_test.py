"""When outputs agree, and what is told of runs."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.exporting import checks
from epnas_tf.exporting.checks import DisagreementError


def test_outputs_of_another_number_of_classes_are_no_agreement():
    trained = np.zeros((20, 3))
    with pytest.raises(DisagreementError, match=r"outputs \(20, 3\), gives \(20, 2\)"):
        checks.difference(trained[:, :2], trained)


def test_differences_are_shares_of_logits_and_not_of_probabilities():
    small, large = np.array([[0.5, 0.25]]), np.array([[-50.0, 20.0]])
    assert checks.difference(small + 0.01, small) == pytest.approx(0.01)
    assert checks.difference(large + 0.01, large) == pytest.approx(0.01 / 50)


def test_a_latency_is_a_median_and_what_most_runs_do_not_exceed():
    latency = checks.latency(tuple(np.arange(1.0, 101.0)))
    assert (latency.median, latency.p95) == (50.5, pytest.approx(95.05))


def test_an_image_is_classified_by_its_largest_output():
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]])
    assert checks.accuracy(outputs, np.array([1, 1, 1])) == pytest.approx(2 / 3)
