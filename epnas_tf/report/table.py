"""A short table of a search's best networks, from its trials.csv and best.json."""

from __future__ import annotations

import math
from collections.abc import Sequence

from epnas_tf.architecture.resources import RESOURCES, Resource
from epnas_tf.report import classes, columns
from epnas_tf.report.units import short
from epnas_tf.searching.trials import Slot, ranked
from epnas_tf.workdir import best_json, trials_csv
from epnas_tf.workdir.best_json import Best
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.trials_csv import Row

# Networks named with their means over further seeds.
_MOST_AGAIN = 8


def render(work_dir: str, top: int = 10) -> str:
    """Returns the table of the best `top` networks within the limits, and what best.json says.

    Where no network keeps the limits, those that come nearest are listed instead.

    Raises:
      ValueError: there is no search in work_dir, or a file of it is corrupt.
    """
    files = WorkDir(work_dir)
    rows, best = trials_csv.read(files), best_json.read(files)
    trials = ranked(rows)
    if best is not None and best.gain is not None:  # it won at the end
        trials.sort(key=lambda trial: trial.slot.name != best.slot)
    feasible = [trial for trial in trials if trial.feasible]
    lines = [f"{len(trials)} networks trained, {len(feasible)} of them within the limits"]
    listed = (feasible or trials)[:top]
    balanced = any(trial.balanced_accuracy is not None for trial in trials)
    rungs = any(trial.slot.rung for trial in trials)
    cells = [_header(balanced, rungs)]
    cells += [_cells(rank, trial, balanced, rungs) for rank, trial in enumerate(listed, start=1)]
    lines += columns.aligned(cells)
    lines += _again_lines(rows)
    return "\n".join(lines + ([] if best is None else _best_lines(best)))


def _header(balanced: bool, rungs: bool) -> Sequence[str]:
    measured = (*("epochs",) * rungs, "accuracy", *("balanced",) * balanced)
    resources = (resource.title for resource in RESOURCES.values())
    return ("rank", "slot", *measured, "reward", *resources, "feasible")


def _cells(rank: int, trial: Row, balanced: bool, rungs: bool) -> Sequence[str]:
    share = trial.balanced_accuracy
    return (
        str(rank),
        trial.slot.name,
        *((str(trial.epochs),) if rungs else ()),
        f"{trial.accuracy:.4f}",
        *(("" if share is None else f"{share:.4f}",) if balanced else ()),
        f"{trial.reward:.4f}",
        *(_use(resource, trial.uses[name]) for name, resource in RESOURCES.items()),
        "yes" if trial.feasible else "no",
    )


def _use(resource: Resource, use: float) -> str:
    return short(use) + resource.suffix if resource.whole else f"{use:.1f}"


def _again_lines(rows: Sequence[Row]) -> list[str]:
    """Returns what networks reached that were measured again, the best first."""
    again: dict[Slot, list[float]] = {}
    for row in rows:
        if row.slot.measurement and row.trained:
            share = row.balanced_accuracy
            found = again.setdefault(row.slot.at(row.slot.rung), [])
            found.append(row.accuracy if share is None else share)
    means = sorted((-math.fsum(found) / len(found), slot) for slot, found in again.items())
    said = [f"{slot.name} {-mean:.4f} ({len(again[slot])})" for mean, slot in means[:_MOST_AGAIN]]
    return [f"mean accuracy with further seeds (how many): {', '.join(said)}"] if said else []


def _best_lines(best: Best) -> list[str]:
    line = f"best: {best.slot}, validation accuracy {best.validation_accuracy:.4f}"
    line += f" after {best.epochs} epochs" if best.rung else ""
    line += classes.beside_validation(best)
    if best.test_accuracy is not None:
        line += f", test accuracy {best.test_accuracy:.4f}{classes.beside_test(best)}"
    gain = [] if best.gain is None else [best.gain.sentence]
    return [line, *gain, *classes.lines(best), f"network: {best.spec.to_json()}"]
