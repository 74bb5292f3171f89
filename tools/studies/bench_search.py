"""Compares searchers on tables of known accuracies: how many networks each needs to find the best.

Example: python -m tools.studies.bench_search --quick --output=/tmp/bench
Installed: python -m epnas_tf.tools.studies.bench_search

A query is a network evaluated for the first time; repeats are answered from memory at no cost.
Every run adds a line to results.jsonl of --output, and is not run again if the line is there; then
results.json, report.md and curves.png are made of all lines. Seeds below 1000 are for tuning: their
runs go to files of their own, named tuning_*, and are never reported.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import json
import multiprocessing
import os
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import app, flags

from epnas_tf import randomness
from epnas_tf.searching.learner import Policy
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.settings import LSTM, PAPER, PAPER_LSTM, Learning
from epnas_tf.searching.trials import Result
from epnas_tf.studies import baselines, tables
from epnas_tf.studies.tables import Table

TABLES = ("digits", *(f"nb201_{name}" for name in tables.NAS_BENCH_201_DATASETS), "kept_aside")
QUICK_TABLES = ("digits", "nb201_cifar10")
SHARES = {"top_1%": 0.01, "top_0.1%": 0.001, "best": 0.0}
REGRET_AT = (50, 100, 200, 400)
FIRST_REPORTED_SEED = 1000
MAX_ANSWERS = 2_000
RESAMPLES = 2_000
PROPOSALS = 8  # of each branch, for the mean reward of the policy's own proposals
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)

_TABLES = flags.DEFINE_list("tables", None, f"of {', '.join(TABLES)}; all by default")
_DIGITS_TABLE = flags.DEFINE_string(
    "digits_table", "tests/testdata/digits_table.json.gz", "file of the table digits"
)
_METHODS = flags.DEFINE_list("methods", None, "names of METHODS; all by default")
_SEEDS = flags.DEFINE_integer("seeds", None, "runs a method; 200 by default", 1)
_LSTM_SEEDS = flags.DEFINE_integer("lstm_seeds", None, "runs of an lstm; 30 by default", 1)
_FIRST_SEED = flags.DEFINE_integer(
    "first_seed", FIRST_REPORTED_SEED, "seeds below 1000 are for tuning and never reported", 0
)
_MAX_QUERIES = flags.DEFINE_integer("max_queries", 400, "networks a run may evaluate", 1)
_QUICK = flags.DEFINE_bool(
    "quick", False, f"40 runs, 6 of an lstm, tables {', '.join(QUICK_TABLES)} where not said"
)
_WORKERS = flags.DEFINE_integer("workers", None, "processes of one thread; all cores by default", 1)
_OUTPUT = flags.DEFINE_string("output", "bench_search", "folder of the results")

# --- searchers -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Method:
    """A searcher at work.

    Attributes:
      queries: yields networks, is sent their accuracies.
      log: what it notes of its steps, filled as it goes.
    """

    queries: baselines.Searcher
    log: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def _peer(name: str, search: Callable[..., baselines.Searcher], **options: int) -> Factory:
    def make(table: Table, seed: int) -> Method:
        rng = randomness.generator(seed, "bench_search", name)
        return Method(search(table.space, rng, **options))

    return make


def _progressive(
    table: Table, seed: int, *, policy: Callable[[Table, int], Policy], learning: Learning
) -> Method:
    """Returns the progressive search with this policy, learning in this way."""
    search = ProgressiveSearch(
        table.space,
        policy(table, seed),
        branches=8,
        episodes=10**6,
        steps=10,
        seed=seed,
        learning=learning,
        reuse_duplicates=True,
    )
    log: list[dict[str, Any]] = []
    return Method(_queries(search, table, log), log)


def _random(table: Table, seed: int) -> Policy:
    del seed
    return RandomPolicy(table.space)


def _lstm(options: dict[str, Any], table: Table, seed: int) -> Policy:
    # TensorFlow takes seconds to load, in every worker; no other method needs it.
    from epnas_tf.searching.policies.lstm import LSTMPolicy

    return LSTMPolicy(table.space, seed=seed, **options)


def _queries(
    search: ProgressiveSearch, table: Table, log: list[dict[str, Any]]
) -> baselines.Searcher:
    while True:
        results = []
        proposals = search.ask()
        if search.offered:
            # Looked up, not counted: what the policy would have trained without a screen.
            own = [spec for offered in search.offered for spec in offered[:PROPOSALS]]
            log.append({"proposed_reward": float(np.mean([table.accuracy(s) for s in own]))})
        for proposal in proposals:
            accuracy = yield proposal.spec
            results.append(Result(proposal.slot, accuracy, accuracy))
        search.tell(results)


Factory = Callable[[Table, int], Method]

# The same choice of parents as the others, so that only screen and policy differ.
UNSCREENED_RANDOM = Learning(screen=1, imagined_updates=0)

# Names that start with "evolution_" are reported as one, those with "lstm" get fewer seeds.
METHODS: dict[str, Factory] = {
    "random_sampling": _peer("random_sampling", baselines.random_sampling),
    "evolution_20_5": _peer("evolution", baselines.regularised_evolution, population=20, sample=5),
    "evolution_50_10": _peer(
        "evolution", baselines.regularised_evolution, population=50, sample=10
    ),
    "evolution_100_25": _peer(
        "evolution", baselines.regularised_evolution, population=100, sample=25
    ),
    "local_search": _peer("local_search", baselines.local_search),
    "random": functools.partial(_progressive, policy=_random, learning=UNSCREENED_RANDOM),
    "random_screened": functools.partial(
        _progressive, policy=_random, learning=Learning(imagined_updates=0)
    ),
    "lstm_paper": functools.partial(
        _progressive, policy=functools.partial(_lstm, PAPER_LSTM), learning=PAPER
    ),
    "lstm_unscreened": functools.partial(
        _progressive, policy=functools.partial(_lstm, LSTM), learning=Learning(screen=1)
    ),
    "lstm": functools.partial(
        _progressive, policy=functools.partial(_lstm, LSTM), learning=Learning()
    ),
}

# Two methods whose queries are compared, where both were run: what screening and the policy bring.
DIFFERENCES = (
    ("lstm", "lstm_unscreened"),
    ("random_screened", "random"),
    ("lstm", "random_screened"),
    ("lstm_unscreened", "random"),
)

# --- runs ----------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=8)
def load_table(name: str, digits_path: str) -> Table:
    """Returns a table by its name in TABLES; raises ValueError where there is none.

    Args:
      name: the table's.
      digits_path: file of the table digits.
    """
    if name == "digits":
        if not pathlib.Path(digits_path).exists():
            raise ValueError(f"--digits_table={digits_path}: there is no such file")
        return tables.digits_table(digits_path)
    if name == "kept_aside":
        return tables.kept_aside()
    if name not in TABLES:
        raise ValueError(f"--tables must be of {', '.join(TABLES)}, got {name!r}")
    return tables.nas_bench_201(name.removeprefix("nb201_"))


def run(table: Table, method: str, seed: int, max_queries: int) -> dict[str, Any]:
    """Runs a method once and returns its row of results.jsonl.

    Args:
      table: where it searches.
      method: a name of METHODS.
      seed: of the method's choices.
      max_queries: networks it may evaluate.
    """
    searcher = METHODS[method](table, seed)
    known: dict[str, float] = {}
    improvements: list[tuple[int, float]] = []
    answers = 0
    spec = next(searcher.queries)
    while True:
        answers += 1
        if spec.key not in known:
            known[spec.key] = accuracy = table.accuracy(spec)
            if not improvements or accuracy > improvements[-1][1]:
                improvements.append((len(known), accuracy))
        found = improvements[-1][1] >= table.best
        if found or len(known) >= max_queries or answers >= MAX_ANSWERS:
            break
        spec = searcher.queries.send(known[spec.key])
    row = {"table": table.name, "method": method, "seed": seed, "max_queries": max_queries}
    row |= {"queries": len(known), "answers": answers}
    return row | _figures(table, improvements, max_queries) | _proposed(searcher.log)


def _figures(
    table: Table, improvements: Sequence[tuple[int, float]], max_queries: int
) -> dict[str, Any]:
    reached = {
        name: next((q for q, accuracy in improvements if accuracy >= table.threshold(share)), None)
        for name, share in SHARES.items()
    }
    regrets = [(query, table.best - accuracy) for query, accuracy in improvements]
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


def _run_task(task: Task) -> dict[str, Any]:
    table = load_table(task.table, task.digits_path)
    return run(table, task.method, task.seed, task.max_queries)


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


def read_rows(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the rows of a results.jsonl; a torn last line is taken out of the file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def run_missing(tasks: Sequence[Task], path: pathlib.Path, workers: int) -> list[dict[str, Any]]:
    """Runs the tasks that have no row in the file yet, adds theirs and returns all rows.

    Args:
      tasks: what is to be done.
      path: results.jsonl.
      workers: processes, of one thread each.
    """
    rows = read_rows(path)
    done = {(row["table"], row["method"], row["seed"], row["max_queries"]) for row in rows}
    missing = [task for task in tasks if task.name not in done]
    print(f"{len(tasks) - len(missing)} of {len(tasks)} runs are done", flush=True)
    if not missing:
        return rows
    spawn = multiprocessing.get_context("spawn")  # a fork would share the loaded libraries
    with (
        one_thread(),
        concurrent.futures.ProcessPoolExecutor(min(workers, len(missing)), spawn) as pool,
        path.open("a", encoding="utf-8") as file,
    ):
        running = [pool.submit(_run_task, task) for task in missing]
        try:
            for future in concurrent.futures.as_completed(running):
                rows.append(future.result())
                file.write(json.dumps(rows[-1]) + "\n")
                file.flush()
        finally:  # after an error the runs that wait would only delay its message
            pool.shutdown(cancel_futures=True)
    return rows


# --- figures -------------------------------------------------------------------------------------


def capped(rows: Iterable[Mapping[str, Any]], goal: str, max_queries: int) -> np.ndarray:
    """Returns each run's queries to a goal of SHARES, max_queries where it was not reached."""
    reached = [row["reached"][goal] for row in rows]
    return np.array([max_queries if queries is None else queries for queries in reached], float)


def _medians(values: Sequence[float] | np.ndarray, purpose: str) -> np.ndarray:
    rng = randomness.generator(0, "bootstrap", purpose)
    picks = rng.integers(len(values), size=(RESAMPLES, len(values)))
    return np.median(np.asarray(values, float)[picks], axis=1)


def _interval(resampled: np.ndarray) -> list[float]:
    return [float(bound) for bound in np.percentile(resampled, [2.5, 97.5])]


def median(values: Sequence[float] | np.ndarray) -> dict[str, Any]:
    """Returns the median and its bootstrapped 95% interval."""
    return {"median": float(np.median(values)), "interval": _interval(_medians(values, "a"))}


def difference(
    a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray
) -> dict[str, float | list[float]]:
    """Returns how far the median of `a` lies above that of `b`, and its bootstrapped 95% interval.

    Args:
      a: queries of a method's runs.
      b: those of another's, of other seeds or as many: runs are not paired.
    """
    return {
        "difference": float(np.median(a) - np.median(b)),
        "interval": _interval(_medians(a, "a") - _medians(b, "b")),
    }


Rows = list[dict[str, Any]]


def _grouped(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Rows]]:
    """Returns the rows by table and method, in the order of TABLES and METHODS, sorted by seed."""
    found: dict[str, dict[str, Rows]] = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        found.setdefault(row["table"], {}).setdefault(row["method"], []).append(row)
    known = {name: index for index, name in enumerate(METHODS)}
    return {
        table: dict(sorted(found[table].items(), key=lambda pair: known.get(pair[0], len(known))))
        for table in TABLES
        if table in found
    }


def _summary(rows: Rows, max_queries: int) -> dict[str, Any]:
    """Returns a method's figures on a table."""
    queries = {goal: capped(rows, goal, max_queries) for goal in SHARES}
    summary: dict[str, Any] = {"runs": len(rows)}
    for goal, values in queries.items():
        found = sum(row["reached"][goal] is not None for row in rows)
        summary[goal] = median(values) | {"reached": found / len(rows)}
    summary["regret"] = {
        at: median([row["regret"][at] for row in rows]) for at in rows[0]["regret"]
    }
    lists = [row["proposed_reward"] for row in rows if "proposed_reward" in row]
    if lists:
        steps = range(max(map(len, lists)))
        by_step = [[means[step] for means in lists if step < len(means)] for step in steps]
        summary["proposed_reward"] = [float(np.mean(means)) for means in by_step]
    return summary


def _label(method: str) -> str:
    return f"evolution (best: {method.removeprefix('evolution_').replace('_', '/')})"


def best_evolution(methods: Mapping[str, Rows], max_queries: int) -> str | None:
    """Returns which evolution needs fewest queries to the top 0.1%, None where none was run.

    The median decides, then the mean, both of queries capped at `max_queries`.

    Args:
      methods: a table's rows by method.
      max_queries: of its runs.
    """

    def cost(name: str) -> tuple[float, float]:
        queries = capped(methods[name], "top_0.1%", max_queries)
        return float(np.median(queries)), float(np.mean(queries))

    return min((name for name in methods if name.startswith("evolution_")), key=cost, default=None)


def _reported(methods: Mapping[str, Rows], max_queries: int) -> dict[str, Rows]:
    """Returns the rows by the names to report, the best evolution in place of all of them."""
    best = best_evolution(methods, max_queries)
    return {
        _label(name) if name == best else name: rows
        for name, rows in methods.items()
        if name == best or not name.startswith("evolution_")
    }


def _differences(methods: Mapping[str, Rows], max_queries: int) -> dict[str, Any]:
    if not {name for pair in DIFFERENCES for name in pair} <= methods.keys():
        return {}
    return {
        f"{a} - {b}": {
            goal: difference(
                capped(methods[a], goal, max_queries), capped(methods[b], goal, max_queries)
            )
            for goal in ("top_1%", "top_0.1%")
        }
        for a, b in DIFFERENCES
    }


def summarise(rows: Iterable[dict[str, Any]], max_queries: int) -> dict[str, Any]:
    """Returns what results.json holds: the figures of each method, evolution, and differences.

    Args:
      rows: of results.jsonl, all with this `max_queries`.
      max_queries: networks a run could evaluate.
    """
    return {
        table: {
            "methods": {name: _summary(runs, max_queries) for name, runs in methods.items()},
            "best_evolution": best_evolution(methods, max_queries),
            "differences": _differences(methods, max_queries),
        }
        for table, methods in _grouped(rows).items()
    }


# --- what people read ----------------------------------------------------------------------------


def _queries_text(figures: Mapping[str, Any], max_queries: int) -> str:
    ends = [figures["median"], *figures["interval"]]
    # A capped median says that about half of the runs did not get there.
    shown = [f">{max_queries}" if end >= max_queries else f"{round(end, 1):g}" for end in ends]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _table_lines(methods: Mapping[str, Rows], max_queries: int) -> list[str]:
    summaries = {name: _summary(rows, max_queries) for name, rows in methods.items()}
    at = list(next(iter(summaries.values()))["regret"])
    heads = ["method", "runs", "top 1%", "top 0.1%", "best", "best found"]
    heads += [f"regret at {query}" for query in at]
    lines = [" | ".join(heads), " | ".join(["---"] + ["---:"] * (len(heads) - 1))]
    for name, summary in summaries.items():
        cells = [name, str(summary["runs"])]
        cells += [_queries_text(summary[goal], max_queries) for goal in SHARES]
        cells.append(f"{summary['best']['reached']:.0%}")
        cells += [f"{100 * summary['regret'][query]['median']:.2f}" for query in at]
        lines.append(" | ".join(cells))
    return [f"| {line} |" for line in lines]


def _difference_lines(differences: Mapping[str, Any]) -> list[str]:
    if not differences:
        return []
    lines = ["", "| difference of medians | top 1% | top 0.1% |", "| --- | ---: | ---: |"]
    for name, goals in differences.items():
        cells = []
        for goal in goals.values():
            ends = [round(end, 1) for end in (goal["difference"], *goal["interval"])]
            cells.append(f"{ends[0]:+g} [{ends[1]:+g}, {ends[2]:+g}]")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _proposal_lines(methods: Mapping[str, Rows], max_queries: int) -> list[str]:
    lines = []
    for name, rows in methods.items():
        means = _summary(rows, max_queries).get("proposed_reward")
        if means:
            first, last = np.mean(means[:10]), np.mean(means[-10:])
            lines.append(
                f"{name}: mean reward of the policy's own proposals {first:.4f} in the first 10 "
                f"steps, {last:.4f} in the last 10 of {len(means)}."
            )
    return ["", *lines] if lines else []


def report(rows: Iterable[dict[str, Any]], max_queries: int, tuning: bool) -> str:
    """Returns report.md: a table of medians for each table of accuracies.

    Args:
      rows: of results.jsonl, all with this `max_queries`.
      max_queries: networks a run could evaluate.
      tuning: whether they are of tuning seeds, which the heading then says.
    """
    lines = ["# Tuning runs, not to be reported" if tuning else "# Searchers compared", ""]
    lines += [
        "Medians of the queries until a network of the top 1%, the top 0.1% and the best one was "
        "found, with bootstrapped 95% intervals, and of the regret in percentage points.",
        f"A run stops after {max_queries} queries; repeats cost nothing. Of the evolutions the one "
        "with the lowest median to the top 0.1% is shown for each table.",
    ]
    for table, methods in _grouped(rows).items():
        reported = _reported(methods, max_queries)
        lines += ["", f"## {table}", "", *_table_lines(reported, max_queries)]
        lines += _difference_lines(_differences(methods, max_queries))
        lines += _proposal_lines(reported, max_queries)
    return "\n".join(lines) + "\n"


def median_curve(rows: Rows, max_queries: int) -> np.ndarray:
    """Returns the median over runs of the regret after 1 to `max_queries` queries."""
    curves = np.empty((len(rows), max_queries))
    for curve, row in zip(curves, rows, strict=True):
        for query, regret in row["improvements"]:
            curve[query - 1 :] = regret
    return np.median(curves, axis=0)


def plot(rows: Iterable[dict[str, Any]], max_queries: int, path: pathlib.Path) -> None:
    """Draws regret over queries, and below it the learning curves, a column a table.

    Args:
      rows: of results.jsonl, all with this `max_queries`.
      max_queries: networks a run could evaluate.
      path: the file to write.
    """
    # Only the plot needs it, and workers import this module too.
    from matplotlib import figure

    grouped = _grouped(rows)
    canvas = figure.Figure(figsize=(5 * len(grouped), 8), layout="constrained")
    axes = canvas.subplots(2, len(grouped), squeeze=False)
    for (above, below), (table, methods) in zip(axes.T, grouped.items(), strict=True):
        reported = _reported(methods, max_queries)
        _plot_regret(above, reported, max_queries)
        _plot_proposals(below, reported, max_queries)
        above.set_title(table)
    canvas.savefig(path, dpi=80)


def _colour(name: str) -> str:
    """Returns a method's colour, the same in every panel; all evolutions share one."""
    names = ["evolution" if method.startswith("evolution") else method for method in METHODS]
    return f"C{list(dict.fromkeys(names)).index(name.partition(' ')[0])}"


def _plot_regret(panel: Any, methods: Mapping[str, Rows], max_queries: int) -> None:
    for name, runs in methods.items():
        curve = 100 * median_curve(runs, max_queries)
        # A logarithm has no place for 0: a curve ends where the best network is found.
        curve[curve <= 0] = np.nan
        panel.plot(np.arange(1, max_queries + 1), curve, label=name, color=_colour(name))
    panel.set(xlabel="queries", ylabel="median regret (points)", yscale="log")
    panel.legend(fontsize="small")


def _plot_proposals(panel: Any, methods: Mapping[str, Rows], max_queries: int) -> None:
    """Draws the learning curves: the policy's own proposals, before any screen."""
    for name, runs in methods.items():
        means = _summary(runs, max_queries).get("proposed_reward", [])
        if means:
            panel.plot(np.arange(1, len(means) + 1), means, label=name, color=_colour(name))
    panel.set(xlabel="steps of 8 networks", ylabel="mean accuracy of own proposals", xlim=(1, 20))
    if panel.lines:
        panel.legend(fontsize="small")


# --- the command ---------------------------------------------------------------------------------


def _names(flag: str, asked: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(known if asked is None else asked))
    for name in names:
        if name not in known:
            raise app.UsageError(f"--{flag}: must be of {', '.join(known)}, got {name!r}")
    if not names:
        raise app.UsageError(f"--{flag}: must name at least one of {', '.join(known)}")
    return names


def _is_tuning(tasks: Iterable[Task]) -> bool:
    """Says whether the seeds are for tuning; refuses to run both kinds at once."""
    seeds = {task.seed for task in tasks}
    first, last = min(seeds), max(seeds)
    if first < FIRST_REPORTED_SEED <= last:
        raise app.UsageError(
            f"--first_seed: seeds must be all below {FIRST_REPORTED_SEED} (tuning) or none, got "
            f"{first} to {last}"
        )
    return last < FIRST_REPORTED_SEED


def _tasks() -> list[Task]:
    seeds = _SEEDS.value or (40 if _QUICK.value else 200)
    lstm_seeds = _LSTM_SEEDS.value or (6 if _QUICK.value else 30)
    quick = QUICK_TABLES if _QUICK.value else TABLES
    chosen = _names("tables", quick if _TABLES.value is None else _TABLES.value, TABLES)
    methods = _names("methods", _METHODS.value, tuple(METHODS))
    first = _FIRST_SEED.value
    return [
        Task(table, method, seed, _MAX_QUERIES.value, _DIGITS_TABLE.value)
        for table in chosen
        for method in methods
        for seed in range(first, first + (lstm_seeds if method.startswith("lstm") else seeds))
    ]


def _check_tables(names: Iterable[str]) -> None:
    """Says what is missing before anything runs."""
    try:
        for name in names:
            load_table(name, _DIGITS_TABLE.value)
    except (ImportError, ValueError) as error:
        raise app.UsageError(str(error)) from error


def _write(rows: Rows, output: pathlib.Path, prefix: str) -> None:
    max_queries = _MAX_QUERIES.value
    results = {
        "command": "python -m epnas_tf.tools.studies.bench_search " + shlex.join(sys.argv[1:]),
        "max_queries": max_queries,
        "tables": summarise(rows, max_queries),
    }
    text = json.dumps(results, indent=1) + "\n"
    (output / f"{prefix}results.json").write_text(text, encoding="utf-8")
    text = report(rows, max_queries, bool(prefix))
    (output / f"{prefix}report.md").write_text(text, encoding="utf-8")
    plot(rows, max_queries, output / f"{prefix}curves.png")
    print(text)


def main(argv: Sequence[str]) -> None:
    """Does the runs that are missing and writes the summary of all there are."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    tasks = _tasks()
    prefix = "tuning_" if _is_tuning(tasks) else ""
    _check_tables(dict.fromkeys(task.table for task in tasks))
    output = pathlib.Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    workers = _WORKERS.value or os.cpu_count() or 1
    rows = run_missing(tasks, output / f"{prefix}results.jsonl", workers)
    _write([row for row in rows if row["max_queries"] == _MAX_QUERIES.value], output, prefix)


if __name__ == "__main__":
    app.run(main)
