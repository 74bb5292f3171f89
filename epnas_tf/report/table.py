"""A short table of a search's best networks, from its trials.csv and best.json."""

from __future__ import annotations

import csv
import io
import json

from epnas_tf import paths
from epnas_tf.architecture.spec import spec_from_dict
from epnas_tf.paths import WorkDir
from epnas_tf.report.units import short

_HEADER = (
    "rank",
    "slot",
    "accuracy",
    "reward",
    "params",
    "FLOPs",
    "FLOPs/B",
    "traffic",
    "feasible",
)


def rows(work_dir: WorkDir) -> list[dict[str, str]]:
    """Returns the trained trials of distinct networks in trials.csv, best first.

    Raises:
      ValueError: there is no trials.csv.
    """
    if not paths.exists(work_dir.trials_csv):
        raise ValueError(f"no search has finished a trial in {work_dir.path}")
    trials = csv.DictReader(io.StringIO(paths.read_text(work_dir.trials_csv)))
    trained = [trial for trial in trials if trial["status"] == "trained"]
    best: dict[str, dict[str, str]] = {}
    for trial in sorted(
        trained,
        key=lambda trial: (
            trial["feasible"] != "1",
            -float(trial["reward"]),
            int(trial["episode"]),
            int(trial["step"]),
            int(trial["branch"]),
        ),
    ):
        best.setdefault(trial["spec_key"], trial)
    return list(best.values())


def render(work_dir: str, top: int = 10) -> str:
    """Returns the table of the best `top` networks within the limits, and what best.json says.

    Where no network keeps the limits, those that come nearest are listed instead.

    Raises:
      ValueError: there is no search in work_dir.
    """
    files = WorkDir(work_dir)
    trials = rows(files)
    feasible = [trial for trial in trials if trial["feasible"] == "1"]
    lines = [f"{len(trials)} networks trained, {len(feasible)} of them within the limits"]
    listed = (feasible or trials)[:top]
    cells = [_HEADER] + [_cells(rank, trial) for rank, trial in enumerate(listed, start=1)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEADER))]
    lines += [
        "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in cells
    ]
    return "\n".join(lines + _best_lines(files))


def _cells(rank: int, trial: dict[str, str]) -> tuple[str, ...]:
    return (
        str(rank),
        trial["slot"],
        f"{float(trial['accuracy']):.4f}",
        f"{float(trial['reward']):.4f}",
        short(float(trial["params"])),
        short(float(trial["flops"])),
        f"{float(trial['intensity']):.1f}",
        short(float(trial["traffic_bytes"])) + "B",
        "yes" if trial["feasible"] == "1" else "no",
    )


def _best_lines(files: WorkDir) -> list[str]:
    if not paths.exists(files.best):
        return []
    best = json.loads(paths.read_text(files.best))
    lines = [f"best: {best['slot']}, validation accuracy {best['validation_accuracy']:.4f}"]
    if best.get("test_accuracy") is not None:
        lines[0] += f", test accuracy {best['test_accuracy']:.4f}"
    lines.append(f"network: {spec_from_dict(best['spec']).to_json()}")
    return lines
