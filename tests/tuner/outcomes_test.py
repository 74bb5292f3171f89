"""What is logged of a child's evaluation."""

import dataclasses
import math

import pytest

from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.trials import Proposal, Slot
from epnas_tf.training.epochs import EpochResult
from epnas_tf.training.evaluate import Evaluation
from epnas_tf.training.trainer import TrainResult
from epnas_tf.tuner import outcomes
from epnas_tf.tuner.trial_data import Assignment, Remembered

_EPOCHS = (EpochResult(0, 2.0, 0.25), EpochResult(1, 1.5, 0.5, 0.4))
_TRAINING = TrainResult(_EPOCHS, 0.4, 0.4, 6, 1.0, 0.5, finite=True)
_EVALUATION = Evaluation(0.4, 0.3, "trained", 1.0, _TRAINING, epochs=2)


@pytest.mark.parametrize("judges", [False, True])
def test_a_curve_is_logged_where_a_later_step_is_held_against_it(judges):
    outcome = outcomes.outcome(_EVALUATION, {"params": 7.0}, 3.0, judges=judges)
    assert outcome.curve == ((0.25, 0.5) if judges else ())
    assert (outcome.epochs, outcome.training_accuracy, outcome.loss_sum) == (2, 0.5, 3.5)
    assert (outcome.seconds, outcome.overhead_seconds, outcome.uses) == (1.0, 2.0, {"params": 7.0})


def test_losses_that_are_no_numbers_are_left_out():
    epochs = (_EPOCHS[0], EpochResult(1, math.nan, 0.1))
    training = dataclasses.replace(_TRAINING, epochs=epochs, finite=False)
    evaluation = dataclasses.replace(_EVALUATION, training=training)
    assert outcomes.outcome(evaluation, {}, 3.0, judges=False).loss_sum == 2.0


def test_what_was_not_trained_has_no_epochs():
    outcome = outcomes.outcome(Evaluation(0.1, 0.1, "over_limits"), {}, 3.0, judges=True)
    assert (outcome.epochs, outcome.training_accuracy, outcome.loss_sum) == (0, 0.0, 0.0)
    assert outcome.curve == ()


def test_an_earlier_result_stands_for_a_trial():
    proposal = Proposal(Slot(1, 2, 0), LayerwiseSpec((LayerSpec("max_pool", pool=2),)))
    assignment = Assignment(proposal, 1, "tuner0")
    assert outcomes.remembered(assignment) is None
    known = dataclasses.replace(assignment, remembered=Remembered(0.5, 0.4, "trained", 3, 0.45))
    told = outcomes.remembered(known)
    assert (told.accuracy, told.reward, told.status, told.epochs) == (0.5, 0.4, "trained", 3)
    assert (told.balanced_accuracy, told.training) == (0.45, None)
