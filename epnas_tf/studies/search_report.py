"""What people read of a study of searchers: tables in Markdown, curves as an image."""

from __future__ import annotations

import json
import pathlib
import shlex
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from epnas_tf.studies import search_figures
from epnas_tf.studies.search_figures import Rows
from epnas_tf.studies.search_methods import METHODS
from epnas_tf.studies.search_study import SHARES


def _queries_text(figures: Mapping[str, Any], max_queries: int) -> str:
    ends = [figures["median"], *figures["interval"]]
    # A capped median says that about half of the runs did not get there.
    shown = [f">{max_queries}" if end >= max_queries else f"{round(end, 1):g}" for end in ends]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _table_lines(methods: Mapping[str, Rows], max_queries: int) -> list[str]:
    summaries = {name: search_figures.summary(rows, max_queries) for name, rows in methods.items()}
    at = list(next(iter(summaries.values()))["regret"])
    heads = ["method", "runs", "top 1%", "top 0.1%", "best", "best found"]
    heads += [f"regret at {query}" for query in at]
    limited = any("within" in summary for summary in summaries.values())
    heads += ["within"] if limited else []
    lines = [" | ".join(heads), " | ".join(["---"] + ["---:"] * (len(heads) - 1))]
    for name, summary in summaries.items():
        cells = [name, str(summary["runs"])]
        cells += [_queries_text(summary[goal], max_queries) for goal in SHARES]
        cells.append(f"{summary['best']['reached']:.0%}")
        cells += [f"{100 * summary['regret'][query]['median']:.2f}" for query in at]
        cells += [f"{summary['within']:.0%}"] if limited else []
        lines.append(" | ".join(cells))
    return [f"| {line} |" for line in lines]


def _difference_lines(differences: Mapping[str, Any]) -> list[str]:
    if not differences:
        return []
    lines = ["", "| difference of medians | top 1% | top 0.1% | best |"]
    lines.append("| --- | ---: | ---: | ---: |")
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
        means = search_figures.summary(rows, max_queries).get("proposed_reward")
        if means:
            first, last = np.mean(means[:10]), np.mean(means[-10:])
            lines.append(
                f"{name}: mean reward of the policy's own proposals {first:.4f} in the first 10 "
                f"steps, {last:.4f} in the last 10 of {len(means)}."
            )
    return ["", *lines] if lines else []


def report(
    rows: Iterable[dict[str, Any]],
    max_queries: int,
    tuning: bool,
    base: str = search_figures.BASE,
) -> str:
    """Returns report.md: a table of medians per table of accuracies.

    Args:
      rows: of results.jsonl, all with this `max_queries`.
      max_queries: networks a run could evaluate.
      tuning: whether they are of tuning seeds, which the heading then says.
      base: the method that others are compared with.
    """
    lines = ["# Tuning runs, not to be reported" if tuning else "# Searchers compared", ""]
    lines += [
        "Medians of the queries until a network of the top 1%, the top 0.1% and the best one was "
        "found, with bootstrapped 95% intervals, and of the regret in percentage points.",
        f"A run stops after {max_queries} queries; repeats cost nothing. Of the evolutions the one "
        "with the lowest median to the top 0.1% is shown for each table.",
        "A table whose name ends in _third or _p30 has a limit on the cost: all figures are of the "
        "networks that keep it, and within is their median share of what a run evaluated.",
    ]
    for table, methods in search_figures.grouped(rows).items():
        reported = search_figures.reported(methods, max_queries)
        lines += ["", f"## {table}", "", *_table_lines(reported, max_queries)]
        lines += _difference_lines(search_figures.differences(methods, max_queries, base))
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
    """Draws regret over queries, and below it the learning curves, a column per table.

    Args:
      rows: of results.jsonl, all with this `max_queries`.
      max_queries: networks a run could evaluate.
      path: the file to write.
    """
    # Only the plot needs it, and workers import this module too.
    from matplotlib import figure

    grouped = search_figures.grouped(rows)
    canvas = figure.Figure(figsize=(5 * len(grouped), 8), layout="constrained")
    axes = canvas.subplots(2, len(grouped), squeeze=False)
    for (above, below), (table, methods) in zip(axes.T, grouped.items(), strict=True):
        reported = search_figures.reported(methods, max_queries)
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
    """Draws the learning curves: the policy's own proposals, before any choice among candidates."""
    for name, runs in methods.items():
        means = search_figures.summary(runs, max_queries).get("proposed_reward", [])
        if means:
            panel.plot(np.arange(1, len(means) + 1), means, label=name, color=_colour(name))
    panel.set(xlabel="steps", ylabel="mean accuracy of own proposals", xlim=(1, 20))
    if panel.lines:
        panel.legend(fontsize="small")


def write(
    rows: Iterable[dict[str, Any]],
    max_queries: int,
    output: pathlib.Path,
    prefix: str,
    base: str = search_figures.BASE,
) -> None:
    """Writes results.json, report.md and curves.png, and prints the report.

    Args:
      rows: of results.jsonl; those with another `max_queries` are left out.
      max_queries: networks a run could evaluate.
      output: the folder.
      prefix: of the files' names, for runs of tuning seeds.
      base: the method that others are compared with.
    """
    rows = [row for row in rows if row["max_queries"] == max_queries]
    results = {
        "command": "python -m epnas_tf.tools.studies.bench_search " + shlex.join(sys.argv[1:]),
        "max_queries": max_queries,
        "tables": search_figures.summarise(rows, max_queries, base),
    }
    text = json.dumps(results, indent=1) + "\n"
    (output / f"{prefix}results.json").write_text(text, encoding="utf-8")
    text = report(rows, max_queries, bool(prefix), base)
    (output / f"{prefix}report.md").write_text(text, encoding="utf-8")
    plot(rows, max_queries, output / f"{prefix}curves.png")
    print(text)
