"""The plan of a search's first step: the user's networks, then a portfolio, then random ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.portfolio import portfolio
from epnas_tf.architecture.space import layerwise_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching import starts
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.settings import SearchSettings

_SPACE = layerwise_space((8, 8), channels=(16, 32, 64), max_layers=8)
_BUDGET = Budget((8, 8, 1), 10, (Constraint("params", upper=20_000),))
_OWN = LayerwiseSpec((LayerSpec("max_pool", pool=2),))
_KNOWN = portfolio(_SPACE, _BUDGET, 8)


def _plan(kind: str, branches: int, own=(), space=_SPACE) -> starts.Starts:
    return starts.plan(SearchSettings(starts=kind, branches=branches), own, space, _BUDGET)


@pytest.mark.parametrize(
    ("kind", "branches", "own", "expected"),
    [
        ("mixture", 8, [], _KNOWN[:4]),
        ("mixture", 5, [], _KNOWN[:3]),
        ("mixture", 1, [], _KNOWN[:1]),
        ("mixture", 4, [_OWN], [_OWN, *_KNOWN[:2]]),
        ("mixture", 1, [_OWN], [_OWN]),
        ("portfolio", 8, [], _KNOWN),
        ("portfolio", 4, [_OWN], [_OWN, *_KNOWN[:3]]),
        ("portfolio", 4, [_KNOWN[1]], [_KNOWN[1], _KNOWN[0], *_KNOWN[2:4]]),
        ("random", 4, [], []),
        ("random", 4, [_OWN], [_OWN]),
    ],
)
def test_the_users_come_first_then_the_portfolio(kind, branches, own, expected):
    assert _plan(kind, branches, own).initial == expected


@pytest.mark.parametrize("kind", ["mixture", "portfolio"])
def test_the_rest_is_drawn_near_the_limits(kind):
    near = _plan(kind, 4).near
    assert near is not None
    assert near(_KNOWN[0]) == _BUDGET.cost(_KNOWN[0]).params / 20_000
    assert _plan("random", 4).near is None


def test_a_space_of_ones_own_begins_as_ever():
    own = dataclasses.replace(_SPACE, fixed_length=True)
    assert _plan("portfolio", 4, space=own) == starts.Starts([], None)


def test_where_a_prior_is_lent_what_is_drawn_is_what_it_expects_most_of():
    def expected(specs):
        return np.array([-len(spec.items) for spec in specs], float)

    def rng(purpose, branch):
        return randomness.generator(0, purpose, branch)

    knowledge = Knowledge(violation=_BUDGET.violation, prior=[[(_OWN, 1.0)]])
    begun = starts.Begin(_SPACE, starts.Starts([_OWN]), knowledge, expected).specs(3, rng)
    assert begun[0] == _OWN
    assert {len(spec.items) for spec in begun[1:]} == {1}
    assert len({*begun}) == 3
    assert all(_BUDGET.violation(spec) == 0 for spec in begun[1:])
    own = starts.Starts([_OWN])
    nothing = starts.Begin(_SPACE, own, knowledge, lambda specs: None)
    without = starts.Begin(_SPACE, own, Knowledge(violation=_BUDGET.violation), expected)
    assert nothing.specs(3, rng) == without.specs(3, rng) != begun
