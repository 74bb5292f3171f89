"""EPNASOracle: the progressive search as a Keras Tuner oracle.

Each trial carries its slot in the search, its attempt, parent, action and spec; the search's state
is the fold over the finished ones, so a reloaded project continues where it was.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import keras_tuner

from epnas_tf import interrupts, randomness
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.searching import lineage
from epnas_tf.searching.learner import Policy
from epnas_tf.searching.lineage import Names
from epnas_tf.searching.policies.lstm import LSTMPolicy
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.progressive import ProgressiveSearch, total_trials
from epnas_tf.searching.settings import Learning
from epnas_tf.searching.trials import Proposal, Result, Slot
from epnas_tf.sharing.rules import SHARING
from epnas_tf.tuner import durable, trial_data
from epnas_tf.tuner.durable import DurableOracle, Status, Trial
from epnas_tf.tuner.run_limits import RunLimits
from epnas_tf.tuner.trial_data import Record

OBJECTIVE = "reward"
POLICIES = ("lstm", "random")


class EPNASOracle(DurableOracle):
    """Proposes progressive morphs; made for EPNASTuner, which tells it of the images by `bind`.

    A trial's values are `slot`, `attempt`, `worker`, `parent`, `action` (JSON), `reuse` (the slot
    whose result stands for it, or empty) and `spec` (JSON), and where parameters are shared the
    `generation` that it starts from and by lineage the `names` of its layers; where hopeless ones
    are stopped, the `reference` curves (JSON); where an earlier result stands for it, what that was
    (`remembered`, JSON). Its metrics are `reward` (the objective),
    `accuracy`, `seconds`, `overhead_seconds`, `status` (an index of `budget.STATUSES`),
    `inherited`, `offer` and, for the next step's reference, `curve_001` and so on.

    Attributes:
      space: the networks it may propose.
      constraints: soft limits on the networks' resources.
      root_seed: root of all randomness (Keras Tuner's own `seed` reads 0 as "none").
      branches: networks a step.
      steps: steps an episode.
      parameter_sharing: "none", "dictionary" or "lineage".
      stop_hopeless: how far below the step before a child is stopped; 0 for never.
      limits: when this run hands out no more trials.
      listeners: called with the oracle and a record after each trial with a result.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        policy: str = "lstm",
        branches: int = 8,
        episodes: int = 15,
        steps: int = 10,
        seed: int = 0,
        policy_learning_rate: float = 2e-3,
        policy_epochs: int = 1,
        policy_clip: float = 0.2,
        policy_entropy: float = 0.3,
        policy_part_inputs: bool = True,
        check_table_mix: float = 0.2,
        learning: Learning | None = None,
        reuse_duplicates: bool = True,
        parameter_sharing: str = "none",
        stop_hopeless: float = 0.0,
        max_trials: int = 0,
        max_hours: float = 0.0,
    ):
        """Makes an oracle before its first trial.

        Args:
          space: the networks it may propose.
          constraints: soft limits on the networks' resources.
          policy: "lstm", or "random" for uniform legal choices.
          branches: B, networks a step.
          episodes: E.
          steps: T, steps an episode.
          seed: root of all randomness.
          policy_learning_rate: that of the policy's Adam.
          policy_epochs: Adam steps an update, clipped if there are several.
          policy_clip: PPO's bound on the change of an action's probability.
          policy_entropy: weight of the entropy bonus.
          policy_part_inputs: whether the scale LSTM sees the part it decides.
          check_table_mix: share of the check table in the choice of the inserting place.
          learning: how the search learns; the defaults of `Learning` if None.
          reuse_duplicates: take the result of a network that an earlier step trained from there.
          parameter_sharing: what children start from: "none" for fresh weights, "dictionary" for
            those of earlier children at the same layer numbers (paper, section 3.4), "lineage" for
            those of the same layers, whatever their numbers became.
          stop_hopeless: stop a child whose training accuracy is this far below the median of the
            step before; 0 for never.
          max_trials: stop after this many trials with a result that was not reused; 0 for no limit.
          max_hours: hand out no trial after this many hours of this run; 0 for no limit.

        Raises:
          ValueError: an argument is not allowed.
        """
        if policy not in POLICIES:
            raise ValueError(f"policy must be one of {POLICIES}, got {policy!r}")
        if parameter_sharing not in SHARING:
            raise ValueError(f"parameter_sharing must be one of {SHARING}, got {parameter_sharing}")
        if not 0 <= stop_hopeless < 1:
            raise ValueError(f"stop_hopeless must be in [0, 1), got {stop_hopeless}")
        for name, value, least in (
            ("branches", branches, 1),
            ("episodes", episodes, 1),
            ("steps", steps, 1),
            ("max_trials", max_trials, 0),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        metrics = [constraint.metric for constraint in constraints]
        if len(set(metrics)) < len(metrics):
            raise ValueError(f"a resource must have one constraint at most, got {metrics}")
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "max"),
            max_trials=None,  # its count would include failed attempts
            max_retries_per_trial=0,
            max_consecutive_failed_trials=10**9,  # the tuner's max_attempts ends them instead
        )
        self.space = space
        self.constraints = tuple(constraints)
        self.root_seed = seed
        self.branches, self.steps = branches, steps
        self.parameter_sharing, self.stop_hopeless = parameter_sharing, stop_hopeless
        self.listeners: list[Callable[[EPNASOracle, Record], None]] = []
        self._policy_name = policy
        self._policy_settings: dict[str, Any] = {
            "learning_rate": policy_learning_rate,
            "check_table_mix": check_table_mix,
            "epochs": policy_epochs,
            "clip": policy_clip,
            "entropy": policy_entropy,
            "part_inputs": policy_part_inputs,
        }
        self._learning = learning or Learning()
        self._reuse_duplicates = reuse_duplicates
        self._sizes = {"branches": branches, "episodes": episodes, "steps": steps}
        self.limits = RunLimits(max_trials, max_hours)
        self._limit_reached = ""
        self._budget: Budget | None = None
        self._search: ProgressiveSearch | None = None
        self._records: dict[str, Record] = {}
        self._worker = ""
        self._names: dict[str, Names] = {}

    def bind(self, budget: Budget) -> None:
        """Tells the oracle what images the networks are for; the run's time counts from here."""
        if self._search is not None and budget != self._budget:
            raise ValueError("a search must keep its images, limits and schedule, got others")
        self._budget = budget
        self.limits.begin()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that decide the search's trials, besides space, limits and images."""
        named = {"policy": self._policy_name, "seed": self.root_seed}
        learning = {"learning": dataclasses.asdict(self._learning)}
        children = {
            "reuse_duplicates": self._reuse_duplicates,
            "parameter_sharing": self.parameter_sharing,
            "stop_hopeless": self.stop_hopeless,
        }
        return named | self._sizes | self._policy_settings | learning | children

    @property
    def budget(self) -> Budget:
        """The limits and the images' shape; raises RuntimeError before `bind`."""
        if self._budget is None:
            raise RuntimeError("bind() must be called before the first trial")
        return self._budget

    @property
    def search(self) -> ProgressiveSearch:
        """The search, made when first needed (a worker never does) and brought up to date.

        That replays the log. Within the oracle's lock a signal would wait for it.
        """
        if self._search is None:
            search = ProgressiveSearch(
                self.space,
                self._make_policy(),
                seed=self.root_seed,
                violation=self.budget.violation,
                learning=self._learning,
                reuse_duplicates=self._reuse_duplicates,
                **self._sizes,
            )
            try:
                search.replay(self._log())
            except ValueError as error:
                raise ValueError(
                    f"the trials in {self._project_dir} contradict each other: one of their files "
                    f"was changed or comes from another search ({error})"
                ) from error
            self._search = search
        return self._search

    @property
    def total(self) -> int:
        """Number of trials that the search will have in all, of those that count."""
        slots = total_trials(**self._sizes)
        most = self.limits.max_trials
        reused = len(self.records()) - self.done if most else 0
        return min(slots - reused, most or slots)

    @property
    def done(self) -> int:
        """Number of trials with a result, of those that count."""
        return sum(self.counts(record.proposal.reuse) for record in self.records())

    def counts(self, reuse: str | None) -> bool:
        """Returns whether a trial counts: where `max_trials` limits them, a reused one does not."""
        return not (reuse and self.limits.max_trials)

    @property
    def stopped_by(self) -> str:
        """The limit that keeps trials from being handed out, such as "max_hours=8", or ""."""
        return "" if not self._limit_reached or self.search.done else self._limit_reached

    # Keras Tuner's contract

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the values of the next trial of the running step."""
        ongoing = [durable.values(trial) for trial in self.ongoing_trials.values()]
        running = {values["slot"] for values in ongoing}
        begun = self.done + sum(self.counts(values["reuse"]) for values in ongoing)
        self._limit_reached = self.limits.reached(begun, self._project_dir)
        if self._limit_reached:
            return {"status": Status.IDLE if running else Status.STOPPED}
        for proposal in self.search.ask():
            if proposal.slot.name not in running:
                attempt = 1 + self._tries(proposal.slot)
                values = trial_data.values_of(proposal, attempt, self._worker)
                return {"status": Status.RUNNING, "values": values | self._context(proposal)}
        return {"status": Status.STOPPED if self.search.done else Status.IDLE}

    def _context(self, proposal: Proposal) -> dict[str, Any]:
        """Returns what a trial must know of earlier ones."""
        context: dict[str, Any] = {}
        excused = self._tries(proposal.slot, durable.STOPPED, durable.LOST)
        if excused:
            context["failures"] = self._tries(proposal.slot) - excused
        found = self.find(proposal.reuse) if proposal.reuse else None
        if found is not None:
            result = [found.accuracy, found.result.reward, found.result.status]
            context["remembered"] = json.dumps(result)  # a worker has no records
        if self.parameter_sharing != "none":
            context["generation"] = proposal.slot.steps_before(self.steps)
        if self.parameter_sharing == "lineage":
            context["names"] = " ".join(self._layer_names(proposal))
        if self.stop_hopeless:
            context["reference"] = json.dumps(self._reference(proposal.slot))
        return context

    def _layer_names(self, proposal: Proposal) -> Names:
        """Returns the names of a network's layers or branches by lineage."""
        for trial in self.search.history:
            if trial.slot.name not in self._names:
                self._names[trial.slot.name] = lineage.names_of(trial.proposal, self._names)
        return lineage.names_of(proposal, self._names)

    def _reference(self, slot: Slot) -> list[tuple[float, ...]]:
        """Returns the training curves of the step before a slot's."""
        before = slot.steps_before(self.steps) - 1
        return [
            known.curve
            for known in self.records()
            if known.trained and known.curve and known.slot.steps_before(self.steps) == before
        ]

    def create_trial(self, tuner_id: str) -> Trial:
        """Returns the tuner's next trial."""
        interrupts.check()
        with self.locked():
            self._worker = tuner_id
            return super().create_trial(tuner_id)

    def end_trial(self, trial: Trial) -> None:
        """Takes a trial's end: a result moves the search on, a failed attempt frees its slot."""
        with self.locked():
            search = self.search  # replayed before this trial is among the finished
            super().end_trial(trial)
            ended = self.trials[trial.trial_id]
            if ended.status == Status.COMPLETED:
                finished = self.record(ended)
                search.tell([finished.result])
                for listener in self.listeners:
                    listener(self, finished)

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """Returns the best trained trials: feasible first, then reward, then lower slot."""
        return [self.trials[best.trial_id] for best in self.best_records()[:num_trials]]

    def reload(self) -> None:
        """Rebuilds the state from the trials' files; the search follows when first needed."""
        super().reload()
        self._search = None
        self._records = {}
        self._names = {}

    def check(self, trial: Trial) -> None:
        """Raises ValueError where a trial that was read cannot be of this search."""
        values = durable.values(trial)
        if not values:  # an attempt of which only the id was known
            return
        trial_data.check_values(values, self.space)
        slot = Slot.parse(values["slot"])
        if slot.branch >= self.branches or slot.step > self.steps or slot.episode < 1:
            raise ValueError(
                f"slot must be of {self.branches} branches and {self.steps} steps, got {slot.name}"
            )
        if trial.status == Status.COMPLETED:
            trial_data.check_metrics(durable.metrics(trial))

    def set_aside(self, records: Sequence[Record], reason: str) -> None:
        """Counts finished trials as failed attempts: their slots are handed out again."""
        for lost in records:
            trial = self.trials[lost.trial_id]
            trial.status, trial.message = Status.FAILED, reason
            self._save_trial(trial)
        if records:
            self._search, self._records = None, {}

    def remaining_trials(self) -> int:
        """Returns how many trials are still without a result, of those that count."""
        return self.total - self.done

    # Trials as records

    def record(self, trial: Trial) -> Record:
        """Returns a finished trial as plain data."""
        if trial.trial_id not in self._records:
            self._records[trial.trial_id] = trial_data.record_of(
                trial.trial_id,
                durable.values(trial),
                durable.metrics(trial),
                self.space,
                self.budget,
                trial.message or "",
            )
        return self._records[trial.trial_id]

    def records(self) -> list[Record]:
        """Returns the trials that ended with a result, in the order of their slots."""
        finished = [t for t in self.trials.values() if t.status == Status.COMPLETED]
        # Of two attempts of a slot the later counts: something of the first was lost.
        last = {record.slot: record for record in map(self.record, finished)}
        return sorted(last.values(), key=lambda r: r.slot)

    def find(self, name: str) -> Record | None:
        """Returns the record of a slot's name; None without one, as always in a worker."""
        return next((found for found in self.records() if found.slot.name == name), None)

    def best_records(self) -> list[Record]:
        """Returns the trained trials of distinct networks, best first (DECISIONS 8)."""
        best: dict[str, Record] = {}
        for trained in sorted((r for r in self.records() if r.trained), key=Record.order):
            best.setdefault(trained.proposal.spec.key, trained)
        return list(best.values())

    def _tries(self, slot: Slot, *messages: str) -> int:
        """Returns how often a slot was handed out, or of these how often it ended like this."""
        return sum(
            durable.values(trial).get("slot") == slot.name
            and (not messages or trial.message in messages)
            for trial in self.trials.values()
        )

    def _log(self) -> list[tuple[Proposal, Result | None]]:
        """Returns what the trials' files say; a slot's result counts more than failed attempts."""
        log: dict[str, tuple[Proposal, Result | None]] = {}
        for trial in self.trials.values():
            values = durable.values(trial)
            if trial.status == Status.COMPLETED:
                finished = self.record(trial)
                log[values["slot"]] = (finished.proposal, finished.result)
            elif "slot" in values:  # of a torn file only the id is known
                log.setdefault(values["slot"], (trial_data.proposal_of(values, self.space), None))
        return list(log.values())

    def _make_policy(self) -> Policy:
        if self._policy_name == "random":
            return RandomPolicy(self.space)
        seed = randomness.seed_of(self.root_seed, "policy")
        return LSTMPolicy(self.space, seed=seed, **self._policy_settings)
