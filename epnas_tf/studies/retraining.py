"""Networks trained from fresh weights by one recipe: what is missing is done, the rest is read."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import multiprocessing
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from epnas_tf import randomness
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.report.forecast import duration
from epnas_tf.studies import cores, networks, recipes, resumable
from epnas_tf.studies.courses import Course, Figures
from epnas_tf.studies.final_recipes import FinalRecipe
from epnas_tf.studies.networks import Network
from epnas_tf.studies.resumable import Row
from epnas_tf.terminal import say
from epnas_tf.training import devices, memory

Unit = tuple[str, Network, int]  # a network's name, the network, a seed
Recipe = recipes.Recipe | FinalRecipe


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """What all trainings of a process use.

    Attributes:
      recipe: how networks are trained.
      course: its images and schedule.
      states: folder of the states of trainings that were cut off.
    """

    recipe: Recipe
    course: Course
    states: pathlib.Path


# Of a worker process.
_loaded: _Loaded


def course_of(recipe: Recipe) -> Course:
    """Returns a recipe's images and schedule; TensorFlow has one thread from then on.

    Raises:
      ConfigError: there are no such images, or the schedule does not fit.
      SettingError: TensorFlow has started with more threads.
    """
    devices.use_threads(1)
    return recipe.course()


def start_worker(recipe: Recipe, states: pathlib.Path) -> None:
    """Loads the images that all trainings of this process use."""
    global _loaded
    _loaded = _Loaded(recipe, course_of(recipe), states)


def trained(
    network: Network, course: Course, seed: int, state_file: str = ""
) -> tuple[Figures, float]:
    """Trains a network from fresh weights; returns the figures and the seconds of all of it.

    Args:
      network: what is trained.
      course: how.
      seed: decides the initial weights, the order of the images and their variation.
      state_file: where it goes on from, where the course is one that can.
    """
    root = randomness.seed_of(seed, course.purpose)
    begun = time.perf_counter()
    with memory.child_graphs():
        model = networks.build(
            network,
            course.data.input_shape,
            course.data.num_classes,
            seed=root,
            dtype_policy=course.dtype_policy,
            identity_init=course.plan.identity_init,
        )
        figures = course.train(model, root, state_file)
        del model
    return figures, time.perf_counter() - begun


def train(name: str, network: Network, seed: int) -> list[Row]:
    """Trains a network once and returns what came of it, a row."""
    recipe, course = _loaded.recipe, _loaded.course
    state = _state_file(_loaded.states, network.key, recipe.text, seed)
    found, seconds = trained(network, course, seed, str(state))
    cost = networks.cost(network, course.data.input_shape, course.data.num_classes)
    row = {
        "network": name,
        "key": network.key,
        "recipe": recipe.text,
        "seed": seed,
        **{each.column: each.plain(each.of(cost)) for each in RESOURCES.values()},
        "status": found.status,
        "accuracy": _rounded(found.accuracy),
        "test": _rounded(found.test),
        "losses": [round(epoch.loss, 5) for epoch in found.epochs],
        "training_accuracies": [round(epoch.accuracy, 5) for epoch in found.epochs],
        "seconds": round(found.seconds, 3),
        "all_seconds": round(seconds, 3),
    }
    return [row]


def _rounded(accuracy: float | None) -> float | None:
    return None if accuracy is None else round(accuracy, 6)


def _state_file(folder: pathlib.Path, key: str, recipe: str, seed: int) -> pathlib.Path:
    return folder / f"{key}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}-{seed}.npz"


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
      ConfigError: the recipe's images are not there, or it fits no network of blocks.
    """
    if isinstance(recipe, FinalRecipe):
        recipe.refuse_unfit(given)
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
        states = path.with_suffix(".states")
        states.mkdir(exist_ok=True)
        rows = _told(_trained(recipe, states, missing, jobs), missing)
        resumable.add(path, _without_states(rows, states))
        with contextlib.suppress(OSError):  # another recipe's may be there
            states.rmdir()


def _without_states(rows: Iterator[Row], states: pathlib.Path) -> Iterator[Row]:
    """Yields the rows; once a row is written, nothing goes on from its state."""
    for row in rows:
        yield row
        state = _state_file(states, row["key"], row["recipe"], row["seed"])
        state.unlink(missing_ok=True)


def _trained(
    recipe: Recipe, states: pathlib.Path, units: Sequence[Unit], jobs: int
) -> Iterator[Row]:
    if jobs == 1:
        start_worker(recipe, states)
        for unit in units:
            yield from train(*unit)
        return
    spawn = multiprocessing.get_context("spawn")
    free = cores.queue(jobs, spawn)
    pool = concurrent.futures.ProcessPoolExecutor(
        jobs, spawn, _start_pinned, (free, recipe, states)
    )
    yield from resumable.of_pool(pool, train, units)


def _start_pinned(free: Any, recipe: Recipe, states: pathlib.Path) -> None:
    cores.pin(free.get())
    start_worker(recipe, states)


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
        measured = {"validation": row["accuracy"], "test": row["test"]}
        said = [f"{part} {share:.4f}" for part, share in measured.items() if share is not None]
        say(
            f"{done} of {len(units)}: {row['network']}, seed {row['seed']}: {', '.join(said)} "
            f"({row['all_seconds']:.0f} s){more}"
        )
        yield row


def _work(network: Network) -> float:
    """Returns what the time of a training is about in proportion to, whatever the images' size."""
    return Budget.work(networks.cost(network, (32, 32, 3), 10))
