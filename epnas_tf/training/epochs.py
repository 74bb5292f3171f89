"""The epochs of a training: their updates, what is told of them, where they begin and pause."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from epnas_tf.training import loop
from epnas_tf.training.schedule import Schedule, learning_rate_at
from epnas_tf.training.state import State, Training

# (rates [n], sums so far of losses and hits) -> the sums with those of its updates.
RunSteps = Callable[[Any, Any, Any], tuple[Any, Any]]

_NOTHING = np.zeros(2, np.float32)


@dataclasses.dataclass(frozen=True)
class EpochResult:
    """One epoch of the schedule.

    Attributes:
      epoch: counted from 0.
      loss: mean cross-entropy over the epoch's images, each times its weight where images have
        weights, without the L2 term and an auxiliary head's; of smoothed or blended labels where
        they are.
      accuracy: share of the epoch's images classified correctly, in training mode; of a blended
        image, the share of the class that it is taken for.
      validation_accuracy: after the epoch, where it was asked for and after the last planned one.
    """

    epoch: int
    loss: float
    accuracy: float
    validation_accuracy: float | None = None


@dataclasses.dataclass(frozen=True)
class Updates:
    """How far a training run is.

    Attributes:
      epoch: the running one, counted from 0.
      epochs: planned.
      done: updates so far, over all epochs.
      total: updates of all planned epochs.
      accuracy: share of the running epoch's images classified correctly so far.
    """

    epoch: int
    epochs: int
    done: int
    total: int
    accuracy: float


class Place:
    """Where a training begins, and where it hands out its state.

    Attributes:
      epochs: those that were run, of the state that it goes on from too.
      updates: done when it begins.
      sums: of losses and hits of the epoch that it begins in.
    """

    def __init__(self, state: State | None, on_state: Callable[[State], None] | None):
        self.epochs: list[EpochResult] = []
        self.updates, self.sums = 0, _NOTHING
        self._state, self._on_state = state, on_state
        self._training: Training | None = None
        self._pause = 0
        self._variables: list[keras.Variable] = []

    def enter(
        self,
        training: Training,
        variables: list[keras.Variable],
        strategy: tf.distribute.Strategy,
    ) -> None:
        """Begins where the state says; raises ValueError where it is another training's."""
        self._training, self._variables = training, variables
        self._pause = training.schedule.falls_from(training.steps)
        if self._state is None:
            return
        training.refuse_other(self._state, [tuple(variable.shape) for variable in variables])
        self.updates, self.sums = self._state.updates, self._state.sums
        self.epochs += results_in(self._state)
        with strategy.scope():
            for variable, value in zip(variables, self._state.variables, strict=True):
                variable.assign(value)

    def cuts(self, epoch: int, steps: int, others: Iterable[int] = ()) -> list[int]:
        """Returns where an epoch's updates begin, where they pause and where they end.

        Args:
          epoch: counted from 0.
          steps: updates of an epoch.
          others: pauses beside that of the state, in updates over all epochs.
        """
        before = epoch * steps
        first = max(0, self.updates - before)
        pauses = {at - before for at in (self._pause, *others)}
        return [first, *sorted(at for at in pauses if first < at < steps), steps]

    def paused(self, updates: int, loss: Any, hits: Any) -> None:
        """Hands out the state within an epoch where this is where the rate begins to fall."""
        if updates == self._pause:
            self._hand_out(updates, np.array([loss, hits], np.float32))

    def epoch_ended(self, updates: int) -> None:
        """Hands out the state after an epoch, which stands in `epochs` by now."""
        self._hand_out(updates, _NOTHING)

    def _hand_out(self, updates: int, sums: np.ndarray) -> None:
        if self._on_state is None or self._training is None:
            return
        rows = [(each.loss, each.accuracy, each.validation_accuracy) for each in self.epochs]
        epochs = np.array(rows, np.float64).reshape(-1, 3)  # None becomes NaN
        values = tuple(np.array(variable.numpy()) for variable in self._variables)
        self._on_state(State(self._training.described, updates, epochs, sums, values))


class Epochs:
    """Runs the updates of an epoch."""

    def __init__(
        self,
        runs: Mapping[int, RunSteps],
        rates: np.ndarray,
        batch_size: int,
        on_updates: Callable[[Updates], None] | None,
        place: Place,
    ):
        """Prepares a training's epochs.

        Args:
          runs: what runs updates, by the update, over all epochs, from which it does; one from 0.
          rates: float32 [epochs, steps per epoch].
          batch_size: images per update.
          on_updates: hears how far they are.
          place: where they begin and pause.
        """
        self._runs = runs
        self._rates, self._batch_size = rates, batch_size
        self._on_updates, self._place = on_updates, place
        self._pace = loop.Pace()

    def __call__(self, epoch: int) -> tuple[float, np.float32]:
        """Returns the mean loss of an epoch's updates and the number of hits."""
        rates = self._rates[epoch]
        before = epoch * len(rates)
        cuts = self._place.cuts(epoch, len(rates), self._runs)
        loss, hits = tf.unstack(tf.constant(self._place.sums if cuts[0] else _NOTHING))
        for start, stop in itertools.pairwise(cuts):
            run = self._runs[max(begins for begins in self._runs if begins <= before + start)]
            for part in self._pace(start, stop):
                loss, hits = run(tf.constant(rates[part]), loss, hits)
                float(loss)  # waits for the graph
                if self._on_updates is not None:
                    self._on_updates(self._updates(epoch, part.stop, float(hits)))
            if stop < len(rates):
                self._place.paused(before + stop, loss, hits)
        return float(loss.numpy() / np.float32(len(rates))), hits.numpy()

    def _updates(self, epoch: int, done: int, hits: float) -> Updates:
        epochs, steps = self._rates.shape
        accuracy = hits / (done * self._batch_size)
        return Updates(epoch, epochs, epoch * steps + done, epochs * steps, accuracy)


def results_in(state: State) -> list[EpochResult]:
    """Returns the epochs that a state holds."""
    return [
        EpochResult(epoch, loss, accuracy, None if math.isnan(validation) else validation)
        for epoch, (loss, accuracy, validation) in enumerate(state.epochs.tolist())
    ]


def learning_rates(schedule: Schedule, steps_per_epoch: int) -> np.ndarray:
    """Returns float32 [epochs, steps per epoch]."""
    total = schedule.epochs * steps_per_epoch
    rates = [learning_rate_at(update, schedule, steps_per_epoch) for update in range(total)]
    return np.array(rates, np.float32).reshape(schedule.epochs, steps_per_epoch)
