"""The plot of the study of proxies."""

from __future__ import annotations

import pathlib

from epnas_tf.studies import ranking
from epnas_tf.studies.rank_table import Study


def plot(study: Study, path: pathlib.Path) -> None:
    """Draws each method's validation accuracy against the truth, points coloured by step."""
    # Only the plot needs it, and workers import this module too.
    from matplotlib import figure

    columns = min(len(study.proxies), 4)
    rows = -(-len(study.proxies) // columns)
    canvas = figure.Figure(figsize=(3.5 * columns, 3.5 * rows), layout="constrained")
    panels = canvas.subplots(rows, columns, squeeze=False).flat
    for panel, method in zip(panels, study.proxies, strict=False):
        for step in sorted({network.step for network in study.networks}):
            mine = [network for network in study.networks if network.step == step]
            panel.scatter(*study.pairs(method, mine), s=14, color=f"C{step}", label=f"step {step}")
        truth, proxy = study.pairs(method, study.networks)
        few = len(truth) < ranking.FEWEST
        title = "too few networks" if few else f"Spearman {ranking.spearman(truth, proxy):.2f}"
        panel.set(xlabel="truth", ylabel="proxy", title=f"{method}\n{title}")
    canvas.axes[0].legend(fontsize="small")
    for panel in canvas.axes[len(study.proxies) :]:
        panel.remove()
    canvas.savefig(path, dpi=80)
