"""Training the best networks of searches again, from fresh weights and by one recipe."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections.abc import Sequence

from epnas_tf import config as config_lib
from epnas_tf import randomness, resolve
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import Spec, spec_from_dict
from epnas_tf.data.dataset import Data
from epnas_tf.training import devices, schedule, trainer
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.workdir import storage, trials_csv
from epnas_tf.workdir.layout import WorkDir


def best_within(work_dir: WorkDir, minutes: float) -> tuple[str, Spec]:
    """Returns the slot and network that were best when a search had run for some minutes.

    Time is that of the trials; a break between two runs of a search does not count.

    Raises:
      ValueError: no network was trained by then.
    """
    elapsed, trained = 0.0, []
    # By time, not by slot: what rose was trained long after its network was proposed.
    for row in sorted(trials_csv.read(work_dir), key=lambda row: int(row.trial_id)):
        elapsed += row.seconds + row.overhead_seconds
        if minutes and elapsed > 60 * minutes:
            break
        if row.trained:
            trained.append(row)
    if not trained:
        raise ValueError(
            f"{work_dir.path}: no network was trained in {minutes or math.inf} minutes"
        )
    best = min(trained, key=lambda row: row.rank)
    return best.slot.name, _spec_of(work_dir, best.trial_id)


def _spec_of(work_dir: WorkDir, trial_id: str) -> Spec:
    path = f"{work_dir.path}/trial_{trial_id}/trial.json"
    values = json.loads(storage.read_text(path))["hyperparameters"]["values"]
    return spec_from_dict(json.loads(values["spec"]))


def scores(
    spec: Spec, data: Data, plan: schedule.Schedule, seeds: int
) -> list[tuple[float, float]]:
    """Returns validation and test accuracy (NaN without a test split), once per seed."""
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


def line(
    folder: str, plan: schedule.Schedule, seeds: int, minutes: float = 0, data_dir: str = ""
) -> str:
    """Returns a search's line of the table: its best network, trained again with some seeds.

    Args:
      folder: the search's.
      plan: how the network is trained.
      seeds: trainings.
      minutes: only trials of the first minutes count; 0 for all.
      data_dir: of prepared data sets; the search's own if empty.
    """
    work_dir = WorkDir(folder)
    config = config_lib.from_flags_text(storage.read_text(work_dir.flags))
    data_dir = data_dir or config.data_dir
    data = resolve.load_data(dataclasses.replace(config, data_dir=data_dir))
    slot, spec = best_within(work_dir, minutes)
    cost = Budget(data.input_shape, data.num_classes).cost(spec)
    validation, test = map(_spread, zip(*scores(spec, data, plan, seeds), strict=True))
    size = f"{cost.params} | {cost.flops / 1e6:.1f}"
    return f"| {folder} | {slot} | {size} | {validation} | {test} |"


def _spread(values: Sequence[float]) -> str:
    """Returns the mean and all values, such as 0.5 (0.4, 0.6)."""
    return f"{statistics.fmean(values):.4f} ({', '.join(f'{value:.4f}' for value in values)})"
