"""Trains the best networks of searches again, from fresh weights and by one recipe.

Example: python -m epnas_tf.tools.studies.rescore --work_dirs=with,without --data_dir=$TFDS_DATA_DIR

What a search measured depends on how it trained; this compares what it found. Each network is
trained once per seed on the search's own training split and measured on its validation and test
splits.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import app, flags

from epnas_tf.studies import rescoring
from epnas_tf.training import devices, schedule

_WORK_DIRS = flags.DEFINE_list("work_dirs", [], "folders of the searches, separated by commas")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "folder of prepared tfds data sets")
_SCHEDULE = flags.DEFINE_string("schedule", "plain", "the recipe")
_EPOCHS = flags.DEFINE_integer("epochs", 0, "epochs (0: the recipe's)", 0)
_SEEDS = flags.DEFINE_integer("seeds", 3, "trainings of each network", 1)
_THREADS = flags.DEFINE_integer("threads", 0, "threads of an operation (0: all cores)", 0)
_MINUTES = flags.DEFINE_float("minutes", 0, "only trials of the first minutes (0: all)", 0)


def main(argv: Sequence[str]) -> None:
    """Prints a line per search."""
    if len(argv) > 1 or not _WORK_DIRS.value:
        raise app.UsageError("--work_dirs must name at least one search, and nothing else is taken")
    devices.use_threads(_THREADS.value)
    changes = {"epochs": _EPOCHS.value} if _EPOCHS.value else {}
    plan = schedule.schedule(_SCHEDULE.value, **changes)
    print("| search | best | params | MFLOPs | validation | test |\n|---|---|---:|---:|---:|---:|")
    for folder in _WORK_DIRS.value:
        found = rescoring.line(folder, plan, _SEEDS.value, _MINUTES.value, _DATA_DIR.value)
        print(found, flush=True)


if __name__ == "__main__":
    app.run(main)
