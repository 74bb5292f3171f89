"""Which networks rise: longer trainings for the most promising ones, within a share of the work.

A trial is a network at a rung. All are trained at the lowest; what rises is trained anew, longer,
one rung at a time (DECISIONS 75 to 79). Work is estimated from the networks alone, so that what
rises never follows from the clock.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.trials import Proposal, Slot, Trial


def _one(spec: Spec) -> float:
    del spec
    return 1.0


@dataclasses.dataclass(frozen=True)
class Rungs:
    """How long networks may be trained, and how much of the work goes to those that rise.

    Attributes:
      epochs: of each rung, rising; their ratios decide. One rung: nothing rises.
      share: of all work that may go to trainings above the lowest rung.
      work: a network -> estimated work of its training at the lowest rung, in any unit.
    """

    epochs: Sequence[int] = (1,)
    share: float = 0.0
    work: Callable[[Spec], float] = _one

    @property
    def highest(self) -> int:
        """The number of the highest rung."""
        return len(self.epochs) - 1

    def work_at(self, spec: Spec, rung: int) -> float:
        """Returns the estimated work of a network's training at a rung."""
        return self.work(spec) * self.epochs[rung] / self.epochs[0]


class Standing:
    """The networks of a search, each with the rungs at which it was measured or is to be.

    Attributes:
      risen: of each rung above the lowest: the trials measured there, by network.
    """

    def __init__(self, rungs: Rungs):
        self._rungs = rungs
        self._base = self._above = 0.0  # work at the lowest rung and above it
        self._reached: dict[Spec, int] = {}
        self._first: dict[Spec, Slot] = {}
        self.risen: list[dict[Spec, Trial]] = [{} for _ in range(rungs.highest)]

    @property
    def work(self) -> float:
        """Estimated work of all that was taken in."""
        return self._base + self._above

    def take_in(self, trials: Iterable[Trial]) -> None:
        """Takes the results of a step's proposals at the lowest rung."""
        for trial in trials:
            if trial.trained and trial.proposal.reuse is None:
                self._base += self._rungs.work(trial.proposal.spec)
                self._first.setdefault(trial.proposal.spec, trial.slot)
                self._reached.setdefault(trial.proposal.spec, 0)

    def take_in_risen(self, trials: Iterable[Trial]) -> None:
        """Takes the results of what rose beside them."""
        for trial in trials:
            spec, rung = trial.proposal.spec, trial.slot.rung
            self._above += self._rungs.work_at(spec, rung)
            # What fails at a rung is not tried at a higher one.
            reached = rung if trial.trained else self._rungs.highest
            self._reached[spec] = max(self._reached.get(spec, 0), reached)
            if trial.trained:
                self.risen[rung - 1][spec] = trial

    def chosen(self, ranked: Iterable[Trial], running: Sequence[Spec], wave: int) -> list[Proposal]:
        """Returns what rises beside the proposals of a step.

        Where the best that may rise costs more than is left, nothing else rises in its stead: it
        is saved up for.

        Args:
          ranked: the networks' trials at the lowest rung, the most promising first.
          running: the step's networks, which are trained at the lowest rung.
          wave: the step's number.
        """
        base = self._base + sum(map(self._rungs.work, running))
        above, rising = self._above, []
        for trial in ranked:
            spec = trial.proposal.spec
            rung = self._reached.get(spec, self._rungs.highest) + 1
            if rung > self._rungs.highest:
                continue
            above += self._rungs.work_at(spec, rung)
            if above > self._rungs.share * (base + above):
                break
            # Of a network that was trained again the first trial rises, whichever is the better.
            rising.append(Proposal(self.slot(trial, rung), spec, wave=wave))
        return sorted(rising, key=lambda proposal: proposal.slot)

    def halved(self, ranked: Iterable[Trial]) -> list[Trial]:
        """Returns which networks rise by asynchronous successive halving (Li et al. 2020).

        From the highest rung down: the best of those measured at a rung that have not risen from
        it, as far as they are among its best 1/eta, eta being how many times as long the next rung
        trains.

        Args:
          ranked: trials at the lowest rung of the networks that may rise, the best first.

        Returns:
          Of these trials those whose networks rise, in the order of `chosen`.
        """
        first = {trial.proposal.spec: trial for trial in ranked}
        rising: list[Trial] = []
        for rung in reversed(range(self._rungs.highest)):
            measured = list(first) if rung == 0 else self._best_first(first, rung)
            shorter, longer = self._rungs.epochs[rung], self._rungs.epochs[rung + 1]
            best = measured[: len(measured) * shorter // longer]
            rising += [first[spec] for spec in best if self._reached.get(spec) == rung]
        return rising

    def _best_first(self, specs: Iterable[Spec], rung: int) -> list[Spec]:
        """Returns those of some networks that were measured at a rung, the best first."""
        known = self.risen[rung - 1]
        return sorted((s for s in specs if s in known), key=lambda spec: known[spec].rank)

    def slot(self, trial: Trial, rung: int) -> Slot:
        """Returns the slot of a network at a rung: that of its first trial."""
        return self._first.get(trial.proposal.spec, trial.slot).at(rung)

    def of(self, trial: Trial) -> Trial:
        """Returns a network's trial at the highest rung at which it was measured."""
        spec = trial.proposal.spec
        return next((known[spec] for known in reversed(self.risen) if spec in known), trial)

    def values(self, value: Callable[[Trial], float]) -> list[Mapping[Spec, float]]:
        """Returns of each rung above the lowest what is learnt of the networks measured there."""
        return [{spec: value(trial) for spec, trial in known.items()} for known in self.risen]
