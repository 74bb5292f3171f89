"""The entry point of a final training: from settings to a result, or on from where it was."""

from __future__ import annotations

import epnas_tf.backend

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from epnas_tf import fields, randomness
from epnas_tf.architecture.budget import Budget
from epnas_tf.data.dataset import Data
from epnas_tf.exporting import versions
from epnas_tf.fields import ConfigError, SettingError, flag
from epnas_tf.final import found, measurement, recipes, result, settled, table, training
from epnas_tf.final.found import Found
from epnas_tf.final.history import History
from epnas_tf.final.progress import Progress
from epnas_tf.final.result import FinalResult, TrainedData
from epnas_tf.final.settings import Recipe, RetrainConfig
from epnas_tf.final.training import Parts, Trained
from epnas_tf.modeling.build import with_normalisation
from epnas_tf.report.units import short
from epnas_tf.resolve import blamed_on
from epnas_tf.terminal import say
from epnas_tf.training import devices, evaluate, memory
from epnas_tf.training.epochs import EpochResult
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.state import StateError
from epnas_tf.workdir import labels_txt, storage, weights
from epnas_tf.workdir.layout import FinalDir


def retrain(work_dir: str = "", *, data: Data | None = None, **settings: Any) -> FinalResult:
    """Trains a network of a search, or of a file, to its end; one that was cut short goes on.

    Args:
      work_dir: folder of the search.
      data: its images, where they were given as arrays (`dataset.from_arrays`) rather than named.
      **settings: other fields of `final.settings.RetrainConfig`, which are the flags of
        epnas_retrain: `trial`, `recipe`, `seed`, `spec`, `out_dir`, `epochs` and so on. None is the
        same as nothing said.

    Returns:
      What came of it; of a training that has ended before, what its files say.

    Raises:
      ConfigError: a setting cannot be followed; raised before anything is trained, but for a loss
        that is no finite number.
      KeyboardInterrupt: the process was asked to stop; the same call goes on.
    """
    said = {name: value for name, value in settings.items() if value is not None}
    said |= {"work_dir": work_dir} if work_dir else {}
    said |= {} if data is None else {"dataset": data.name}
    network = settled.network_of(said)
    config = settled.settled(said, network)
    folder, there = settled.folder_of(config), settled.ended(config, network)
    if there is None:
        task = _prepared(config, network, data, settled.command_of(said))
        with _claimed(task.config, folder):
            there = task.run()
    elif storage.exists(folder.state):  # a kill came between the result and this
        with _claimed(config, folder):
            storage.remove(folder.state)
    for line in table.lines(there):
        say(line)
    return there


@dataclasses.dataclass(frozen=True)
class _Task:
    """A final training whose questions are answered.

    Attributes:
      config: its settings.
      folder: where its files are.
      network: what is trained.
      parts: its images.
      plan: how it is trained.
      strategy: where.
      budget: counts what the network costs.
      command: what began it.
    """

    config: RetrainConfig
    folder: FinalDir
    network: Found
    parts: Parts
    plan: Schedule
    strategy: tf.distribute.Strategy
    budget: Budget
    command: str

    def run(self) -> FinalResult:
        """Trains, measures and writes; the lock is held."""
        settings = dataclasses.replace(self.config, overwrite=False)
        storage.write_atomic(self.folder.flags, fields.flags_text(settings))
        if self.config.verbosity:
            say(self._introduction())
        history, progress = History(self.folder.history, self.plan.epochs), Progress()
        drawn = progress.shown() if self.config.verbosity else contextlib.nullcontext()

        def on_epochs(epochs: Sequence[EpochResult]) -> None:
            history.add(epochs)
            if self.config.verbosity:
                progress.write(history.line(epochs))

        data, seed = self.parts.data, randomness.seed_of(self.config.seed, "final")
        with memory.child_graphs():
            network = self._built(seed)
            with drawn:
                trained = training.train(
                    network,
                    self.parts,
                    self.plan,
                    seed=seed,
                    strategy=self.strategy,
                    state_file=self.folder.state,
                    on_epochs=on_epochs,
                    on_updates=progress.on_updates,
                )
            with self.strategy.scope():
                model = with_normalisation(network, data.full_scale, data.mean, data.std)
            weights.write_model(model, self.folder.model)
            del model, network
        text = measurement.confusion_csv(trained.measurement, data.classes.names)
        storage.write_atomic(self.folder.confusion, text)
        storage.write_atomic(self.folder.labels, labels_txt.text(data.classes.names))
        found = self._result(trained, history.seconds)
        result.write(found)
        if storage.exists(self.folder.state):
            storage.remove(self.folder.state)  # nothing goes on from the end
        return found

    def _built(self, seed: int) -> keras.Model:
        """Returns the untrained network."""
        return evaluate.build_child(
            self.network.spec,
            self.budget,
            self.strategy,
            seed=seed,
            dtype_policy=self.config.dtype_policy,
            identity_init=self.config.identity_init,
        )

    def _introduction(self) -> str:
        """Returns what is about to be done, in a line."""
        cost, data = self.budget.cost(self.network.spec), self.parts.data
        name = self.network.slot or self.network.spec.key
        done = " (goes on)" if storage.exists(self.folder.state) else ""
        return (
            f"{name}: {short(cost.params)} parameters, {short(cost.flops)} FLOPs; recipe "
            f"{self.config.recipe}: {self.plan.epochs} times "
            f"{self.plan.images_per_epoch(len(data.train))} images of {data.name} in batches of "
            f"{self.plan.batch_size}, measured on {len(self.parts.measured)} "
            f"{self.parts.measured_on} images; in {self.folder.path}{done}"
        )

    def _result(self, trained: Trained, seconds: float) -> FinalResult:
        data, found = self.parts.data, trained.measurement
        names = data.classes.names
        return FinalResult(
            slot=self.network.slot,
            spec=self.network.spec,
            recipe=self.config.recipe,
            seed=self.config.seed,
            epochs=len(trained.epochs),
            costs=self.budget.cost(self.network.spec),
            measured_on=self.parts.measured_on,
            images=found.images,
            accuracy=found.accuracy,
            interval=found.interval,
            per_class={names[label]: share for label, share in found.per_class.items()},
            validation_accuracy=trained.validation_accuracy,
            data=TrainedData(
                data.name,
                data.input_shape,
                data.full_scale,
                data.mean,
                data.std,
                names,
                len(data.train),
                data.train.fingerprint,
            ),
            limits=self.network.limits,
            command=self.command,
            versions=versions.known(),
            seconds=seconds,
            finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            folder=self.folder.path,
        )


def _prepared(config: RetrainConfig, network: Found, given: Data | None, command: str) -> _Task:
    """Answers what is left open: threads, devices, images, schedule."""
    with blamed_on(config, "strategy"):
        devices.refuse_scope()
    if config.deterministic:
        devices.refuse_nondeterminism()
    with blamed_on(config, "threads_per_child"):
        threads = devices.use_threads(config.threads_per_child)
    config = dataclasses.replace(config, threads_per_child=threads)
    with blamed_on(config, "strategy"):
        strategy = devices.make_strategy(config.strategy, config.tpu)
    recipe = fields.pick(config, Recipe)
    with blamed_on(config, "dataset"):
        parts = training.parts_of(found.images_for(network, config, given), recipe)
    for note in parts.data.notes:
        say(note)
    with blamed_on(config, "batch_size"):
        named = recipes.values(config.recipe).get("batch_size") != config.batch_size
        replicas = strategy.num_replicas_in_sync
        plan = training.plan_of(recipe, parts.data, replicas, named=named)
    budget = Budget(parts.data.input_shape, parts.data.num_classes)
    folder = settled.folder_of(config)
    return _Task(config, folder, network, parts, plan, strategy, budget, command)


@contextlib.contextmanager
def _claimed(config: RetrainConfig, folder: FinalDir) -> Iterator[None]:
    """Keeps other processes from training in a folder, and names the setting that is to blame.

    Raises:
      ConfigError: another process trains there, what is there cannot be gone on with, the network
        cannot be built, or the loss was no finite number.
    """
    try:
        with storage.exclusive(folder.lock):
            if config.overwrite:
                folder.clear()
            folder.sweep()
            yield
    except BlockingIOError as error:
        raise ConfigError(str(error)) from error
    except StateError as error:
        raise ConfigError(f"{folder.state}: {error} (--overwrite begins anew)") from error
    except evaluate.BuildError as error:
        raise ConfigError(str(error)) from error
    except SettingError as error:
        name = error.setting
        raise ConfigError(f"{flag(name, getattr(config, name))}: {error}") from error
