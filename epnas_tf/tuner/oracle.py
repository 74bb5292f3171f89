"""EPNASOracle: the search as a Keras Tuner oracle.

Each trial carries its assignment (slot, network, parent, action); the search's state is the fold
over the completed trials, so a reloaded project continues where it was.
"""

from __future__ import annotations

import epnas_tf.backend

from collections.abc import Callable, Sequence
from typing import Any

import keras_tuner

from epnas_tf import fields, interrupts
from epnas_tf.architecture import anatomy
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.fields import SettingError
from epnas_tf.searching import initial_specs as initial_specs_lib
from epnas_tf.searching import prior as prior_lib
from epnas_tf.searching import starts, trials
from epnas_tf.searching.algorithms import ALGORITHMS, Task
from epnas_tf.searching.fold import Fold
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.prior import Prior, PriorTrial
from epnas_tf.searching.rungs import Rungs
from epnas_tf.searching.settings import STEPS, SearchSettings
from epnas_tf.searching.trials import Proposal
from epnas_tf.tuner import durable
from epnas_tf.tuner.assigning import Assigner
from epnas_tf.tuner.durable import DurableOracle, Status, Trial
from epnas_tf.tuner.finals import Finals
from epnas_tf.tuner.run_limits import RunWatch
from epnas_tf.tuner.settings import OracleSettings
from epnas_tf.tuner.trial_data import (
    OBJECTIVE,
    CompletedTrial,
    Outcome,
)
from epnas_tf.tuner.trial_log import TrialLog

Listener = Callable[["EPNASOracle", CompletedTrial], None]


class EPNASOracle(DurableOracle):
    """Proposes what a search asks for; made for EPNASTuner, which tells it of the images by `bind`.

    Attributes:
      space: the networks it may propose.
      constraints: soft limits on the networks' resources.
      settings: everything else that decides which trials there are.
      steps: steps per episode.
      initial_specs: the user's networks, with which step 0 begins.
      prior: what earlier searches found.
      log: its trials as plain data.
      watch: tells when this run hands out no more trials.
      finals: the end of the search, at which the best networks are measured again.
      listeners: called with the oracle and a completed trial after each of these.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        initial_specs: Sequence[Spec] = (),
        prior: Sequence[Sequence[PriorTrial]] = (),
        **settings: Any,
    ):
        """Makes an oracle before its first trial.

        Args:
          space: the networks it may propose.
          constraints: soft limits on the networks' resources, one per resource.
          initial_specs: networks with which step 0 begins, at most one per branch. A search that
            goes on has those that it began with; where some are given, they must be the same.
          prior: what earlier searches found, of each what `read_prior` returns; likewise.
          **settings: fields of `tuner.settings.OracleSettings`, such as `branches`, `episodes`,
            `steps`, `seed`, `policy`, `starts`, `max_trials`.

        Raises:
          SettingError: a setting, the constraints, a starting network or the prior is not allowed.
          TypeError: there is no such setting.
        """
        metrics = [constraint.metric for constraint in constraints]
        if len(set(metrics)) < len(metrics):
            raise SettingError("constraints", f"must name each resource once, got {metrics}")
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "max"),
            max_trials=None,  # its count would include failed attempts
            max_retries_per_trial=0,
            max_consecutive_failed_trials=10**9,  # the tuner's max_attempts ends them instead
        )
        self.space = space
        self.constraints = tuple(constraints)
        self.settings = OracleSettings(**settings)
        self.steps = self.settings.steps or STEPS[space.pattern]
        branches = self.settings.branches
        self.initial_specs = initial_specs_lib.checked(initial_specs, space, branches)
        self.prior: Prior = prior_lib.checked(prior, space)
        self.watch = RunWatch(self.settings)
        self.finals = Finals(self)
        self.listeners: list[Listener] = []
        self._limit_reached = ""
        self._budget: Budget | None = None
        self._search: Fold | None = None
        self.log = TrialLog(self.trials, self.space, self.constraints)
        self._assign = Assigner(self)
        self._worker = ""

    def bind(self, budget: Budget) -> None:
        """Tells the oracle what images the networks are for; the run's time counts from here."""
        if self._search is not None and budget != self._budget:
            raise ValueError("a search must keep its images, limits and schedule, got others")
        self._budget = budget
        self.watch.begin()
        self.finals.begun_by = ""

    @property
    def budget(self) -> Budget:
        """The limits and the images' shape; raises RuntimeError before `bind`."""
        if self._budget is None:
            raise RuntimeError("bind() must come before the first trial: tuner.search() calls it")
        return self._budget

    @property
    def search(self) -> Fold:
        """The search, made when first needed (a worker never does) and brought up to date.

        That replays the log. Within the oracle's lock a signal would wait for it.
        """
        if self._search is None:
            search = ALGORITHMS[self.settings.algorithm](self._task())
            try:
                search.replay(self.log.results())
            except ValueError as error:
                raise ValueError(
                    f"the trials in {self._project_dir} contradict each other: one of their files "
                    f"was changed or comes from another search ({error})"
                ) from error
            self._search = search
        return self._search

    def _task(self) -> Task:
        """Returns what is to be searched, whoever does it."""
        settings = fields.pick(self.settings, SearchSettings)
        begin = starts.plan(settings, self.initial_specs, self.space, self.budget)
        return Task(self.space, settings, self._knowledge(), begin, self._rungs())

    def _rungs(self) -> Rungs:
        """Returns how long networks may be trained, and what that costs."""
        budget, settings = self.budget, self.settings

        def work(spec: Spec) -> float:
            return budget.work(budget.cost(spec)) or 1.0  # a space of one's own may count nothing

        return Rungs(settings.rung_epochs, settings.promotion_share, work)

    def _knowledge(self) -> Knowledge:
        """Returns what is known of networks before any is trained."""
        budget = self.budget
        return Knowledge(
            violation=budget.violation,
            skipped=lambda spec: budget.reason_to_skip(spec) is not None,
            describe=anatomy.describer(self.space, budget),
            prior=prior_lib.groups(self.prior, soft=not self.settings.keeps_limits),
        )

    @property
    def total(self) -> int:
        """Number of trials that the search will have in all, of those that count."""
        slots, most = self.settings.total(self.space.pattern), self.settings.max_trials
        reused = sum(bool(trial.proposal.reuse) for trial in self.completed()) if most else 0
        return min(slots - reused, most or slots)

    @property
    def done(self) -> int:
        """Number of completed trials, of those that count."""
        return sum(self.counts(trial.proposal) for trial in self.completed())

    def counts(self, proposal: Proposal) -> bool:
        """Returns whether a trial counts: at the lowest rung alone.

        Where `max_trials` limits them, a reused one does not.
        """
        return proposal.slot.of_fold and not (proposal.reuse and self.settings.max_trials)

    @property
    def stopped_by(self) -> str:
        """The limit that keeps trials from being handed out, such as "max_hours=8", or ""."""
        return "" if not self._limit_reached or self.search.done else self._limit_reached

    # Keras Tuner's contract

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the values of the next trial of the running step, or of the search's end."""
        ongoing = [self.log.assignment(trial).proposal for trial in self.ongoing_trials.values()]
        running = {proposal.slot for proposal in ongoing}
        limit = self._limit(self.done + sum(map(self.counts, ongoing)))
        ended = bool(limit) or self.search.done
        asked = [] if ended else self.search.ask()
        if ended:
            asked = self.finals.ask(limit, ongoing, self._project_dir)
        for proposal in asked:
            if proposal.slot not in running:
                assignment = self._assign(proposal, self._worker)
                return {"status": Status.RUNNING, "values": assignment.to_values()}
        return {"status": Status.STOPPED if ended and not running else Status.IDLE}

    def _limit(self, begun: int) -> str:
        """Returns what ends the search for networks where so many that count have begun."""
        finals = self.finals
        self._limit_reached = finals.begun_by or self.watch.reached(
            begun, self._project_dir, finals.kept_back()
        )
        return self._limit_reached

    def create_trial(self, tuner_id: str) -> Trial:
        """Returns the tuner's next trial."""
        interrupts.check()
        with self.locked():
            self._worker = tuner_id
            return super().create_trial(tuner_id)

    def end_trial(self, trial: Trial) -> None:
        """Takes a trial's end: a result moves the search on, a failed attempt frees its slot."""
        with self.locked():
            search = self.search  # replayed before this trial is among the completed
            super().end_trial(trial)
            ended = self.trials[trial.trial_id]
            if ended.status == Status.COMPLETED:
                finished = self.log.completed_trial(ended)
                if finished.proposal.in_step:
                    search.tell([finished.result])
                for listener in self.listeners:
                    listener(self, finished)

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """Returns the best trained trials, in the order of `best`."""
        return [self.trials[best.trial_id] for best in self.best()[:num_trials]]

    def remaining_trials(self) -> int:
        """Returns how many trials are still without a result, of those that count."""
        return self.total - self.done

    def reload(self) -> None:
        """Rebuilds the state from the trials' files; the search follows when first needed."""
        self._forget()
        super().reload()
        self._assign.forget()

    def _forget(self) -> None:
        """Lets what follows from the trials be worked out anew."""
        self.log = TrialLog(self.trials, self.space, self.constraints)
        self._search = None

    def check(self, trial: Trial) -> None:
        """Raises ValueError where a trial that was read cannot be of this search."""
        if not durable.values(trial):  # an attempt of which only the id was known
            return
        slot, branches = self.log.assignment(trial).slot, self.settings.branches
        rungs = len(self.settings.rung_epochs)
        if slot.rung >= rungs:
            raise ValueError(f"slot must be of {rungs} rungs, got {slot.name}")
        if slot.branch >= branches or slot.step > self.steps or slot.episode < 1:
            raise ValueError(
                f"slot must be of {branches} branches and {self.steps} steps, got {slot.name}"
            )
        if trial.status == Status.COMPLETED:
            outcome = Outcome.from_metrics(durable.metrics(trial))
            if self.settings.balanced != (outcome.balanced_accuracy is not None):
                raise ValueError(f"its objective must be {self.settings.objective}, got the other")

    def set_aside(self, lost: Sequence[CompletedTrial], reason: str) -> None:
        """Counts completed trials as failed attempts: their slots are handed out again."""
        for known in lost:
            trial = self.trials[known.trial_id]
            trial.status, trial.message = Status.FAILED, reason
            self._save_trial(trial)
        if lost:
            self._forget()

    # Trials as plain data

    def completed(self) -> list[CompletedTrial]:
        """Returns the trials that ended with a result, in the order of their slots."""
        return self.log.completed()

    def best(self) -> list[CompletedTrial]:
        """Returns the trained trials of distinct networks, best first (DECISIONS 8, 82, 84)."""
        return self.finals.first(trials.ranked(self.completed()), self._project_dir)
