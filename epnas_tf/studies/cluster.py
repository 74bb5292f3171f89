"""How a cluster of workers would be used by a search whose trials take what was measured.

A step is a barrier: its networks and the promotions beside them go to whoever is free, and the next
step's are proposed when all have ended (DECISIONS 112). Without the barrier a worker is given
another network as soon as it is free. Either way one process, the chief, proposes them one by one.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Sequence

import numpy as np

from epnas_tf.workdir import trials_csv
from epnas_tf.workdir.layout import WorkDir

# Steps that are simulated; without them trials, of each worker at least: enough that the first and
# the last of them weigh little, and that chance does.
_STEPS, _TRIALS, _ROUNDS = 200, 2_000, 40


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds that trials took.

    Attributes:
      networks: of each trial at the lowest rung.
      promotions: of each trial above it; some of them come with every step, in proportion.
      proposal: of the chief's work per network.
    """

    networks: Sequence[float]
    promotions: Sequence[float] = ()
    proposal: float = 0.0

    def __post_init__(self) -> None:
        times = [*self.networks, *self.promotions]
        if not self.networks or min(times) <= 0 or self.proposal < 0:
            raise ValueError(
                "times must be above 0, of one network at least, and a proposal's at least 0, "
                f"got {len(self.networks)} networks, {min(times, default=0)} and {self.proposal}"
            )

    @property
    def share(self) -> float:
        """Promotions per network."""
        return len(self.promotions) / len(self.networks)


@dataclasses.dataclass(frozen=True)
class Use:
    """How a cluster was used.

    Attributes:
      busy: share of the workers' time in which they trained.
      per_hour: networks at the lowest rung that came to their end in an hour.
    """

    busy: float
    per_hour: float


def measured(work_dir: WorkDir, proposal: float) -> Times:
    """Returns the times of a search's trained networks, what is beside their training included.

    Args:
      work_dir: the search's.
      proposal: seconds of the chief's work per network.

    Raises:
      ValueError: there is no trials.csv, it is corrupt, or nothing was trained.
    """
    rows = [row for row in trials_csv.read(work_dir) if row.trained and not row.reused]
    seconds = {row.slot: row.seconds + row.overhead_seconds for row in rows}
    lowest = [took for slot, took in seconds.items() if slot.of_fold]
    promoted = [seconds[row.slot] for row in rows if row.wave is not None]
    return Times(lowest, promoted, proposal)


def in_steps(times: Times, workers: int, branches: int, rng: np.random.Generator) -> Use:
    """Returns how workers are used where each step waits for its last trial.

    Args:
      times: of which each trial's is drawn.
      workers: that train side by side.
      branches: networks per step.
      rng: the source of randomness.
    """
    now = busy = 0.0
    for _ in range(_STEPS):
        now += branches * times.proposal
        promoted = rng.choice(times.promotions, rng.binomial(branches, min(1.0, times.share)))
        jobs = [*promoted, *rng.choice(times.networks, branches)]  # in the order of a search
        free = [now] * workers
        for seconds in jobs:
            heapq.heappush(free, heapq.heappop(free) + seconds)
        now, busy = max(free), busy + sum(jobs)
    return Use(float(busy / (now * workers)), 3600 * _STEPS * branches / float(now))


def without_steps(times: Times, workers: int, rng: np.random.Generator) -> Use:
    """Returns how workers are used where whoever is free is given another network at once.

    Args:
      times: of which each trial's is drawn.
      workers: that train side by side.
      rng: the source of randomness.
    """
    free, asked, busy, networks = [0.0] * workers, 0.0, 0.0, 0
    for _ in range(max(_TRIALS, _ROUNDS * workers)):
        promotion = rng.random() < times.share / (1 + times.share)
        ready = heapq.heappop(free)
        if not promotion:
            ready = asked = max(ready, asked) + times.proposal
            networks += 1
        seconds = rng.choice(times.promotions if promotion else times.networks)
        busy += seconds
        heapq.heappush(free, ready + seconds)
    end = max(free)
    return Use(float(busy / (end * workers)), 3600 * networks / float(end))
