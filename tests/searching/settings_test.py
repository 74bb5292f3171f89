"""The options of a search: what is allowed, and that the paper's need no predictor."""

import dataclasses

import pytest

from epnas_tf.searching.settings import (
    PAPER,
    STEPS,
    Learning,
    LSTMSettings,
    RungSettings,
    Sizes,
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy_update": "never"}, "policy_update must be one of .*never"),
        ({"policy_baseline": "none"}, "policy_baseline must be one of .*none"),
        ({"parents": "worst"}, "parents must be one of .*worst"),
        ({"screen": 0}, "screen must be at least 1, got 0"),
        ({"imagined_updates": -1}, "imagined_updates must be at least 0, got -1"),
        ({"imagined_batch": 0}, "imagined_batch must be at least 1, got 0"),
        ({"replay": -1}, "replay must be at least 0, got -1"),
        ({"predictor_skill": 1.5}, "predictor_skill must be at most 1, got 1.5"),
    ],
)
def test_what_is_not_allowed_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Learning(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"check_table_mix": 2.0}, "check_table_mix must be at most 1, got 2"),
        ({"policy_epochs": 0}, "policy_epochs must be at least 1, got 0"),
        ({"policy_clip": 0.0}, "policy_clip must be above 0, got 0"),
        ({"policy_clip": 1.0}, "policy_clip must be at most 0.9, got 1"),
        ({"policy_entropy": -0.1}, "policy_entropy must be at least 0, got -0.1"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        LSTMSettings(**change)


@pytest.mark.parametrize(
    ("change", "predicts"),
    [({}, False), ({"screen": 2}, True), ({"imagined_updates": 1}, True), ({"replay": 3}, False)]
    + [({"policy_baseline": "critic"}, True)],
)
def test_a_predictor_is_made_where_something_asks_for_it(change, predicts):
    assert dataclasses.replace(PAPER, **change).predicts is predicts


def test_the_number_of_trials_follows_from_the_sizes_and_the_pattern():
    assert STEPS == {"layerwise": 10, "module": 5}
    assert Sizes(branches=8, episodes=15).total("layerwise") == 8 * (1 + 15 * 10)
    assert Sizes(branches=8, episodes=15).total("module") == 8 * (1 + 15 * 5)
    assert Sizes(branches=2, episodes=3, steps=4).total("module") == 2 * (1 + 3 * 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rungs": (0, 3)}, "rungs must .*at least 1"),
        ({"rungs": (3, 3)}, "rungs must name each entry once, got 3,3"),
        ({"rungs": (9, 3)}, "rungs must rise from each entry to the next, got 9,3"),
        ({"promotion_share": -0.1}, "promotion_share must be at least 0, got -0.1"),
        ({"promotion_share": 0.96}, "promotion_share must be at most 0.95, got 0.96"),
    ],
)
def test_rungs_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        RungSettings(**change)


@pytest.mark.parametrize(
    ("rungs", "epochs"), [((), (1, 3, 9)), ((4,), (4,)), ((2, 5, 11), (2, 5, 11))]
)
def test_ratios_decide_where_the_epochs_are_not_known(rungs, epochs):
    assert RungSettings(rungs=rungs).rung_epochs == epochs
