"""Good networks of about the same cost: which are chosen, and that no chance is in it."""

from __future__ import annotations

import dataclasses

import pytest

from epnas_tf.studies import good_networks, named_networks
from epnas_tf.studies.good_networks import PATTERNS, WITHIN
from tests.studies import search_files


@pytest.fixture(name="hand_made", scope="module")
def _hand_made():
    return named_networks.read([named_networks.HAND_MADE])


@pytest.fixture(name="found", scope="module")
def _found(hand_made):
    return good_networks.chosen(hand_made, [], 32)


def test_there_are_so_many_of_each_pattern_within_the_limits(found):
    for name in PATTERNS:
        where = good_networks.pattern(name)
        mine = [spec for spec in found.values() if spec.pattern == name]
        assert len({spec.key for spec in mine}) == 32
        assert all(where.holds(spec) for spec in mine)
        costs = [where.cost(spec) for spec in mine]
        assert max(costs) <= WITHIN * min(costs)


def test_they_are_those_made_by_hand_then_starts_then_changes_of_them(found, hand_made):
    mine = [name for name, spec in found.items() if spec.pattern == "module"]
    own = [name for name, spec in hand_made.items() if spec.pattern == "module"]
    assert mine[: len(own)] == own
    kinds = [name.partition("_")[0] for name in mine[len(own) :]]
    assert kinds == sorted(kinds, reverse=True)
    assert set(kinds) == {"start", "near"}


def test_the_same_are_chosen_again(found, hand_made):
    assert list(good_networks.chosen(hand_made, [], 32).items()) == list(found.items())
    fewer = good_networks.chosen(hand_made, [], 3)
    assert list(fewer) == ["plain", "A", "D", "cell_plain", "cell_deep", "cell_wide"]


def test_the_better_half_of_a_search_comes_evenly_before_any_change(
    hand_made, tmp_path, monkeypatch
):
    """Of eight trained networks the four best count, and two of these are taken."""
    specs = [spec for spec in hand_made.values() if spec.pattern == "layerwise"]
    rows = [
        dataclasses.replace(search_files.row(f"e01s00b{i}", i, 0.5 + i / 100), spec_key=spec.key)
        for i, spec in enumerate(specs[8:16])
    ]
    rows.append(search_files.row("e01s01b0", 8, 0.9, status="failed"))
    work_dir = search_files.write(tmp_path / "search", rows)
    monkeypatch.setattr(
        *(good_networks.search_networks, "chosen"),
        lambda found, slot: (slot, specs[8 + int(slot[-1])]) if found == work_dir else None,
    )
    monkeypatch.setattr(good_networks, "STARTS", 1)
    given = {"plain": hand_made["plain"], "cell_plain": hand_made["cell_plain"]}
    found = good_networks.chosen(given, [str(tmp_path / "search")], 4)
    mine = [name for name, spec in found.items() if spec.pattern == "layerwise"]
    assert mine == ["plain", "start_layerwise_0", "search_e01s00b7", "search_e01s00b5"]


def test_the_range_of_costs_is_the_one_that_holds_most_networks():
    assert good_networks._window([1.0, 5.0, 6.0, 7.0, 20.0, 30.0]) == 5.0
    assert good_networks._window([1.0, 10.0]) == 10.0
