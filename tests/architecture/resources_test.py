"""The table of resources: what a network uses of each, and how files and tables write it."""

from __future__ import annotations

import pytest

from epnas_tf.architecture.cost_rules import Cost
from epnas_tf.architecture.resources import RESOURCES, uses_of

_COST = Cost(params=1500, flops=6000, traffic_bytes=160)


def test_each_resource_reads_its_own_use():
    uses = uses_of(_COST)
    assert uses == {"params": 1500, "flops": 6000, "intensity": 37.5, "traffic": 160}
    assert {type(use) for use in uses.values()} == {float}  # as metrics of Keras Tuner are


def test_a_network_that_moves_no_bytes_has_no_intensity():
    assert uses_of(Cost(0, 0, 0))["intensity"] == 0.0


@pytest.mark.parametrize("word", ["name", "column", "title"])
def test_no_two_resources_share_a_word(word):
    words = [getattr(resource, word) for resource in RESOURCES.values()]
    assert len(set(words)) == len(words)


def test_a_resource_is_found_by_its_name():
    assert [resource.name for resource in RESOURCES.values()] == list(RESOURCES)


def test_what_follows_from_others_is_a_ratio_of_them():
    derived = [resource for resource in RESOURCES.values() if resource.derived]
    double = Cost(2 * _COST.params, 2 * _COST.flops, 2 * _COST.traffic_bytes)
    assert [resource.of(double) / resource.of(_COST) for resource in derived] == [1.0]
    others = [resource for resource in RESOURCES.values() if not resource.derived]
    assert {resource.of(double) / resource.of(_COST) for resource in others} == {2.0}


@pytest.mark.parametrize(
    ("name", "use", "plain", "cell"),
    [
        ("params", 1500.0, "1500", "1500"),
        ("traffic", 2.0**40, "1099511627776", "1099511627776"),
        ("intensity", 37.5, "37.5", "37.500"),
        ("intensity", 1 / 3, "0.3333333333333333", "0.333"),
    ],
)
def test_whole_numbers_are_written_as_such(name, use, plain, cell):
    resource = RESOURCES[name]
    assert (str(resource.plain(use)), resource.cell(use)) == (plain, cell)
