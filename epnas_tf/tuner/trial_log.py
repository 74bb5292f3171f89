"""Keras Tuner's trials as plain data, in the order of slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.searching.trials import Proposal, Result, Slot
from epnas_tf.tuner import durable
from epnas_tf.tuner.durable import Status, Trial
from epnas_tf.tuner.trial_data import (
    Assignment,
    CompletedTrial,
    Curve,
    Outcome,
    Remembered,
    completed,
)


class TrialLog:
    """The trials of a search; what was worked out of one is kept.

    Attributes:
      trials: Keras Tuner's, by id; the oracle's own dictionary.
    """

    def __init__(
        self, trials: Mapping[str, Trial], space: SearchSpace, constraints: Sequence[Constraint]
    ):
        self.trials = trials
        self._space, self._constraints = space, constraints
        self._assignments: dict[str, Assignment] = {}
        self._completed: dict[str, CompletedTrial] = {}

    def assignment(self, trial: Trial) -> Assignment:
        """Returns what a trial was to do; raises ValueError where it is not of this space."""
        if trial.trial_id not in self._assignments:
            values = durable.values(trial)
            self._assignments[trial.trial_id] = Assignment.from_values(values, self._space)
        return self._assignments[trial.trial_id]

    def completed_trial(self, trial: Trial) -> CompletedTrial:
        """Returns a trial that ended with a result."""
        if trial.trial_id not in self._completed:
            outcome = Outcome.from_metrics(durable.metrics(trial), trial.message)
            self._completed[trial.trial_id] = completed(
                trial.trial_id, self.assignment(trial), outcome, self._constraints
            )
        return self._completed[trial.trial_id]

    def completed(self) -> list[CompletedTrial]:
        """Returns the trials that ended with a result, in the order of their slots."""
        ended = [trial for trial in self.trials.values() if trial.status == Status.COMPLETED]
        # Of two attempts of a slot the later counts: something of the first was lost.
        last = {trial.slot: trial for trial in map(self.completed_trial, ended)}
        return sorted(last.values(), key=lambda trial: trial.slot)

    def find(self, name: str) -> CompletedTrial | None:
        """Returns the completed trial of a slot's name; None without one, as in a worker."""
        return next((found for found in self.completed() if found.slot.name == name), None)

    def remembered(self, proposal: Proposal) -> Remembered | None:
        """Returns the result that stands for a repeated network; None for a new one."""
        # What was measured outside the fold, at an end of the search, stands for what rises.
        name = proposal.reuse or ("" if proposal.slot.of_fold else proposal.slot.name)
        found = self.find(name) if name else None
        if found is None:
            return None
        told = found.outcome
        numbers = (told.accuracy, told.reward, told.status, told.epochs)
        return Remembered(*numbers, told.balanced_accuracy)

    def curves_before(self, slot: Slot, steps: int) -> tuple[Curve, ...]:
        """Returns the training curves of the step before a slot's, in episodes of `steps` steps."""
        before = slot.steps_before(steps) - 1
        return tuple(
            known.outcome.curve
            for known in self.completed()
            if known.trained and known.outcome.curve and known.slot.of_fold
            if known.slot.steps_before(steps) == before
        )

    def tries(self, slot: Slot, *messages: str) -> int:
        """Returns how often a slot was handed out, or of these how often it ended like this."""
        return sum(
            durable.values(trial).get("slot") == slot.name
            and (not messages or trial.message in messages)
            for trial in self.trials.values()
        )

    def results(self) -> list[tuple[Proposal, Result | None]]:
        """Returns what replays the search; a slot's result counts more than failed attempts.

        What stands outside the fold is left out.
        """
        log: dict[Slot, tuple[Proposal, Result | None]] = {}
        for trial in self.trials.values():
            if not durable.values(trial):  # of a corrupt file only the id is known
                continue
            proposal = self.assignment(trial).proposal
            if not proposal.in_step:
                continue
            if trial.status == Status.COMPLETED:
                log[proposal.slot] = (proposal, self.completed_trial(trial).result)
            else:
                log.setdefault(proposal.slot, (proposal, None))
        return list(log.values())
