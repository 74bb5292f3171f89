"""Trains the best networks of searches again, from fresh weights and by one recipe.

Example: python -m epnas_tf.tools.studies.rescore --work_dirs=with,without --data_dir=$TFDS_DATA_DIR

What a search measured depends on how it trained; this compares what it found. Each network is
trained once a seed on the search's own training part and measured on its validation and test parts.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import statistics
from collections.abc import Sequence

from absl import app, flags

from epnas_tf import config as config_lib
from epnas_tf import randomness, run
from epnas_tf.architecture.budget import TRAINED, Budget
from epnas_tf.architecture.spec import Spec, spec_from_dict
from epnas_tf.data.dataset import Data
from epnas_tf.searching.trials import Slot, rank_key
from epnas_tf.training import devices, schedule, trainer
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir

_WORK_DIRS = flags.DEFINE_list("work_dirs", [], "folders of the searches, separated by commas")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "folder of prepared tfds data sets")
_SCHEDULE = flags.DEFINE_string("schedule", "plain", "the recipe")
_EPOCHS = flags.DEFINE_integer("epochs", 0, "epochs (0: the recipe's)", 0)
_SEEDS = flags.DEFINE_integer("seeds", 3, "trainings of each network", 1)
_THREADS = flags.DEFINE_integer("threads", 0, "threads of an operation (0: all cores)", 0)
_MINUTES = flags.DEFINE_float("minutes", 0, "only trials of the first minutes (0: all)", 0)


def best_within(work_dir: WorkDir, minutes: float) -> tuple[str, Spec]:
    """Returns the slot and network that were best when a search had run for some minutes.

    Time is that of the trials; a break between two runs of a search does not count.

    Raises:
      ValueError: no network was trained by then.
    """
    elapsed, trained = 0.0, []
    for row in csv.DictReader(io.StringIO(storage.read_text(work_dir.trials_csv))):
        elapsed += float(row["seconds"]) + float(row["overhead_seconds"])
        if minutes and elapsed > 60 * minutes:
            break
        if row["status"] == TRAINED:
            trained.append(row)
    if not trained:
        raise ValueError(
            f"{work_dir.path}: no network was trained in {minutes or math.inf} minutes"
        )
    best = min(trained, key=_rank)
    return best["slot"], _spec_of(work_dir, best["trial_id"])


def _rank(row: dict[str, str]) -> tuple[bool, float, Slot]:
    return rank_key(row["feasible"] == "1", float(row["reward"]), Slot.parse(row["slot"]))


def _spec_of(work_dir: WorkDir, trial_id: str) -> Spec:
    path = f"{work_dir.path}/trial_{trial_id}/trial.json"
    values = json.loads(storage.read_text(path))["hyperparameters"]["values"]
    return spec_from_dict(json.loads(values["spec"]))


def scores(
    spec: Spec, data: Data, plan: schedule.Schedule, seeds: int
) -> list[tuple[float, float]]:
    """Returns validation and test accuracy (NaN without a test part), once a seed."""
    strategy = devices.make_strategy("none")
    budget = Budget(data.input_shape, data.num_classes)
    evaluator = Evaluator(data, schedule.fit_to(plan, len(data.train)), strategy, budget)
    found = []
    for seed in range(seeds):
        tests = [math.nan]

        def measure(model, tests=tests):  # type: ignore[no-untyped-def]
            if data.test is not None:
                tests[0] = trainer.accuracy(model, data.test, data, strategy)

        evaluation = evaluator.evaluate(spec, randomness.seed_of(seed, "rescore"), keep=measure)
        found.append((evaluation.accuracy, tests[0]))
    return found


def main(argv: Sequence[str]) -> None:
    """Prints a line a search."""
    if len(argv) > 1 or not _WORK_DIRS.value:
        raise app.UsageError("--work_dirs must name at least one search, and nothing else is taken")
    devices.use_threads(_THREADS.value)
    changes = {"epochs": _EPOCHS.value} if _EPOCHS.value else {}
    plan = schedule.schedule(_SCHEDULE.value, **changes)
    print("| search | best | params | MFLOPs | validation | test |\n|---|---|---:|---:|---:|---:|")
    for folder in _WORK_DIRS.value:
        work_dir = WorkDir(folder)
        config = config_lib.from_flags_text(storage.read_text(work_dir.flags))
        data_dir = _DATA_DIR.value or config.data_dir
        data = run.load_data(dataclasses.replace(config, data_dir=data_dir))
        slot, spec = best_within(work_dir, _MINUTES.value)
        cost = Budget(data.input_shape, data.num_classes).cost(spec)
        means = [
            _spread(column) for column in zip(*scores(spec, data, plan, _SEEDS.value), strict=True)
        ]
        size = f"{cost.params} | {cost.flops / 1e6:.1f}"
        print(f"| {folder} | {slot} | {size} | {means[0]} | {means[1]} |", flush=True)


def _spread(values: Sequence[float]) -> str:
    """Returns the mean and all values, such as 0.5 (0.4, 0.6)."""
    return f"{statistics.fmean(values):.4f} ({', '.join(f'{value:.4f}' for value in values)})"


if __name__ == "__main__":
    app.run(main)
