"""Trains any network to its end by a recipe, with a state after each epoch, and measures it once.

A network is whatever Keras model takes normalised images and returns logits: one of a spec, or one
of a person's own (`tools/studies/baselines.py`).
"""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from epnas_tf import fields
from epnas_tf.data import arrays, augment
from epnas_tf.data.dataset import Data, Split
from epnas_tf.data.settings import VariationSettings
from epnas_tf.fields import SettingError
from epnas_tf.final import measurement
from epnas_tf.final.measurement import Measurement
from epnas_tf.final.settings import BOTH, TRAIN, Recipe
from epnas_tf.training import devices, epochs, schedule, trainer
from epnas_tf.training import state as state_lib
from epnas_tf.training.epochs import EpochResult, Updates
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.state import State
from epnas_tf.workdir import storage

TEST, VALIDATION = "test", "validation"


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """The images of a final training.

    Attributes:
      data: its training split is what is trained on, varied as the recipe says.
      measured_on: `TEST`, or `VALIDATION` where there is no test part.
      validates: whether the validation part is not trained on, so that it says something.
    """

    data: Data
    measured_on: str
    validates: bool

    @property
    def measured(self) -> Split:
        """What the network is measured on at the end."""
        test = self.data.test
        return self.data.validation if test is None else test


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """What a final training gave; the network has the weights that were measured.

    Attributes:
      plan: how it was trained.
      epochs: all of them.
      measurement: on the test part, or on the validation part where there is none.
      validation_accuracy: None where the validation part was trained on.
    """

    plan: Schedule
    epochs: Sequence[EpochResult]
    measurement: Measurement
    validation_accuracy: float | None


def parts_of(data: Data, recipe: Recipe) -> Parts:
    """Returns what of a data set is trained on, and what is measured.

    Raises:
      SettingError: the recipe leaves nothing to measure on.
    """
    if recipe.train_on == BOTH and data.test is None:
        raise SettingError(
            "train_on", f"must be {TRAIN} where there is no test part to measure on, got {BOTH}"
        )
    asked = fields.pick(recipe, VariationSettings)
    data = dataclasses.replace(data, augmentation=augment.chosen(data.augmentation, asked))
    if data.test is None:
        return Parts(data, VALIDATION, validates=True)
    if recipe.train_on == TRAIN:
        return Parts(data, TEST, validates=True)
    train = data.train.joined(data.validation)
    mean, std = arrays.channel_statistics(train.images, data.full_scale)
    return Parts(dataclasses.replace(data, train=train, mean=mean, std=std), TEST, validates=False)


def plan_of(recipe: Recipe, data: Data, replicas: int = 1, *, named: bool = False) -> Schedule:
    """Returns the schedule of a recipe, fitted to the training images.

    Args:
      recipe: how the network is trained.
      data: of `parts_of`.
      replicas: that share a batch.
      named: whether a person asked for this very batch, rather than the recipe.

    Raises:
      SettingError: a value is out of its range.
      ValueError: there are too few images.
    """
    images = len(data.train)
    plan = schedule.of_settings(recipe, data.name, images)
    return schedule.fit_to(plan, images, replicas, named=named)


def train(
    network: keras.Model,
    parts: Parts,
    plan: Schedule,
    *,
    seed: int,
    strategy: tf.distribute.Strategy | None = None,
    state_file: str = "",
    on_epochs: Callable[[Sequence[EpochResult]], None] | None = None,
    on_updates: Callable[[Updates], None] | None = None,
) -> Trained:
    """Trains a network to its end and measures it, or goes on where its state says.

    Args:
      network: takes normalised images and returns logits; made in the strategy's scope. Its name
        and shapes tell its states from those of others.
      parts: the images (`parts_of`).
      plan: how it is trained (`plan_of`).
      seed: decides the order of the images and their variation.
      strategy: from `devices.make_strategy`; None for this process' own device.
      state_file: where its state is written after each epoch, and read from if there is one; empty
        for nowhere. Whoever calls deletes it.
      on_epochs: called after each epoch, before its state is written, with all epochs so far.
      on_updates: as `trainer.train` has it.

    Raises:
      SettingError: the loss was not a finite number, or the batch does not fit.
      StateError: the state is of another training or corrupt.
    """
    strategy = strategy or devices.make_strategy("none")
    state = _read(state_file)
    done: list[EpochResult] = []

    def take(result: EpochResult) -> None:
        # Of images that were trained on it would say nothing.
        validated = result.validation_accuracy if parts.validates else None
        done.append(dataclasses.replace(result, validation_accuracy=validated))

    for earlier in [] if state is None else epochs.results_in(state):
        take(earlier)

    def on_epoch(result: EpochResult) -> None:
        take(result)
        if on_epochs is not None:
            on_epochs(done)

    def on_state(state: State) -> None:
        storage.write_atomic(state_file, state_lib.to_bytes(state))

    result = trainer.train(
        network,
        parts.data,
        plan,
        strategy,
        seed=seed,
        validate_each_epoch=parts.validates,
        on_epoch=on_epoch,
        on_updates=on_updates,
        state=state,
        on_state=on_state if state_file else None,
    )
    if not result.finite:
        raise SettingError(
            "learning_rate",
            f"must be lower, or clip_norm too: the loss of epoch {len(result.epochs)} is no finite "
            f"number, got a rate of {plan.learning_rate:g}",
        )
    labels = trainer.predicted(network, parts.measured, parts.data, strategy)
    found = measurement.measured(labels, parts.measured.labels, parts.data.num_classes)
    accuracy = result.validation_accuracy if parts.validates else None
    return Trained(plan, tuple(done), found, accuracy)


def _read(path: str) -> State | None:
    """Returns the state in a file, None where there is none."""
    if not path or not storage.exists(path):
        return None
    return state_lib.from_bytes(storage.read_bytes(path))
