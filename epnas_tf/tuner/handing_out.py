"""What a tuner hands out of its search: trained models, and these as files for other programs."""

from __future__ import annotations

import epnas_tf.backend

from typing import Any

import keras
import numpy as np

from epnas_tf import fields
from epnas_tf.data.dataset import Data
from epnas_tf.exporting import folder, source
from epnas_tf.exporting.result import Export
from epnas_tf.exporting.settings import FileSettings
from epnas_tf.exporting.source import Source
from epnas_tf.searching.trials import Slot
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.tuner import inputs
from epnas_tf.tuner.durable import DurableTuner, Trial
from epnas_tf.tuner.models import Models
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.session import Session
from epnas_tf.tuner.trial_data import CompletedTrial


class HandsOutModels(DurableTuner):
    """The part of a tuner that hands out what it has trained."""

    models: Models
    session: Session
    _oracle: EPNASOracle
    _evaluator: Evaluator | None

    def load_model(self, trial: Trial) -> keras.Model:
        """Returns a trial's trained model of the images as `search` took them, compiled."""
        return self.models.of_pixels(self.models.trained(trial))

    def encode_labels(self, y: Any) -> np.ndarray:
        """Returns labels as the models take them: int32 [n] from 0, or one-hot where y was so.

        Args:
          y: labels as `search` was given them: text, numbers, truth values or one-hot rows.

        Raises:
          ValueError: one stands for no class of the search.
        """
        return self.models.encode_labels(y)

    def export(
        self, directory: str, x: Any = None, y: Any = None, *, trial: str = "", **arguments: Any
    ) -> Export:
        """Writes a trained network as files for other programs, and runs each in a fresh process.

        Args:
          directory: that is to hold the files.
          x: the images as `search` took them; None for those of this process' search.
          y: labels, where x holds images alone.
          trial: slot of the network, such as e01s03b5; empty for the best.
          **arguments: fields of `exporting.settings.FileSettings` (`formats`, `outputs`, ...), and
            `validation_data` or `validation_split` as `search` took them.

        Raises:
          ValueError: there are no images, other images, or no weights of this network.
          ReloadError: a file cannot be loaded or run by another program.
          DisagreementError: a file of floats does not agree with the network.
        """
        names = {field.name for field in fields.settings_in(FileSettings)}
        settings = FileSettings(**{name: arguments.pop(name) for name in names & {*arguments}})
        data = self._images(x, y, arguments)
        found = find(self._oracle, trial)
        model = self.load_model(self._oracle.trials[found.trial_id])
        known = source_of(found, self._oracle, data)
        images = source.images_of(data, known, settings)
        return folder.write(model, known, images, settings, directory)

    def _images(self, x: Any, y: Any, arguments: dict[str, Any]) -> Data:
        """Returns the images of the search; raises ValueError for others, or without any."""
        if x is None:
            if self._evaluator is None:
                raise ValueError(
                    "export() needs images to make and to measure files with: give x and y as "
                    "search() took them"
                )
            return self._evaluator.data
        data = inputs.data_of(x, y, arguments, self._oracle.settings.seed)
        self.session.check_images(data)
        return data


def find(oracle: EPNASOracle, slot: str = "") -> CompletedTrial:
    """Returns the trained network of a slot, the best where it is empty; raises ValueError."""
    found = oracle.best()[:1]
    if slot:
        wanted = Slot.parse(slot)
        found = [each for each in oracle.completed() if each.trained and each.slot == wanted]
    if not found:
        raise ValueError(f"no network has been trained{f' in slot {slot}' if slot else ''}")
    return found[0]


def source_of(trial: CompletedTrial, oracle: EPNASOracle, data: Data) -> Source:
    """Returns what is known of a network as the search trained it."""
    epochs = trial.outcome.epochs
    return Source(
        name=trial.slot.name,
        dataset=data.name,
        input_shape=data.input_shape,
        full_scale=data.full_scale,
        class_names=data.classes.names,
        trained=f"trained by the search itself, for {epochs} epoch{'s' * (epochs != 1)}",
        uses=trial.outcome.uses,
        constraints=oracle.constraints,
        spec=trial.proposal.spec.to_json(),
    )
