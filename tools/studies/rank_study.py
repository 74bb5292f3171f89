"""Asks how well cheap trainings rank networks: proxies against long trainings of the same networks.

Example, with all requirements installed:
python -m epnas_tf.tools.studies.rank_study --work_dir=ranks --data_dir=$TFDS_DATA_DIR --workers=2

Networks of both patterns, a third random and two thirds evolved from them by morphs, are trained
for 20 plain epochs with two seeds (the truth) and by each proxy. What is done is kept in
--work_dir/runs.jsonl, so that an interrupted study goes on; the tables are printed at the end.
With --curves they are followed by what learning curves of others say, from a folder of *.json that
each hold {"name": [accuracy, ...], ...} or [[accuracy, ...], ...], a number per epoch.
"""

from __future__ import annotations

import importlib.util
import pathlib
from collections.abc import Sequence

from absl import app, flags

from epnas_tf.architecture.budget import Budget
from epnas_tf.studies import rank_curves, rank_plot, rank_study, rank_table
from epnas_tf.studies.rank_networks import candidates, limits, networks_of
from epnas_tf.studies.rank_training import METHODS

_WORK_DIR = flags.DEFINE_string("work_dir", "ranks", "folder of what is done so far")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "folder of prepared tfds data sets")
_TRAIN_FRACTION = flags.DEFINE_float("train_fraction", 0.1111, "share of the training split to use")
_NETWORKS = flags.DEFINE_integer("networks", 48, "networks, half of each pattern", 4)
_METHODS = flags.DEFINE_list("methods", [], "names of METHODS (empty: all)")
_WORKERS = flags.DEFINE_integer("workers", 1, "processes of one thread each", 1)
_REPORT_ONLY = flags.DEFINE_bool("report_only", False, "train nothing, report what is there")
_PLOT = flags.DEFINE_string("plot", "", "file.png of proxy against truth; needs matplotlib")
_TIMINGS = flags.DEFINE_integer(
    "timings",
    0,
    "networks of each pattern to be timed by every method in turn, on a quiet machine",
    0,
)
_CURVES = flags.DEFINE_string("curves", "", "folder of learning curves of others, *.json")


def main(argv: Sequence[str]) -> None:
    """Trains what is missing and prints the tables."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    if _PLOT.value and importlib.util.find_spec("matplotlib") is None:
        raise app.UsageError(f"--plot={_PLOT.value}: needs matplotlib: pip install epnas_tf[bench]")
    runs = pathlib.Path(_WORK_DIR.value) / "runs.jsonl"
    budget = Budget((32, 32, 3), 10, limits())
    networks = candidates(_NETWORKS.value, budget)
    try:  # curves are read first: a bad file is better known before the trainings than after
        curves = rank_curves.curve_report(pathlib.Path(_CURVES.value)) if _CURVES.value else ""
        if not _REPORT_ONLY.value:
            runs.parent.mkdir(parents=True, exist_ok=True)
            known = runs.with_name("settings.json")
            rank_study.check_settings(known, _TRAIN_FRACTION.value, _NETWORKS.value)
    except ValueError as error:
        raise app.UsageError(str(error)) from error
    if not _REPORT_ONLY.value:
        images = (_DATA_DIR.value, _TRAIN_FRACTION.value)
        names = _METHODS.value or list(METHODS)
        rank_study.train_missing(runs, networks, names, _WORKERS.value, images)
        if _TIMINGS.value:
            timings = runs.with_name("timings.jsonl")
            rank_study.time_methods(timings, networks, names, _TIMINGS.value, images)
    study = rank_study.study_of(runs, networks_of(networks, budget))
    print(rank_table.report(study))
    if curves:
        print(curves)
    if _PLOT.value and study.proxies:
        rank_plot.plot(study, pathlib.Path(_PLOT.value))
        print(f"drew {_PLOT.value}")


if __name__ == "__main__":
    app.run(main)
