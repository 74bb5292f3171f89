"""A short table of a search's best networks, from its trials.csv and best.json."""

from __future__ import annotations

import csv
import io

from epnas_tf import untrusted
from epnas_tf.architecture.spec import spec_from_dict
from epnas_tf.report.units import short
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir

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
      ValueError: there is no trials.csv, or it is torn or foreign.
    """
    if not storage.exists(work_dir.trials_csv):
        raise ValueError(f"no search has finished a trial in {work_dir.path}")
    trials = csv.DictReader(io.StringIO(storage.read_text(work_dir.trials_csv)))
    best: dict[str, dict[str, str]] = {}
    try:
        trained = [trial for trial in trials if trial["status"] == "trained"]
        for trial in sorted(trained, key=_order):
            best.setdefault(trial["spec_key"], trial)
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{work_dir.trials_csv} is torn or foreign: {error!r:.200}") from error
    return list(best.values())


def _order(trial: dict[str, str]) -> tuple[bool, float, int, int, int]:
    return (
        trial["feasible"] != "1",
        -float(trial["reward"]),
        int(trial["episode"]),
        int(trial["step"]),
        int(trial["branch"]),
    )


def render(work_dir: str, top: int = 10) -> str:
    """Returns the table of the best `top` networks within the limits, and what best.json says.

    Where no network keeps the limits, those that come nearest are listed instead.

    Raises:
      ValueError: there is no search in work_dir, or a file of it is torn or foreign.
    """
    files = WorkDir(work_dir)
    trials = rows(files)
    feasible = [trial for trial in trials if trial["feasible"] == "1"]
    lines = [f"{len(trials)} networks trained, {len(feasible)} of them within the limits"]
    listed = (feasible or trials)[:top]
    try:
        cells = [_HEADER] + [_cells(rank, trial) for rank, trial in enumerate(listed, start=1)]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{files.trials_csv} is torn or foreign: {error!r:.200}") from error
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEADER))]
    lines += [
        "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in cells
    ]
    return "\n".join(lines + _best_lines(files))


def _cells(rank: int, trial: dict[str, str]) -> tuple[str, ...]:
    return (
        str(rank),
        _printable(trial["slot"]),
        f"{float(trial['accuracy']):.4f}",
        f"{float(trial['reward']):.4f}",
        short(float(trial["params"])),
        short(float(trial["flops"])),
        f"{float(trial['intensity']):.1f}",
        short(float(trial["traffic_bytes"])) + "B",
        "yes" if trial["feasible"] == "1" else "no",
    )


def _printable(slot: object) -> str:
    """Returns a slot's name; raises ValueError for what a terminal might obey or cannot show."""
    if not isinstance(slot, str) or not slot.isascii() or not slot.isprintable():
        raise ValueError(f"a slot's name must be plain text, got {slot!r:.80}")
    return slot


def _best_lines(files: WorkDir) -> list[str]:
    if not storage.exists(files.best):
        return []
    try:
        best = untrusted.parse_object(storage.read_text(files.best))
        slot, accuracy = _printable(best["slot"]), best["validation_accuracy"]
        lines = [f"best: {slot}, validation accuracy {accuracy:.4f}"]
        if best.get("test_accuracy") is not None:
            lines[0] += f", test accuracy {best['test_accuracy']:.4f}"
        return [*lines, f"network: {spec_from_dict(best['spec']).to_json()}"]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{files.best} is torn or foreign: {error!r:.200}") from error
