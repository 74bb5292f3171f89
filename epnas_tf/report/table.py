"""A short table of a search's best networks, from its trials.csv and best.json."""

from __future__ import annotations

from epnas_tf.architecture.resources import RESOURCES, Resource
from epnas_tf.report.units import short
from epnas_tf.searching.trials import ranked
from epnas_tf.workdir import best_json, trials_csv
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.trials_csv import Row

_HEADER = ("rank", "slot", "accuracy", "reward", *(r.title for r in RESOURCES.values()), "feasible")


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
    cells = [_HEADER] + [_cells(rank, trial) for rank, trial in enumerate(listed, start=1)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEADER))]
    lines += [
        "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in cells
    ]
    return "\n".join(lines + _best_lines(files))


def _cells(rank: int, trial: Row) -> tuple[str, ...]:
    return (
        str(rank),
        trial.slot.name,
        f"{trial.accuracy:.4f}",
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
    if best.test_accuracy is not None:
        line += f", test accuracy {best.test_accuracy:.4f}"
    return [line, f"network: {best.spec.to_json()}"]
