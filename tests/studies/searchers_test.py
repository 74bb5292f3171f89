"""The searchers that others are compared with search as they are described."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.architecture.neighbours import neighbours
from epnas_tf.architecture.spec import Spec
from epnas_tf.studies import searchers, tables
from epnas_tf.studies.tables import Table


def _rng(seed: int, *names: str) -> np.random.Generator:
    return randomness.generator(seed, "peers_test", *names)


@pytest.fixture(name="aside", scope="module")
def _aside() -> Table:
    return tables.kept_aside()


def _asked(searcher: searchers.Searcher, table: Table, count: int) -> list[Spec]:
    specs = [next(searcher)]
    while len(specs) < count:
        specs.append(searcher.send(table.accuracy(specs[-1])))
    return specs


def _best(searcher: searchers.Searcher, table: Table, queries: int) -> float:
    """Returns the best accuracy of the first distinct networks."""
    known: dict[str, float] = {}
    spec = next(searcher)
    for _ in range(5_000):
        known[spec.key] = table.accuracy(spec)
        if len(known) == queries:
            break
        spec = searcher.send(known[spec.key])
    return max(known.values())


_SEARCHERS = {
    "random": searchers.random_sampling,
    "evolution": lambda space, rng: searchers.regularised_evolution(space, rng, 20, 5),
    "first": searchers.local_search,
    "best": lambda space, rng: searchers.local_search(space, rng, first_improvement=False),
}


@pytest.mark.parametrize("name", _SEARCHERS)
def test_a_searcher_yields_networks_of_its_space_without_end(aside, name):
    specs = _asked(_SEARCHERS[name](aside.space, _rng(0)), aside, 500)
    for spec in specs:
        aside.space.check(spec)
    again = _asked(_SEARCHERS[name](aside.space, _rng(0)), aside, 500)
    assert [spec.key for spec in again] == [spec.key for spec in specs]


@pytest.mark.parametrize("name", ["evolution", "first", "best"])
def test_a_searcher_beats_random_sampling(aside, name):
    found = {
        searcher: [_best(_SEARCHERS[searcher](aside.space, _rng(s)), aside, 150) for s in range(10)]
        for searcher in ("random", name)
    }
    assert np.median(found[name]) > np.median(found["random"])
    assert sum(a > b for a, b in zip(found[name], found["random"], strict=True)) >= 7


def test_evolution_starts_with_its_population_and_then_makes_children(aside):
    evolution = searchers.regularised_evolution(aside.space, _rng(1), 8, 3)
    specs = _asked(evolution, aside, 60)
    for born, child in enumerate(specs[8:], start=8):
        living = specs[born - 8 : born]  # the last eight: the oldest leaves
        assert any(child in neighbours(parent, aside.space) for parent in living)


@pytest.mark.parametrize(("population", "sample"), [(0, 1), (1, 0)])
def test_evolution_needs_a_population_and_a_sample(aside, population, sample):
    evolution = searchers.regularised_evolution(aside.space, _rng(0), population, sample)
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        next(evolution)


def test_local_search_moves_at_the_first_better_neighbour(aside):
    specs = _asked(searchers.local_search(aside.space, _rng(2)), aside, 100)
    here = specs[0]
    for spec, following in itertools.pairwise(specs[1:]):
        assert spec in neighbours(here, aside.space)
        if aside.accuracy(spec) > aside.accuracy(here):
            here = spec
        if following not in neighbours(here, aside.space):
            break  # it starts anew, from a network that no neighbour betters
    best = max(map(aside.accuracy, neighbours(here, aside.space)))
    assert best <= aside.accuracy(here)


def test_local_search_may_look_at_all_neighbours_before_it_moves(aside):
    search = searchers.local_search(aside.space, _rng(3), first_improvement=False)
    specs = _asked(search, aside, 1 + 16 + 16)
    assert set(specs[1:17]) == set(neighbours(specs[0], aside.space))
    best = max(specs[1:17], key=aside.accuracy)
    assert set(specs[17:]) == set(neighbours(best, aside.space))
