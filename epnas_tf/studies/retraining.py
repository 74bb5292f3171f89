"""Networks trained from fresh weights by one recipe: what is missing is done, the rest is read."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import multiprocessing
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from epnas_tf import randomness
from epnas_tf.architecture.budget import NOT_FINITE, TRAINED, Budget
from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.data.dataset import Data
from epnas_tf.report.forecast import duration
from epnas_tf.studies import cores, networks, resumable
from epnas_tf.studies.networks import Network
from epnas_tf.studies.recipes import Recipe
from epnas_tf.studies.resumable import Row
from epnas_tf.terminal import say
from epnas_tf.training import devices, memory, trainer
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.trainer import TrainResult

Unit = tuple[str, Network, int]  # a network's name, the network, a seed


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """What all trainings of a process use."""

    recipe: Recipe
    data: Data
    plan: Schedule


@dataclasses.dataclass(frozen=True)
class Trained:
    """What came of a training from fresh weights.

    Attributes:
      result: losses and accuracies.
      test: accuracy on the test images; None without any, and where a loss was not finite.
      seconds: from building the network to its last validation.
    """

    result: TrainResult
    test: float | None
    seconds: float


# Of a worker process.
_loaded: _Loaded


def load(recipe: Recipe) -> tuple[Data, Schedule]:
    """Returns a recipe's images and schedule; TensorFlow has one thread from then on.

    Raises:
      ConfigError: there are no such images, or the schedule does not fit.
      SettingError: TensorFlow has started with more threads.
    """
    devices.use_threads(1)
    return recipe.load()


def start_worker(recipe: Recipe) -> None:
    """Loads the images that all trainings of this process use."""
    global _loaded
    _loaded = _Loaded(recipe, *load(recipe))


def trained(network: Network, data: Data, plan: Schedule, seed: int, dtype_policy: str) -> Trained:
    """Trains a network from fresh weights and measures it on the test images too.

    Args:
      network: what is trained.
      data: the images.
      plan: fitted to them (`schedule.fit_to`).
      seed: decides the initial weights, the order of the images and their variation.
      dtype_policy: what the network computes in, by Keras' name.
    """
    strategy, seed = devices.make_strategy("none"), randomness.seed_of(seed, "rescore")
    begun = time.perf_counter()
    with memory.child_graphs():
        model = networks.build(
            network,
            data.input_shape,
            data.num_classes,
            seed=seed,
            dtype_policy=dtype_policy,
            identity_init=plan.identity_init,
        )
        result = trainer.train(model, data, plan, strategy, seed=seed)
        seconds = time.perf_counter() - begun
        test = None
        if result.finite and data.test is not None:
            test = trainer.accuracy(model, data.test, data, strategy)
        del model
    return Trained(result, test, seconds)


def train(name: str, network: Network, seed: int) -> list[Row]:
    """Trains a network once and returns what came of it, a row."""
    recipe, data = _loaded.recipe, _loaded.data
    found = trained(network, data, _loaded.plan, seed, recipe.config.dtype_policy)
    cost, result = networks.cost(network, data.input_shape, data.num_classes), found.result
    row = {
        "network": name,
        "key": network.key,
        "recipe": recipe.text,
        "seed": seed,
        **{each.column: each.plain(each.of(cost)) for each in RESOURCES.values()},
        "status": TRAINED if result.finite else NOT_FINITE,
        "accuracy": round(result.validation_accuracy, 6),
        "test": None if found.test is None else round(found.test, 6),
        "losses": [round(epoch.loss, 5) for epoch in result.epochs],
        "training_accuracies": [round(epoch.accuracy, 5) for epoch in result.epochs],
        "seconds": round(result.train_seconds, 3),
        "all_seconds": round(found.seconds, 3),
    }
    return [row]


def rows_of(
    path: pathlib.Path, recipe: Recipe, given: Mapping[str, Network], seeds: Sequence[int]
) -> list[Row]:
    """Returns the rows of these networks by this recipe, each named as it is called here."""
    wanted = {(network.key, seed): name for name, network in given.items() for seed in seeds}
    found = {
        (row["key"], row["seed"]): row
        for row in resumable.read(path)
        if row["recipe"] == recipe.text and (row["key"], row["seed"]) in wanted
    }
    return [found[known] | {"network": name} for known, name in wanted.items() if known in found]


def train_missing(
    path: pathlib.Path,
    recipe: Recipe,
    given: Mapping[str, Network],
    seeds: Sequence[int],
    jobs: int = 1,
) -> None:
    """Trains what the file has no row of and adds a row for each training.

    Seed by seed, so that a study that is interrupted compares what there is.

    Args:
      path: of the rows.
      recipe: how the networks are trained.
      given: the networks by name.
      seeds: a training each.
      jobs: processes of one thread each, pinned to a core each; 1 trains in this process.

    Raises:
      ConfigError: the recipe's images are not there.
    """
    known = {(row["key"], row["seed"]) for row in rows_of(path, recipe, given, seeds)}
    different: dict[Network, str] = {}
    for name, network in given.items():
        different.setdefault(network, name)
    missing = [
        (name, network, seed)
        for seed in seeds
        for network, name in different.items()
        if (network.key, seed) not in known
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
    left = {(network.key, seed): _work(network) for _, network, seed in units}
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


def _work(network: Network) -> float:
    """Returns what the time of a training is about in proportion to, whatever the images' size."""
    return Budget.work(networks.cost(network, (32, 32, 3), 10))
