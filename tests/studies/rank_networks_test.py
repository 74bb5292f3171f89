"""The networks of the study of proxies."""

from __future__ import annotations

import pytest

from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import CellSpec
from epnas_tf.studies import rank_networks

_COUNT = 12


@pytest.fixture(name="budget", scope="module")
def _budget():
    return Budget((32, 32, 3), 10, rank_networks.limits())


@pytest.fixture(name="found", scope="module")
def _found(budget):
    return rank_networks.candidates(_COUNT, budget)


def test_candidates_are_distinct_and_within_the_limits(found, budget):
    assert len({candidate.key for candidate in found}) == len(found) == _COUNT
    assert all(budget.feasible(candidate.spec) for candidate in found)
    patterns = [isinstance(candidate.spec, CellSpec) for candidate in found]
    assert patterns == [False] * (_COUNT // 2) + [True] * (_COUNT // 2)
    assert found == rank_networks.candidates(_COUNT, budget)


def test_steps_are_in_order_and_parents_of_earlier_ones(found):
    for half in (found[: _COUNT // 2], found[_COUNT // 2 :]):
        assert [candidate.step for candidate in half] == [0, 0, 1, 1, 2, 2]
        steps = {candidate.key: candidate.step for candidate in half}
        for candidate in half:
            if candidate.step:
                assert steps[candidate.parent] < candidate.step
                assert candidate.action is not None
            else:
                assert (candidate.parent, candidate.action) == ("", None)


def test_half_channels_are_half(found, budget):
    for candidate in found:
        spec, half = candidate.spec, rank_networks.with_half_channels(candidate.spec)
        if isinstance(spec, CellSpec):
            assert half.width_multiplier == spec.width_multiplier / 2
            assert half.filters == spec.filters // 2
        else:
            assert half.stem_filters == spec.stem_filters // 2
            channels = [layer.channels for layer in spec.layers]
            assert [layer.channels for layer in half.layers] == [c and c // 2 for c in channels]
        assert budget.cost(half).params < budget.cost(spec).params
