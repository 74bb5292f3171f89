"""A short table of a search's best networks, from its trials.csv and best.json."""

from __future__ import annotations

from collections.abc import Sequence

from epnas_tf.architecture.resources import RESOURCES, Resource
from epnas_tf.report import classes
from epnas_tf.report.units import short
from epnas_tf.searching.trials import ranked
from epnas_tf.workdir import best_json, trials_csv
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.trials_csv import Row


def render(work_dir: str, top: int = 10) -> str:
    """Returns the table of the best `top` networks within the limits, and what best.json says.

    Where no network keeps the limits, those that come nearest are listed instead.

    Raises:
      ValueError: there is no search in work_dir, or a file of it is corrupt.
    """
    files = WorkDir(work_dir)
    trials = ranked(trials_csv.read(files))
    feasible = [trial for trial in trials if trial.feasible]
    lines = [f"{len(trials)} networks trained, {len(feasible)} of them within the limits"]
    listed = (feasible or trials)[:top]
    balanced = any(trial.balanced_accuracy is not None for trial in trials)
    rungs = any(trial.slot.rung for trial in trials)
    cells = [_header(balanced, rungs)]
    cells += [_cells(rank, trial, balanced, rungs) for rank, trial in enumerate(listed, start=1)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines += [
        "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in cells
    ]
    return "\n".join(lines + _best_lines(files))


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


def _best_lines(files: WorkDir) -> list[str]:
    best = best_json.read(files)
    if best is None:
        return []
    line = f"best: {best.slot}, validation accuracy {best.validation_accuracy:.4f}"
    line += f" after {best.epochs} epochs" if best.rung else ""
    line += classes.beside_validation(best)
    if best.test_accuracy is not None:
        line += f", test accuracy {best.test_accuracy:.4f}{classes.beside_test(best)}"
    return [line, *classes.lines(best), f"network: {best.spec.to_json()}"]
