"""The baselines: a single change is legal, all of them are found, and the searchers search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import randomness
from epnas_tf.architecture import initial
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import LayerSpec, Spec
from epnas_tf.studies import baselines, tables
from epnas_tf.studies.tables import Table
from tests.own_space import OWN

_FIXED = SearchSpace(
    "layerwise",
    OWN.fields,
    max_items=3,
    fixed_length=True,
    ops=OWN.ops,
    image_size=(8, 8),
)
_SPACES = {
    "layerwise": layerwise_space((8, 8), channels=(8, 16), max_layers=4),
    "module": module_space(filter_widths=(1, 3), channels=(8, 16), max_branches=3),
    "own": OWN,
    "fixed": _FIXED,
    "digits": tables.digits_space(),
    "nas_bench_201": tables.nas_bench_201_space(),
}
_each_space = pytest.mark.parametrize("space", _SPACES.values(), ids=_SPACES)
_checked = settings(deadline=None, derandomize=True, max_examples=30, database=None)
_seeds = st.integers(0, 2**32)


def _rng(seed: int, *names: str) -> np.random.Generator:
    return randomness.generator(seed, "peers_test", *names)


# --- a single change -----------------------------------------------------------------------------


@_each_space
@_checked
@given(seed=_seeds)
def test_a_mutation_is_legal_and_a_change(space, seed):
    rng = _rng(seed)
    spec = initial.random_spec(space, rng)
    for _ in range(5):
        changed = baselines.mutate(spec, space, rng)
        space.check(changed)
        assert abs(len(changed.items) - len(spec.items)) <= 1
        spec = changed


@_each_space
@_checked
@given(seed=_seeds)
def test_a_mutation_of_a_field_is_a_neighbour(space, seed):
    rng = _rng(seed)
    spec = initial.random_spec(space, rng)
    near = set(baselines.neighbours(spec, space)) | {
        spec
    }  # removing a twin's twin may bring it back
    assert all(baselines.mutate(spec, space, rng) in near for _ in range(5))


@_each_space
@_checked
@given(seed=_seeds)
def test_neighbours_are_legal_and_distinct(space, seed):
    spec = initial.random_spec(space, _rng(seed))
    near = baselines.neighbours(spec, space)
    for neighbour in near:
        space.check(neighbour)
    assert len(set(near)) == len(near) > 0
    assert spec not in near


@pytest.mark.parametrize("space", [_FIXED, _SPACES["nas_bench_201"]], ids=["fixed", "nb201"])
@_checked
@given(seed=_seeds)
def test_neighbours_are_mutual_where_the_length_is_fixed(space, seed):
    spec = initial.random_spec(space, _rng(seed))
    near = baselines.neighbours(spec, space)
    near = [near[index] for index in _rng(seed, "some").permutation(len(near))[:10]]
    assert all(spec in baselines.neighbours(neighbour, space) for neighbour in near)


def _brute_force(spec: Spec, space: SearchSpace) -> set[Spec]:
    """Returns the networks of equal length that differ in one field of one item, from all."""
    legal = set(tables.every_network(space))
    return {
        other
        for other in legal
        if len(other.items) == len(spec.items)
        and sum(a.to_dict() != b.to_dict() for a, b in zip(spec.items, other.items, strict=True))
        == 1
        and all(_near(a, b) for a, b in zip(spec.items, other.items, strict=True))
    }


def _near(a: LayerSpec, b: LayerSpec) -> bool:
    names = set(a.to_dict()) & set(b.to_dict()) - {"op"}
    differing = [name for name in names if a.get(name) != b.get(name)]
    return len(differing) <= 1 if a.op == b.op else not differing


def test_all_changes_of_fields_are_found():
    space = tables.digits_space()
    for spec in tables.every_network(space)[::97]:
        length = len(spec.items)
        found = {n for n in baselines.neighbours(spec, space) if len(n.items) == length}
        # Adjacent networks may also be had by other ways than a field: none of equal length.
        assert found == _brute_force(spec, space)


def test_all_insertions_and_removals_are_found():
    space = layerwise_space(
        (32, 32),
        layer_types=("conv2d",),
        filter_widths=(3,),
        channels=(16, 32),
        activations=("relu",),
        max_layers=3,
    )
    layer = LayerSpec("conv2d", 3, None, 16, "relu")
    spec = space.new_spec([layer, layer.replace("channels", 32)])
    near = baselines.neighbours(spec, space)
    sizes = [len(neighbour.items) for neighbour in near]
    assert sizes.count(1) == 2
    # Layer 1 has other channels or a skip from 0; layer 2 other channels or a skip from 0 or 1.
    assert sizes.count(2) == 1 + 1 + 1 + 2
    # 2 channels at 3 places with sources -1..place: 4 + 6 + 8, of which two come up twice.
    assert sizes.count(3) == 18 - 2


def test_a_network_of_nas_bench_201_has_24_neighbours():
    space = tables.nas_bench_201_space()
    spec = space.new_spec([LayerSpec("none")] * 6)
    near = baselines.neighbours(spec, space)
    assert len(near) == 24
    assert all(sum(item.op != "none" for item in n.items) == 1 for n in near)
    assert {baselines.mutate(spec, space, _rng(seed)) for seed in range(300)} == set(near)


def test_where_nothing_can_change_there_is_no_mutation():
    space = SearchSpace(
        "layerwise",
        (Field("op", ("id",)),),
        max_items=1,
        fixed_length=True,
        skips=False,
        ops=OWN.ops,
    )
    spec = space.new_spec([LayerSpec("id")])
    assert baselines.neighbours(spec, space) == []
    with pytest.raises(ValueError, match="at least one neighbour, got .*id"):
        baselines.mutate(spec, space, _rng(0))


# --- the searchers -------------------------------------------------------------------------------


@pytest.fixture(name="aside", scope="module")
def _aside() -> Table:
    return tables.kept_aside()


def _asked(searcher: baselines.Searcher, table: Table, count: int) -> list[Spec]:
    specs = [next(searcher)]
    while len(specs) < count:
        specs.append(searcher.send(table.accuracy(specs[-1])))
    return specs


def _best(searcher: baselines.Searcher, table: Table, queries: int) -> float:
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
    "random": baselines.random_sampling,
    "evolution": lambda space, rng: baselines.regularised_evolution(space, rng, 20, 5),
    "first": baselines.local_search,
    "best": lambda space, rng: baselines.local_search(space, rng, first_improvement=False),
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
    evolution = baselines.regularised_evolution(aside.space, _rng(1), 8, 3)
    specs = _asked(evolution, aside, 60)
    for born, child in enumerate(specs[8:], start=8):
        living = specs[born - 8 : born]  # the last eight: the oldest leaves
        assert any(child in baselines.neighbours(parent, aside.space) for parent in living)


@pytest.mark.parametrize(("population", "sample"), [(0, 1), (1, 0)])
def test_evolution_needs_a_population_and_a_sample(aside, population, sample):
    evolution = baselines.regularised_evolution(aside.space, _rng(0), population, sample)
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        next(evolution)


def test_local_search_moves_at_the_first_better_neighbour(aside):
    specs = _asked(baselines.local_search(aside.space, _rng(2)), aside, 100)
    here = specs[0]
    for spec, following in itertools.pairwise(specs[1:]):
        assert spec in baselines.neighbours(here, aside.space)
        if aside.accuracy(spec) > aside.accuracy(here):
            here = spec
        if following not in baselines.neighbours(here, aside.space):
            break  # it starts anew, from a network that no neighbour betters
    best = max(map(aside.accuracy, baselines.neighbours(here, aside.space)))
    assert best <= aside.accuracy(here)


def test_local_search_may_look_at_all_neighbours_before_it_moves(aside):
    search = baselines.local_search(aside.space, _rng(3), first_improvement=False)
    specs = _asked(search, aside, 1 + 16 + 16)
    assert set(specs[1:17]) == set(baselines.neighbours(specs[0], aside.space))
    best = max(specs[1:17], key=aside.accuracy)
    assert set(specs[17:]) == set(baselines.neighbours(best, aside.space))
