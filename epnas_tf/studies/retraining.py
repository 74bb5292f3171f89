"""Networks trained from fresh weights by one recipe: what is missing is done, the rest is read."""

from __future__ import annotations

import concurrent.futures
import math
import multiprocessing
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import Spec
from epnas_tf.report.forecast import duration
from epnas_tf.studies import cores, rescoring, resumable
from epnas_tf.studies.recipes import Recipe
from epnas_tf.studies.resumable import Row
from epnas_tf.terminal import say
from epnas_tf.training import devices
from epnas_tf.training.evaluate import Evaluator

Unit = tuple[str, Spec, int]  # a network's name, the network, a seed

# Of a worker process.
_evaluator: Evaluator
_recipe: Recipe


def start_worker(recipe: Recipe) -> None:
    """Loads the images that all trainings of this process use."""
    global _evaluator, _recipe
    devices.use_threads(1)
    data, plan = recipe.load()
    budget = Budget(data.input_shape, data.num_classes)
    strategy = devices.make_strategy("none")
    policy = recipe.config.dtype_policy
    _evaluator = Evaluator(data, plan, strategy, budget, dtype_policy=policy)
    _recipe = recipe


def train(name: str, spec: Spec, seed: int) -> list[Row]:
    """Trains a network once and returns what came of it, a row."""
    found = rescoring.trained(spec, _evaluator, seed)
    cost, evaluation = _evaluator.budget.cost(spec), found.evaluation
    epochs = evaluation.training.epochs if evaluation.training else ()
    row = {
        "network": name,
        "key": spec.key,
        "recipe": _recipe.text,
        "seed": seed,
        "params": cost.params,
        "flops": cost.flops,
        "status": evaluation.status,
        "accuracy": round(evaluation.accuracy, 6),
        "test": None if math.isnan(found.test) else round(found.test, 6),
        "losses": [round(epoch.loss, 5) for epoch in epochs],
        "training_accuracies": [round(epoch.accuracy, 5) for epoch in epochs],
        "seconds": round(evaluation.seconds, 3),
        "all_seconds": round(found.seconds, 3),
    }
    return [row]


def rows_of(
    path: pathlib.Path, recipe: Recipe, networks: Mapping[str, Spec], seeds: Sequence[int]
) -> list[Row]:
    """Returns the rows of these networks by this recipe, each named as it is called here."""
    wanted = {(spec.key, seed): name for name, spec in networks.items() for seed in seeds}
    found = {
        (row["key"], row["seed"]): row
        for row in resumable.read(path)
        if row["recipe"] == recipe.text and (row["key"], row["seed"]) in wanted
    }
    return [found[known] | {"network": name} for known, name in wanted.items() if known in found]


def train_missing(
    path: pathlib.Path,
    recipe: Recipe,
    networks: Mapping[str, Spec],
    seeds: Sequence[int],
    jobs: int = 1,
) -> None:
    """Trains what the file has no row of and adds a row for each training.

    Seed by seed, so that a study that is interrupted compares what there is.

    Args:
      path: of the rows.
      recipe: how the networks are trained.
      networks: by name.
      seeds: a training each.
      jobs: processes of one thread each, pinned to a core each; 1 trains in this process.

    Raises:
      ConfigError: the recipe's images are not there.
    """
    known = {(row["key"], row["seed"]) for row in rows_of(path, recipe, networks, seeds)}
    different: dict[Spec, str] = {}
    for name, spec in networks.items():
        different.setdefault(spec, name)
    missing = [
        (name, spec, seed)
        for seed in seeds
        for spec, name in different.items()
        if (spec.key, seed) not in known
    ]
    say(f"{recipe.text}: {len(missing)} of {len(different) * len(seeds)} trainings to do")
    if missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        resumable.add(path, _told(_trained(recipe, missing, jobs), missing))


def _trained(recipe: Recipe, units: Sequence[Unit], jobs: int) -> Iterator[Row]:
    if jobs == 1:
        start_worker(recipe)
        for unit in units:
            yield from train(*unit)
        return
    spawn = multiprocessing.get_context("spawn")
    free = cores.queue(jobs, spawn)
    pool = concurrent.futures.ProcessPoolExecutor(jobs, spawn, _start_pinned, (free, recipe))
    yield from resumable.of_pool(pool, train, units)


def _start_pinned(free: Any, recipe: Recipe) -> None:
    cores.pin(free.get())
    start_worker(recipe)


def _told(
    rows: Iterator[Row],
    units: Sequence[Unit],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Row]:
    """Yields the rows; says what each was, and for how long the others will take."""
    left = {(spec.key, seed): _work(spec) for _, spec, seed in units}
    whole, begun = sum(left.values()), clock()
    for done, row in enumerate(rows, start=1):
        del left[row["key"], row["seed"]]
        rest = sum(left.values())
        spent = clock() - begun
        more = f", about {duration(spent * rest / (whole - rest))} to go" if left else ""
        test = "" if row["test"] is None else f", test {row['test']:.4f}"
        say(
            f"{done} of {len(units)}: {row['network']}, seed {row['seed']}: validation "
            f"{row['accuracy']:.4f}{test} ({row['all_seconds']:.0f} s){more}"
        )
        yield row


def _work(spec: Spec) -> float:
    """Returns what the time of a training is about in proportion to, whatever the images' size."""
    budget = Budget((32, 32, 3), 10)
    return budget.work(budget.cost(spec))
