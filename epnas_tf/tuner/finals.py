"""The end of a search as its oracle holds it: which trials it hands out, and what came of them."""

from __future__ import annotations

import epnas_tf.backend

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from epnas_tf.data.dataset import Data
from epnas_tf.searching import finals, gain
from epnas_tf.searching.finals import Lineup, Results
from epnas_tf.searching.gain import Gain, Measured
from epnas_tf.searching.trials import Proposal, Result
from epnas_tf.tuner.trial_data import CompletedTrial
from epnas_tf.workdir import hits_file
from epnas_tf.workdir.layout import WorkDir

if TYPE_CHECKING:  # the oracle imports this module
    from epnas_tf.tuner.oracle import EPNASOracle


class Finals:
    """Measures the most promising networks and the best start again.

    Attributes:
      begun_by: the limit that ended this run's search for networks, once the end has begun; "" as
        long as networks are searched for.
    """

    def __init__(self, oracle: EPNASOracle):
        self._oracle = oracle
        self._known: tuple[object, int, Lineup] | None = None
        self.begun_by = ""

    @property
    def lineup(self) -> Lineup:
        """Who is measured at an end of the search as far as it is."""
        search, settings = self._oracle.search, self._oracle.settings
        steps = len(search.step_log)
        if self._known is None or self._known[:2] != (search, steps):
            found = finals.lineup(search, settings.finalists, settings.finals_share)
            self._known = (search, steps, found)
        return self._known[2]

    @property
    def rung(self) -> int:
        """The rung at which networks are measured; 0 where the search has no such end."""
        settings = self._oracle.settings
        return len(settings.rung_epochs) - 1 if settings.finalists else 0

    def ask(self, limit: str, running: Iterable[Proposal], folder: str) -> list[Proposal]:
        """Returns what is to be measured where no network is to be searched for any more.

        Args:
          limit: that ended the search for networks; "" where it is done.
          running: what runs; what is of the search may change who is measured.
          folder: the project's.
        """
        searching = any(proposal.in_step for proposal in running)
        if not self.rung or searching or self._oracle.watch.spent(folder):
            return []
        asked = self.lineup.lacking(self._results())
        if asked:
            self.begun_by = limit
        return asked

    def minutes(self) -> float:
        """Returns about how long an end of the search takes, were it to come now.

        As long for its work as the trials so far for theirs.
        """
        # Others cost next to nothing.
        trained = [trial for trial in self._oracle.completed() if trial.outcome.seconds > 0]
        if not self.rung or not trained:
            return 0.0
        rungs, left = self._oracle.search.rungs, self.lineup.lacking(self._results())
        work = sum(rungs.work_at(proposal.spec, proposal.slot.rung) for proposal in left)
        done = sum(rungs.work_at(trial.proposal.spec, trial.slot.rung) for trial in trained)
        seconds = sum(t.outcome.seconds + t.outcome.overhead_seconds for t in trained)
        return work / done * seconds / 60

    def kept_back(self) -> float:
        """Returns the seconds of the run's time that are kept back for its end.

        At most the share of them that the end has of all work: where a search goes on for many
        short runs, each has time for networks.
        """
        limit, share = self._oracle.watch.seconds, self._oracle.settings.finals_share
        return min(60 * self.minutes(), limit * share / (1 + share)) if limit else 0.0

    def first(self, ranked: list[CompletedTrial]) -> list[CompletedTrial]:
        """Returns the ranked trials with the winner before the others, if there is one by now."""
        name = self._winner()
        return sorted(ranked, key=lambda trial: trial.slot.name != name)

    def _winner(self) -> str:
        completed = self._oracle.completed()
        if not self.rung or not any(trial.slot.measurement for trial in completed):
            return ""
        winner = self.lineup.winner(self._results())
        return "" if winner is None else winner.name

    def kept(self) -> set[str]:
        """Returns names of trials whose weights the winner may need: it may be any of these."""
        if not self.rung:
            return set()
        there = [trial.slot for trial in self._oracle.completed() if trial.slot.rung == self.rung]
        starts = {slot.name for slot in there if slot.step == 0 and not slot.measurement}
        return starts | {slot.name for slot in self.lineup.networks}

    def _results(self) -> Results:
        return {trial.slot: trial.result for trial in self._oracle.completed() if trial.slot.rung}

    # By how much the winner wins

    def gain(self, work_dir: WorkDir, data: Data) -> Gain | None:
        """Returns what the best network has over the best start; None where nothing compares them.

        Args:
          work_dir: has the images that were classified correctly.
          data: of the search.
        """
        if not self.rung:
            return None
        lineup, results = self.lineup, self._results()
        compared, times = lineup.compared(results)
        start, contender = lineup.start, lineup.contender(results)
        best = self._oracle.best()[0].slot if compared else None
        if start is None or start not in compared or best is None:
            return None
        if best != start and best.rung == start.rung:  # risen in a step that is not whole, perhaps
            contender = best
        if contender is None:
            return None
        slots = list(dict.fromkeys([contender, start, *compared]))
        first, second, *others = (
            self._measured(finals.of(slot, times, results), work_dir, len(data.validation))
            for slot in slots
        )
        classes = data.validation.labels if self._oracle.settings.balanced else None
        return Gain(
            contender.first.name,
            start.first.name,
            *gain.interval(first, second, others, classes),
            seeds=times,
            networks=len(slots),
            start_is_best=best == start,
        )

    def _measured(self, told: Sequence[Result], work_dir: WorkDir, images: int) -> Measured:
        """Returns a network's measurements, with their hits where all are there and theirs."""
        accuracies = [
            result.reward if result.accuracy is None else result.accuracy for result in told
        ]
        plain = {trial.slot: trial.outcome.accuracy for trial in self._oracle.completed()}
        hits = []
        for result in told:
            read = hits_file.read(work_dir, result.slot.name)
            if read is None or len(read) != images or read.mean() != plain[result.slot]:
                return Measured(accuracies)
            hits.append(read)
        return Measured(accuracies, np.stack(hits))
