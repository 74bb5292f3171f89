"""The end of a search: who is measured again with further seeds, and who wins by it.

The highest of many measurements was a lucky one. So the most promising networks and the best start
are measured again at the highest rung, all as often, within a share of the search's estimated work;
the measurement by which a network was chosen does not count where there are others (DECISIONS 84
and 85). Who takes part follows from the told steps of the fold, what came of it from results
outside of it: both are functions of finished trials alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.fold import Fold
from epnas_tf.searching.trials import Proposal, Result, Slot, Trial

# Measurements with further seeds, at most.
MOST_AGAIN = 2

Results = Mapping[Slot, Result]


@dataclasses.dataclass(frozen=True)
class Lineup:
    """Who is measured at an end of the search, and how often.

    Attributes:
      networks: by slot of their measurement 0 at the highest rung; the best start first, then the
        finalists, the most promising first.
      start: the slot of the best start among them; None where none could be trained.
      planned: the measurements, in order: those at the highest rung that are lacking, then rounds
        of one with another seed for each network.
    """

    networks: Mapping[Slot, Spec] = dataclasses.field(default_factory=dict)
    start: Slot | None = None
    planned: Sequence[Slot] = ()

    def lacking(self, results: Results) -> list[Proposal]:
        """Returns what is still to be measured; what could not be trained is not tried again."""
        there = set(self._in(results))
        rest = [slot for slot in self.planned if slot not in results]
        spec = {slot: self.networks[slot.at(slot.rung)] for slot in rest}
        return [Proposal(slot, spec[slot]) for slot in rest if slot.at(slot.rung) in there]

    def compared(self, results: Results) -> tuple[list[Slot], int]:
        """Returns the networks that can be compared, in order, and their number of further seeds.

        All have as many; 0 where they have none but what they were chosen by. Where an end was
        interrupted, the best start and the most promising network are enough.
        """
        there = self._in(results)
        times = {slot: _again(slot, results) for slot in there}
        least = 0
        if len(there) > 1:
            least = min(times.values()) or min(times[slot] for slot in there[:2])
        return [s for s in there if s in results and times[s] >= least], least

    def winner(self, results: Results) -> Slot | None:
        """Returns the network with the highest mean reward, None before there are further seeds."""
        compared, times = self.compared(results)
        if not times:
            return None
        return _best(compared, times, results)

    def contender(self, results: Results) -> Slot | None:
        """Returns the best of those that can be compared beside the start, None without one."""
        compared, times = self.compared(results)
        return _best([slot for slot in compared if slot != self.start], times, results)

    def _in(self, results: Results) -> list[Slot]:
        """Returns the networks all of whose trainings came to an end."""

        def trained(slot: Slot) -> bool:
            told = [results.get(slot.at(slot.rung, again)) for again in range(1 + MOST_AGAIN)]
            return all(result is None or result.trained for result in told)

        return [slot for slot in self.networks if trained(slot)]


def of(slot: Slot, times: int, results: Results) -> list[Result]:
    """Returns what counts of a network's measurements.

    Args:
      slot: of its measurement 0.
      times: further measurements; with none, measurement 0 counts.
      results: of all trials.
    """
    return [results[slot.at(slot.rung, n)] for n in (range(1, times + 1) if times else (0,))]


def lineup(search: Fold, finalists: int, share: float) -> Lineup:
    """Returns who is measured at an end of a search that stands where it does.

    Where not all can be measured twice again, there are fewer finalists: of one seed each, nothing
    tells how much seeds matter. Only where one finalist is too many for that, once is enough.

    Args:
      search: told its whole steps.
      finalists: how many at most; with none nobody is measured.
      share: of the search's estimated work that this may take.
    """
    promising = search.promising() if search.rungs.highest and finalists else []
    best = [trial for trial in promising if trial.result.feasible][:finalists]
    if not best:
        return Lineup()
    begun_with = {trial.proposal.spec for trial in search.history[: search.branches]}
    starts = [trial for trial in promising if trial.proposal.spec in begun_with][:1]
    most = share * search.standing.work
    fields = [
        _Chosen(search, starts + [trial for trial in best[:count] if trial not in starts])
        for count in range(1, len(best) + 1)
    ]
    # The most rounds, then the most networks; without any, what there is work for.
    rounds, chosen = fields[0].rounds(most), fields[0]
    for field in fields[1:]:
        if field.rounds(most) >= max(rounds, 1):
            rounds, chosen = field.rounds(most), field
    slots = [chosen.slot(trial) for trial in chosen.trials]
    planned = chosen.affordable(most) if not rounds else [*map(chosen.slot, chosen.unmeasured)]
    planned += [slot.at(slot.rung, 1 + again) for again in range(rounds) for slot in slots]
    networks = dict(zip(slots, (trial.proposal.spec for trial in chosen.trials), strict=True))
    return Lineup(networks, slots[0] if starts else None, planned)


class _Chosen:
    """Networks that may be measured at an end, and what that costs."""

    def __init__(self, search: Fold, trials: Sequence[Trial]):
        self.trials = trials
        self._standing, self._rungs = search.standing, search.rungs
        self.unmeasured = [t for t in trials if self._best_of(t).slot.rung < self._rungs.highest]

    def slot(self, trial: Trial) -> Slot:
        """Returns the slot of a network's measurement 0 at the highest rung."""
        return self._best_of(trial).slot.at(self._rungs.highest)

    def rounds(self, most: float) -> int:
        """Returns how often all can be measured again within so much work."""
        if len(self.trials) < 2:  # nothing to compare
            return 0
        left = most - self._work(self.unmeasured)
        return max(0, min(MOST_AGAIN, math.floor(left / self._work(self.trials))))

    def affordable(self, most: float) -> list[Slot]:
        """Returns the first measurements at the highest rung that are lacking, within the work."""
        count = len(self.unmeasured)
        while count and self._work(self.unmeasured[:count]) > most:
            count -= 1
        return [self.slot(trial) for trial in self.unmeasured[:count]]

    def _best_of(self, trial: Trial) -> Trial:
        return self._standing.of(trial)

    def _work(self, trials: Iterable[Trial]) -> float:
        highest = self._rungs.highest
        return math.fsum(self._rungs.work_at(trial.proposal.spec, highest) for trial in trials)


def _again(slot: Slot, results: Results) -> int:
    """Returns how many further measurements of a network there are, one after the other."""
    times = 0
    while slot.at(slot.rung, times + 1) in results:
        times += 1
    return times


def _best(compared: Iterable[Slot], times: int, results: Results) -> Slot | None:
    """Returns the network with the highest mean reward; those within the limits come first."""

    def order(slot: Slot) -> tuple[bool, float, Slot]:
        measured = of(slot, times, results)
        mean = math.fsum(result.reward for result in measured) / len(measured)
        return not measured[0].feasible, -mean, slot

    return min(compared, key=order, default=None)
