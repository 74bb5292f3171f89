"""Compares searchers on tables of known accuracies: how many networks each needs to find the best.

Example: python -m tools.studies.bench_search --quick --output=/tmp/bench
Installed: python -m epnas_tf.tools.studies.bench_search

A query is a network evaluated for the first time; repeats are answered from memory at no cost.
Every run adds a line to results.jsonl of --output, and is not run again if the line is there; then
results.json, report.md and curves.png are made of all lines. Seeds below 1000 are for tuning: their
runs go to files of their own, named tuning_*, and are never reported.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

from absl import app, flags

from epnas_tf.studies import search_figures, search_report
from epnas_tf.studies import search_study as study
from epnas_tf.studies.search_methods import METHODS

_TABLES = flags.DEFINE_list(
    "tables", None, f"of {', '.join(study.TABLES)}; those without a limit by default"
)
_DIGITS_TABLE = flags.DEFINE_string(
    "digits_table", "tests/testdata/digits_table.json.gz", "file of the table digits"
)
_METHODS = flags.DEFINE_list("methods", None, "names of METHODS; all by default")
_SEEDS = flags.DEFINE_integer("seeds", None, "runs per method; 200 by default", 1)
_FIRST_SEED = flags.DEFINE_integer(
    "first_seed", study.FIRST_REPORTED_SEED, "seeds below 1000 are for tuning and never reported", 0
)
_MAX_QUERIES = flags.DEFINE_integer("max_queries", 400, "networks a run may evaluate", 1)
_QUICK = flags.DEFINE_bool(
    "quick", False, f"40 runs, tables {', '.join(study.QUICK_TABLES)} where not said"
)
_BASE = flags.DEFINE_string(
    "base", search_figures.BASE, "method of which the others' differences are reported"
)
_WORKERS = flags.DEFINE_integer("workers", None, "processes of one thread; all cores by default", 1)
_OUTPUT = flags.DEFINE_string("output", "bench_search", "folder of the results")


def main(argv: Sequence[str]) -> None:
    """Does the runs that are missing and writes the summary of all there are."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    try:
        tasks = study.tasks(
            _TABLES.value,
            _METHODS.value,
            seeds=_SEEDS.value,
            first_seed=_FIRST_SEED.value,
            max_queries=_MAX_QUERIES.value,
            quick=_QUICK.value,
            digits_path=_DIGITS_TABLE.value,
        )
        study.names("base", [_BASE.value], tuple(METHODS))
        prefix = "tuning_" if study.is_tuning(tasks) else ""
        study.check_tables(tasks)
    except (ImportError, ValueError) as error:
        raise app.UsageError(str(error)) from error
    output = pathlib.Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    workers = _WORKERS.value or os.cpu_count() or 1
    rows = study.run_missing(tasks, output / f"{prefix}results.jsonl", workers)
    search_report.write(rows, _MAX_QUERIES.value, output, prefix, _BASE.value)


if __name__ == "__main__":
    app.run(main)
