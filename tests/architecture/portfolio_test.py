"""What anybody would try first: within the limits, about as large as what one writes by hand."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from epnas_tf.architecture import portfolio as portfolio_lib
from epnas_tf.architecture.budget import Budget, ChildLimits
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.ops import OPS, OpDef
from epnas_tf.architecture.portfolio import Portfolio, portfolio
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import Spec

_CIFAR_SPACE = layerwise_space(channels=(16, 32, 64), filter_widths=(1, 3, 5), max_layers=10)


def _budget(size: int = 32, channels: int = 3, **upper: float) -> Budget:
    limits = tuple(Constraint(name, upper=most) for name, most in upper.items())
    return Budget((size, size, channels), 10, limits)


_CIFAR = _budget(params=150e3, flops=25e6)
_SHORT = {"conv2d": "c", "dep_sep_conv2d": "d", "max_pool": "p", "avg_pool": "a"}


def _text(spec: Spec) -> str:
    """Returns a layerwise network in short: c32<3 is a convolution that adds output 3."""
    skips = [f"<{item.get('src2')}" * (item.get("src2") != -1) for item in spec.items]
    parts = [_SHORT[item.op] + str(item.channels or "") for item in spec.items]
    return " ".join(map("".join, zip(parts, skips, strict=True)))


def _of_convolutions(spec: Spec, *names: str) -> set[tuple]:
    return {tuple(item.get(name) for name in names) for item in spec.items if item.channels}


def test_what_one_writes_by_hand_is_there_at_the_size_of_the_limits():
    plain, residual, separable, early = portfolio(_CIFAR_SPACE, _CIFAR, 4)
    assert _text(plain) == "c16 p c32 c32 p c64 c64 c64 p"
    assert _text(residual) == "c16<0 p c32 c32<3 p c64 c64 c64<6 p"
    assert _text(separable) == "d32 p d64 d64 d64 p d64 d64 d64 p"
    assert _text(early) == "p c32 c32 c32<2 p c64 c64 c64<6 p"
    assert _of_convolutions(plain, "width", "activation") == {(3, "swish")}
    assert _of_convolutions(residual, "width", "activation") == {(3, "swish")}
    poolings = {item.pool for spec in (plain, residual) for item in spec.items if item.pool}
    assert poolings == {3}  # their windows overlap
    cost = _CIFAR.cost(plain)
    assert (cost.params, round(cost.flops / 1e6, 1)) == (109_946, 24.5)


@pytest.mark.parametrize("space", [_CIFAR_SPACE, module_space()])
def test_there_are_enough_for_the_usual_branches(space):
    assert len(portfolio(space, _CIFAR, 8)) == 8


def test_fewer_layers_give_the_plain_network_of_eight():
    space = layerwise_space(channels=(16, 32, 64), filter_widths=(1, 3), max_layers=8)
    assert _text(portfolio(space, _CIFAR, 1)[0]) == "c16 p c32 c32 p c64 c64 p"


def test_few_parameters_take_layers_away_before_the_channels_that_grow():
    found = portfolio(layerwise_space(), _budget(params=50e3), 1)[0]
    assert _text(found) == "c16 p c32 c32 p c64 p"


_CASES = {
    "cifar": (_CIFAR_SPACE, _CIFAR),
    "no limit": (layerwise_space(), _budget()),
    "large images": (layerwise_space((96, 96)), _budget(96)),
    "parameters": (layerwise_space(), _budget(params=2e6)),
    "digits": (layerwise_space((8, 8), channels=(16, 32, 64)), _budget(8, 1, params=20e3)),
    "narrow": (layerwise_space(channels=(4, 8), max_layers=5), _budget(flops=5e6)),
    "cells": (module_space(), _CIFAR),
    "deep cells": (module_space(cells_per_stage=2, filters=24), _budget()),
    "small cells": (module_space(max_branches=2, channels=(8, 16)), _budget(flops=20e6)),
}


@pytest.mark.parametrize(("space", "budget"), _CASES.values(), ids=_CASES)
def test_networks_are_of_the_space_within_the_limits_and_distinct(space, budget):
    found = portfolio(space, budget, 6)
    assert len(found) == len(set(found)) == 6
    for spec in found:
        space.check(spec)
        assert budget.violation(spec) == 0


@pytest.mark.parametrize(("space", "budget"), _CASES.values(), ids=_CASES)
def test_fewer_networks_are_the_first_of_more(space, budget):
    found = portfolio(space, budget, 8)
    assert portfolio(space, budget, 3) == found[:3]
    assert portfolio(space, budget, 0) == []
    assert found == portfolio(space, budget, 8)


def test_later_ones_of_a_family_are_of_other_channels_and_not_much_shallower():
    plain = [
        spec
        for spec in portfolio(layerwise_space(), _budget(), 99)
        if {item.op for item in spec.items} == {"conv2d", "max_pool"}
        and all(item.get("src2") == -1 for item in spec.items)
    ]
    widths = [tuple(item.channels for item in spec.items if item.channels) for spec in plain]
    assert len(widths) > 3
    assert len(set(map(frozenset, widths))) > 3
    assert min(map(len, widths)) + 1 >= (len(widths[0]) + 1) / 2


def test_without_a_limit_on_flops_networks_keep_100_mflops():
    for budget in (_budget(), _budget(traffic=1e9), _budget(params=4e6)):
        costs = [budget.cost(spec).flops for spec in portfolio(layerwise_space(), budget, 8)]
        assert 50e6 < max(costs) <= 100e6
    one = _budget(flops=1e9)
    assert max(one.cost(spec).flops for spec in portfolio(layerwise_space(), one, 8)) > 100e6


def test_the_time_and_the_memory_of_a_child_are_limits_too():
    time = ChildLimits(max_child_minutes=1.0, max_child_memory=1e9)
    work = {"images": 15_000, "machine_gflops": 20.0, "batch": 128}
    limited = dataclasses.replace(_budget(params=4e6), limits=time, **work)
    found = portfolio(layerwise_space(), limited, 4)
    assert len(found) == 4
    assert all(limited.violation(spec) == 0 for spec in found)
    assert found != portfolio(layerwise_space(), _budget(params=4e6), 4)


def test_a_portfolio_listed_once_is_the_same_under_every_ceiling_on_time():
    budget = dataclasses.replace(_budget(params=4e6), images=15_000, machine_gflops=20.0)
    listed = Portfolio(layerwise_space(), budget)
    for minutes in (1.0, 0.01, 3.0, 1.0):  # down, to none, and up again
        time = ChildLimits(max_child_minutes=minutes)
        limited = dataclasses.replace(budget, limits=time)
        assert listed.specs(4, minutes) == portfolio(layerwise_space(), limited, 4)
    assert listed.specs(4) == portfolio(layerwise_space(), budget, 4)
    assert listed.specs(4, 0.01) == []


def test_lower_limits_choose_the_members_that_keep_them():
    space = layerwise_space((8, 8), channels=(16, 32, 64), max_layers=8)
    tight = (Constraint("params", upper=20e3), Constraint("intensity", lower=18))
    budget = Budget((8, 8, 1), 10, tight)
    assert [_text(spec) for spec in portfolio(space, budget, 8)] == ["c32 c32", "c32 c32<1"]


def test_a_family_that_cannot_keep_the_limits_is_left_out():
    assert portfolio(_CIFAR_SPACE, _budget(params=600), 8) == []


@pytest.mark.parametrize(
    ("types", "texts"),
    [
        (("conv2d", "avg_pool"), {"c", "a"}),
        (("dep_sep_conv2d", "max_pool", "add"), {"d", "p"}),
        (("conv2d",), {"c"}),
        (("max_pool", "avg_pool"), set()),
    ],
)
def test_what_needs_an_operation_the_space_lacks_is_left_out(types, texts):
    found = portfolio(layerwise_space(layer_types=types), _CIFAR, 8)
    assert {_SHORT[item.op] for spec in found for item in spec.items} == texts


def test_a_space_without_skips_has_no_residual_networks():
    found = portfolio(dataclasses.replace(_CIFAR_SPACE, skips=False), _CIFAR, 8)
    assert found
    assert all(item.get("src2") == -1 for spec in found for item in spec.items)


def test_without_swish_and_kernels_of_3_the_space_has_the_nearest():
    space = layerwise_space(activations=("elu", "relu"), filter_widths=(1, 5), pool_widths=(2,))
    spec = portfolio(space, _CIFAR, 1)[0]
    assert _of_convolutions(spec, "width", "activation") == {(5, "elu")}
    assert {item.get("pool") for item in spec.items if not item.channels} == {2}


def test_cells_are_plain_double_pooled_light_and_dense():
    found = portfolio(module_space(), _CIFAR, 5)
    assert [sorted({branch.op for branch in spec.items}) for spec in found] == [
        ["conv-none"],
        ["conv-conv"],
        ["conv-maxpool", "conv-none"],
        ["1x7-7x1-none", "conv-none"],
        ["conv-none"],
    ]
    plain, double, dense = found[0], found[1], found[4]
    assert [(item.get("src1"), item.get("propagate")) for item in plain.items] == [(0, 0), (1, 1)]
    assert [(item.get("src1"), item.get("src2")) for item in double.items] == [(0, 0), (1, 0)]
    assert [item.get("propagate") for item in dense.items] == [1] * 3
    assert 70e3 < _CIFAR.cost(plain).params < 150e3


def test_cells_of_many_per_stage_are_shallow():
    deep = module_space(cells_per_stage=3)
    for spec in portfolio(deep, _budget(), 4):
        assert len(spec.items) <= 2


_OWN_OPS = SearchSpace("layerwise", (Field("op", ("own",)),), max_items=3, ops={"own": OpDef(())})


@pytest.mark.parametrize(
    "space",
    [
        _OWN_OPS,
        dataclasses.replace(_CIFAR_SPACE, ops={**OPS, "own": OpDef(())}),
        dataclasses.replace(_CIFAR_SPACE, fields=(*_CIFAR_SPACE.fields, Field("own", (1, 2)))),
        dataclasses.replace(_CIFAR_SPACE, fixed_length=True),
    ],
)
def test_a_space_of_ones_own_has_no_portfolio(space):
    assert not portfolio_lib.covers(space)
    assert portfolio(space, _budget(), 8) == []


def test_bridges_span_pairs_and_a_last_single_one():
    spans = [portfolio_lib._bridges(*case) for case in itertools.product((1, 2, 3), (True, False))]
    assert spans == [[0], [1], [0, 1], [0, 2], [0, 0, 2], [0, 2, 1]]
