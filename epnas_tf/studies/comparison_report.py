"""What people read of searches that are compared: the best so far over trial time (Fig. 4)."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from epnas_tf.report import markdown
from epnas_tf.studies import means, named_networks, search_networks, timeline
from epnas_tf.studies.comparison import Search
from epnas_tf.studies.named_networks import Networks
from epnas_tf.workdir import storage

POINTS = 200  # of a curve


@dataclasses.dataclass(frozen=True)
class Curve:
    """What a search had found, and when.

    Attributes:
      search: which it was.
      best: (seconds, accuracy) whenever another network became the best.
      trials: how many ended within the budget.
      trained: how many of them were trained to the end.
      seconds: of all its trials.
    """

    search: Search
    best: Sequence[tuple[float, float]]
    trials: int
    trained: int
    seconds: float

    def at(self, seconds: float) -> float:
        """Returns the accuracy of the best network at a time, nan while there is none."""
        return next((found for when, found in reversed(self.best) if when <= seconds), math.nan)


def curve_of(search: Search, seconds: float) -> Curve:
    """Returns what a search found within a budget."""
    moments = timeline.of_search(search.work_dir)
    within = [moment for moment in moments if moment.seconds <= seconds]
    trained = sum(moment.row.trained for moment in within)
    spent = moments[-1].seconds if moments else 0.0
    return Curve(search, timeline.best_so_far(within), len(within), trained, spent)


def curves_of(searches: Sequence[Search], seconds: float) -> dict[str, list[Curve]]:
    """Returns by variant the curves of the searches of which a trial has ended."""
    found: dict[str, list[Curve]] = {}
    for search in searches:
        if storage.exists(search.work_dir.trials_csv):
            found.setdefault(search.variant, []).append(curve_of(search, seconds))
    return found


@dataclasses.dataclass(frozen=True)
class Band:
    """Means over seeds with their 95% intervals, at some times.

    Attributes:
      mean: [times], nan where a seed has nothing yet.
      margin: half of the interval, [times], nan with one seed.
    """

    mean: np.ndarray
    margin: np.ndarray


def band(curves: Sequence[Curve], seconds: Sequence[float]) -> Band:
    """Returns the mean of some curves at some times."""
    values = [[curve.at(second) for curve in curves] for second in seconds]
    margins = [means.noise([each]).margin(len(each)) for each in values]
    return Band(np.mean(values, axis=1), np.array(margins))


def report(curves: Mapping[str, Sequence[Curve]], minutes: Sequence[float]) -> str:
    """Returns the tables in Markdown.

    Args:
      curves: by variant; all others are compared with the first.
      minutes: the times in question, rising; the last is the budget.
    """
    budget = minutes[-1]
    text = [
        "# Searches compared",
        f"Validation accuracy of the best network within the limits, as the search measured it, "
        f"after so many minutes of trials; mean over seeds ± half of its 95% interval (Student's). "
        f"The budget is {budget:g} minutes; trials that ended later are left out.",
        _over_time(curves, minutes),
    ]
    differences = _differences(curves, minutes)
    if differences:
        text += ["The same seeds in pairs:", differences]
    return "\n\n".join([*text, "## Each search", _each(curves, minutes)]) + "\n"


def _over_time(curves: Mapping[str, Sequence[Curve]], minutes: Sequence[float]) -> str:
    heads = ["variant", "seeds", "trials", "trained", *(f"{each:g} min" for each in minutes)]
    rows = []
    for name, mine in curves.items():
        found = band(mine, [60 * each for each in minutes])
        counts = [[curve.trials for curve in mine], [curve.trained for curve in mine]]
        cells = [name, str(len(mine)), *(f"{statistics.fmean(each):.0f}" for each in counts)]
        both = zip(found.mean, found.margin, strict=True)
        rows.append([*cells, *(_interval(mean, margin) for mean, margin in both)])
    return markdown.table(heads, rows)


def _differences(curves: Mapping[str, Sequence[Curve]], minutes: Sequence[float]) -> str:
    """Returns how far the first variant lies above each other one, "" where nothing is in pairs."""
    (base, first), *others = curves.items()
    rows = []
    for name, mine in others:
        seeds = {curve.search.seed: curve for curve in mine}
        pairs = [(a, seeds[a.search.seed]) for a in first if a.search.seed in seeds]
        if not pairs:
            continue
        cells = [f"{base} - {name}", str(len(pairs))]
        for each in minutes:
            gains = [a.at(60 * each) - b.at(60 * each) for a, b in pairs]
            cells.append(
                _interval(statistics.fmean(gains), means.noise([gains]).margin(len(gains)), "+")
            )
        rows.append(cells)
    heads = ["difference", "seeds", *(f"{each:g} min" for each in minutes)]
    return markdown.table(heads, rows) if rows else ""


def _each(curves: Mapping[str, Sequence[Curve]], minutes: Sequence[float]) -> str:
    heads = ["search", "trials", "trained", "minutes", *(f"{each:g} min" for each in minutes)]
    rows = []
    for curve in (curve for mine in curves.values() for curve in mine):
        cells = [curve.search.folder.name, str(curve.trials), str(curve.trained)]
        cells.append(f"{curve.seconds / 60:.1f}")
        rows.append([*cells, *(_interval(curve.at(60 * each), math.nan) for each in minutes)])
    return markdown.table(heads, rows)


def _interval(mean: float, margin: float, sign: str = "") -> str:
    if math.isnan(mean):
        return ""
    return f"{mean:{sign}.4f}" + ("" if math.isnan(margin) else f" ±{margin:.4f}")


def winners(curves: Mapping[str, Sequence[Curve]], minutes: float = 0) -> Networks:
    """Returns the best network of each search by the search's name, for `baselines`.

    Args:
      curves: by variant.
      minutes: only trials that ended by then; 0 takes what the search itself says.
    """
    found: Networks = {}
    for curve in (curve for mine in curves.values() for curve in mine):
        if not math.isnan(curve.at(60 * minutes if minutes else math.inf)):
            search = curve.search
            found[search.folder.name] = search_networks.chosen(search.work_dir, minutes=minutes)[1]
    return found


def write(
    root: pathlib.Path, curves: Mapping[str, Sequence[Curve]], minutes: Sequence[float]
) -> str:
    """Writes report.md and the winners of each time; returns the report.

    `winners.json` holds those of the whole budget, `winners_10.json` those after 10 minutes.
    """
    text = report(curves, minutes)
    storage.write_atomic(str(root / "report.md"), text)
    for each in minutes[:-1]:
        named_networks.write(root / f"winners_{each:g}.json", winners(curves, each))
    named_networks.write(root / "winners.json", winners(curves))
    return text
