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
    bands = {name: band(mine, list(60 * times)) for name, mine in curves.items()}
    for number, (name, mine) in enumerate(curves.items()):
        for curve in mine:
            values = [curve.at(60 * time) for time in times]
            panel.plot(times, values, color=f"C{number}", alpha=0.25, linewidth=0.7)
        label = f"{name} ({len(mine)} seeds)"
        panel.plot(times, bands[name].mean, color=f"C{number}", label=label)
    panel.autoscale(False, axis="y")  # intervals of few seeds may be wider than all that was found
    for number, found in enumerate(bands.values()):
        low, high = found.mean - found.margin, found.mean + found.margin
        panel.fill_between(times, low, high, color=f"C{number}", alpha=0.15, linewidth=0)
    panel.set(xlabel="minutes of trials", ylabel="validation accuracy of the best", xlim=(0, None))
    panel.legend()
    canvas.savefig(path, dpi=100)
