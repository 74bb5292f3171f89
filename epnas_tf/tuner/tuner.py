"""EPNASTuner: evaluates what an EPNASOracle proposes, as a Keras Tuner tuner."""

from __future__ import annotations

import epnas_tf.backend

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from keras_tuner import errors

from epnas_tf import fields, global_state
from epnas_tf.architecture import resources
from epnas_tf.architecture.budget import FAILED
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.data import augment
from epnas_tf.data.dataset import Data
from epnas_tf.data.settings import VariationSettings
from epnas_tf.modeling.layers import BUILDERS, Builder
from epnas_tf.report import table
from epnas_tf.searching.trials import Slot
from epnas_tf.terminal import say
from epnas_tf.training import devices, evaluate, schedule
from epnas_tf.training.early_stopping import StopRule
from epnas_tf.training.evaluate import Evaluation, Evaluator
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.settings import EarlyStopping
from epnas_tf.training.trainer import Updates
from epnas_tf.tuner import durable, inputs, last_measures, outcomes, session
from epnas_tf.tuner.durable import Trial
from epnas_tf.tuner.handing_out import HandsOutModels
from epnas_tf.tuner.listeners.console import Console
from epnas_tf.tuner.listeners.results import ResultsWriter
from epnas_tf.tuner.listeners.told import Told, telling
from epnas_tf.tuner.models import Models, SpecHyperModel
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.run_limits import RunWatch
from epnas_tf.tuner.session import ChiefSession, Plan, Session
from epnas_tf.tuner.settings import TunerSettings
from epnas_tf.tuner.trial_data import Assignment
from epnas_tf.workdir import hits_file, weights
from epnas_tf.workdir.layout import WorkDir

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


class EPNASTuner(HandsOutModels):
    """Trains and measures the networks of an EPNASOracle.

    Used as any Keras Tuner tuner: `search(x, y, validation_data=...)`, `results_summary()`,
    `get_best_models()`.

    Attributes:
      settings: how each trial is carried out, and what is kept of it.
      strategy: where children are trained.
      session: the search in its folder.
      models: makes Keras models of specs and trials.
      console: prints a line per trial, and draws bars in a terminal.
    """

    def __init__(
        self,
        oracle: EPNASOracle,
        *,
        schedule: Schedule | str = "",
        strategy: tf.distribute.Strategy | None = None,
        builders: Mapping[str, Builder] = BUILDERS,
        verbose: int = 1,
        directory: str | None = None,
        project_name: str | None = None,
        overwrite: bool = False,
        **settings: Any,
    ):
        """Makes a tuner in `directory`/`project_name`; reloads what it finds there.

        Args:
          oracle: what proposes the networks.
          schedule: how a child is trained; the name of one, or a Schedule; empty for the one that
            suits the data.
          strategy: from `make_strategy`; the default one if None.
          builders: Keras builders of a user-defined space's operations.
          verbose: 0 prints nothing, 1 a line per trial, 2 its network as well.
          directory: parent of the project's folder.
          project_name: name of the project's folder.
          overwrite: delete the search that is there instead of reloading it.
          **settings: fields of `tuner.settings.TunerSettings`, such as `keep_models`,
            `max_child_minutes`, `machine_gflops`.

        Raises:
          SettingError: a setting is not allowed, or another strategy's scope is around the call.
          TypeError: there is no such setting.
          ValueError: the project holds a search of other settings.
          BlockingIOError: overwrite, and another process searches there.
        """
        self.settings = TunerSettings(**settings)
        self._schedule = schedule_of(schedule) if schedule else None
        devices.refuse_scope(but=strategy)
        self.strategy = strategy or devices.make_strategy("none")
        self._builders = builders
        self._evaluator: Evaluator | None = None
        self._mark = time.perf_counter()
        self._oracle = oracle  # `self.oracle` is only a client of it in a worker
        self.console = Console(verbose, leads=not self._is_worker())
        work_dir = WorkDir(os.path.join(directory or ".", project_name or "untitled_project"))
        role = Session if self._is_worker() else ChiefSession
        if overwrite and role is ChiefSession:  # a worker's folder is its chief's
            session.delete(work_dir)
        self.session: Session = role(oracle, work_dir, self.settings)
        self.models = Models(self.session, oracle.space, self.settings, self.strategy, builders)
        super().__init__(
            oracle,
            hypermodel=SpecHyperModel(self.models),
            directory=directory,
            project_name=project_name,
        )
        oracle.verbose = 0  # Keras Tuner's own table would print whole specs
        self._writer = ResultsWriter(work_dir, self.settings.keep_models)
        oracle.listeners += [self.session.share, self._writer, self.console]

    @property
    def work_dir(self) -> WorkDir:
        """Names of the project's files."""
        return self.session.work_dir

    def reload(self) -> None:
        """Reloads the trials and what they have in common: a project can be read without data."""
        self.session.open()

    @property
    def schedule(self) -> Schedule:
        """How children are trained; raises RuntimeError before the data are known."""
        return session.schedule_of(self.session.known_project())

    # Searching

    def search(self, x: Any, y: Any = None, *, on_trial_end: Told = None, **kwargs: Any) -> None:
        """Searches networks for the data.

        Args:
          x: images, a finite tf.data.Dataset of (image, label), batched or not, a
            `keras.utils.PyDataset` of such batches, or a `data.dataset.Data`.
          y: labels, where x holds images alone.
          on_trial_end: called with a `TrialRecord` after each trial, once its files are written;
            what it raises ends the search. A worker calls none, its chief does.
          **kwargs: as `fit` knows them: `validation_data`, `validation_split` (default 0.2),
            `sample_weight`, `class_weight` (a weight by label, or "balanced"), `epochs`,
            `batch_size`, `verbose`. Weights act on the training loss alone.

        Raises:
          ValueError: the data breaks a rule, an argument is not supported, the project holds
            another search, or a strategy's scope is around the call.
          BlockingIOError: another process searches in this project.
        """
        devices.refuse_scope()
        self.console.speak(kwargs.pop("verbose", None))
        overrides = inputs.overrides_of(kwargs)
        data = inputs.data_of(x, y, kwargs, self._oracle.settings.seed)
        plan = self.plan(data, overrides)
        with self.session.claimed(), telling(self._oracle, on_trial_end):
            self.run(plan)
            last_measures.store(self, data)

    def plan(self, data: Data, overrides: Mapping[str, Any] | None = None) -> Plan:
        """Returns what a search of the data would do; writes nothing.

        Raises:
          ValueError: space and data do not fit, or the project holds another search.
        """
        global_state.check_eager()
        _check_builders(self._oracle.space, self._builders)
        given = self._schedule or schedule.for_dataset(data.name, images=len(data.train))
        overrides = inputs.with_rungs(overrides or {}, self._oracle.settings.rungs, self._schedule)
        given = schedule.changed(given, **overrides)
        given = self.session.fit_to_time(data, given, fixed=self._schedule or "epochs" in overrides)
        replicas, named = self.strategy.num_replicas_in_sync, "batch_size" in overrides
        fitted = schedule.fit_to(given, len(data.train), replicas, named=named)
        varied = augment.chosen(data.augmentation, fields.pick(self.settings, VariationSettings))
        return self.session.plan(dataclasses.replace(data, augmentation=varied), given, fitted)

    def run(self, plan: Plan) -> None:
        """Carries out a plan to the search's end or one of its limits.

        Raises:
          ValueError: another process has begun another search meanwhile.
          BlockingIOError: another process searches in this project.
        """
        with self.session.claimed():
            plan = self.session.begin(plan)
            given = (plan.data, plan.schedule, self.strategy, plan.budget, self._builders)
            self._evaluator = Evaluator(
                *given,
                balanced=self._oracle.settings.balanced,
                dtype_policy=self.settings.dtype_policy,
                on_updates=_until(self._oracle.watch, self.console.progress.on_updates),
            )
            self._mark = time.perf_counter()
            if not self._is_worker():
                self._writer.begin(self._oracle)
            try:
                keep = self.settings.keep_models
                with self.console.watching(self._oracle, plan, keep, self.work_dir.path):
                    super().search()
            except KeyboardInterrupt:
                with contextlib.suppress(OSError):  # else it counts as a death: nothing is lost
                    self._oracle.put_back()
                raise
            if not self._is_worker():
                self._writer.prune(self._oracle)  # where no trial was left to do it

    def pre_create_trial(self) -> None:
        """Waits a little where the oracle is waiting for others: Keras Tuner would spin."""
        if self._is_worker():
            time.sleep(POLL_SECONDS)

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluates a trial's network and returns its metrics."""
        assignment = Assignment.from_values(durable.values(trial), self._oracle.space)
        try:
            evaluation = outcomes.remembered(assignment) or self._attempt(assignment)
        except errors.FailedTrialError:
            raise
        except Exception as error:
            # Keras Tuner's loop would swallow it and go on.
            raise errors.FatalError(f"trial {assignment.slot.name} failed: {error!r}") from error
        trial.message = evaluation.reason or None
        # From the end of the last trial to the end of this one: proposals, files and all.
        now = time.perf_counter()
        taken, self._mark = now - self._mark, now
        uses = resources.uses_of(self._known_evaluator().budget.cost(assignment.proposal.spec))
        judges = bool(self._oracle.settings.stop_hopeless) and assignment.slot.of_fold
        return outcomes.outcome(evaluation, uses, taken, judges=judges).to_metrics()

    def _known_evaluator(self) -> Evaluator:
        assert self._evaluator is not None, "run() makes the evaluator"
        return self._evaluator

    def _attempt(self, assignment: Assignment) -> Evaluation:
        """Evaluates a network; raises FailedTrialError where another attempt may do better."""
        evaluator, most = self._known_evaluator(), self.settings.max_attempts
        spec, slot = assignment.proposal.spec, assignment.slot
        if assignment.deaths >= most:
            return evaluator.untrained(spec, FAILED, f"interrupted {most} times")
        generations = self.session.generations if slot.of_fold else None
        self.console.progress.child(slot.name)
        try:
            evaluation = evaluator.evaluate(
                spec,
                slot.seed(self._oracle.settings.seed),
                lambda network: weights.write(network, self.work_dir.model(slot.name)),
                sharing=None if generations is None else generations.sharing(assignment),
                stop_rule=_stop_rule(assignment, self._oracle.settings, evaluator.schedule.epochs),
                epochs=self.epochs_at(slot.rung),
            )
            if slot.rung and slot.rung == self._oracle.finals.rung:
                _keep_hits(self.work_dir, slot, evaluation)
            return evaluation
        except evaluate.BuildError as error:
            return evaluator.untrained(spec, FAILED, str(error))
        except EXPECTED_FAILURES as error:
            if assignment.deaths + 1 < most:
                raise errors.FailedTrialError(str(error)) from error
            return evaluator.untrained(spec, FAILED, str(error))

    def epochs_at(self, rung: int) -> int:
        """Returns the epochs of a rung; raises RuntimeError before the data are known."""
        rungs = self._oracle.settings.rung_epochs
        return self.schedule.epochs * rungs[rung] // rungs[0]

    # What a person reads

    def results_summary(self, num_trials: int = 10) -> None:
        """Prints the best networks in a table and, if one ended the last `search`, the limit."""
        say(table.render(self.work_dir.path, num_trials))
        if self._oracle.stopped_by:
            say(f"stopped at {self._oracle.stopped_by}: a search with a larger one goes on")

    def search_space_summary(self, extended: bool = False) -> None:
        """Prints the fields of the search space and their choices."""
        say(_space_text(self._oracle.space))


def _space_text(space: SearchSpace) -> str:
    lines = [f"Search space: {space.pattern}, at most {space.max_items} items"]
    for field in space.fields:
        lines.append(f"  {field.name}: {', '.join(map(str, field.choices)) or 'an earlier output'}")
    return "\n".join(lines)


def _check_builders(space: SearchSpace, builders: Mapping[str, Builder]) -> None:
    missing = [op for op in space.field("op").choices if op not in builders]
    if space.pattern == "layerwise" and missing:
        raise ValueError(f"builders must cover every op of the space, got none for {missing}")


def _stop_rule(assignment: Assignment, settings: EarlyStopping, epochs: int) -> StopRule | None:
    margin = settings.stop_hopeless if assignment.slot.of_fold else 0.0
    return StopRule(margin, assignment.reference or (), epochs) if margin else None


def _keep_hits(work_dir: WorkDir, slot: Slot, evaluation: Evaluation) -> None:
    """Keeps what the end of a search compares image by image."""
    hits = None if evaluation.training is None else evaluation.training.hits
    if hits is not None:
        hits_file.write(work_dir, slot.name, hits)


def _until(watch: RunWatch, heard: Callable[[Updates], None]) -> Callable[[Updates], None]:
    """Returns what hears of a child's updates, and ends the child where the run's time is up."""

    def on_updates(updates: Updates) -> None:
        heard(updates)
        if watch.time_is_up:
            raise durable.StoppedError

    return on_updates


def schedule_of(given: Schedule | str) -> Schedule:
    """Returns the schedule, found by name where a name is given."""
    return schedule.schedule(given) if isinstance(given, str) else given
