"""The networks of the study of proxies for a search's end: good ones that cost about the same.

Random networks are told apart by anything; what a search is about are the few at the top. So they
are those that people write, those that a search begins with, those that searches found, and single
changes of all of them where there are too few.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from epnas_tf import command_line, fields, randomness
from epnas_tf.architecture import portfolio
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.neighbours import mutate
from epnas_tf.architecture.settings import LimitSettings, SpaceSettings
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.studies import named_networks, search_networks
from epnas_tf.studies.named_networks import Networks
from epnas_tf.workdir import trials_csv
from epnas_tf.workdir.layout import WorkDir

PATTERNS = ("layerwise", "module")
# The search in question; cells have the paper's table of channels.
FLAGS: Mapping[str, tuple[str, ...]] = {
    "layerwise": ("--preset=cifar10_layerwise_search",),
    "module": ("--preset=cifar10_layerwise_search", "--pattern=module", "--channels="),
}
# Costs of a pattern's networks lie within this factor of each other, so that cost tells little.
WITHIN = 4.0
# Starting networks that a search might have.
STARTS = 8


@dataclasses.dataclass(frozen=True)
class Pattern:
    """Where the networks of a pattern lie.

    Attributes:
      space: of the search in question.
      budget: its limits.
    """

    space: SearchSpace
    budget: Budget

    def cost(self, spec: Spec) -> float:
        """Returns what the time of a training is in proportion to."""
        return self.budget.work(self.budget.cost(spec))

    def within(self, spec: Spec, low: float) -> bool:
        """Says whether a network's cost is at most `WITHIN` times the lowest one."""
        return low <= self.cost(spec) <= WITHIN * low

    def holds(self, spec: Spec) -> bool:
        """Says whether a network is of the space and keeps the limits."""
        try:
            self.space.check(spec)
        except ValueError:
            return False
        return self.budget.feasible(spec)


@functools.cache
def pattern(name: str) -> Pattern:
    """Returns the space and limits of a pattern."""
    config = command_line.parse(["", *FLAGS[name]])
    constraints = fields.pick(config, LimitSettings).constraints()
    space = fields.pick(config, SpaceSettings).space((32, 32))
    return Pattern(space, Budget((32, 32, 3), 10, constraints))


def chosen(given: Networks, searches: Sequence[str], count: int) -> Networks:
    """Returns the networks of the study by name, so many of each pattern; no chance is in it.

    Args:
      given: by hand.
      searches: folders of searches; of each the better half of its networks counts.
      count: of each pattern.

    Raises:
      ValueError: a folder holds no search, or a network has the name of another one.
    """
    found: Networks = {}
    for name in PATTERNS:
        for own, spec in _of_pattern(name, given, searches, count).items():
            named_networks.add(found, own, spec)
    return found


def _of_pattern(name: str, given: Networks, searches: Sequence[str], count: int) -> Networks:
    where = pattern(name)
    own = [(each, spec) for each, spec in given.items() if spec.pattern == name]
    fixed = _different([*own, *_starts(name, where)], where)
    every = _different([*fixed.items(), *_of_searches(searches, where)], where)
    low = _window([where.cost(spec) for spec in every.values()])
    kept = {each: spec for each, spec in every.items() if where.within(spec, low)}
    mine = {each: kept[each] for each in [each for each in fixed if each in kept][:count]}
    others = [each for each in kept.items() if each[0] not in fixed]
    mine |= dict(_spread(others, count - len(mine)))
    _fill(mine, name, where, low, count)
    return mine


def _starts(name: str, where: Pattern) -> Iterator[tuple[str, Spec]]:
    for number, spec in enumerate(portfolio.portfolio(where.space, where.budget, STARTS)):
        yield f"start_{name}_{number}", spec


def _of_searches(searches: Sequence[str], where: Pattern) -> list[tuple[str, Spec]]:
    """Returns the better half of each search's networks, the best of all searches first."""
    found: list[tuple[int, str, Spec]] = []
    for folder in searches:
        work_dir = WorkDir(folder)
        rows = [row for row in trials_csv.read(work_dir) if row.trained and row.feasible]
        rows = list({row.spec_key: row for row in reversed(rows)}.values())
        rows.sort(key=lambda row: row.rank)
        for place, row in enumerate(rows[: -(-len(rows) // 2)]):
            name = f"{pathlib.Path(folder).name}_{row.slot.name}"
            found.append((place, name, search_networks.chosen(work_dir, row.slot.name)[1]))
    found.sort(key=lambda each: each[0])  # stable: by place, then as the searches are named
    return [(name, spec) for _, name, spec in found]


def _spread(found: Sequence[tuple[str, Spec]], count: int) -> list[tuple[str, Spec]]:
    """Returns at most so many of a list, evenly from its whole length."""
    count = min(count, len(found))
    return [found[place * len(found) // count] for place in range(count)]


def _different(named: Iterable[tuple[str, Spec]], where: Pattern) -> Networks:
    """Returns the networks within space and limits, each once, by its first name."""
    found: dict[Spec, str] = {}
    for name, spec in named:
        if where.holds(spec):
            found.setdefault(spec, name)
    return {name: spec for spec, name in found.items()}


def _window(costs: Sequence[float]) -> float:
    """Returns the lowest cost of the range that holds most networks; of two alike the dearer."""

    def inside(low: float) -> int:
        return sum(low <= cost <= WITHIN * low for cost in costs)

    return max(costs, key=lambda low: (inside(low), low), default=0.0)


def _fill(networks: Networks, name: str, where: Pattern, low: float, count: int) -> None:
    """Adds single changes of the networks until there are so many."""
    rng = randomness.generator(0, "proxy_study", name)
    parents = list(networks.items())
    while len(networks) < count:
        parent, spec = parents[int(rng.integers(len(parents)))]
        child = mutate(spec, where.space, rng)
        if where.holds(child) and where.within(child, low) and child not in networks.values():
            networks[f"near_{parent}_{len(networks)}"] = child
