"""How a command ends: one line and a code for each way, whatever the command."""

from __future__ import annotations

import os
import signal
import time

import pytest

from epnas_tf.exits import Ending
from epnas_tf.fields import ConfigError


@pytest.fixture(name="ending")
def _ending(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    yield Ending("epnas_do", "all is kept", " until later")
    os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)


def _raising(error):
    def body():
        raise error

    return body


def test_a_body_that_ends_is_code_0_and_nothing_is_said(ending, capsys):
    levels = []
    assert ending.code(lambda: levels.append(os.environ["TF_CPP_MIN_LOG_LEVEL"])) == 0
    assert capsys.readouterr() == ("", "")
    assert levels == ["2"]


def test_what_a_person_has_set_for_tensorflow_stays(ending, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    ending.code(lambda: None)
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_what_cannot_be_carried_out_is_its_reason_alone(ending, capsys):
    assert ending.code(_raising(ConfigError("--seed=x: must be a number"))) == 2
    assert capsys.readouterr() == ("", "epnas_do: --seed=x: must be a number\n")


def test_an_error_has_its_traceback_and_what_is_kept(ending, capsys):
    assert ending.code(_raising(ZeroDivisionError("by nought"))) == 1
    *traceback, last = capsys.readouterr().err.splitlines()
    assert traceback[-1] == "ZeroDivisionError: by nought"
    assert last == "epnas_do: stopped by the error above; all is kept until later"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_a_code_of_its_own_and_no_cure_is_named(ending, capsys, number, code):
    def body():
        os.kill(os.getpid(), number)
        time.sleep(10)

    assert ending.code(body) == code
    name = signal.Signals(number).name
    assert capsys.readouterr().err == f"epnas_do: stopped by {name}; all is kept\n"


def test_a_body_may_know_better_what_is_kept(ending, capsys):
    def body():
        ending.kept, ending.cure = "half of it is kept", ""
        raise ValueError

    assert ending.code(body) == 1
    assert capsys.readouterr().err.endswith("above; half of it is kept\n")
