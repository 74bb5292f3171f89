"""What is read of a study of proxies on good networks: how well each ranks, and at what cost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from epnas_tf.report import markdown
from epnas_tf.studies import rank_table, ranking
from epnas_tf.studies.named_networks import Networks
from epnas_tf.studies.rank_table import SCORES, TRUTH, Line, Network, Study
from epnas_tf.studies.resumable import Row

FIRST_SEED = 1000  # of a proxy: with those of the truth it would agree in their noise too

_HEADS = (
    *("proxy", "judged by", "networks", "seconds", "Spearman", "Spearman, top half"),
    *("top half per minute", "best lost"),
)
_NOTES = """\
The truth is the mean validation accuracy of `{recipe}`. Seconds are those of a network, from \
building it to its last validation, means over the networks. Correlations have bootstrapped 95% \
intervals; the top half are the networks at or above the truth's median, and the last but one \
column divides their correlation by the minutes of a network. What is lost is how far the truth of \
the proxy's best network lies below that of the best one, in points."""


def study_of(
    rows: Iterable[Row], networks: Networks, recipes: Mapping[str, str], seeds: Mapping[str, int]
) -> Study:
    """Returns the trainings of these networks as a study of rankings.

    Args:
      rows: of `retraining`, those of other recipes and networks too.
      networks: by name.
      recipes: by method, what its recipe is known by; `rank_table.TRUTH` among them.
      seeds: by method, how many trainings of each network there are to be.
    """
    known = {}
    runs = []
    for row in rows:
        known[row["key"]] = (row["params"], row["flops"])
        runs += [row | {"method": name} for name, text in recipes.items() if text == row["recipe"]]
    found = [
        Network(spec.key, spec.pattern, 0, *known.get(spec.key, (math.nan, math.nan)))
        for spec in networks.values()
    ]
    wanted = {name: seeds_of(name, seeds[name]) for name in recipes}
    return Study(runs, found, wanted)


def seeds_of(name: str, count: int) -> range:
    """Returns so many seeds of a method: those of proxies are none of the truth."""
    first = 0 if name == TRUTH else FIRST_SEED
    return range(first, first + count)


def report(study: Study, truth: str) -> str:
    """Returns the tables in Markdown: all networks, then each pattern alone.

    Args:
      study: as far as it is done.
      truth: what its recipe is known by.
    """
    done, every = study.networks, study.all_networks
    text = [
        "# How proxies rank good networks",
        f"{len(done)} of {len(every)} networks have their truth.",
    ]
    if len(done) < ranking.FEWEST:
        return "\n\n".join([*text, f"A ranking needs at least {ranking.FEWEST}."]) + "\n"
    text += [_NOTES.format(recipe=truth), _table(study, done)]
    for pattern in dict.fromkeys(network.pattern for network in done):
        mine = [network for network in done if network.pattern == pattern]
        if len(mine) >= ranking.FEWEST:
            text += [f"## {pattern} alone", _table(study, mine)]
    return "\n\n".join(text) + "\n"


def _table(study: Study, networks: Sequence[Network]) -> str:
    lines = rank_table.lines(study, networks)
    return markdown.table(_HEADS, [_cells(study, networks, line) for line in lines])


def _cells(study: Study, networks: Sequence[Network], line: Line) -> list[str]:
    found = line.agreement
    if found is None:
        return [line.method, line.score, "too few", *[""] * (len(_HEADS) - 3)]
    top = found.top_spearman
    cells = [line.method, line.score, str(found.networks)]
    if line.method not in study.proxies:  # the truth's other seed, or sizes, which cost nothing
        return [*cells, "", str(found.spearman), str(top), "", ""]
    seconds = _seconds(study, line.method, networks)
    per_minute = [60 * value / seconds for value in (top.value, top.low, top.high)]
    rate = "{:.2f} [{:.2f}, {:.2f}]".format(*per_minute) if not math.isnan(top.value) else "none"
    lost = _lost(study, line.method, networks, line.score)
    return [*cells, f"{seconds:.1f}", str(found.spearman), str(top), rate, f"{100 * lost:.1f}"]


def _seconds(study: Study, method: str, networks: Sequence[Network]) -> float:
    runs = study.of(method, networks).values()
    return statistics.fmean(run["all_seconds"] for mine in runs for run in mine)


def _lost(study: Study, method: str, networks: Sequence[Network], score: str) -> float:
    """Returns how far the network that a proxy takes for the best lies below the best one."""
    truth, judged = study.pairs(method, networks, SCORES[score])
    return max(truth) - truth[judged.index(max(judged))]
