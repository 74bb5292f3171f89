"""The first step of a search with each kind of starting networks, over several seeds."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from epnas_tf import config as config_lib
from epnas_tf import run
from epnas_tf.report.trajectory import trajectory
from epnas_tf.searching.settings import MIXTURE, PORTFOLIO, RANDOM
from epnas_tf.studies import resumable

KINDS = (RANDOM, MIXTURE, PORTFOLIO)
# Searches per kind; the first seed is the configuration's.
SEEDS = 5

_HEADS = ("starts", "seed", "params", "MFLOPs", "within limits", "mean accuracy", "best accuracy")


def compare(asked: config_lib.SearchConfig) -> str:
    """Trains the first steps that are missing; returns and writes the table of all there are.

    `starts.jsonl` of the work_dir gets a line per search as soon as it is done, and `starts.md` the
    table; the searches lie in folders beside them.

    Args:
      asked: settings that all searches share, and the first seed.
    """
    folder = pathlib.Path(asked.work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "starts.jsonl"
    known = {(row["starts"], row["seed"]) for row in resumable.read(path)}
    # Seed by seed, so that a study that is interrupted compares what there is.
    wanted = [(kind, asked.seed + more) for more in range(SEEDS) for kind in KINDS]
    missing = [pair for pair in wanted if pair not in known]
    resumable.add(path, (_first_step(asked, *pair) for pair in missing))
    text = "\n".join(table(row for row in resumable.read(path)))
    (folder / "starts.md").write_text(text + "\n", encoding="utf-8")
    return text


def _first_step(asked: config_lib.SearchConfig, starts: str, seed: int) -> dict[str, Any]:
    """Trains the starting networks of a search; returns what they cost and reached."""
    work_dir = os.path.join(asked.work_dir, f"{starts}_seed{seed}")
    changes = {"starts": starts, "seed": seed, "work_dir": work_dir, "max_trials": asked.branches}
    run.search(dataclasses.replace(asked, **changes))  # type: ignore[arg-type]
    trials = [trial for trial in trajectory(work_dir) if trial["step"] == "0"]
    return {
        "starts": starts,
        "seed": seed,
        "params": [int(trial["params"]) for trial in trials],
        "flops": [int(trial["flops"]) for trial in trials],
        "feasible": [trial["feasible"] == "1" for trial in trials],
        "accuracy": [float(trial["accuracy"]) for trial in trials],
    }


def table(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yields a Markdown table: a line per kind over all seeds, then a line per search.

    Parameters and FLOPs are medians and ranges of networks. Over all seeds the mean accuracy is
    that of all networks, the best one the mean of the searches' best.
    """
    found = list(rows)
    yield f"| {' | '.join(_HEADS)} |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for kind in KINDS:
        own = [row for row in found if row["starts"] == kind]
        if own:
            yield _line(kind, f"all {len(own)}", own)
    for row in sorted(found, key=lambda row: (KINDS.index(row["starts"]), row["seed"])):
        yield _line(row["starts"], str(row["seed"]), [row])


def _line(kind: str, seed: str, rows: Sequence[dict[str, Any]]) -> str:
    params, flops, feasible, accuracy = (
        np.concatenate([row[name] for row in rows])
        for name in ("params", "flops", "feasible", "accuracy")
    )
    best = np.mean([max(row["accuracy"]) for row in rows])
    cells = [kind, seed, _range(params / 1e3, "k"), _range(flops / 1e6), f"{feasible.mean():.0%}"]
    return f"| {' | '.join([*cells, f'{accuracy.mean():.3f}', f'{best:.3f}'])} |"


def _range(values: np.ndarray, unit: str = "") -> str:
    middle, *ends = np.median(values), values.min(), values.max()
    return f"{middle:.1f}{unit} ({ends[0]:.1f} to {ends[1]:.1f})"
