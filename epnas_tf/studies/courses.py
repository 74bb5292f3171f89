"""How a study trains a network: as a search does, or to the end as epnas_retrain does."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import time
from collections.abc import Sequence
from typing import ClassVar

import keras

from epnas_tf.architecture.budget import NOT_FINITE, TRAINED
from epnas_tf.data.dataset import Data
from epnas_tf.fields import ConfigError, SettingError
from epnas_tf.final import training
from epnas_tf.final.training import TEST, Parts
from epnas_tf.training import devices, trainer
from epnas_tf.training.epochs import EpochResult
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.state import StateError


@dataclasses.dataclass(frozen=True)
class Figures:
    """What came of a training.

    Attributes:
      status: "trained", or "not_finite" where a loss was not.
      accuracy: on the validation images; chance where a loss was not finite, None where they were
        trained on.
      test: on the test images; None without any, and where a loss was not finite.
      epochs: those that were run.
      seconds: of training and validation steps; of the last run where it went on.
    """

    status: str
    accuracy: float | None
    test: float | None
    epochs: Sequence[EpochResult]
    seconds: float


@dataclasses.dataclass(frozen=True)
class SearchCourse:
    """The way of a search: the validation part is measured at the end, and nothing is kept.

    Attributes:
      data: the images.
      plan: the schedule, fitted to them.
      dtype_policy: what networks compute in, by Keras' name.
      purpose: of the random numbers.
    """

    data: Data
    plan: Schedule
    dtype_policy: str
    purpose: ClassVar[str] = "rescore"

    def train(self, model: keras.Model, seed: int, state_file: str) -> Figures:
        """Trains and measures a model.

        Args:
          model: a fresh one of normalised images that returns logits.
          seed: decides the order of the images and their variation.
          state_file: of no use here.
        """
        del state_file
        strategy = devices.make_strategy("none")
        result = trainer.train(model, self.data, self.plan, strategy, seed=seed)
        accuracy, test = result.validation_accuracy, None
        if result.finite and self.data.test is not None:
            test = trainer.accuracy(model, self.data.test, self.data, strategy)
        status = TRAINED if result.finite else NOT_FINITE
        return Figures(status, accuracy, test, result.epochs, result.train_seconds)


@dataclasses.dataclass(frozen=True)
class FinalCourse:
    """The way of epnas_retrain: the figures are its own, to the bit, and a kill costs an epoch.

    Attributes:
      parts: the images.
      plan: the schedule, fitted to them.
      dtype_policy: what networks compute in, by Keras' name.
      purpose: of the random numbers.
    """

    parts: Parts
    plan: Schedule
    dtype_policy: str
    purpose: ClassVar[str] = "final"

    @property
    def data(self) -> Data:
        """The images; those that are trained on are its training split."""
        return self.parts.data

    def train(self, model: keras.Model, seed: int, state_file: str) -> Figures:
        """Trains and measures a model, or goes on where its state says.

        Args:
          model: a fresh one of normalised images that returns logits.
          seed: decides the order of the images and their variation.
          state_file: where its state is written after each epoch, and read from.

        Raises:
          ConfigError: there is a state of another training, or none that can be read.
        """
        begun = time.perf_counter()
        try:
            found = training.train(model, self.parts, self.plan, seed=seed, state_file=state_file)
        except StateError as error:
            raise ConfigError(f"{state_file}: {error} (delete it to begin anew)") from error
        except SettingError as error:
            if error.setting != "learning_rate":
                raise
            seconds = time.perf_counter() - begun
            return Figures(NOT_FINITE, 1 / self.data.num_classes, None, (), seconds)
        test = found.measurement.accuracy if self.parts.measured_on == TEST else None
        accuracy = found.validation_accuracy
        seconds = time.perf_counter() - begun
        return Figures(TRAINED, accuracy, test, found.epochs, seconds)


Course = SearchCourse | FinalCourse
