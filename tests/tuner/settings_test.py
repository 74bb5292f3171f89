"""The settings of oracle and tuner: each has one owner, and all are a search's."""

from __future__ import annotations

import pytest

from epnas_tf.config import SearchConfig
from epnas_tf.fields import COPIED, MAY_CHANGE, SettingError, settings_in
from epnas_tf.tuner.settings import OracleSettings, ReadOnce, TunerSettings
from epnas_tf.workdir.layout import COPIES


def _names(owner):
    return [field.name for field in settings_in(owner)]


def test_what_the_oracle_takes_the_tuner_does_not():
    assert not {*_names(OracleSettings)} & {*_names(TunerSettings)}


@pytest.mark.parametrize("owner", [OracleSettings, TunerSettings])
def test_the_command_line_has_each_of_them_with_the_same_default(owner):
    config = SearchConfig()
    defaults = {field.name: field.default for field in settings_in(owner)}
    assert defaults == {name: getattr(config, name) for name in defaults}


@pytest.mark.parametrize("name", ["max_attempts", "keep_models"])
def test_what_is_tried_and_kept_is_at_least_one_and_may_change(name):
    with pytest.raises(SettingError, match=f"^{name} must be at least 1, got 0"):
        TunerSettings(**{name: 0})
    (field,) = (field for field in settings_in(TunerSettings) if field.name == name)
    assert field.metadata["resume"] == MAY_CHANGE


def test_whatever_is_read_once_has_a_copy_of_the_same_name():
    for config in (SearchConfig, ReadOnce):
        copied = [f.name for f in settings_in(config) if f.metadata["resume"] == COPIED]
        assert copied == [*COPIES]


@pytest.mark.parametrize("prior", [("",), ("a", ""), ("a,b",)])
def test_a_folder_that_could_not_be_told_from_none_or_two_is_refused(prior):
    with pytest.raises(SettingError, match="^prior must be folders without a comma in their names"):
        ReadOnce(prior=prior)


def test_an_earlier_search_is_named_once():
    with pytest.raises(SettingError, match="^prior must name each entry once, got a,a"):
        ReadOnce(prior=("a", "a"))
