"""Trained networks as an export takes them: of final trainings, else as the search kept them."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import keras

from epnas_tf import config as config_lib
from epnas_tf import resolve, run
from epnas_tf.data.dataset import Data
from epnas_tf.exporting.source import Source
from epnas_tf.fields import ConfigError, flag, settings_in
from epnas_tf.handover import finals
from epnas_tf.handover.finals import Final
from epnas_tf.handover.settings import ExportConfig
from epnas_tf.tuner import handing_out
from epnas_tf.tuner.trial_data import CompletedTrial
from epnas_tf.tuner.tuner import EPNASTuner
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir

# Settings of a search that say where files are on its machine, and nothing of the network.
_PLACES = ("work_dir", "data_dir")


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A trained network.

    Attributes:
      load: returns it as a model that takes pixels and returns logits.
      source: what is known of it.
      origin: where its weights come from, for a person to read.
    """

    load: Callable[[], keras.Model]
    source: Source
    origin: str


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """A search in its folder, which is only read.

    Attributes:
      config: that it began with.
      data: its images.
      tuner: with its trials.
    """

    config: Any
    data: Data
    tuner: EPNASTuner

    def trained(self, trial: CompletedTrial) -> Trained:
        """Returns a trial's network with the weights that the search kept."""
        source = handing_out.source_of(trial, self.tuner.oracle, self.data)
        kept = self.tuner.oracle.trials[trial.trial_id]
        return Trained(
            lambda: self.tuner.load_model(kept),
            dataclasses.replace(source, command=command_of(self.config)),
            "the weights that the search kept (epnas_retrain would train it to the end)",
        )


def open_search(work_dir: str) -> Search:
    """Returns the search in a folder, with its images.

    Raises:
      ConfigError: there is none, or its images are not there or have changed.
    """
    files, where = WorkDir(work_dir), flag("work_dir", work_dir)
    if not storage.exists(files.flags) or not storage.exists(files.project):
        raise ConfigError(f"{where}: must be the folder of a search, has no flags.txt of one")
    try:
        stored = config_lib.from_flags_text(storage.read_text(files.flags))
    except ValueError as error:
        raise ConfigError(f"{where}: {files.flags} is corrupt: {error}") from error
    # Whatever trained the networks: what they give is measured on this process' own device.
    config = dataclasses.replace(stored, work_dir=work_dir, strategy="none", tpu="", verbosity=0)
    data = resolve.load_data(config)
    with resolve.blamed_on(config, "work_dir"):
        tuner = run.make_tuner(resolve.to_be_read(config, config), data)
        tuner.session.check_images(data)
    return Search(stored, data, tuner)


def command_of(config: Any) -> str:
    """Returns the command of a search, but for where its files are."""
    said = (
        flag(field.name, getattr(config, field.name))
        for field in settings_in(config)
        if field.name not in _PLACES and getattr(config, field.name) != field.default
    )
    return " ".join(["epnas_search", *said])


def selected(config: ExportConfig, search: Search) -> Iterator[Trained]:
    """Yields the networks of a search that an export asks for, best first.

    Raises:
      ConfigError: there is no such network.
    """
    if config.final:
        with resolve.blamed_on(config, "final"):
            yield _of_final(finals.read(config.final), search)
        return
    with resolve.blamed_on(config, "work_dir"):
        ended = finals.of_search(config.work_dir)
    if ended and not config.trial and config.top == 1:
        yield _of_final(ended[0], search)
        return
    oracle = search.tuner.oracle
    with resolve.blamed_on(config, "trial" if config.trial else "work_dir"):
        best = handing_out.find(oracle, config.trial)
    for trial in [best] if config.top == 1 else oracle.best()[: config.top]:
        own = [final for final in ended if final.slot == trial.slot.name]
        yield _of_final(own[0], search) if own else search.trained(trial)


def _of_final(final: Final, search: Search) -> Trained:
    """Returns the network of a final training; raises ConfigError where it is of other images."""
    source, data = final.source, search.data
    theirs = (source.input_shape, source.full_scale, source.class_names)
    if theirs != (data.input_shape, data.full_scale, data.classes.names):
        raise ConfigError(
            f"{flag('final', final.folder)}: must be a final training on the images of the search"
        )
    return Trained(lambda: _load(final.model_file), source, f"its final training in {final.folder}")


def _load(path: str) -> keras.Model:
    """Returns the model in a file of any place."""
    with tempfile.TemporaryDirectory() as folder:  # Keras reads from a local path alone
        local = os.path.join(folder, finals.MODEL)
        storage.write_atomic(local, storage.read_bytes(path))
        return keras.models.load_model(local, compile=False)
