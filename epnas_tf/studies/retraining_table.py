"""The table of networks trained by one recipe with several seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from epnas_tf.report import markdown
from epnas_tf.studies import means
from epnas_tf.studies.means import Noise
from epnas_tf.studies.resumable import Row

_HEADS = (
    *("network", "params", "MFLOPs", "seeds", "mean", "95%", "lowest", "highest"),
    *("validation", "seconds"),
)


def report(rows: Iterable[Row], recipe: str, against: str = "") -> str:
    """Returns what a person reads of some networks, the best first, in Markdown.

    Args:
      rows: of `retraining.rows_of`.
      recipe: its text.
      against: name of the network that the others are compared with; empty for none.
    """
    networks: dict[str, list[Row]] = {}
    for row in rows:
        networks.setdefault(row["network"], []).append(row)
    if not networks:
        return f"Nothing has been trained by {recipe} yet.\n"
    noise = means.noise([_figures(mine) for mine in networks.values()])
    without = all(row["test"] is None for mine in networks.values() for row in mine)
    split = "validation" if without else "test"
    best_first = sorted(networks.values(), key=lambda mine: -_mean(mine))
    base = networks.get(against)
    heads = [*_HEADS, *([f"above {against}"] if base else [])]
    lines = [_cells(mine, noise, base) for mine in best_first]
    return (
        f"Trained from fresh weights by `{recipe}`. Mean, lowest and highest are accuracies on "
        f"the {split} images; the 95% interval of a mean is of the noise that all networks of the "
        f"table have in common ({_noise_text(noise)}), and takes the images as given.\n\n"
        f"{markdown.table(heads, lines)}\n"
    )


def _figures(rows: Sequence[Row]) -> list[float]:
    """Returns accuracies on the test images; of what has none, such as a failure, the others."""
    return [row["accuracy"] if row["test"] is None else row["test"] for row in rows]


def _mean(rows: Sequence[Row]) -> float:
    return statistics.fmean(_figures(rows))


def _cells(rows: Sequence[Row], noise: Noise, base: Sequence[Row] | None) -> list[str]:
    figures = _figures(rows)
    cells = [
        rows[0]["network"],
        str(rows[0]["params"]),
        f"{rows[0]['flops'] / 1e6:.1f}",
        str(len(rows)),
        f"{_mean(rows):.4f}",
        _margin(noise.margin(len(rows))),
        f"{min(figures):.4f}",
        f"{max(figures):.4f}",
        f"{statistics.fmean(row['accuracy'] for row in rows):.4f}",
        f"{statistics.fmean(row['all_seconds'] for row in rows):.0f}",
    ]
    if base is not None:
        more = f"{_mean(rows) - _mean(base):+.4f} {_margin(noise.margin(len(rows), len(base)))}"
        cells.append("" if rows is base else more)
    return cells


def _margin(value: float) -> str:
    return "" if math.isnan(value) else f"±{value:.4f}"


def _noise_text(noise: Noise) -> str:
    if math.isnan(noise.deviation):
        return "not known: none has two seeds"
    return f"a standard deviation of {noise.deviation:.4f} with {noise.freedom} degrees of freedom"
