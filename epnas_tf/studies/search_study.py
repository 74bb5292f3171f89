"""Runs of searchers on tables: how many networks each evaluates until it finds the best."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import multiprocessing
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from epnas_tf.studies import resumable, tables
from epnas_tf.studies.search_methods import METHODS
from epnas_tf.studies.tables import Table

UNLIMITED = ("digits", *(f"nb201_{name}" for name in tables.NAS_BENCH_201_DATASETS), "kept_aside")
TABLES = (*UNLIMITED, *(f"{name}_{kind}" for kind in tables.LIMITS for name in UNLIMITED))
QUICK_TABLES = ("digits", "nb201_cifar10")
SHARES = {"top_1%": 0.01, "top_0.1%": 0.001, "best": 0.0}
REGRET_AT = (50, 100, 200, 400)
FIRST_REPORTED_SEED = 1000
MAX_ANSWERS = 2_000
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


@functools.lru_cache(maxsize=8)
def load_table(name: str, digits_path: str) -> Table:
    """Returns a table by its name in TABLES; raises ValueError where there is none.

    Args:
      name: the table's.
      digits_path: file of the table digits.
    """
    whole, _, kind = name.rpartition("_")
    if whole in UNLIMITED and kind in tables.LIMITS:
        return load_table(whole, digits_path).limited(kind)
    if name == "digits":
        if not pathlib.Path(digits_path).exists():
            raise ValueError(f"--digits_table={digits_path}: there is no such file")
        return tables.digits_table(digits_path)
    if name == "kept_aside":
        return tables.kept_aside()
    if name not in UNLIMITED:
        raise ValueError(f"--tables must be of {', '.join(TABLES)}, got {name!r}")
    return tables.nas_bench_201(name.removeprefix("nb201_"))


def run(table: Table, method: str, seed: int, max_queries: int) -> dict[str, Any]:
    """Runs a method once and returns its row of results.jsonl.

    Where the table has a limit, networks beyond it are evaluated and count as queries, but are
    nothing that was found; `within` is the share of those that keep it.

    Args:
      table: where it searches.
      method: a name of METHODS.
      seed: of the method's choices.
      max_queries: networks it may evaluate.
    """
    searcher = METHODS[method](table, seed)
    known: dict[str, float] = {}
    within = 0
    improvements: list[tuple[int, float]] = []
    answers = 0
    spec = next(searcher.queries)
    while True:
        answers += 1
        if spec.key not in known:
            known[spec.key] = accuracy = table.accuracy(spec)
            feasible = table.feasible(spec)
            within += feasible
            if feasible and (not improvements or accuracy > improvements[-1][1]):
                improvements.append((len(known), accuracy))
        found = bool(improvements) and improvements[-1][1] >= table.best
        if found or len(known) >= max_queries or answers >= MAX_ANSWERS:
            break
        spec = searcher.queries.send(known[spec.key])
    row = {"table": table.name, "method": method, "seed": seed, "max_queries": max_queries}
    row |= {"queries": len(known), "answers": answers}
    if table.limit is not None:
        row["within"] = round(within / len(known), 6)
    return row | _figures(table, improvements, max_queries) | _proposed(searcher.log)


def _figures(
    table: Table, improvements: Sequence[tuple[int, float]], max_queries: int
) -> dict[str, Any]:
    reached = {
        name: next((q for q, accuracy in improvements if accuracy >= table.threshold(share)), None)
        for name, share in SHARES.items()
    }
    regrets = [(query, table.best - accuracy) for query, accuracy in improvements]
    if not improvements or improvements[0][0] > 1:
        # No network that keeps the limit is worse than the worst of them.
        regrets.insert(0, (1, table.best - table.worst))
    return {
        "reached": reached,
        "regret": {str(at): regret_at(regrets, at) for at in REGRET_AT if at <= max_queries},
        "improvements": regrets,
    }


def regret_at(improvements: Sequence[tuple[int, float]], query: int) -> float:
    """Returns the regret of the best network of the first `query` ones.

    Args:
      improvements: (query, regret) whenever the best so far changed; the first is query 1.
      query: at least 1.
    """
    return [regret for at, regret in improvements if at <= query][-1]


def _proposed(log: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the mean reward of the policy's own proposals by step, where the log has it."""
    means = [entry["proposed_reward"] for entry in log if "proposed_reward" in entry]
    return {"proposed_reward": [round(float(mean), 6) for mean in means]} if means else {}


@dataclasses.dataclass(frozen=True)
class Task:
    """A run to be done, with all that a worker needs to know of it."""

    table: str
    method: str
    seed: int
    max_queries: int
    digits_path: str

    @property
    def name(self) -> tuple[str, str, int, int]:
        """What tells it from other runs."""
        return (self.table, self.method, self.seed, self.max_queries)


def _run_task(task: Task) -> list[dict[str, Any]]:
    table = load_table(task.table, task.digits_path)
    return [run(table, task.method, task.seed, task.max_queries)]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Lets processes that are started within load their libraries with one thread each.

    Libraries read these variables while they are loaded, so a worker could not set them itself.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def run_missing(tasks: Sequence[Task], path: pathlib.Path, workers: int) -> list[dict[str, Any]]:
    """Runs the tasks that have no row in the file yet, adds theirs and returns all rows.

    Args:
      tasks: what is to be done.
      path: results.jsonl.
      workers: processes, of one thread each.
    """
    rows = resumable.read(path)
    done = {(row["table"], row["method"], row["seed"], row["max_queries"]) for row in rows}
    missing = [task for task in tasks if task.name not in done]
    print(f"{len(tasks) - len(missing)} of {len(tasks)} runs are done", flush=True)
    if not missing:
        return rows
    spawn = multiprocessing.get_context("spawn")  # a fork would share the loaded libraries
    with one_thread():
        pool = concurrent.futures.ProcessPoolExecutor(min(workers, len(missing)), spawn)
        resumable.add(path, resumable.of_pool(pool, _run_task, [(task,) for task in missing]))
    return resumable.read(path)


def names(flag: str, asked: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """Returns the names asked for, all where nothing is; raises ValueError for unknown ones."""
    found = list(dict.fromkeys(known if asked is None else asked))
    for name in found:
        if name not in known:
            raise ValueError(f"--{flag}: must be of {', '.join(known)}, got {name!r}")
    if not found:
        raise ValueError(f"--{flag}: must name at least one of {', '.join(known)}")
    return found


def is_tuning(tasks: Iterable[Task]) -> bool:
    """Says whether the seeds are for tuning; refuses to run both kinds at once."""
    seeds = {task.seed for task in tasks}
    first, last = min(seeds), max(seeds)
    if first < FIRST_REPORTED_SEED <= last:
        raise ValueError(
            f"--first_seed: seeds must be all below {FIRST_REPORTED_SEED} (tuning) or none, got "
            f"{first} to {last}"
        )
    return last < FIRST_REPORTED_SEED


def tasks(
    table_names: Sequence[str] | None,
    methods: Sequence[str] | None,
    *,
    seeds: int | None,
    first_seed: int,
    max_queries: int,
    quick: bool,
    digits_path: str,
) -> list[Task]:
    """Returns the runs that the flags of the command ask for; raises ValueError for a bad name."""
    seeds = seeds or (40 if quick else 200)
    usual = QUICK_TABLES if quick else UNLIMITED
    return [
        Task(table, method, seed, max_queries, digits_path)
        for table in names("tables", usual if table_names is None else table_names, TABLES)
        for method in names("methods", methods, tuple(METHODS))
        for seed in range(first_seed, first_seed + seeds)
    ]


def check_tables(tasks: Sequence[Task]) -> None:
    """Raises ImportError or ValueError for a table that cannot be had, before anything runs."""
    for name, path in dict.fromkeys((task.table, task.digits_path) for task in tasks):
        load_table(name, path)
