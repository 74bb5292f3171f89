"""What a search did, without what clocks and lost attempts add: what two are compared by."""

from __future__ import annotations

import csv
import io
import os

from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir

# Columns of trials.csv that a clock, or the number of tries, decides.
MEASURED = ("attempt", "trial_id", "seconds", "overhead_seconds")


def trajectory(work_dir: str | os.PathLike[str]) -> list[dict[str, str]]:
    """Returns the lines of trials.csv but for `MEASURED`.

    Raises:
      OSError: there is no trials.csv; tf.errors.NotFoundError on a path with a scheme.
    """
    rows = csv.DictReader(io.StringIO(storage.read_text(WorkDir(os.fspath(work_dir)).trials_csv)))
    return [{name: row[name] for name in row if name not in MEASURED} for row in rows]
