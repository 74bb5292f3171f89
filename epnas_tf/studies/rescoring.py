"""Training the best networks of searches again, from fresh weights and by one recipe."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import math
import statistics
import time
from collections.abc import Sequence

import keras

from epnas_tf import config as config_lib
from epnas_tf import randomness, resolve
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import Spec
from epnas_tf.data.dataset import Data
from epnas_tf.studies import timeline
from epnas_tf.training import devices, schedule, trainer
from epnas_tf.training.evaluate import Evaluation, Evaluator
from epnas_tf.workdir import networks, storage
from epnas_tf.workdir.layout import WorkDir


def best_within(work_dir: WorkDir, minutes: float) -> tuple[str, Spec]:
    """Returns the slot and network that were best when a search had run for some minutes.

    Time is that of the trials; a break between two runs of a search does not count.

    Raises:
      ValueError: no network was trained by then.
    """
    trained = [
        moment.row
        for moment in timeline.of_search(work_dir)
        if moment.row.trained and not (minutes and moment.seconds > 60 * minutes)
    ]
    if not trained:
        raise ValueError(
            f"{work_dir.path}: no network was trained in {minutes or math.inf} minutes"
        )
    best = min(trained, key=lambda row: row.rank)
    return best.slot.name, networks.of_trial(work_dir, best.trial_id)


def chosen(work_dir: WorkDir, trial: str = "", minutes: float = 0) -> tuple[str, Spec]:
    """Returns the slot and network of a search that is meant.

    Args:
      work_dir: the search's.
      trial: a slot; else the best, which is that of best.json.
      minutes: where no trial is named, the best of the trials of the first minutes; 0 for all.

    Raises:
      ValueError: there is no such trial, or nothing has been trained.
    """
    if minutes and not trial:
        return best_within(work_dir, minutes)
    return networks.chosen(work_dir, trial)


def scores(
    spec: Spec, data: Data, plan: schedule.Schedule, seeds: int
) -> list[tuple[float, float]]:
    """Returns validation and test accuracy (NaN without a test split), once per seed."""
    strategy = devices.make_strategy("none")
    budget = Budget(data.input_shape, data.num_classes)
    evaluator = Evaluator(data, schedule.fit_to(plan, len(data.train)), strategy, budget)
    found = [trained(spec, evaluator, seed) for seed in range(seeds)]
    return [(each.evaluation.accuracy, each.test) for each in found]


@dataclasses.dataclass(frozen=True)
class Trained:
    """What came of a training from fresh weights.

    Attributes:
      evaluation: validation accuracy, epochs, or why it was not trained.
      test: accuracy on the test split, NaN without one and where it was not trained to the end.
      seconds: from building the network to its last validation.
    """

    evaluation: Evaluation
    test: float
    seconds: float


def trained(spec: Spec, evaluator: Evaluator, seed: int) -> Trained:
    """Trains a network from fresh weights and measures it on the test split too."""
    data, test, aside = evaluator.data, math.nan, 0.0

    def measure(model: keras.Model) -> None:
        nonlocal test, aside
        begun = time.perf_counter()
        if data.test is not None:
            test = trainer.accuracy(model, data.test, data, evaluator.strategy)
        aside = time.perf_counter() - begun  # no cost of the recipe

    begun = time.perf_counter()
    found = evaluator.evaluate(spec, randomness.seed_of(seed, "rescore"), keep=measure)
    return Trained(found, test, time.perf_counter() - begun - aside)


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
