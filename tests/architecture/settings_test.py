"""The settings of space and limits: the space and the constraints that they stand for."""

from __future__ import annotations

import pytest

from epnas_tf import fields
from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.architecture.settings import LimitSettings, SpaceSettings
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.config import SearchConfig
from epnas_tf.fields import ConfigError


def test_what_is_not_said_is_the_papers():
    assert SpaceSettings().space((32, 32)) == layerwise_space((32, 32))
    assert SpaceSettings(pattern="module").space((32, 32)) == module_space()


def test_layerwise_settings_reach_the_space():
    said = {
        "layer_types": ("conv2d", "max_pool"),
        "activations": ("relu", "elu"),
        "channels": (8, 12),
        "filter_widths": (1, 3),
        "pool_widths": (3,),
        "max_layers": 5,
        "parts": 2,
        "stem_filters": 4,
    }
    assert SpaceSettings(**said).space((8, 8)) == layerwise_space((8, 8), **said)


def test_module_settings_reach_the_space():
    said = {
        "branch_types": ("conv-conv",),
        "channels": (8, 12),
        "filter_widths": (1,),
        "pool_widths": (3,),
        "max_branches": 3,
        "parts": 2,
        "filters": 4,
        "cells_per_stage": 2,
        "width_multiplier": 1.5,
    }
    config = SearchConfig(pattern="module", **said)
    expected = module_space(**said)
    assert fields.pick(config, SpaceSettings).space((8, 8)) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"branch_types": ("conv-conv",)}, "--branch_types=conv-conv: needs --pattern=module"),
        (
            {"pattern": "module", "activations": ("relu",)},
            "--activations=relu: needs --pattern=layerwise",
        ),
        (
            {"pattern": "module", "layer_types": ("add",)},
            "--layer_types=add: needs --pattern=layerwise",
        ),
        (
            {"channels": (8, 9)},
            "--channels=8,9: must be even, because the activation crelu doubles them (or leave "
            "crelu out of --activations)",
        ),
        ({"channels": (16, 8)}, "--channels=16,8: must rise from each entry to the next"),
        ({"parts": 0}, "--parts=0: must be at least 1"),
    ],
)
def test_what_goes_not_together_is_refused_by_its_flag(settings, message):
    with pytest.raises(ConfigError) as caught:
        SearchConfig(**settings)
    assert str(caught.value) == message


def test_odd_channels_are_fine_for_cells_and_without_crelu():
    assert SpaceSettings(pattern="module", channels=(8, 9)).space((8, 8)).pattern == "module"
    assert SpaceSettings(activations=("relu",), channels=(8, 9)).channels == (8, 9)


def test_choices_that_leave_no_network_are_refused():
    with pytest.raises(ValueError, match=r"op must have a choice for every place .*\['add'\]"):
        SpaceSettings(layer_types=("add",)).space((8, 8))


def test_every_resource_may_have_a_limit_on_either_side():
    names = [field.name for field in fields.settings_in(LimitSettings)]
    sides = [f"{side}_{name}" for name in RESOURCES for side in ("max", "min")]
    assert names == [*sides, "penalty_base"]


def test_each_limit_becomes_a_constraint():
    config = SearchConfig(max_params=1e6, min_params=10, min_intensity=3, penalty_base=0.8)
    found = [
        (c.metric, c.lower, c.upper, c.base)
        for c in fields.pick(config, LimitSettings).constraints()
    ]
    assert found == [("params", 10, 1e6, 0.8), ("intensity", 3, None, 0.8)]
    assert fields.pick(SearchConfig(), LimitSettings).constraints() == ()


@pytest.mark.parametrize("name", RESOURCES)
def test_a_limit_of_each_resource_is_a_constraint_on_it(name):
    lower, upper = LimitSettings(**{f"min_{name}": 2}), LimitSettings(**{f"max_{name}": 3})
    for settings, bounds in ((lower, (2, None)), (upper, (None, 3))):
        (found,) = settings.constraints()
        assert (found.metric, (found.lower, found.upper), found.base) == (name, bounds, 0.9)


def test_limits_that_leave_nothing_are_refused_by_their_flags():
    with pytest.raises(ConfigError, match="--min_params=2M: is above --max_params=1M"):
        SearchConfig(min_params=2e6, max_params=1e6)
    assert LimitSettings(min_params=1e6, max_params=1e6).constraints()[0].lower == 1e6
