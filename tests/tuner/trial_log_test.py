"""Keras Tuner's trials as plain data: which of them count, and in which order."""

from __future__ import annotations

import dataclasses

import pytest
from keras_tuner.engine import hyperparameters
from keras_tuner.engine.trial import Trial

from epnas_tf.architecture import resources
from epnas_tf.architecture.cost import Cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.trials import Proposal, Slot
from epnas_tf.tuner import durable
from epnas_tf.tuner.durable import Status
from epnas_tf.tuner.trial_data import Assignment, Outcome, Remembered
from epnas_tf.tuner.trial_log import TrialLog

_SPEC = LayerwiseSpec((LayerSpec("conv2d", 3, None, 8, "relu"),), 4)
_LIMITS = (Constraint("params", upper=500),)


class _Trials(dict):
    """Trials by id, as an oracle has them."""

    def add(
        self, branch, attempt=1, status=Status.RUNNING, accuracy=None, message=None, **place
    ) -> Trial:
        wave, curve = place.pop("wave", None), place.pop("curve", ())
        proposal = Proposal(Slot(1, place.pop("step", 0), branch, **place), _SPEC, wave=wave)
        values = hyperparameters.HyperParameters()
        values.values = Assignment(proposal, attempt, "w").to_values()
        trial = Trial(values, f"{len(self):04d}", status, message)
        if accuracy is not None:
            uses = resources.uses_of(Cost(400, 6000, 200))
            outcome = Outcome(accuracy, accuracy, "trained", uses, curve=curve, epochs=9)
            for name, value in outcome.to_metrics().items():
                trial.metrics.register(name)
                trial.metrics.update(name, value)
        self[trial.trial_id] = trial
        return trial

    def complete(self, branch, accuracy=0.5, **more) -> Trial:
        return self.add(branch, status=Status.COMPLETED, accuracy=accuracy, **more)


@pytest.fixture(name="trials")
def _trials():
    return _Trials()


@pytest.fixture(name="log")
def _log(trials, space):
    return TrialLog(trials, space, _LIMITS)


def test_completed_trials_come_in_the_order_of_their_slots(trials, log):
    for branch in (2, 0, 1):
        trials.complete(branch)
    trials.add(3)
    trials.add(4, status=Status.FAILED)
    assert [trial.slot.branch for trial in log.completed()] == [0, 1, 2]
    assert [trial.trial_id for trial in log.completed()] == ["0001", "0002", "0000"]


def test_of_two_results_of_a_slot_the_later_counts(trials, log):
    """The first one's shared parameters were lost, so that it was trained again."""
    trials.complete(0, 0.25)
    trials.complete(0, 0.75, attempt=2)
    (found,) = log.completed()
    assert (found.outcome.accuracy, found.assignment.attempt) == (0.75, 2)
    ((_, result),) = log.results()
    assert result.accuracy == 0.75


def test_a_completed_trial_is_held_against_the_limits(trials, space):
    trials.complete(0, message="slow")
    for upper, feasible in ((400, True), (399, False)):
        (found,) = TrialLog(trials, space, [Constraint("params", upper=upper)]).completed()
        assert (found.feasible, found.outcome.reason) == (feasible, "slow")


def test_a_trial_is_found_by_its_slots_name_once_it_is_completed(trials, log):
    assert log.find("e01s00b0") is None  # as in a worker, whose oracle has no trials
    trials.complete(0, 0.75)
    trials.add(1)
    assert log.find("e01s00b0").outcome.accuracy == 0.75
    assert log.find("e01s00b1") is None  # still running


def test_tries_are_all_attempts_or_those_that_ended_like_this(trials, log):
    trials.add(0, status=Status.FAILED, message=durable.STOPPED)
    trials.add(0, 2, status=Status.FAILED, message=durable.INTERRUPTED)
    trials.add(0, 3)
    trials.add(1)
    assert log.tries(Slot(1, 0, 0)) == 3
    assert log.tries(Slot(1, 0, 0), durable.STOPPED) == 1
    assert log.tries(Slot(1, 0, 0), durable.STOPPED, durable.INTERRUPTED) == 2
    assert log.tries(Slot(1, 0, 2)) == 0


@pytest.mark.parametrize("completed_first", [True, False])
def test_a_result_counts_more_than_a_failed_attempt(trials, log, completed_first):
    for completed in (completed_first, not completed_first):
        if completed:
            trials.complete(0)
        else:
            trials.add(0, status=Status.FAILED)
    trials.add(1)
    told = {proposal.slot.branch: result for proposal, result in log.results()}
    assert told[0].accuracy == 0.5
    assert told[1] is None


def test_what_rose_beside_a_step_is_replayed_and_what_stands_outside_the_fold_is_not(trials, log):
    trials.complete(0)
    trials.complete(0, rung=1, wave=1)
    trials.add(1, rung=1, wave=1)
    trials.complete(0, rung=2)  # at an end of the search
    trials.complete(0, rung=2, measurement=1)
    told = {proposal.slot.name: (proposal.wave, result) for proposal, result in log.results()}
    assert list(told) == ["e01s00b0", "e01s00b0r1", "e01s00b1r1"]
    assert [wave for wave, _ in told.values()] == [None, 1, 1]
    assert [result is not None for _, result in told.values()] == [True, True, False]
    names = [trial.slot.name for trial in log.completed()]
    assert names == ["e01s00b0", "e01s00b0r1", "e01s00b0r2", "e01s00b0r2m1"]


def test_what_was_measured_at_an_end_is_remembered_when_the_network_rises(trials, log):
    rising = Proposal(Slot(1, 0, 0, rung=1), _SPEC, wave=3)
    trials.complete(0, 0.25)
    assert log.remembered(rising) is None
    trials.complete(0, 0.75, rung=1)
    assert log.remembered(rising) == Remembered(0.75, 0.75, "trained", 9)
    assert log.remembered(Proposal(Slot(1, 0, 1, rung=1), _SPEC, wave=3)) is None
    assert log.remembered(Proposal(Slot(1, 0, 0), _SPEC)) is None
    again = Proposal(Slot(1, 1, 0), _SPEC, reuse="e01s00b0")
    assert log.remembered(again) == Remembered(0.25, 0.25, "trained", 9)


def test_curves_are_those_of_the_lowest_rung(trials, log):
    trials.complete(0, step=1, curve=(0.25, 0.5))
    trials.complete(0, step=1, curve=(0.125, 0.75), rung=1, wave=2)
    trials.complete(1, step=1, curve=(0.5, 0.5))
    assert log.curves_before(Slot(1, 2, 0), 5) == ((0.25, 0.5), (0.5, 0.5))


def test_a_corrupt_trial_of_which_the_id_alone_is_known_replays_nothing(trials, log):
    trials["0000"] = Trial(hyperparameters.HyperParameters(), "0000", Status.FAILED)
    assert log.results() == log.completed() == []
    assert log.tries(Slot(1, 0, 0)) == 0


def test_a_trial_of_another_space_is_refused(trials, log):
    trial = trials.add(0)
    spec = LayerwiseSpec((LayerSpec("conv2d", 3, None, 8, "relu"),), 16)
    trial.hyperparameters.values["spec"] = spec.to_json()
    with pytest.raises(ValueError, match="stem and stacking must be those of the space"):
        log.assignment(trial)


def test_a_trial_is_taken_apart_once(trials, log):
    """Specs are checked when they are made, which would be done for all trials at each write."""
    trial = trials.complete(0)
    assert log.completed_trial(trial) is log.completed_trial(trial)
    assert log.assignment(trial) is log.completed_trial(trial).assignment


def test_what_was_measured_at_an_end_is_no_part_of_the_search(trials, log):
    """Nor does it hide that a later step began to train the very same."""
    first = trials.complete(0, 0.5)
    again = Proposal(Slot(1, 0, 0, 1), _SPEC)
    measured = trials.complete(0, 0.75)
    measured.hyperparameters.values = Assignment(again, 1, "w").to_values()
    assert [proposal.slot for proposal, _ in log.results()] == [log.assignment(first).slot]
    risen = dataclasses.replace(again, wave=2)
    trials.add(0).hyperparameters.values = Assignment(risen, 2, "w").to_values()
    assert log.results()[1:] == [(risen, None)]
    assert log.remembered(risen).accuracy == 0.75
