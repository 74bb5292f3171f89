"""What is logged of a child's evaluation, and the evaluation of what stands for another."""

from __future__ import annotations

import epnas_tf.backend

import math
from collections.abc import Mapping

from epnas_tf.training.evaluate import Evaluation
from epnas_tf.tuner.trial_data import Assignment, Outcome


def remembered(assignment: Assignment) -> Evaluation | None:
    """Returns the earlier result that stands for a trial, None where it is to be trained."""
    known = assignment.remembered
    if known is None:
        return None
    balanced = known.balanced_accuracy
    numbers = (known.accuracy, known.reward, known.status)
    return Evaluation(*numbers, balanced_accuracy=balanced, epochs=known.epochs)


def outcome(
    evaluation: Evaluation, uses: Mapping[str, float], taken: float, *, judges: bool
) -> Outcome:
    """Returns what is logged of a trial.

    Args:
      evaluation: what came of its network.
      uses: what the network uses, by resource.
      taken: seconds of the trial in all.
      judges: whether a later step is held against its training curve.
    """
    epochs = () if evaluation.training is None else evaluation.training.epochs
    return Outcome(
        evaluation.accuracy,
        evaluation.reward,
        evaluation.status,
        uses,
        seconds=evaluation.seconds,
        overhead_seconds=taken - evaluation.seconds,
        inherited=evaluation.warm_share,
        offer=evaluation.offer,
        curve=tuple(epoch.accuracy for epoch in epochs) if judges else (),
        reason=evaluation.reason,
        balanced_accuracy=evaluation.balanced_accuracy,
        epochs=evaluation.epochs,
        training_accuracy=0.0 if not epochs else epochs[-1].accuracy,
        loss_sum=sum(epoch.loss for epoch in epochs if math.isfinite(epoch.loss)),
    )
