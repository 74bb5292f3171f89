"""Flags of a study beside those of a search."""

from __future__ import annotations

import signal
import sys

import pytest
from absl import flags

from epnas_tf import interrupts
from epnas_tf.fields import ConfigError
from tests.tools.studies.commands import command

own_flags = command("own_flags")


@pytest.fixture(name="own")
def _own():
    own = flags.FlagValues()
    flags.DEFINE_integer("jobs", 1, "processes", 1, flag_values=own)
    return own


def test_what_is_not_its_own_is_left(own):
    left = own_flags.others(own, ["study", "--seed=3", "--jobs=2", "--branches", "4"], "")
    assert left == ["--seed=3", "--branches", "4"]
    assert own["jobs"].value == 2


def test_the_help_is_of_its_own_flags(own, capsys):
    with pytest.raises(SystemExit) as ended:
        own_flags.others(own, ["study", "--help"], "Compares searches.")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("Compares searches.\n")
    assert "--jobs: processes" in text


def test_a_value_that_is_not_allowed_is_refused(own):
    with pytest.raises(ConfigError, match="jobs"):
        own_flags.others(own, ["study", "--jobs=0"], "")


def test_a_command_that_cannot_be_followed_ends_with_2(monkeypatch, capsys):
    def main(argv):
        raise ConfigError(f"{argv[0]} is nothing")

    monkeypatch.setattr(sys, "argv", ["study"])
    with pytest.raises(SystemExit) as ended:
        own_flags.run(main)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "study is nothing\n"


def test_a_command_that_is_stopped_says_that_it_goes_on(monkeypatch, capsys):
    def main(argv):
        raise interrupts.Stopped(signal.SIGTERM)

    monkeypatch.setattr(sys, "argv", ["study"])
    with pytest.raises(SystemExit) as ended:
        own_flags.run(main)
    assert ended.value.code == 143
    assert capsys.readouterr().err == "stopped by SIGTERM; the same command goes on\n"
