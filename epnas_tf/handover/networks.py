"""Trained networks as an export takes them: of final trainings, else as the search kept them."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import functools
from collections.abc import Callable, Iterator

import keras

from epnas_tf import config as config_lib
from epnas_tf import fields, resolve, run
from epnas_tf.architecture import resources
from epnas_tf.data.dataset import Data
from epnas_tf.exporting.source import Source
from epnas_tf.fields import ConfigError, flag, settings_in
from epnas_tf.final import found
from epnas_tf.final import result as final_result
from epnas_tf.final.found import Found
from epnas_tf.final.result import FinalResult
from epnas_tf.final.settings import RetrainConfig
from epnas_tf.handover.settings import ExportConfig
from epnas_tf.tuner import handing_out
from epnas_tf.tuner.trial_data import CompletedTrial
from epnas_tf.tuner.tuner import EPNASTuner
from epnas_tf.workdir import storage, weights
from epnas_tf.workdir.layout import FinalDir, WorkDir

# Settings of a search that say where files are on its machine, and nothing of the network.
_PLACES = ("work_dir", "data_dir")


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A trained network.

    Attributes:
      load: returns it as a model that takes pixels and returns logits.
      source: what is known of it.
      data: its images.
      origin: where its weights come from, for a person to read.
    """

    load: Callable[[], keras.Model]
    source: Source
    data: Data
    origin: str


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """A search in its folder, which is only read.

    Attributes:
      data: its images.
      tuner: with its trials.
      command: that began it.
    """

    data: Data
    tuner: EPNASTuner
    command: str

    def trained(self, trial: CompletedTrial) -> Trained:
        """Returns a trial's network with the weights that the search kept."""
        source = handing_out.source_of(trial, self.tuner.oracle, self.data)
        kept = self.tuner.oracle.trials[trial.trial_id]
        return Trained(
            lambda: self.tuner.load_model(kept),
            dataclasses.replace(source, command=self.command),
            self.data,
            "the weights that the search kept (epnas_retrain would train it to the end)",
        )


def open_search(work_dir: str) -> Search:
    """Returns the search in a folder, with its images.

    Raises:
      ConfigError: there is none, or its images are not there or have changed.
    """
    files, where = WorkDir(work_dir), flag("work_dir", work_dir)
    if not storage.exists(files.project):
        raise ConfigError(f"{where}: must hold a search, has no project.json of one")
    if not storage.exists(files.flags):
        raise ConfigError(
            f"{where}: its images were given in Python, where EPNASTuner.export writes its networks"
        )
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
    said = (
        flag(field.name, getattr(stored, field.name))
        for field in settings_in(stored)
        if field.name not in _PLACES and getattr(stored, field.name) != field.default
    )
    return Search(data, tuner, " ".join(["epnas_search", *said]))


def selected(config: ExportConfig, given: Data | None = None) -> Iterator[Trained]:
    """Yields the networks that an export asks for, best first.

    Args:
      config: names them.
      given: the images of the search, where they were given as arrays.

    Raises:
      ConfigError: there is no such network, or its images are not those of the search.
    """
    if config.final:
        with resolve.blamed_on(config, "final"):
            yield _of_final(final_result.read(config.final), config, given)
        return
    with resolve.blamed_on(config, "work_dir"):
        ended = final_result.of_search(config.work_dir)
    if config.top == 1:
        of_it = [each for each in ended if config.trial in ("", each.slot)]
        if of_it:
            yield _of_final(of_it[0], config, given)
            return
    search = open_search(config.work_dir)
    oracle = search.tuner.oracle
    with resolve.blamed_on(config, "trial" if config.trial else "work_dir"):
        best = handing_out.find(oracle, config.trial)
    for trial in [best] if config.top == 1 else oracle.best()[: config.top]:
        own = [result for result in ended if result.slot == trial.slot.name]
        yield _of_final(own[0], config, search.data) if own else search.trained(trial)


def _of_final(result: FinalResult, config: ExportConfig, given: Data | None) -> Trained:
    """Returns the network of a final training.

    Raises:
      ConfigError: its images are not there or have changed.
    """
    training = _settings_of(result, config.work_dir)
    network = Found(result.spec, limits=result.limits)
    if training.work_dir:
        network = found.in_search(training.work_dir, result.slot or "")
    data = found.images_for(network, training, given)
    return Trained(
        functools.partial(weights.read_model, result.model_file),
        _source(result),
        data,
        f"its final training in {result.folder}",
    )


def _settings_of(result: FinalResult, work_dir: str) -> RetrainConfig:
    """Returns the settings of a final training; its search may have moved to another folder."""
    text = storage.read_text(FinalDir(result.folder).flags)
    values = fields.read_flags(text, RetrainConfig)
    if values["work_dir"] and work_dir:
        values["work_dir"] = work_dir
    return RetrainConfig(**values)


def _source(result: FinalResult) -> Source:
    data, (low, high) = result.data, result.interval
    epochs = f"{result.epochs} epoch{'s' * (result.epochs != 1)}"
    return Source(
        name=result.slot or result.spec.key,
        dataset=data.name,
        input_shape=data.input_shape,
        full_scale=data.full_scale,
        class_names=data.classes,
        trained=(
            f"trained to the end by the recipe {result.recipe} with seed {result.seed}, "
            f"{epochs} on {data.train_images} images: {result.accuracy:.4f} of "
            f"{result.images} {result.measured_on} images (95% interval {low:.4f} to {high:.4f})"
        ),
        uses=resources.uses_of(result.costs),
        constraints=result.limits,
        spec=result.spec.to_json(),
        command=result.command,
    )
