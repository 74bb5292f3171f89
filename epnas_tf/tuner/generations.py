"""The shared parameter dictionary beside the trials: which offers make which generation.

A trial's outcome names the file that it wrote before it ended. When a step is whole its offers are
taken in, in the order of slots; a step that ended just before the process did is taken in when the
search is resumed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from epnas_tf.sharing import rules
from epnas_tf.sharing.access import Sharing
from epnas_tf.sharing.store import Offer, ParamStore
from epnas_tf.tuner.trial_data import Assignment, CompletedTrial


class Generations:
    """The generations of the dictionary of a search of steps of B branches.

    Attributes:
      store: its files.
    """

    def __init__(self, store: ParamStore, *, branches: int, steps: int):
        self.store = store
        self._branches, self._steps = branches, steps

    def sharing(self, assignment: Assignment) -> Sharing:
        """Returns a trial's access to the dictionary as it stood when its step began.

        A trial whose file was lost after its step was taken in gets a later generation: the one
        of its step is gone.

        Raises:
          ValueError: the dictionary is at an earlier generation.
        """
        wanted = assignment.generation or 0
        if self.store.generation != wanted:
            self.store.reload()
        self._check(wanted)
        names = assignment.names
        labels = rules.by_lineage(names) if names else rules.by_number
        return Sharing(self.store, labels, assignment.slot.name, assignment.attempt)

    def take_in(self, trials: Iterable[CompletedTrial]) -> None:
        """Commits the steps that are whole and were not committed yet; trials are in order.

        Raises:
          ValueError: the dictionary lacks generations of which the offers are gone.
        """
        whole = [step for step in _steps(trials) if len(step) == self._branches]
        if whole:
            self._check(whole[-1][0].slot.steps_before(self._steps))
        for step in whole:
            self.store.commit(1 + step[0].slot.steps_before(self._steps), _offers(step))

    def lacking(self, trials: Iterable[CompletedTrial]) -> list[CompletedTrial]:
        """Returns the trials of the last step whose offers are missing or corrupt but needed."""
        steps = _steps(trials)
        if not steps or steps[-1][0].slot.steps_before(self._steps) != self.store.generation:
            return []
        offering = [trial for trial in steps[-1] if trial.outcome.offer]
        return [trial for trial in offering if not self.store.holds(_offer(trial))]

    def _check(self, wanted: int) -> None:
        if self.store.generation < wanted:
            raise ValueError(
                f"{self.store.folder} must hold generation {wanted} of the shared parameters, got "
                f"{self.store.generation}: put the folder back, or search anew elsewhere"
            )


def _steps(trials: Iterable[CompletedTrial]) -> list[list[CompletedTrial]]:
    own = [trial for trial in trials if trial.slot.of_fold]  # others inherit and offer nothing
    grouped = itertools.groupby(own, key=lambda trial: (trial.slot.episode, trial.slot.step))
    return [list(step) for _, step in grouped]


def _offer(trial: CompletedTrial) -> Offer:
    return Offer(f"{trial.slot.name}-{trial.assignment.attempt}", trial.outcome.offer)


def _offers(step: Sequence[CompletedTrial]) -> list[Offer]:
    return [_offer(trial) for trial in step if trial.outcome.offer]
