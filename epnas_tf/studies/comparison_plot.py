"""The plot of searches that are compared: the paper's Fig. 4."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from epnas_tf.studies.comparison_report import POINTS, Curve, band


def plot(curves: Mapping[str, Sequence[Curve]], minutes: float, path: pathlib.Path) -> None:
    """Draws the mean of the best so far over trial time, its 95% interval, and each seed."""
    # Only the plot needs it.
    from matplotlib import figure

    canvas = figure.Figure(figsize=(7, 4.5), layout="constrained")
    panel = canvas.subplots()
    times = np.linspace(0, minutes, POINTS + 1)[1:]
    for number, (name, mine) in enumerate(curves.items()):
        colour = f"C{number}"
        for curve in mine:
            values = [curve.at(60 * time) for time in times]
            panel.plot(times, values, color=colour, alpha=0.25, linewidth=0.7)
        found = band(mine, list(60 * times))
        low, high = found.mean - found.margin, found.mean + found.margin
        panel.plot(times, found.mean, color=colour, label=f"{name} ({len(mine)} seeds)")
        panel.fill_between(times, low, high, color=colour, alpha=0.15, linewidth=0)
    panel.set(xlabel="minutes of trials", ylabel="validation accuracy of the best", xlim=(0, None))
    panel.legend()
    canvas.savefig(path, dpi=100)
