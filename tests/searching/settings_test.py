"""The options of learning: what is allowed, and that the paper's need no predictor."""

import dataclasses

import pytest

from epnas_tf.config import SearchConfig
from epnas_tf.searching.settings import LSTM, PAPER, Learning


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"update": "never"}, "update must be one of .*'never'"),
        ({"baseline": "none"}, "baseline must be one of .*'none'"),
        ({"parents": "worst"}, "parents must be one of .*'worst'"),
        ({"screen": 0}, "screen must be at least 1, got 0"),
        ({"imagined_updates": -1}, "imagined_updates must be at least 0, got -1"),
        ({"imagined_batch": 0}, "imagined_batch must be at least 1, got 0"),
        ({"replay": -1}, "replay must be at least 0, got -1"),
        ({"skill": 1.5}, "skill must be in -1..1, got 1.5"),
    ],
)
def test_what_is_not_allowed_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Learning(**change)


@pytest.mark.parametrize(
    ("change", "predicts"),
    [({}, False), ({"screen": 2}, True), ({"imagined_updates": 1}, True), ({"replay": 3}, False)]
    + [({"baseline": "critic"}, True)],
)
def test_a_predictor_is_made_where_something_asks_for_it(change, predicts):
    assert dataclasses.replace(PAPER, **change).predicts is predicts


def test_the_flags_have_the_same_defaults():
    config, learning = SearchConfig(), Learning()
    names = {"update": "policy_update", "baseline": "policy_baseline", "skill": "predictor_skill"}
    for field in dataclasses.fields(Learning):
        value = getattr(config, names.get(field.name, field.name))
        assert value == getattr(learning, field.name), field.name
    assert config.policy_learning_rate == LSTM["learning_rate"]
    assert config.check_table_mix == LSTM["check_table_mix"]
    assert config.policy_entropy == LSTM["entropy"]
    assert config.policy_part_inputs == LSTM["part_inputs"]
