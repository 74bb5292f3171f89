"""When a search had found what, by the time of its trials: a break between two runs is none."""

from __future__ import annotations

import dataclasses

from epnas_tf.workdir import storage, trials_csv
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.trials_csv import Row


@dataclasses.dataclass(frozen=True)
class Moment:
    """A trial and when it ended.

    Attributes:
      seconds: of all trials up to it, its own included.
      row: its line in trials.csv.
    """

    seconds: float
    row: Row


def of_search(work_dir: WorkDir) -> list[Moment]:
    """Returns the trials of a search in the order in which one worker ran them.

    Raises:
      ValueError: there is no trials.csv, or it is corrupt.
    """
    moments: list[Moment] = []
    elapsed = 0.0
    # Numbers are given when a trial begins; the file is in the order of slots.
    for row in sorted(trials_csv.read(work_dir), key=lambda row: int(row.trial_id or 0)):
        elapsed += row.seconds + row.overhead_seconds
        moments.append(Moment(elapsed, row))
    return moments


def spent(work_dir: WorkDir) -> float:
    """Returns the seconds of all trials of a search, 0 where none has ended (DECISIONS 93)."""
    if not storage.exists(work_dir.trials_csv):
        return 0.0
    moments = of_search(work_dir)
    return moments[-1].seconds if moments else 0.0


def best_so_far(moments: list[Moment]) -> list[tuple[float, float]]:
    """Returns (seconds, accuracy) whenever another network within the limits became the best."""
    found: list[tuple[float, float]] = []
    best: Row | None = None
    for moment in moments:
        row = moment.row
        if row.trained and row.feasible and (best is None or row.rank < best.rank):
            best = row
            found.append((moment.seconds, row.accuracy))
    return found
