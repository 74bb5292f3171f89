"""What learning curves of others say of early epochs and of the median rule."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Sequence

from epnas_tf.studies import rank_table, ranking
from epnas_tf.training import early_stopping

STOP_MARGINS = (0.02, 0.05, 0.1)  # of the median rule, in accuracy


def read_curves(path: pathlib.Path) -> list[list[float]]:
    """Returns the curves of a file, [networks][epochs].

    Raises:
      ValueError: the file holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        curves = list(value.values()) if isinstance(value, dict) else value
        return [[float(accuracy) for accuracy in curve] for curve in curves]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} must hold a list or a dictionary of lists of numbers, got: {error}"
        ) from error


def curve_report(folder: pathlib.Path) -> str:
    """Returns how early epochs of others' curves rank and what early stopping would have done.

    Raises:
      ValueError: there are no curves, or they are not as they should be.
    """
    files = {path.stem: read_curves(path) for path in sorted(folder.glob("*.json"))}
    if not files:
        raise ValueError(f"--curves={folder}: must be a folder of *.json, there are none")
    early, stopped = {}, {}
    for name, curves in files.items():
        try:
            early[name] = ranking.curve_agreement(curves)
        except ValueError as error:
            raise ValueError(f"{folder / name}.json: {error}") from error
        for margin in STOP_MARGINS:
            stopped[name, margin] = ranking.stopping(curves, _stops(margin, len(curves[0])))
    return f"""# Learning curves of others

Spearman's correlation of the accuracy after an early epoch with the final one.

{rank_table.curve_table(early)}

What early stopping would have done in random groups of 8, each held against the one before.

{rank_table.stopping_table(stopped)}
"""


def _stops(
    margin: float, planned: int
) -> Callable[[Sequence[float], Sequence[Sequence[float]]], bool]:
    return lambda curve, before: early_stopping.stops_early(curve, before, margin, planned)
