"""EPNASTuner: evaluates what an EPNASOracle proposes, as a Keras Tuner tuner."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner import errors

from epnas_tf import randomness
from epnas_tf.architecture.budget import FAILED, STATUSES, Budget
from epnas_tf.architecture.spec import Spec, spec_from_json
from epnas_tf.data.dataset import Data
from epnas_tf.modeling.layers import BUILDERS, Builder
from epnas_tf.report import table
from epnas_tf.searching.trials import Slot
from epnas_tf.sharing.store import ParamStore
from epnas_tf.training import calibrate, devices, evaluate, schedule
from epnas_tf.training.early_stopping import StopRule
from epnas_tf.training.evaluate import Evaluation, Evaluator
from epnas_tf.training.schedule import Schedule
from epnas_tf.tuner import durable, inputs, trial_data
from epnas_tf.tuner.durable import DurableTuner, Trial
from epnas_tf.tuner.generations import Dictionary
from epnas_tf.tuner.listeners.console import Console
from epnas_tf.tuner.listeners.results import Journal
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.workdir import project_file, storage, weights
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.project_file import Images, Project

# What may go wrong with a single child: another attempt, then a low reward. Anything else is an
# error of the program and stops the search with its traceback. A network that cannot be built
# could not be built again either: it gets no other attempt.
EXPECTED_FAILURES = (
    MemoryError,
    tf.errors.ResourceExhaustedError,
    # Of a device or a pipeline that may be well again the next time.
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.DataLossError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnknownError,
)

POLL_SECONDS = 0.05


class SpecHyperModel(keras_tuner.HyperModel):
    """Builds the network of a trial's hyperparameters, as `tuner.hypermodel.build(hp)`."""

    def __init__(self, tuner: EPNASTuner):
        super().__init__()
        self._tuner = tuner

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the untrained network that `hp["spec"]` holds as JSON, ready for `fit`."""
        return self._tuner.model_of(self._tuner.network(spec_from_json(hp.get("spec"))))


class EPNASTuner(DurableTuner):
    """Trains and measures the networks of an EPNASOracle.

    Used as any Keras Tuner tuner: `search(x, y, validation_data=...)`, `results_summary()`,
    `get_best_models()`.

    Attributes:
      strategy: where children are trained.
      keep_models: how many of the best networks' weights stay on disk.
      console: prints a line a trial.
    """

    def __init__(
        self,
        oracle: EPNASOracle,
        *,
        schedule: Schedule | str = "",
        strategy: tf.distribute.Strategy | None = None,
        builders: Mapping[str, Builder] = BUILDERS,
        skip_over: float = 2.0,
        max_child_minutes: float = math.inf,
        max_child_memory: float = math.inf,
        machine_gflops: float = 0.0,
        max_attempts: int = 5,
        keep_models: int = 3,
        max_disk: float = 2e9,
        verbose: int = 1,
        directory: str | None = None,
        project_name: str | None = None,
        overwrite: bool = False,
    ):
        """Makes a tuner in `directory`/`project_name`; reloads what it finds there.

        Args:
          oracle: what proposes the networks.
          schedule: how a child is trained; the name of one, or a Schedule; empty for the one that
            suits the data.
          strategy: from `devices.make_strategy`; the default one if None.
          builders: Keras builders of a user-defined space's operations.
          skip_over: a network more than this many times over an upper limit is not trained.
          max_child_minutes: nor is one estimated to train for longer,
          max_child_memory: nor one estimated to need more bytes.
          machine_gflops: rate of training that the estimate takes; 0 measures it if it is needed.
          max_attempts: tries of a slot before it counts as failed.
          keep_models: best networks whose weights stay on disk.
          max_disk: most bytes of the project, of which shared parameters take half at most;
            where it holds more, no trial is handed out; 0 for no limit.
          verbose: 0 prints nothing, 1 a line a trial, 2 its network as well.
          directory: parent of the project's folder.
          project_name: name of the project's folder.
          overwrite: delete the search that is there instead of reloading it.

        Raises:
          BlockingIOError: overwrite, and another process searches there.
        """
        self._schedule = schedule_of(schedule) if schedule else None
        self.strategy = strategy or devices.make_strategy("none")
        self._builders = builders
        self._skip_over, self._max_child_minutes = skip_over, max_child_minutes
        self._max_child_memory = max_child_memory
        self._machine_gflops = machine_gflops
        self._max_attempts = max_attempts
        oracle.limits.max_disk = max_disk
        self._evaluator: Evaluator | None = None
        self._dictionary: Dictionary | None = None
        self._project: Project | None = None
        self._mark = time.perf_counter()
        self._claimed = False
        self.keep_models = keep_models
        self._oracle = oracle  # `self.oracle` is only a client of it in a worker
        if overwrite and not self._is_worker():  # a worker's folder is its chief's
            _delete(os.path.join(directory or ".", project_name or "untitled_project"))
        super().__init__(
            oracle,
            hypermodel=SpecHyperModel(self),
            directory=directory,
            project_name=project_name,
        )
        if not self._is_worker():
            oracle.verbose = 0  # Keras Tuner's own table would print whole specs
            self.console = Console(verbose)
            shares = [] if oracle.parameter_sharing == "none" else [self._share]
            oracle.listeners += [*shares, Journal(self.work_dir, keep_models), self.console]

    @property
    def work_dir(self) -> WorkDir:
        """Names of the project's files."""
        return WorkDir(self.project_dir)

    def reload(self) -> None:
        """Reloads the trials and what they have in common: a project can be read without data."""
        super().reload()
        self._project = project_file.read(self.work_dir.project)
        if self._project is not None and not self._is_worker():
            known = self._budget(self._project.images, self._project.machine_gflops)
            self._oracle.bind(known)
        if self._oracle.parameter_sharing != "none":
            self._open_dictionary()

    def _open_dictionary(self) -> None:
        """Opens the shared parameters as they are; nothing is written before `search`."""
        store = ParamStore(self.work_dir.shared_params, self._oracle.limits.max_disk / 2)
        sizes = {"branches": self._oracle.branches, "steps": self._oracle.steps}
        self._dictionary = Dictionary(store, **sizes)

    @property
    def schedule(self) -> Schedule:
        """How children are trained; raises RuntimeError before the data are known."""
        return self._known_project().schedule

    def _known_project(self) -> Project:
        if self._project is None:
            raise RuntimeError("search() must be called first: it brings the images")
        return self._project

    # Searching

    def search(self, x: Any, y: Any = None, **kwargs: Any) -> None:
        """Searches networks for the data.

        Args:
          x: images, a finite tf.data.Dataset of (image, label), batched or not, or a
            `training.data.Data`.
          y: labels, where x holds images alone.
          **kwargs: as `fit` knows them: `validation_data`, `validation_split` (default 0.2),
            `epochs`, `batch_size`, `verbose`.

        Raises:
          ValueError: the data breaks a rule, an argument is not supported, or the project holds
            another search.
          BlockingIOError: another process searches in this project.
        """
        verbose = kwargs.pop("verbose", None)
        if verbose is not None and not self._is_worker():
            self.console.verbose = 1 if verbose == "auto" else int(verbose)
        asked = {name: kwargs.pop(name, None) for name in ("epochs", "batch_size")}
        overrides = {name: value for name, value in asked.items() if value is not None}
        data = inputs.data_of(x, y, kwargs, self._oracle.root_seed)
        if self._is_worker():
            self.prepare(data, overrides)
            super().search()
            return
        with self.claimed():
            self.prepare(data, overrides)
            if project_file.read(self.work_dir.project) != self._project:
                project_file.write(self.work_dir.project, self._known_project())
            done = self._oracle.search.done  # replays the log here, where a signal is heard
            if self._dictionary is not None:
                self._recover(self._dictionary, done)
            self._mark = time.perf_counter()
            try:
                super().search()
            except KeyboardInterrupt:
                with contextlib.suppress(OSError):  # else it counts as a death: nothing is lost
                    self._oracle.put_back()
                raise

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keeps other processes from searching in this project; `search` does this itself.

        Raises:
          BlockingIOError: another process searches in it.
        """
        if self._claimed:
            yield
            return
        with storage.exclusive(self.work_dir.lock):
            self.work_dir.sweep()
            self.reload()  # another process may have searched since this tuner looked
            self._claimed = True
            try:
                yield
            finally:
                self._claimed = False

    def _recover(self, dictionary: Dictionary, done: bool) -> None:
        """Brings trials and shared parameters together again after a kill or a loss."""
        if done:
            with contextlib.suppress(ValueError):  # what is lost is not needed any more
                self._share()
            return
        lost = dictionary.lacking(self._oracle.records())
        self._oracle.set_aside(lost, durable.LOST)
        self._share()

    def _share(self, *_: Any) -> None:
        """Takes in the offers of the steps that are whole."""
        if self._dictionary is not None:
            self._dictionary.take_in(self._oracle.records())

    def prepare(self, data: Data, overrides: Mapping[str, Any] | None = None) -> None:
        """Takes the data in and writes nothing; `search` does this itself.

        Raises:
          ValueError: space and data do not fit, or the project holds another search.
        """
        space = self._oracle.space
        self._check_builders()
        if space.image_size not in (None, data.input_shape[:2]):
            raise ValueError(
                f"the space is for images of {space.image_size} pixels, got {data.input_shape[:2]}"
            )
        plan = self._schedule or schedule.for_dataset(data.name, images=len(data.train))
        plan = schedule.changed(plan, **(overrides or {}))
        plan = schedule.fit_to(plan, len(data.train), self.strategy.num_replicas_in_sync)
        images = project_file.images_of(data)
        work = (plan.epochs * len(data.train), plan.micro_batch_size or plan.batch_size)
        budget = self._budget(images, self._rate(), *work)
        settings = project_file.settings_of(space, self._oracle.settings, budget, plan)
        settings["data"] = project_file.data_of(data)
        self._settle(Project(images, budget.machine_gflops, settings))
        self._evaluator = Evaluator(data, plan, self.strategy, budget, self._builders)
        if not self._is_worker():
            self._oracle.bind(budget)

    def _rate(self) -> float:
        """Returns the rate for time estimates: given, or measured once for the project."""
        if self._project is not None:
            return self._project.machine_gflops
        if self._machine_gflops or math.isinf(self._max_child_minutes):
            return self._machine_gflops
        return calibrate.measure_gflops()

    def _budget(
        self, images: Images, machine_gflops: float, trained_on: int = 0, batch: int = 0
    ) -> Budget:
        return Budget(
            images.shape,
            images.num_classes,
            self._oracle.constraints,
            skip_over=self._skip_over,
            max_child_minutes=self._max_child_minutes,
            max_child_memory=self._max_child_memory,
            machine_gflops=machine_gflops,
            ops=self._oracle.space.ops,
            images=trained_on,
            batch=batch,
        )

    def _settle(self, asked: Project) -> None:
        """Takes what the trials have in common, or checks it against what was written."""
        known = not self._is_worker() and any(map(durable.values, self._oracle.trials.values()))
        if self._project is None and known:
            raise ValueError(
                f"{self.project_dir} holds trials but no project.json of theirs: put it back, or "
                "delete them with overwrite=True"
            )
        differing = [] if self._project is None else project_file.differences(self._project, asked)
        if not differing:
            self._project = asked
        else:
            raise ValueError(
                f"{self.project_dir} holds another search (overwriting deletes it): "
                + "; ".join(differing)
            )

    def _check_builders(self) -> None:
        space = self._oracle.space
        missing = [op for op in space.field("op").choices if op not in self._builders]
        if space.pattern == "layerwise" and missing:
            raise ValueError(f"builders must cover every op of the space, got none for {missing}")

    def pre_create_trial(self) -> None:
        """Waits a little where the oracle is waiting for others: Keras Tuner would spin."""
        if self._is_worker():
            time.sleep(POLL_SECONDS)

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluates a trial's network and returns its metrics."""
        values = durable.values(trial)
        slot = Slot.parse(values["slot"])
        try:
            evaluation = _remembered(values) or self._attempt(values)
        except errors.FailedTrialError:
            raise
        except Exception as error:
            # Keras Tuner's loop would swallow it and go on.
            raise errors.FatalError(f"trial {slot.name} failed: {error!r}") from error
        trial.message = evaluation.reason or None
        # From the end of the last trial to the end of this one: proposals, files and all.
        now = time.perf_counter()
        taken, self._mark = now - self._mark, now
        return {
            "reward": float(evaluation.reward),
            "accuracy": float(evaluation.accuracy),
            "seconds": evaluation.seconds,
            "overhead_seconds": taken - evaluation.seconds,
            "status": float(STATUSES.index(evaluation.status)),
            "inherited": evaluation.warm_share,
            "offer": float(evaluation.offer),
        } | self._curve(evaluation)

    def _curve(self, evaluation: Evaluation) -> dict[str, float]:
        """Returns the training curve as metrics where the next step is held against it."""
        if not self._oracle.stop_hopeless or evaluation.training is None:
            return {}
        return trial_data.curve_metrics([epoch.accuracy for epoch in evaluation.training.epochs])

    def _attempt(self, values: Mapping[str, Any]) -> Evaluation:
        """Evaluates a network; raises FailedTrialError where another attempt may do better."""
        assert self._evaluator is not None, "search() prepares the evaluator"
        spec, slot = spec_from_json(values["spec"]), Slot.parse(values["slot"])
        failures = values.get("failures", values["attempt"] - 1)
        if failures >= self._max_attempts:
            reason = f"interrupted {self._max_attempts} times"
            return self._evaluator.untrained(spec, FAILED, reason)
        seed = randomness.seed_of(
            self._oracle.root_seed, "child", slot.episode, slot.step, slot.branch
        )
        try:
            return self._evaluator.evaluate(
                spec,
                seed,
                lambda network: weights.save_weights(network, self.work_dir.model(slot.name)),
                sharing=None if self._dictionary is None else self._dictionary.sharing(values),
                stop_rule=self._stop_rule(values),
            )
        except evaluate.BuildError as error:
            return self._evaluator.untrained(spec, FAILED, str(error))
        except EXPECTED_FAILURES as error:
            if failures + 1 < self._max_attempts:
                raise errors.FailedTrialError(str(error)) from error
            return self._evaluator.untrained(spec, FAILED, str(error))

    def _stop_rule(self, values: Mapping[str, Any]) -> StopRule | None:
        if not self._oracle.stop_hopeless:
            return None
        assert self._evaluator is not None, "search() prepares the evaluator"
        reference = tuple(tuple(curve) for curve in json.loads(values["reference"]))
        return StopRule(self._oracle.stop_hopeless, reference, self._evaluator.schedule.epochs)

    # Models

    def network(self, spec: Spec, seed: int = 0) -> keras.Model:
        """Returns a spec's untrained network of normalised images."""
        known = self._known_project()
        budget = self._budget(known.images, known.machine_gflops)
        return evaluate.build_child(spec, budget, self.strategy, self._builders, seed)

    def trained_network(self, trial: Trial) -> keras.Model:
        """Returns a trial's trained network; raises ValueError if its weights are not there."""
        values = durable.values(trial)
        path = self.work_dir.model(values["slot"])
        if not storage.exists(path):
            raise ValueError(
                f"weights of {values['slot']} are not in {self.work_dir.models}; those of the best "
                f"{self.keep_models} are kept (keep_models)"
            )
        network = self.network(spec_from_json(values["spec"]))
        weights.load_weights(network, path)
        return network

    def load_model(self, trial: Trial) -> keras.Model:
        """Returns a trial's trained model of the images as `search` took them, compiled."""
        return self.model_of(self.trained_network(trial))

    def model_of(self, network: keras.Model) -> keras.Model:
        """Returns a compiled model that normalises images and runs the network (logits out)."""
        return weights.compiled(network, self._known_project(), self.strategy)

    # What a person reads

    def results_summary(self, num_trials: int = 10) -> None:
        """Prints the best networks in a table and, if one ended the last `search`, the limit."""
        print(table.render(self.work_dir.path, num_trials))
        if self._oracle.stopped_by:
            print(f"stopped at {self._oracle.stopped_by}: a search with a larger one goes on")

    def search_space_summary(self, extended: bool = False) -> None:
        """Prints the fields of the search space and their choices."""
        space = self._oracle.space
        print(f"Search space: {space.pattern}, at most {space.max_items} items")
        for field in space.fields:
            print(f"  {field.name}: {', '.join(map(str, field.choices)) or 'an earlier output'}")


def _remembered(values: Mapping[str, Any]) -> Evaluation | None:
    """Returns the earlier result that stands for a trial, None where it is to be trained."""
    return Evaluation(*json.loads(values["remembered"])) if "remembered" in values else None


def _delete(folder: str) -> None:
    """Deletes the search in a folder, and nothing that is not a search's."""
    work_dir = WorkDir(folder)
    if storage.exists(folder):
        with storage.exclusive(work_dir.lock):
            work_dir.clear()


def schedule_of(given: Schedule | str) -> Schedule:
    """Returns the schedule, found by name where a name is given."""
    return schedule.schedule(given) if isinstance(given, str) else given
