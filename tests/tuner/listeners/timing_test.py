"""How long a search takes, by what its trials took."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from epnas_tf.report import forecast
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.tuner.listeners.timing import Timing


def _ended(tuner):
    return Timing().tally(tuner.oracle)


def test_this_runs_trials_are_told_from_earlier_ones(quick, make_tuner, data):
    make_tuner(max_trials=2).search(data)
    tuner = make_tuner(max_trials=3)
    timing = Timing()
    timing.begin(tuner.oracle)
    before = timing.tally(tuner.oracle)
    assert (before.left, before.ended, before.trained, before.here) == (1, 2, 2, 0)
    assert 0 < before.before < 60  # seconds and overhead of the two
    tuner.search(data)
    after = timing.tally(tuner.oracle)
    assert (after.left, after.ended, after.trained, after.here) == (0, 3, 3, 1)
    assert after.before == before.before
    assert after.elapsed > 0


def test_what_was_not_trained_is_no_rate(monkeypatch, make_tuner, data):
    monkeypatch.setattr(
        Evaluator, "evaluate", lambda self, spec, *_, **__: self.untrained(spec, "too_long")
    )
    tuner = make_tuner(max_trials=2)
    tuner.search(data)
    tally = _ended(tuner)
    assert (tally.ended, tally.trained, tally.here) == (2, 0, 0)
    assert forecast.seconds_left(dataclasses.replace(tally, left=1)) is None


@pytest.mark.parametrize(("most", "left"), [(0, 6), (5, 5)])
def test_the_limits_of_a_run_reach_the_tally(make_tuner, data, most, left):
    tuner = make_tuner(max_trials=most, max_hours=0.5)
    assert _ended(tuner).left == left
    assert _ended(tuner).limit == 1800.0


def test_what_a_search_needs_is_known_before_its_first_trial(make_tuner, data):
    tuner = make_tuner(max_child_minutes=5.0, machine_gflops=1.0, parameter_sharing="dictionary")
    plan = tuner.session.begin(tuner.plan(data))
    needs = Timing().needs(tuner.oracle, plan, keep_models=2)
    specs = [proposal.spec for proposal in tuner.oracle.search.ask()]
    passes = 1 + len(data.validation) / (3 * plan.budget.images)
    expected = [60 * plan.budget.minutes(plan.budget.cost(spec)) * passes for spec in specs]
    np.testing.assert_allclose(needs.first, expected)
    assert (needs.networks, needs.trials, needs.models, needs.each) == (6, 6, 2, 0)
    pixels = data.train.images.nbytes + data.validation.images.nbytes
    assert pixels < needs.image_bytes == needs.tensor_bytes < pixels + 1000
    assert needs.shared_bytes == 1e9
    assert needs.child_bytes > 0
    assert needs.params == np.mean([plan.budget.cost(spec).params for spec in specs])


def test_a_search_that_is_over_needs_nothing(quick, make_tuner, data):
    tuner = make_tuner()
    tuner.search(data)
    needs = Timing().needs(tuner.oracle, tuner.plan(data), keep_models=2)
    assert needs == forecast.Needs(networks=0)
