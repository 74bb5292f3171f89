"""The tables of a study of proxies: how each ranks networks, at which cost, with which bias.

A run is a dictionary, a line of the study's runs.jsonl. A network counts for a method once all of
the method's seeds are there, and for the study once all seeds of the truth are.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from epnas_tf.report import markdown
from epnas_tf.studies import ranking
from epnas_tf.studies.ranking import Agreement

Run = Mapping[str, Any]

TRUTH = "truth"
ACCURACY = "validation accuracy"


def _accuracy(run: Run) -> float:
    return run["accuracy"]


def _minus_losses(run: Run) -> float:
    total = -sum(run["losses"])
    return total if run["losses"] and math.isfinite(total) else -math.inf


def _last_training_accuracy(run: Run) -> float:
    return run["training_accuracies"][-1] if run["training_accuracies"] else -math.inf


# What a run may be judged by; a run that broke down comes last.
SCORES: dict[str, Callable[[Run], float]] = {
    ACCURACY: _accuracy,
    "minus sum of training losses": _minus_losses,
    "last training accuracy": _last_training_accuracy,
}


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of the study.

    Attributes:
      key: as in the runs.
      pattern: "layerwise" or "module".
      step: 0 if it is random, later if it was evolved.
      params: weights.
      flops: of a forward pass.
    """

    key: str
    pattern: str
    step: int
    params: float
    flops: float


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the table: a method judged by a score.

    Attributes:
      method: its name.
      score: a name of SCORES, or what else it is judged by.
      agreement: with the truth; None where fewer than 3 networks have both.
      missing: networks with a truth but not all runs of the method.
      cost: of a network, in trainings of the truth with one seed.
      accuracy: mean validation accuracy, where it is the score.
      batch_norm_gap: mean of the runs', where accuracy is the score and a run has one.
    """

    method: str
    score: str
    agreement: Agreement | None
    missing: int
    cost: float
    accuracy: float | None = None
    batch_norm_gap: float | None = None


class Study:
    """The runs of a study, found by method and network.

    Args:
      runs: lines of runs.jsonl; of two alike the later counts, and unknown networks do not.
      networks: of the study, in order.
      seeds: the seeds of each method; of methods not named, those that appear in the runs.
      timings: runs of some networks by each method in turn, from which costs are taken if given.
    """

    def __init__(
        self,
        runs: Iterable[Run],
        networks: Sequence[Network],
        seeds: Mapping[str, Sequence[int]],
        timings: Iterable[Run] = (),
    ) -> None:
        found: dict[str, dict[tuple[str, int], Run]] = {name: {} for name in seeds}
        for run in runs:
            found.setdefault(run["method"], {})[run["key"], run["seed"]] = run
        self._runs: dict[str, dict[str, list[Run]]] = {}
        for name, mine in found.items():
            wanted = list(seeds.get(name, sorted({seed for _, seed in mine})))
            self._runs[name] = {
                network.key: [mine[network.key, seed] for seed in wanted]
                for network in networks
                if wanted and all((network.key, seed) in mine for seed in wanted)
            }
        truth = self._runs.setdefault(TRUTH, {})
        self.all_networks = tuple(networks)
        self.networks = tuple(network for network in networks if network.key in truth)
        self.truth = {key: _mean(map(_accuracy, runs)) for key, runs in truth.items()}
        self._timings: dict[str, dict[str, float]] = {}
        for run in timings:
            self._timings.setdefault(run["method"], {})[run["key"]] = run["all_seconds"]

    @property
    def proxies(self) -> list[str]:
        """The methods of which a network is done, without the truth."""
        return [name for name in self._runs if name != TRUTH and self.of(name, self.networks)]

    def of(self, method: str, networks: Sequence[Network]) -> dict[str, list[Run]]:
        """Returns the method's runs of those of the networks that are done, in their order."""
        mine = self._runs[method]
        return {network.key: mine[network.key] for network in networks if network.key in mine}

    def pairs(
        self, method: str, networks: Sequence[Network], score: Callable[[Run], float] = _accuracy
    ) -> tuple[list[float], list[float]]:
        """Returns the truth and the method's mean score of each network that is done."""
        mine = self.of(method, networks)
        return [self.truth[key] for key in mine], [
            _mean(map(score, runs)) for runs in mine.values()
        ]

    def cost(self, method: str, networks: Sequence[Network]) -> float:
        """Returns the seconds of the networks, in those of their training by one truth's seed.

        From the timings if there are any (nan for a method that is not among them), else from the
        runs, which may have met a machine that was more or less busy.
        """
        mine, truth = (self._seconds(name, networks) for name in (method, TRUTH))
        both = mine.keys() & truth.keys()
        if not both:
            return math.nan
        return sum(mine[key] for key in both) / sum(truth[key] for key in both)

    def _seconds(self, method: str, networks: Sequence[Network]) -> dict[str, float]:
        keys = {network.key for network in networks}
        if self._timings:
            found = self._timings.get(method, {})
            return {key: seconds for key, seconds in found.items() if key in keys}
        runs = self.of(method, networks)
        return {key: _mean(run["all_seconds"] for run in mine) for key, mine in runs.items()}


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _agreement(truth: Sequence[float], proxy: Sequence[float]) -> Agreement | None:
    return ranking.agreement(truth, proxy) if len(truth) >= ranking.FEWEST else None


def lines(study: Study, networks: Sequence[Network]) -> list[Line]:
    """Returns the table over these networks of `study.networks`: seeds, sizes, then the methods."""
    if not networks:
        return []
    table = [*_seed_line(study, networks), *_size_lines(study, networks)]
    for method in study.proxies:
        done = study.of(method, networks)
        if not done:
            continue
        missing, cost = len(networks) - len(done), study.cost(method, networks)
        for name, score in SCORES.items():
            line = Line(
                method, name, _agreement(*study.pairs(method, networks, score)), missing, cost
            )
            table.append(_with_means(line, done) if name == ACCURACY else line)
    return table


def _with_means(line: Line, done: Mapping[str, Sequence[Run]]) -> Line:
    runs = [run for mine in done.values() for run in mine]
    gaps = [run["batch_norm_gap"] for run in runs if run.get("batch_norm_gap") is not None]
    return dataclasses.replace(
        line,
        accuracy=_mean(map(_accuracy, runs)),
        batch_norm_gap=_mean(gaps) if gaps else None,
    )


def _seed_line(study: Study, networks: Sequence[Network]) -> list[Line]:
    done = study.of(TRUTH, networks)
    if min(map(len, done.values())) < 2:
        return []
    first, second = ([_accuracy(runs[i]) for runs in done.values()] for i in (0, 1))
    line = Line(TRUTH, "one seed against the other", _agreement(first, second), 0, 1.0)
    return [_with_means(line, done)]


def _size_lines(study: Study, networks: Sequence[Network]) -> list[Line]:
    truth = [study.truth[network.key] for network in networks]
    sizes = {
        "parameters": [network.params for network in networks],
        "FLOPs": [network.flops for network in networks],
    }
    return [Line("size", name, _agreement(truth, size), 0, 0.0) for name, size in sizes.items()]


# Parameters inherited from a dictionary


@dataclasses.dataclass(frozen=True)
class Inheritance:
    """What the dictionary gave the networks of a method, and whom it flattered.

    Attributes:
      shares: mean share of parameters inherited, by step.
      shifts: mean rank by the proxy less that by the truth, by step; above 0 the proxy flatters.
      bias: Spearman's correlation of the share with that shift, nan where a side is constant.
    """

    shares: dict[int, float]
    shifts: dict[int, float]
    bias: float


def inheritance(study: Study, method: str) -> Inheritance | None:
    """Returns what the method's dictionary did, against the same schedule without one.

    None where it has no dictionary, where the schedule alone was not run (the method's name without
    its last part), or with fewer than 3 networks that both have.
    """
    alone = method.rpartition("_")[0]
    if alone not in study.proxies:
        return None
    both = study.of(alone, study.networks).keys()
    networks = [network for network in study.networks if network.key in both]
    done = study.of(method, networks)
    if len(done) < ranking.FEWEST or any(r[0].get("inherited") is None for r in done.values()):
        return None
    networks = [network for network in networks if network.key in done]
    shifts = np.zeros(len(networks))
    for pattern in {network.pattern for network in networks}:  # each has a dictionary of its own
        at = [index for index, network in enumerate(networks) if network.pattern == pattern]
        mine = [networks[index] for index in at]
        scores = [study.pairs(name, mine)[1] for name in (method, alone)]
        shifts[at] = ranking.ranks(scores[0]) - ranking.ranks(scores[1])
    shares = np.array([_mean(run["inherited"] for run in runs) for runs in done.values()])
    steps = np.array([runs[0]["step"] for runs in done.values()])
    by_step = {int(step): steps == step for step in np.unique(steps)}
    return Inheritance(
        {step: float(shares[mine].mean()) for step, mine in by_step.items()},
        {step: float(shifts[mine].mean()) for step, mine in by_step.items()},
        ranking.spearman(shares, shifts),
    )


# What people read


def report(study: Study) -> str:
    """Returns the tables in Markdown: all networks, each pattern alone, inherited parameters."""
    every, known = len(study.all_networks), len(study.networks)
    text = ["# How proxies rank networks", f"{known} of {every} networks have their truth."]
    if known < ranking.FEWEST:
        return "\n\n".join([*text, f"A ranking needs at least {ranking.FEWEST}."]) + "\n"
    table = lines(study, study.networks)
    text += [_NOTES, _long_table(table), *_seed_notes(table)]
    for pattern in dict.fromkeys(network.pattern for network in study.networks):
        mine = [network for network in study.networks if network.pattern == pattern]
        text += [f"## {pattern} alone", _short_table(lines(study, mine))]
    inherited = {name: inheritance(study, name) for name in study.proxies}
    found = {name: value for name, value in inherited.items() if value is not None}
    if found:
        text += ["## Warm starts", _INHERITANCE_NOTES, _inheritance_table(found)]
    return "\n\n".join(text) + "\n"


_NOTES = """\
Truth is the mean validation accuracy of all its seeds. Cost is the time of a network, from building
it to its last validation, in trainings of the truth with one seed. Correlations have bootstrapped
95% intervals; the top half are the networks at or above the truth's median, and top 5 is the share
of the truth's 5 best among the proxy's. Missing networks are left out of a line. The gap is the
validation accuracy with each batch's own statistics less that with the stored ones."""

_INHERITANCE_NOTES = """\
A shift is a network's rank within its pattern with the dictionary less that by the same schedule
without one, counted from the worst: above 0 the dictionary flatters. Bias is Spearman's correlation
of the share of a network's weights that come from its warm start with its shift."""


def _seed_notes(table: Sequence[Line]) -> list[str]:
    """Returns what the truth's own noise allows, by the formula of Spearman and Brown."""
    first = table[0]
    if first.method != TRUTH or first.agreement is None:
        return []
    found = first.agreement.spearman.value
    if not found > 0:
        return []
    both = 2 * found / (1 + found)
    return [
        f"The truth's line is one seed against the other ({found:.2f}); the mean of two, against "
        f"which all others are held, would agree with another such mean by {both:.2f}, and with a "
        f"proxy without noise or bias by {math.sqrt(both):.2f}."
    ]


def _share(value: float | None, digits: int = 3) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _long_table(table: Sequence[Line]) -> str:
    heads = ["method", "score", "networks", "missing", "cost", "Spearman", "Kendall"]
    heads += ["Spearman, top half", "Kendall, top half", "top 5", "accuracy", "gap"]
    rows = []
    for line in table:
        row = [line.method, line.score]
        found = line.agreement
        if found is None:
            row += ["too few", str(line.missing), _share(line.cost), *[""] * 5]
        else:
            row += [str(found.networks), str(line.missing), _share(line.cost)]
            row += [str(found.spearman), str(found.kendall)]
            row += [str(found.top_spearman), str(found.top_kendall), _share(found.top5_recall, 2)]
        gap = "" if line.batch_norm_gap is None else f"{line.batch_norm_gap:+.3f}"
        rows.append([*row, _share(line.accuracy), gap])
    return markdown.table(heads, rows)


def _short_table(table: Sequence[Line]) -> str:
    heads = ["method", "score", "networks", "cost", "Spearman", "Spearman, top half", "top 5"]
    rows = []
    for line in table:
        found, cost = line.agreement, _share(line.cost)
        cells = ["too few", cost, "", "", ""]
        if found is not None:
            cells = [str(found.networks), cost, str(found.spearman)]
            cells += [f"{found.top_spearman.value:.2f}", _share(found.top5_recall, 2)]
        rows.append([line.method, line.score, *cells])
    return markdown.table(heads, rows)


def _inheritance_table(found: Mapping[str, Inheritance]) -> str:
    steps = sorted({step for value in found.values() for step in value.shares})
    heads = ["method", *(f"share, step {step}" for step in steps)]
    heads += [*(f"shift, step {step}" for step in steps), "bias"]
    rows = []
    for name, value in found.items():
        shares = [_share(value.shares.get(step), 2) for step in steps]
        shifts = [f"{value.shifts[step]:+.1f}" if step in value.shifts else "" for step in steps]
        bias = "none" if math.isnan(value.bias) else f"{value.bias:+.2f}"
        rows.append([name, *shares, *shifts, bias])
    return markdown.table(heads, rows)


def curve_table(found: Mapping[str, Mapping[int, float]]) -> str:
    """Returns how early epochs of curves of others rank, by the curves' name, in Markdown."""
    rows = [
        [name, *(f"{value:.2f} after {epoch}" for epoch, value in early.items())]
        for name, early in found.items()
    ]
    width = max(len(row) for row in rows)
    heads = ["curves", *["Spearman"] * (width - 1)]
    return markdown.table(heads, [row + [""] * (width - len(row)) for row in rows])


def stopping_table(found: Mapping[tuple[str, float], ranking.Stopping]) -> str:
    """Returns what early stopping would have done, by the curves' name and margin."""
    heads = ["curves", "margin", "stopped", "epochs saved", "of the top 5", "any of the top 5"]
    rows = [
        [name, f"{margin:g}", f"{value.stopped:.1%}", f"{value.saved:.1%}", f"{value.top5:.2f}"]
        + [f"{value.harmed:.0%}", f"{value.top_tenth:.2f} of {value.tenth}"]
        for (name, margin), value in found.items()
    ]
    return markdown.table([*heads, "of the top 10%"], rows)
