"""What a trial is told besides its proposal: nothing of what only the lowest rung does."""

from __future__ import annotations

import pytest

from epnas_tf.searching.trials import Proposal
from epnas_tf.tuner import durable


@pytest.fixture(name="oracle")
def _oracle(quick, make_tuner, data):
    tuner = make_tuner(parameter_sharing="lineage", stop_hopeless=0.1, rungs=(2, 4))
    tuner.session.begin(tuner.plan(data))
    return tuner.oracle


def test_a_network_of_a_step_inherits_and_is_judged(oracle):
    (first, _) = oracle.search.ask()
    told = oracle._assign(first, "w3")
    assert (told.proposal, told.worker, told.attempt, told.failures) == (first, "w3", 1, None)
    assert (told.generation, told.reference, told.remembered) == (0, (), None)
    assert len(told.names) == len(first.spec.items)


@pytest.mark.parametrize("wave", [None, 1])
def test_what_rises_or_is_measured_at_the_end_does_neither(oracle, wave):
    (first, _) = oracle.search.ask()
    told = oracle._assign(Proposal(first.slot.at(1), first.spec, wave=wave), "w3")
    assert (told.generation, told.reference, told.names) == (None, None, ())


def test_a_stopped_attempt_is_a_try_but_no_failure(oracle):
    oracle.create_trial("w0")
    oracle.put_back()
    (first, _) = oracle.search.ask()
    told = oracle._assign(first, "w0")
    assert (told.attempt, told.failures, told.deaths) == (2, 0, 0)
    assert [trial.message for trial in oracle.trials.values()] == [durable.STOPPED]
