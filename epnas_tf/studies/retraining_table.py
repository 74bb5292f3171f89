"""The table of networks trained by one recipe with several seeds: their errors and costs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.report import markdown
from epnas_tf.report.units import short
from epnas_tf.studies import means
from epnas_tf.studies.means import Noise
from epnas_tf.studies.resumable import Row

_NOTES = """\
Trained from fresh weights by `{recipe}`. An error is the share of the {split} images, in percent, \
that is classified wrongly: mean over the seeds, lowest and highest. The 95% interval of a mean is \
of the noise that all networks of the table have in common ({noise}), and takes the images as given.

"""


def report(rows: Iterable[Row], recipe: str, against: Sequence[str] = ()) -> str:
    """Returns what a person reads of some networks, the best first, in Markdown.

    Args:
      rows: of `retraining.rows_of`.
      recipe: its text.
      against: names of networks that the others are compared with.
    """
    networks: dict[str, list[Row]] = {}
    for row in rows:
        networks.setdefault(row["network"], []).append(row)
    if not networks:
        return f"Nothing has been trained by {recipe} yet.\n"
    noise = means.noise([_errors(mine) for mine in networks.values()])
    without = all(row["test"] is None for mine in networks.values() for row in mine)
    bases = {name: networks[name] for name in against if name in networks}
    best_first = sorted(networks.values(), key=lambda mine: statistics.fmean(_errors(mine)))
    lines = [_cells(mine, noise, bases) for mine in best_first]
    notes = _NOTES.format(
        recipe=recipe, split="validation" if without else "test", noise=_noise_text(noise)
    )
    return f"{notes}{markdown.table(_heads(bases), lines)}\n"


def _heads(bases: Iterable[str]) -> list[str]:
    resources = (resource.title for resource in RESOURCES.values())
    measured = ("seeds", "lowest", "highest", "validation", "seconds")
    compared = (f"against {name}" for name in bases)
    return ["network", "error", "95%", *resources, *measured, *compared]


def _cells(rows: Sequence[Row], noise: Noise, bases: dict[str, list[Row]]) -> list[str]:
    errors = _errors(rows)
    return [
        rows[0]["network"],
        f"{statistics.fmean(errors):.2f}",
        _margin(noise.margin(len(rows))),
        *_costs(rows[0]),
        str(len(rows)),
        f"{min(errors):.2f}",
        f"{max(errors):.2f}",
        _validation(rows),
        f"{statistics.fmean(row['all_seconds'] for row in rows):.0f}",
        *("" if base is rows else _difference(rows, base, noise) for base in bases.values()),
    ]


def _validation(rows: Sequence[Row]) -> str:
    """Returns the mean error on the validation images; nothing where they were trained on."""
    errors = [_error(row["accuracy"]) for row in rows if row["accuracy"] is not None]
    return f"{statistics.fmean(errors):.2f}" if errors else ""


def _errors(rows: Sequence[Row]) -> list[float]:
    """Returns errors on the test images; of what has none, such as a failure, the others."""
    return [_error(row["accuracy"] if row["test"] is None else row["test"]) for row in rows]


def _error(accuracy: float) -> float:
    return 100 * (1 - accuracy)


def _costs(row: Row) -> list[str]:
    """Returns what a network uses; older rows do not know all of it."""
    return [
        short(row[resource.column]) + resource.suffix if resource.column in row else ""
        for resource in RESOURCES.values()
    ]


def _difference(rows: Sequence[Row], base: Sequence[Row], noise: Noise) -> str:
    """Returns how much higher the error is than that of another network, and its interval."""
    difference = statistics.fmean(_errors(rows)) - statistics.fmean(_errors(base))
    return f"{difference:+.2f} {_margin(noise.margin(len(rows), len(base)))}".rstrip()


def _margin(value: float) -> str:
    return "" if math.isnan(value) else f"±{value:.2f}"


def _noise_text(noise: Noise) -> str:
    if math.isnan(noise.deviation):
        return "not known: none has two seeds"
    return f"a standard deviation of {noise.deviation:.2f} with {noise.freedom} degrees of freedom"
