"""The networks that a user starts from: of the space, different, at most one per branch."""

from __future__ import annotations

import json

import pytest

from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec
from epnas_tf.fields import SettingError
from epnas_tf.searching import initial_specs

_SPACE = layerwise_space((8, 8), channels=(4, 8), filter_widths=(1, 3), max_layers=3)


def _network(*channels: int, stem_filters: int = 16) -> LayerwiseSpec:
    layers = [LayerSpec("conv2d", width=3, channels=size, activation="relu") for size in channels]
    return LayerwiseSpec(tuple(layers), stem_filters)


def _refusal(*specs, branches=4, space=_SPACE) -> str:
    with pytest.raises(SettingError) as caught:
        initial_specs.checked(specs, space, branches)
    assert caught.value.setting == "initial_specs"
    return caught.value.reason


def test_networks_of_the_space_stay_in_their_order():
    specs = [_network(8, 4), _network(4), _network(8)]
    assert initial_specs.checked(iter(specs), _SPACE, 3) == tuple(specs)
    assert initial_specs.checked([], _SPACE, 3) == ()


def test_one_that_is_not_of_the_space_is_named_with_the_rule():
    said = _refusal(_network(4), _network(4, 16))
    assert said == (
        "must be networks of the space: network 2 of 2: item 2: channels must be one of (4, 8), "
        "got 16"
    )
    assert "network 1 of 1: a network must have at most 3 items, got 4" in _refusal(
        _network(*[4] * 4)
    )


def test_a_cell_is_no_network_of_layers():
    cell = CellSpec((BranchSpec("maxpool-none", pool=2, channels=8),))
    assert "pattern must be 'layerwise', got 'module'" in _refusal(cell)


def test_another_stem_or_stacking_is_named_and_what_holds_where_nothing_is_said():
    said = _refusal(_network(4, stem_filters=8))
    assert said.endswith(
        "stem_filters must be 16, as the space has it, got 8: change the network, or say "
        "--stem_filters=8"
    )
    small = layerwise_space((8, 8), channels=(4, 8), stem_filters=4)
    said = _refusal(_network(4), space=small)
    assert "must be 4, as the space has it, got 16, as where a network does not say it: " in said
    space = module_space(cells_per_stage=2)
    cell = CellSpec((BranchSpec("maxpool-none", pool=2, channels=8),), cells_per_stage=1_000_000)
    assert "cells_per_stage must be 2" in _refusal(cell, space=space)


def test_the_same_network_twice_is_refused():
    said = _refusal(_network(4), _network(8), _network(4))
    assert said == "must be different networks, got network 1 as network 3 too"


def test_more_than_branches_names_the_flag_that_helps():
    said = _refusal(_network(4), _network(8), _network(4, 4), branches=2)
    assert said.startswith("must be at most 2, one per branch, got 3 networks: ")
    assert said.endswith("--branches=3")


def test_messages_are_short_however_long_the_network():
    long = LayerwiseSpec((LayerSpec("x" * 10**6),))
    assert len(_refusal(long)) < 500


def test_plain_data_come_back():
    specs = (_network(8, 4), _network(4))
    values = json.loads(json.dumps(initial_specs.to_plain(specs)))
    assert initial_specs.from_plain(values, _SPACE, 2) == specs
    for wrong in ({}, None, [1], [[]], "x", [_network(16).to_dict()], [{"pattern": "x"}]):
        with pytest.raises(ValueError, match="must be"):
            initial_specs.from_plain(wrong, _SPACE, 2)
    with pytest.raises(SettingError, match="must be at most 1"):
        initial_specs.from_plain(values, _SPACE, 1)
