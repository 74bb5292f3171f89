"""What a search did, without what clocks and lost attempts add: what two are compared by."""

from __future__ import annotations

import os

from epnas_tf.workdir import trials_csv
from epnas_tf.workdir.layout import WorkDir

# Columns of trials.csv that a clock, or the number of tries, decides.
MEASURED = ("attempt", "trial_id", "seconds", "overhead_seconds")


def trajectory(work_dir: str | os.PathLike[str]) -> list[dict[str, str]]:
    """Returns the lines of trials.csv but for `MEASURED`.

    Raises:
      ValueError: there is no trials.csv, or it is corrupt.
    """
    lines = (row.cells() for row in trials_csv.read(WorkDir(os.fspath(work_dir))))
    return [{name: line[name] for name in line if name not in MEASURED} for line in lines]
