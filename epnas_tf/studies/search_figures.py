"""Figures of a study of searchers: medians of queries and regret, with intervals by resampling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from epnas_tf.studies.bootstrap import difference, median
from epnas_tf.studies.search_methods import METHODS
from epnas_tf.studies.search_study import SHARES, TABLES

Rows = list[dict[str, Any]]

# What the others are compared with: methods that leave out one thing of it show what that is worth.
BASE = "lstm"


def capped(rows: Iterable[Mapping[str, Any]], goal: str, max_queries: int) -> np.ndarray:
    """Returns each run's queries to a goal of SHARES, max_queries where it was not reached."""
    reached = [row["reached"][goal] for row in rows]
    return np.array([max_queries if queries is None else queries for queries in reached], float)


def grouped(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Rows]]:
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


def summary(rows: Rows, max_queries: int) -> dict[str, Any]:
    """Returns a method's figures on a table."""
    queries = {goal: capped(rows, goal, max_queries) for goal in SHARES}
    figures: dict[str, Any] = {"runs": len(rows)}
    for goal, values in queries.items():
        found = sum(row["reached"][goal] is not None for row in rows)
        figures[goal] = median(values) | {"reached": found / len(rows)}
    figures["regret"] = {
        at: median([row["regret"][at] for row in rows]) for at in rows[0]["regret"]
    }
    if "within" in rows[0]:
        figures["within"] = float(np.median([row["within"] for row in rows]))
    lists = [row["proposed_reward"] for row in rows if "proposed_reward" in row]
    if lists:
        steps = range(max(map(len, lists)))
        by_step = [[means[step] for means in lists if step < len(means)] for step in steps]
        figures["proposed_reward"] = [float(np.mean(means)) for means in by_step]
    return figures


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


def reported(methods: Mapping[str, Rows], max_queries: int) -> dict[str, Rows]:
    """Returns the rows by the names to report, the best evolution in place of all of them."""
    best = best_evolution(methods, max_queries)
    return {
        _label(name) if name == best else name: rows
        for name, rows in methods.items()
        if name == best or not name.startswith("evolution_")
    }


def differences(methods: Mapping[str, Rows], max_queries: int, base: str = BASE) -> dict[str, Any]:
    """Returns how many more queries each other method needs than the base, by goal.

    Of the evolutions there is the best one. Runs of the same seeds are compared in pairs.

    Args:
      methods: a table's rows by method.
      max_queries: of its runs.
      base: the method that others are compared with; nothing is, where it was not run.
    """
    if base not in methods:
        return {}
    return {
        f"{name} - {base}": _more(rows, methods[base], max_queries)
        for name, rows in reported(methods, max_queries).items()
        if rows is not methods[base]
    }


def _more(rows: Rows, base: Rows, max_queries: int) -> dict[str, Any]:
    paired = [row["seed"] for row in rows] == [row["seed"] for row in base]
    return {
        goal: difference(
            capped(rows, goal, max_queries), capped(base, goal, max_queries), paired=paired
        )
        for goal in SHARES
    }


def summarise(rows: Iterable[dict[str, Any]], max_queries: int, base: str = BASE) -> dict[str, Any]:
    """Returns what results.json holds: the figures of each method, evolution, and differences.

    Args:
      rows: of results.jsonl, all with this `max_queries`.
      max_queries: networks a run could evaluate.
      base: the method that others are compared with.
    """
    return {
        table: {
            "methods": {name: summary(runs, max_queries) for name, runs in methods.items()},
            "best_evolution": best_evolution(methods, max_queries),
            "differences": differences(methods, max_queries, base),
        }
        for table, methods in grouped(rows).items()
    }
