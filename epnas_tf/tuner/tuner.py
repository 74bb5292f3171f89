"""EPNASTuner: evaluates what an EPNASOracle proposes, as a Keras Tuner tuner."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from keras_tuner import errors

from epnas_tf import randomness
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import Spec, spec_from_json
from epnas_tf.modeling.layers import BUILDERS, Builder
from epnas_tf.paths import WorkDir
from epnas_tf.report import table
from epnas_tf.searching.trials import Slot
from epnas_tf.training import data as data_lib
from epnas_tf.training import evaluate, schedule, trainer
from epnas_tf.training.data import Data
from epnas_tf.training.evaluate import Evaluation, Evaluator
from epnas_tf.training.schedule import Schedule
from epnas_tf.tuner import durable
from epnas_tf.tuner.console import Console
from epnas_tf.tuner.durable import DurableTuner, Trial
from epnas_tf.tuner.journal import Journal
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.record import STATUSES

# What may go wrong with a single child: another attempt, then a low reward. Anything else is an
# error of the program and stops the search with its traceback.
EXPECTED_FAILURES = (
    evaluate.BuildError,
    MemoryError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
)


POLL_SECONDS = 0.05


class SpecHyperModel(keras_tuner.HyperModel):
    """Builds the network of a trial's hyperparameters, as `tuner.hypermodel.build(hp)`."""

    def __init__(self, tuner: EPNASTuner):
        super().__init__()
        self._tuner = tuner

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the untrained network that `hp["spec"]` holds as JSON."""
        return self._tuner.evaluator.build(spec_from_json(hp.get("spec")))


class EPNASTuner(DurableTuner):
    """Trains and measures the networks of an EPNASOracle.

    Used as any Keras Tuner tuner: `search(x, y, validation_data=...)`, `results_summary()`,
    `get_best_models()`.
    """

    def __init__(
        self,
        oracle: EPNASOracle,
        *,
        schedule: Schedule | str = "plain",
        strategy: tf.distribute.Strategy | None = None,
        builders: Mapping[str, Builder] = BUILDERS,
        skip_over: float = 2.0,
        max_child_minutes: float = float("inf"),
        machine_gflops: float = 0.0,
        max_attempts: int = 5,
        keep_models: int = 3,
        verbose: int = 1,
        directory: str | None = None,
        project_name: str | None = None,
        overwrite: bool = False,
        **kwargs: Any,
    ):
        """Makes a tuner in `directory`/`project_name`; reloads what it finds there.

        Args:
          oracle: what proposes the networks.
          schedule: how a child is trained; the name of one, or a Schedule.
          strategy: from `trainer.make_strategy`; the default one if None.
          builders: Keras builders of a user-defined space's operations.
          skip_over: a network more than this many times over an upper limit is not trained.
          max_child_minutes: nor is one estimated to train for longer.
          machine_gflops: rate of training that the estimate takes; 0 estimates nothing.
          max_attempts: tries of a slot before it counts as failed.
          keep_models: best trials whose weights stay on disk.
          verbose: 0 prints nothing, 1 a line a trial.
          directory: parent of the project's folder.
          project_name: name of the project's folder.
          overwrite: delete what is there instead of reloading it.
          **kwargs: passed on to `keras_tuner.Tuner`.
        """
        self._schedule = schedule_of(schedule)
        self._strategy = strategy or trainer.make_strategy("none")
        self._builders = builders
        self._limits = {
            "skip_over": skip_over,
            "max_child_minutes": max_child_minutes,
            "machine_gflops": machine_gflops,
        }
        self._max_attempts = max_attempts
        self._evaluator: Evaluator | None = None
        self._mark = time.perf_counter()
        self.keep_models = keep_models
        self._search_space = oracle.space
        self._root_seed = oracle.root_seed
        self._constraints = oracle.constraints
        super().__init__(
            oracle,
            hypermodel=SpecHyperModel(self),
            directory=directory,
            project_name=project_name,
            overwrite=overwrite,
            **kwargs,
        )
        self.work_dir = WorkDir(self.project_dir)
        if not self._is_worker():
            oracle.verbose = 0  # Keras Tuner's own table would print whole specs
            self.console = Console(verbose)
            oracle.listeners += [Journal(self.work_dir, keep_models), self.console]

    @property
    def evaluator(self) -> Evaluator:
        """What trains and measures a network; known once `search` has seen the data."""
        if self._evaluator is None:
            raise RuntimeError("search() must be called first: it brings the images")
        return self._evaluator

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
          ValueError: the data breaks a rule, or an argument is not supported.
        """
        verbose = kwargs.pop("verbose", None)
        if verbose is not None and not self._is_worker():
            self.console.verbose = 1 if verbose == "auto" else int(verbose)
        asked = {name: kwargs.pop(name, None) for name in ("epochs", "batch_size")}
        overrides = {name: value for name, value in asked.items() if value is not None}
        self.prepare(_data_of(x, y, kwargs, self._root_seed), overrides)
        self._mark = time.perf_counter()
        super().search()

    def prepare(self, data: Data, overrides: Mapping[str, Any] | None = None) -> None:
        """Takes the data in: schedule and budget follow from it. `search` does this itself."""
        plan = schedule.changed(self._schedule, **(overrides or {}))
        replicas = self._strategy.num_replicas_in_sync
        plan = schedule.fit_to(plan, len(data.train), replicas)
        budget = Budget(
            data.input_shape,
            data.num_classes,
            self._constraints,
            images=plan.epochs * len(data.train),
            ops=self._search_space.ops,
            **self._limits,
        )
        self._evaluator = Evaluator(data, plan, self._strategy, budget, self._builders)
        self._check_builders()
        if not self._is_worker():
            self.oracle.bind(budget)

    def _check_builders(self) -> None:
        ops = self._search_space.field("op").choices
        missing = [op for op in ops if op not in self._builders]
        if self._search_space.pattern == "layerwise" and missing:
            raise ValueError(f"builders must cover every op of the space, got none for {missing}")

    def pre_create_trial(self) -> None:
        """Waits a little where the oracle is waiting for others: Keras Tuner would spin."""
        if self._is_worker():
            time.sleep(POLL_SECONDS)

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluates a trial's network and returns its metrics."""
        values = durable.values(trial)
        spec, slot = spec_from_json(values["spec"]), Slot.parse(values["slot"])
        try:
            evaluation = self._attempt(spec, slot, int(values["attempt"]))
        except EXPECTED_FAILURES as error:
            if values["attempt"] < self._max_attempts:
                raise errors.FailedTrialError(str(error)) from error
            evaluation = self.evaluator.untrained(spec, evaluate.FAILED)
        except Exception as error:
            # Keras Tuner's loop would swallow it and go on.
            raise errors.FatalError(f"trial {slot.name} failed: {error!r}") from error
        # From the end of the last trial to the end of this one: proposals, files and all.
        now = time.perf_counter()
        taken, self._mark = now - self._mark, now
        return {
            "reward": float(evaluation.reward),
            "accuracy": float(evaluation.accuracy),
            "seconds": evaluation.seconds,
            "overhead_seconds": taken - evaluation.seconds,
            "status": float(STATUSES.index(evaluation.status)),
        }

    def _attempt(self, spec: Spec, slot: Slot, attempt: int) -> Evaluation:
        if attempt > self._max_attempts:  # earlier ones took the whole process with them
            return self.evaluator.untrained(spec, evaluate.FAILED)
        seed = randomness.seed_of(self._root_seed, "child", slot.episode, slot.step, slot.branch)
        return self.evaluator.evaluate(spec, seed, keep=lambda m: self._save_weights(m, slot))

    # Models

    def _save_weights(self, model: keras.Model, slot: Slot) -> None:
        path = self.work_dir.model(slot.name)
        tf.io.gfile.makedirs(self.work_dir.models)
        # Keras insists on the ending; the rename makes the file appear whole or not at all.
        temporary = path.removesuffix(".weights.h5") + ".tmp.weights.h5"
        model.save_weights(temporary)
        tf.io.gfile.rename(temporary, path, overwrite=True)

    def load_model(self, trial: Trial) -> keras.Model:
        """Returns a trial's trained network; raises ValueError if its weights were not kept."""
        values = durable.values(trial)
        path = self.work_dir.model(values["slot"])
        if not tf.io.gfile.exists(path):
            raise ValueError(
                f"weights of {values['slot']} were not kept: keep_models is {self.keep_models}"
            )
        model = self.evaluator.build(spec_from_json(values["spec"]))
        model.load_weights(path)
        return model

    def results_summary(self, num_trials: int = 10) -> None:
        """Prints the best networks in a table."""
        print(table.render(self.work_dir.path, num_trials))


def schedule_of(given: Schedule | str) -> Schedule:
    """Returns the schedule, found by name where a name is given."""
    return schedule.schedule(given) if isinstance(given, str) else given


def _data_of(x: Any, y: Any, fit_arguments: dict[str, Any], seed: int) -> Data:
    """Returns `fit`'s data arguments as a Data; raises ValueError for what is not supported."""
    arguments = dict(fit_arguments)
    validation_data = arguments.pop("validation_data", None)
    split = arguments.pop("validation_split", None) or 0.2
    if arguments:
        raise ValueError(
            "search() takes x, y, validation_data, validation_split, epochs, batch_size and "
            f"verbose, got {sorted(arguments)}"
        )
    if isinstance(x, Data):
        return x
    if isinstance(x, tf.data.Dataset):
        x, y = _arrays_of(x)
    if isinstance(validation_data, tf.data.Dataset):
        validation_data = _arrays_of(validation_data)
    return data_lib.from_arrays(x, y, validation_data, split, seed)


def _arrays_of(dataset: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Returns a data set's images and labels; raises ValueError for an infinite one."""
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("a tf.data.Dataset must be finite, got one that repeats for ever")
    image_spec, _ = dataset.element_spec
    if image_spec.shape.rank == 4:
        dataset = dataset.unbatch()
    pairs = list(dataset.as_numpy_iterator())
    return np.stack([x for x, _ in pairs]), np.stack([y for _, y in pairs])
