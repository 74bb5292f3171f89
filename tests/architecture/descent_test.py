"""Starting networks near the limits, and the way to limits that random networks do not keep."""

from __future__ import annotations

import pytest

from epnas_tf import randomness
from epnas_tf.architecture import descent, initial, limits, neighbours
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import Spec

_DIGITS = layerwise_space((8, 8), channels=(16, 32, 64), filter_widths=(1, 3, 5), max_layers=8)
# As in flags/digits_tight_limits.flags: fewer than 1 in 100 random networks keep both.
_TIGHT = Budget(
    (8, 8, 1), 10, (Constraint("params", upper=20_000), Constraint("intensity", lower=18))
)
_ROOMY = Budget((8, 8, 1), 10, (Constraint("params", upper=20_000),))


def _rng(*slot: int):
    return randomness.generator(0, "descent_test", *slot)


def _violation_of(metric: str, lower: float):
    constraint = Constraint(metric, lower=lower)
    return lambda spec: limits.total_violation(_ROOMY.cost(spec), [constraint])


# Descending


@pytest.mark.parametrize("seed", range(4))
def test_a_descent_leads_within_limits_that_hardly_a_network_keeps(seed):
    spec = initial.random_spec(_DIGITS, _rng(seed))
    assert _TIGHT.violation(spec) > 0
    found = descent.descended(spec, _DIGITS, _TIGHT.violation, _rng(seed, 1))
    assert _TIGHT.violation(found) == 0
    _DIGITS.check(found)
    assert found == descent.descended(spec, _DIGITS, _TIGHT.violation, _rng(seed, 1))


def test_a_descent_of_no_rounds_stays_and_one_of_a_round_is_a_single_change():
    spec = initial.random_spec(_DIGITS, _rng(1))
    violation = _violation_of("params", 1e9)
    stay, once = (
        descent.descended(spec, _DIGITS, violation, _rng(2), rounds=rounds) for rounds in (0, 1)
    )
    assert stay == spec
    assert once in neighbours.neighbours(spec, _DIGITS)
    assert violation(once) < violation(spec)


def test_a_descent_ends_where_nothing_comes_nearer():
    seen: list[Spec] = []

    def violation(spec: Spec) -> float:
        seen.append(spec)
        return 1.0

    spec = initial.random_spec(_DIGITS, _rng(3))
    assert descent.descended(spec, _DIGITS, violation, _rng(4)) == spec
    assert len(seen) <= 1 + descent.CHANGES


def test_a_network_within_the_limits_is_left_only_where_it_is_taken():
    spec = next(
        drawn
        for drawn in (initial.random_spec(_DIGITS, _rng(5, more)) for more in range(99))
        if _ROOMY.feasible(drawn)
    )
    assert descent.descended(spec, _DIGITS, _ROOMY.violation, _rng()) == spec
    taken = frozenset({spec.key})
    other = descent.descended(spec, _DIGITS, _ROOMY.violation, _rng(), taken)
    assert other != spec
    assert _ROOMY.violation(other) == 0


# Near the limits


@pytest.mark.parametrize("space", [_DIGITS, module_space()])
def test_a_start_near_the_limits_is_the_fullest_of_many_within(space):
    spec = descent.near_limits(space, _rng(6), _ROOMY.violation, _ROOMY.fullness)
    rng = _rng(6)
    drawn = (initial.random_spec(space, rng) for _ in range(descent.MAX_DRAWS))
    within = [known for known in drawn if _ROOMY.feasible(known)][: descent.WITHIN]
    assert _ROOMY.fullness(spec) == max(map(_ROOMY.fullness, within))
    assert 0.75 < _ROOMY.fullness(spec) <= 1
    assert spec in within


def test_without_an_upper_limit_it_is_the_start_of_always():
    budget = Budget((8, 8, 1), 10, (Constraint("params", lower=5_000),))
    for slot in range(5):
        near = descent.near_limits(_DIGITS, _rng(slot), budget.violation, budget.fullness)
        assert near == initial.starting_spec(_DIGITS, _rng(slot), budget.violation)


@pytest.mark.parametrize("seed", range(5))
def test_tight_limits_are_kept_by_distinct_starts(seed, monkeypatch):
    monkeypatch.setattr(descent, "MAX_DRAWS", 32)  # most have none within: the hard case, quickly
    taken: set[str] = set()
    for slot in range(4):
        measures = (_TIGHT.violation, _TIGHT.fullness)
        spec = descent.near_limits(_DIGITS, _rng(seed, slot), *measures, frozenset(taken))
        assert _TIGHT.violation(spec) == 0
        taken.add(spec.key)
    assert len(taken) == 4


def test_where_no_draw_keeps_the_limits_the_least_violating_are_descended_from(monkeypatch):
    monkeypatch.setattr(descent, "MAX_DRAWS", 9)
    rng = _rng(7)
    drawn = [initial.random_spec(_DIGITS, rng) for _ in range(9)]
    begun: list[Spec] = []

    def descended(spec: Spec, *_) -> Spec:
        begun.append(spec)
        return drawn[0]

    monkeypatch.setattr(descent, "descended", descended)
    violation = _violation_of("params", 1e9)
    assert descent.near_limits(_DIGITS, _rng(7), violation, lambda spec: 0.0) == drawn[0]
    assert begun == sorted(drawn, key=violation)[: descent.DESCENTS]


def test_limits_that_cannot_be_kept_give_the_nearest_network(monkeypatch):
    monkeypatch.setattr(descent, "MAX_DRAWS", 9)
    one = layerwise_space(
        (8, 8), layer_types=("conv2d",), filter_widths=(1, 3), channels=(8, 16), max_layers=2
    )
    violation = _violation_of("params", 1e9)
    found = descent.near_limits(one, _rng(8), violation, lambda spec: 0.0)
    assert [(layer.get("width"), layer.get("channels")) for layer in found.items] == [(3, 16)] * 2


def test_a_taken_network_is_better_than_one_outside():
    one = layerwise_space(
        layer_types=("conv2d",),
        filter_widths=(1,),
        channels=(8, 16),
        activations=("relu",),
        max_layers=1,
    )
    first = initial.random_spec(one, _rng())
    taken = frozenset({first.key})
    for violation, expected in (
        (lambda spec: 0.0, False),
        (lambda spec: float(spec != first), True),
    ):
        found = descent.near_limits(one, _rng(), violation, lambda spec: 0.0, taken)
        assert (found == first) is expected
