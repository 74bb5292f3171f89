"""Early stopping by the median rule, behind --stop_hopeless; no TensorFlow.

A child is held against the networks of the previous step at the same epoch, by the accuracy that
training gives for free. The rule is for children that are far behind: it says nothing in the first
quarter of the epochs, where curves cross, nor where it has too little to hold them against.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for its type alone: the trainer imports TensorFlow
    from epnas_tf.training.epochs import EpochResult

FEWEST_REFERENCES = 3

# Accuracies are shares of a count of images: this is less than one of them, and more than rounding.
_ROUNDING = 1e-9


def first_epoch(planned: int) -> int:
    """Returns after how many epochs a child may be stopped: a quarter of the planned, rounded up.

    Raises:
      ValueError: fewer than one epoch is planned.
    """
    if planned < 1:
        raise ValueError(f"planned epochs must be at least 1, got {planned}")
    return math.ceil(planned / 4)


@dataclasses.dataclass(frozen=True)
class StopRule:
    """What the children of a step are held against; `on_epoch` is the trainer's callback.

    Attributes:
      margin: how far below the median a training accuracy ends the training, in 0..1.
      reference: the training accuracies of the previous committed step's networks, epoch by
        epoch. Fewer than 3 stop nobody.
      planned: epochs of the schedule.
    """

    margin: float
    reference: tuple[tuple[float, ...], ...]
    planned: int

    def __post_init__(self) -> None:
        first_epoch(self.planned)
        if not 0 <= self.margin <= 1:
            raise ValueError(f"margin must be in 0..1, got {self.margin}")
        for curve in self.reference:
            _check(curve, "a reference curve", self.planned)

    def on_epoch(self, result: EpochResult) -> bool:
        """Returns whether the epoch, counted from 0, was the last that is worth its time."""
        return self.stops(result.epoch + 1, result.accuracy)

    def stops(self, epochs: int, accuracy: float) -> bool:
        """Returns whether a child with this training accuracy after so many epochs is stopped.

        Raises:
          ValueError: the accuracy is not in 0..1.
        """
        if not 0 <= accuracy <= 1:
            raise ValueError(f"training accuracy must be in 0..1, got {accuracy}")
        if epochs < first_epoch(self.planned) or len(self.reference) < FEWEST_REFERENCES:
            return False
        if any(len(curve) < epochs for curve in self.reference):
            return False
        median = statistics.median(curve[epochs - 1] for curve in self.reference)
        return median - accuracy > self.margin + _ROUNDING


def stops_early(
    curve: Sequence[float],
    reference_curves: Sequence[Sequence[float]],
    margin: float,
    planned: int,
) -> bool:
    """Returns whether a child is stopped after the last epoch of its curve.

    It is when at least a quarter of the planned epochs, rounded up, are done and its training
    accuracy lies more than `margin` below the median of the references at the same epoch. Fewer
    than 3 references, or one that is shorter than the curve, stop nobody.

    Args:
      curve: the child's training accuracy after each epoch so far, in 0..1.
      reference_curves: those of the previous committed step's networks.
      margin: in 0..1.
      planned: epochs of the schedule, at least 1.

    Raises:
      ValueError: a value is out of its range, or a curve is longer than planned.
    """
    rule = StopRule(margin, tuple(map(tuple, reference_curves)), planned)
    _check(curve, "the curve", planned)
    return bool(curve) and rule.stops(len(curve), curve[-1])


def _check(curve: Sequence[float], name: str, planned: int) -> None:
    if len(curve) > planned:
        raise ValueError(f"{name} must have at most {planned} epochs, got {len(curve)}")
    for accuracy in curve:
        if not 0 <= accuracy <= 1:
            raise ValueError(f"training accuracy must be in 0..1, got {accuracy} in {name}")
