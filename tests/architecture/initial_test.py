"""Random starting networks: of the space, deterministic, within the limits where possible."""

from __future__ import annotations

import collections

import pytest

from epnas_tf import randomness
from epnas_tf.architecture import initial, limits
from epnas_tf.architecture.choices import Choice
from epnas_tf.architecture.cost import cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import Spec

_FIXED = SearchSpace(
    "layerwise",
    (Field("op", ("gate", "pool"), scaled=True),),
    max_items=5,
    fixed_length=True,
    ops={"gate": OpDef(()), "pool": OpDef((), halves=True)},
    image_size=(8, 8),
)


def _rng(*slot: int):
    return randomness.generator(0, "initial_test", *slot)


@pytest.mark.parametrize("space", [layerwise_space(), module_space(), _FIXED])
def test_random_networks_are_of_the_space(space):
    for slot in range(40):
        space.check(initial.random_spec(space, _rng(slot)))


@pytest.mark.parametrize("space", [layerwise_space(), module_space(), _FIXED])
def test_equal_generators_give_equal_networks(space):
    assert initial.random_spec(space, _rng(1)) == initial.random_spec(space, _rng(1))
    assert initial.starting_spec(space, _rng(2)) == initial.starting_spec(space, _rng(2))


def test_lengths_are_spread_over_the_whole_range():
    lengths = {len(initial.random_spec(module_space(), _rng(slot)).items) for slot in range(60)}
    assert lengths == {1, 2, 3, 4, 5, 6}


def test_the_length_can_be_bounded():
    for slot in range(20):
        assert len(initial.random_spec(layerwise_space(), _rng(slot), max_items=2).items) <= 2
    few = layerwise_space(max_layers=2)
    assert len(initial.random_spec(few, _rng(), max_items=9).items) <= 2


def test_a_fixed_length_is_kept_and_so_are_its_halvings():
    specs = [initial.random_spec(_FIXED, _rng(slot)) for slot in range(20)]
    assert {len(spec.items) for spec in specs} == {5}
    assert {sum(item.op == "pool" for item in spec.items) for spec in specs} <= {0, 1, 2}


def test_a_space_that_can_grow_no_further_stops_there():
    pools = layerwise_space((8, 8), layer_types=("max_pool",), max_layers=9)
    lengths = {len(initial.random_spec(pools, _rng(slot)).items) for slot in range(20)}
    assert lengths == {1, 2}


def test_a_uniform_pick_takes_legal_options_alike():
    pick = initial.uniform_pick(_rng())
    choice = Choice("op", (False, True, False, True, True), None)
    counts = collections.Counter(pick(choice) for _ in range(3000))
    assert sorted(counts) == [1, 3, 4]
    assert all(900 < count < 1100 for count in counts.values())


@pytest.mark.parametrize("space", [layerwise_space((8, 8)), module_space()])
def test_starting_networks_lie_within_the_limits_and_differ(space):
    constraints = [Constraint("params", upper=20_000), Constraint("intensity", lower=3)]

    def violation(spec: Spec) -> float:
        return limits.total_violation(cost(spec, (8, 8, 1), 10), constraints)

    taken: set[str] = set()
    for slot in range(8):
        spec = initial.starting_spec(space, _rng(slot), violation, frozenset(taken))
        assert limits.feasible(cost(spec, (8, 8, 1), 10), constraints)
        taken.add(spec.key)
    assert len(taken) == 8


def test_the_least_violating_of_all_tries_where_none_is_within():
    space = layerwise_space((8, 8))
    seen: list[float] = []

    def violation(spec: Spec) -> float:
        seen.append(cost(spec, (8, 8, 1), 10).params / 10)
        return seen[-1]

    spec = initial.starting_spec(space, _rng(3), violation)
    assert len(seen) == initial.MAX_TRIES == 200
    assert cost(spec, (8, 8, 1), 10).params / 10 == min(seen)


def test_the_first_of_equally_violating_networks():
    first = initial.random_spec(module_space(), _rng(4))
    assert initial.starting_spec(module_space(), _rng(4), lambda spec: 1.0) == first


def test_a_taken_network_is_better_than_a_violating_one_only():
    one = layerwise_space(
        layer_types=("conv2d",),
        filter_widths=(1,),
        channels=(8, 16),
        activations=("relu",),
        max_layers=1,
    )
    first = initial.starting_spec(one, _rng())

    def only_the_first(spec: Spec) -> float:
        return float(spec != first)

    taken = frozenset({first.key})
    assert initial.starting_spec(one, _rng(), taken=taken) != first
    assert initial.starting_spec(one, _rng(), only_the_first, taken) == first
