"""Single changes of a network: they are legal, and all of them are found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import randomness
from epnas_tf.architecture import initial, morph, neighbours
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import LayerSpec, Spec
from epnas_tf.studies import tables
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
    return randomness.generator(seed, "neighbours_test", *names)


@_each_space
@_checked
@given(seed=_seeds)
def test_a_mutation_is_legal_and_a_change(space, seed):
    rng = _rng(seed)
    spec = initial.random_spec(space, rng)
    for _ in range(5):
        changed = neighbours.mutate(spec, space, rng)
        space.check(changed)
        assert abs(len(changed.items) - len(spec.items)) <= 1
        spec = changed


@_each_space
@_checked
@given(seed=_seeds)
def test_a_mutation_of_a_field_is_a_neighbour(space, seed):
    rng = _rng(seed)
    spec = initial.random_spec(space, rng)
    near = set(neighbours.neighbours(spec, space)) | {
        spec
    }  # removing a twin's twin may bring it back
    assert all(neighbours.mutate(spec, space, rng) in near for _ in range(5))


@_each_space
@_checked
@given(seed=_seeds)
def test_neighbours_are_legal_and_distinct(space, seed):
    spec = initial.random_spec(space, _rng(seed))
    near = neighbours.neighbours(spec, space)
    for neighbour in near:
        space.check(neighbour)
    assert len(set(near)) == len(near) > 0
    assert spec not in near


@pytest.mark.parametrize("space", [_FIXED, _SPACES["nas_bench_201"]], ids=["fixed", "nb201"])
@_checked
@given(seed=_seeds)
def test_neighbours_are_mutual_where_the_length_is_fixed(space, seed):
    spec = initial.random_spec(space, _rng(seed))
    near = neighbours.neighbours(spec, space)
    near = [near[index] for index in _rng(seed, "some").permutation(len(near))[:10]]
    assert all(spec in neighbours.neighbours(neighbour, space) for neighbour in near)


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
        found = {n for n in neighbours.neighbours(spec, space) if len(n.items) == length}
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
    near = neighbours.neighbours(spec, space)
    sizes = [len(neighbour.items) for neighbour in near]
    assert sizes.count(1) == 2
    # Layer 1 has other channels or a skip from 0; layer 2 other channels or a skip from 0 or 1.
    assert sizes.count(2) == 1 + 1 + 1 + 2
    # 2 channels at 3 places with sources -1..place: 4 + 6 + 8, of which two come up twice.
    assert sizes.count(3) == 18 - 2


def test_a_network_of_nas_bench_201_has_24_neighbours():
    space = tables.nas_bench_201_space()
    spec = space.new_spec([LayerSpec("none")] * 6)
    near = neighbours.neighbours(spec, space)
    assert len(near) == 24
    assert all(sum(item.op != "none" for item in n.items) == 1 for n in near)
    assert {neighbours.mutate(spec, space, _rng(seed)) for seed in range(300)} == set(near)


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
    assert neighbours.neighbours(spec, space) == []
    with pytest.raises(ValueError, match="at least one neighbour, got .*id"):
        neighbours.mutate(spec, space, _rng(0))


@_each_space
@_checked
@given(seed=_seeds)
def test_each_change_makes_the_network_that_stands_beside_it(space, seed):
    spec = initial.random_spec(space, _rng(seed))
    found = neighbours.some_changes(spec, space, 20, _rng(seed, "some"))
    assert 0 < len(found) <= 20
    assert len({changed for _, changed in found}) == len(found)
    for edit, changed in found:
        action = morph.Morph((), edit)
        assert morph.apply(spec, action, space) == changed
        assert morph.from_dict(morph.to_dict(action), space) == action


def test_a_small_neighbourhood_is_looked_at_whole_and_a_large_one_in_all_places():
    space = tables.nas_bench_201_space()
    spec = space.new_spec([LayerSpec("none")] * 6)
    whole = [changed for _, changed in neighbours.some_changes(spec, space, 24, _rng(0))]
    assert whole == neighbours.neighbours(spec, space)
    some = neighbours.some_changes(spec, space, 23, _rng(0))
    assert len({edit.index for edit, _ in some}) > 4
