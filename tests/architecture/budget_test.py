"""Whether a network is worth training, by hand arithmetic on one small network."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from epnas_tf.architecture import anatomy
from epnas_tf.architecture import cost as cost_lib
from epnas_tf.architecture.budget import (
    FLOPS_PER_BYTE,
    OVER_LIMITS,
    PASSES,
    TOO_LARGE,
    TOO_LONG,
    Budget,
    ChildLimits,
)
from epnas_tf.architecture.cost import Cost, cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.fields import settings_in

_SHAPE, _CLASSES = (8, 8, 1), 10
_SPEC = LayerwiseSpec((LayerSpec("conv2d", 3, None, 8, "relu"),), stem_filters=4)
# Stem 9 * 4 + 8, layer 9 * 4 * 8 + 16, head 8 * 10 + 10.
_PARAMS = 44 + 304 + 90


def _budget(*constraints: Constraint, **settings) -> Budget:
    names = [field.name for field in settings_in(ChildLimits)]
    limits = {"max_child_minutes": None}
    limits |= {name: settings.pop(name) for name in names if name in settings}
    return Budget(_SHAPE, _CLASSES, constraints, ChildLimits(**limits), **settings)


def test_cost_is_that_of_the_architecture():
    counted = _budget().cost(_SPEC)
    assert counted == cost(_SPEC, _SHAPE, _CLASSES)
    assert counted.params == _PARAMS


_OTHER = LayerwiseSpec((LayerSpec("conv2d", 3, None, 16, "relu"),), stem_filters=4)


def _answers(budget: Budget) -> list[object]:
    """Returns all that a budget says of two networks."""
    rules = (budget.cost, budget.numbers, budget.feasible, budget.violation, budget.fullness)
    found = [rule(spec) for spec in (_SPEC, _OTHER) for rule in rules]
    return found + [budget.reason_to_skip(spec) for spec in (_SPEC, _OTHER)]


_ASKED = {"batch": 8, "images": 1000, "machine_gflops": 50.0}


def test_what_is_asked_again_is_answered_the_same_and_counted_once(monkeypatch):
    budget = _budget(Constraint("params", upper=_PARAMS), **_ASKED)
    counted = []
    count = cost_lib.pieces
    monkeypatch.setattr(
        cost_lib, "pieces", lambda spec, *rest: counted.append(spec) or count(spec, *rest)
    )
    first = _answers(budget)
    assert _answers(budget) == first
    assert counted == [_SPEC, _OTHER]
    monkeypatch.undo()
    anew = [_answers(_budget(Constraint("params", upper=_PARAMS), **_ASKED)) for _ in range(2)]
    assert anew == [first, first]


def test_numbers_are_those_of_the_anatomy():
    assert _budget().numbers(_SPEC) == anatomy.numbers(_SPEC, _SHAPE, _CLASSES)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda b: pickle.loads(pickle.dumps(b))]
)
def test_a_budget_that_was_asked_can_be_copied_and_sent(copied):
    budget = _budget(Constraint("params", upper=_PARAMS), **_ASKED)
    answers = _answers(budget)
    other = copied(budget)
    assert other == budget
    assert _answers(other) == answers


def test_another_budget_made_of_one_that_was_asked_counts_anew():
    budget = _budget(Constraint("params", upper=_PARAMS))
    assert budget.feasible(_SPEC)
    larger = dataclasses.replace(budget, num_classes=20)
    assert larger.cost(_SPEC) == cost(_SPEC, _SHAPE, 20)
    assert not larger.feasible(_SPEC)
    assert budget.cost(_SPEC).params == _PARAMS
    assert dataclasses.replace(larger, num_classes=_CLASSES) == budget


@pytest.mark.parametrize(
    ("upper", "reason"),
    [
        (_PARAMS / 2 + 0.01, None),
        (_PARAMS / 2, None),  # exactly twice the limit is not more than twice
        (_PARAMS / 2 - 0.01, OVER_LIMITS),
    ],
)
def test_more_than_skip_over_times_an_upper_limit_is_skipped(upper, reason):
    assert _budget(Constraint("params", upper=upper)).reason_to_skip(_SPEC) == reason


def test_skip_over_is_settable_and_the_worst_limit_counts():
    limits = (Constraint("params", upper=10 * _PARAMS), Constraint("params", upper=_PARAMS / 5))
    assert _budget(*limits, skip_over=5.1).reason_to_skip(_SPEC) is None
    assert _budget(*limits, skip_over=4.9).reason_to_skip(_SPEC) == OVER_LIMITS


@pytest.mark.parametrize("metric", ["params", "flops", "intensity", "traffic"])
def test_lower_limits_never_skip(metric):
    assert _budget(Constraint(metric, lower=1e15)).reason_to_skip(_SPEC) is None


def test_time_is_estimated_from_flops_and_traffic():
    assert (PASSES, FLOPS_PER_BYTE) == (3, 30.0)
    budget = _budget(images=1000, machine_gflops=50.0)
    # 3 passes * 1,000 images * (2 MFLOP + 30 * 1 MB) = 96 GFLOP: 1.92 s at 50 GFLOP/s.
    assert budget.minutes(Cost(0, 2_000_000, 1_000_000)) == pytest.approx(1.92 / 60)


def test_without_a_rate_no_time_is_estimated():
    budget = _budget(images=10**12, max_child_minutes=1e-9)
    assert budget.minutes(Cost(0, 10**12, 10**12)) == 0
    assert budget.reason_to_skip(_SPEC) is None


def test_what_would_train_too_long_is_skipped():
    rate = {"images": 1000, "machine_gflops": 1.0}
    minutes = _budget(**rate).minutes(_budget().cost(_SPEC))
    assert minutes > 0
    just_enough = _budget(max_child_minutes=minutes, **rate)
    assert just_enough.reason_to_skip(_SPEC) is None
    assert just_enough.violation(_SPEC) == 0
    too_little = _budget(max_child_minutes=minutes / 1.25, **rate)
    assert too_little.reason_to_skip(_SPEC) == TOO_LONG
    # Starting networks are to lie within the time as well.
    assert too_little.violation(_SPEC) == pytest.approx(0.25)


def test_over_limits_is_named_before_too_long():
    budget = _budget(
        Constraint("params", upper=1), max_child_minutes=1e-9, images=10**6, machine_gflops=1.0
    )
    assert budget.reason_to_skip(_SPEC) == OVER_LIMITS


def test_violation_and_feasible_are_those_of_the_limits():
    budget = _budget(
        Constraint("params", upper=_PARAMS / 1.5), Constraint("params", lower=2 * _PARAMS)
    )
    assert budget.violation(_SPEC) == pytest.approx(0.5 + 0.5)
    assert not budget.feasible(_SPEC)
    assert _budget(Constraint("params", lower=_PARAMS, upper=_PARAMS)).feasible(_SPEC)


def test_reward_of_an_untrained_network_is_chance_times_the_penalty():
    budget = _budget(Constraint("params", upper=_PARAMS / 4, base=0.9))
    assert budget.chance == 0.1
    assert budget.reward(budget.chance, _SPEC) == pytest.approx(0.1 * 0.9**3)


def test_memory_is_estimated_from_the_batch_and_the_parameters():
    budget = _budget(batch=64)
    # 64 images * 3 * half of the traffic that is not parameters + 16 bytes a parameter.
    assert budget.memory(Cost(1_000, 0, 4_000 + 20_000)) == 64 * 3 * 10_000 + 16_000


@pytest.mark.parametrize(("share", "reason"), [(1.001, None), (0.999, TOO_LARGE)])
def test_what_needs_too_much_memory_is_not_trained(share, reason):
    needed = _budget(batch=32).memory(cost(_SPEC, _SHAPE, _CLASSES))
    budget = _budget(batch=32, max_child_memory=share * needed)
    assert budget.reason_to_skip(_SPEC) == reason
    assert budget.violation(_SPEC) == pytest.approx(max(0.0, 1 / share - 1))


def test_fullness_is_the_largest_share_of_an_upper_limit():
    params, flops = _budget().cost(_SPEC).params, _budget().cost(_SPEC).flops
    assert _budget().fullness(_SPEC) == 0
    assert _budget(Constraint("params", lower=10 * params)).fullness(_SPEC) == 0
    half, twice = Constraint("flops", upper=2 * flops), Constraint("params", upper=params / 2)
    assert _budget(half).fullness(_SPEC) == 0.5
    assert _budget(half, twice).fullness(_SPEC) == _budget(twice, half).fullness(_SPEC) == 2
