"""Violations, penalties and rewards, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from epnas_tf.architecture import limits
from epnas_tf.architecture.cost_rules import Cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.resources import RESOURCES

_COST = Cost(params=1500, flops=6000, traffic_bytes=200)  # intensity 30


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (Constraint("params", upper=1000), 0.5),
        (Constraint("params", upper=1500), 0.0),
        (Constraint("params", lower=3000), 0.5),
        (Constraint("params", lower=1500), 0.0),
        (Constraint("flops", upper=4000), 0.5),
        (Constraint("intensity", lower=40), 0.25),
        (Constraint("intensity", lower=5, upper=15), 1.0),
        (Constraint("intensity", lower=50, upper=60), 0.4),
        (Constraint("intensity", lower=30, upper=30), 0.0),
        (Constraint("traffic", upper=50), 3.0),
        (Constraint("traffic"), 0.0),
    ],
)
def test_violation_is_relative_to_the_bound_crossed(constraint, expected):
    assert limits.violation(_COST, constraint) == pytest.approx(expected, abs=1e-12)


def test_each_metric_reads_its_own_use():
    uses = [limits.usage(_COST, metric) for metric in RESOURCES]
    assert uses == [1500.0, 6000.0, 30.0, 200.0]


def test_the_reward_is_accuracy_times_the_product_of_the_penalties():
    constraints = [
        Constraint("params", upper=1000),  # violated by 0.5
        Constraint("intensity", lower=40, base=0.5),  # violated by 0.25
        Constraint("flops", upper=1e9),
    ]
    factor = 0.9486832980505138 * 0.8408964152537145  # sqrt(0.9), the fourth root of 0.5
    assert limits.penalty(_COST, constraints) == pytest.approx(factor, rel=1e-12)
    assert limits.reward(0.8, _COST, constraints) == pytest.approx(0.8 * factor, rel=1e-12)
    assert limits.total_violation(_COST, constraints) == pytest.approx(0.75)
    assert not limits.feasible(_COST, constraints)


def test_within_every_limit_the_reward_is_the_accuracy():
    constraints = [Constraint("params", 1000, 1500), Constraint("intensity", 30, 40)]
    assert limits.feasible(_COST, constraints)
    assert limits.reward(0.8, _COST, constraints) == 0.8
    assert limits.reward(0.8, _COST, []) == 0.8
    assert limits.feasible(_COST, [])


def test_use_at_the_bound_is_feasible_whatever_its_size():
    for use in (1, 3, 7, 10**9 + 7, 855_770):
        constraint = Constraint("params", lower=use, upper=use)
        assert limits.feasible(Cost(params=use), [constraint])
        assert not limits.feasible(Cost(params=use + 1), [constraint])
        assert not limits.feasible(Cost(params=use - 1), [constraint])


def test_the_excess_is_the_largest_ratio_to_an_upper_bound():
    constraints = [
        Constraint("params", upper=1000),
        Constraint("flops", upper=2000),
        Constraint("intensity", lower=1e6),
    ]
    assert limits.excess(_COST, constraints) == (3.0, "flops")
    assert limits.excess(_COST, constraints[:1]) == (1.5, "params")
    assert limits.excess(_COST, constraints[2:]) == (0.0, "")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constraint("latency"), r"metric must be one of \('params', .*\), got 'latency'"),
        (lambda: limits.usage(_COST, "latency"), "metric must be one of .* got 'latency'"),
        (lambda: Constraint("params", lower=0), "lower bound of params must be above 0, got 0"),
        (lambda: Constraint("flops", upper=-1), "upper bound of flops must be above 0, got -1"),
        (lambda: Constraint("flops", upper=float("nan")), "upper bound of flops .* got nan"),
        (
            lambda: Constraint("params", 20, 10),
            "lower bound of params must not exceed the upper bound, got 20 > 10",
        ),
        (lambda: Constraint("params", base=0), r"base of params must be in \(0, 1\], got 0"),
        (lambda: Constraint("params", base=1.5), r"base of params must be in \(0, 1\], got 1.5"),
    ],
)
def test_what_is_no_limit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
