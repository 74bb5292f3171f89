"""Bars in a terminal, lines elsewhere, and nothing left behind."""

from __future__ import annotations

import contextlib
import io
import sys
import threading

import pytest
from keras_tuner import errors

from epnas_tf import interrupts
from epnas_tf.architecture.limits import Constraint
from epnas_tf.training.epochs import Updates
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.tuner.listeners import progress
from tests.tuner.listeners.screen import Terminal


class _Ended(Exception):  # noqa: N818
    """Ends a search at once."""


@pytest.fixture(name="sit_down")
def _sit_down(monkeypatch):
    """Returns a function that lets this test print to a terminal; pytest's own comes after us."""

    def sit_down(encoding: str = "utf-8") -> Terminal:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "stdout", Terminal(encoding))
        return sys.stdout

    return sit_down


@pytest.fixture(name="screens")
def _screens(monkeypatch):
    """The screen in the middle of each child's training."""
    seen = []
    evaluate = Evaluator.evaluate

    def half(self, spec, seed, keep=None, **_):
        self.on_updates(Updates(epoch=1, epochs=4, done=3, total=12, accuracy=0.75))
        seen.append(getattr(sys.stdout, "lines", []))
        return evaluate(self, spec, seed, keep)

    monkeypatch.setattr(Evaluator, "evaluate", half)
    return seen


def test_a_search_and_its_child_have_a_bar_each(quick, screens, sit_down, make_tuner, data):
    sit_down()
    make_tuner(verbose=1).search(data)
    *_, search, child = screens[2]
    assert search.startswith(
        "search |\u2588\u2588\u2588\u2588\u2588\u2588\u258b             | 2/6 | best 0."
    )
    assert " | 0:00:0" in search and ", ETA 0:00:0" in search
    assert child == (
        "  e01s01b0 |\u2588\u2588\u2588\u2588\u2588               | epoch 2/4, training acc 0.7500"
    )


def test_a_narrow_terminal_is_one_line_per_bar(
    quick, screens, sit_down, make_tuner, data, monkeypatch
):
    sit_down()
    monkeypatch.setenv("COLUMNS", "40")
    make_tuner(verbose=1).search(data)
    assert all(len(line) <= 40 for line in screens[1][-2:])


def test_the_lines_are_those_of_a_file_and_nothing_else_is_left(
    quick, screens, sit_down, make_tuner, data, monkeypatch
):
    terminal = sit_down()
    monkeypatch.setattr(progress, "clock", lambda seconds: "0:00:00")
    monkeypatch.setattr("epnas_tf.tuner.listeners.console.clock", lambda seconds: "0:00:00")
    make_tuner(verbose=2).search(data)
    left = [line for line in terminal.lines if not line.startswith("the first step took")]
    plain = io.StringIO()
    monkeypatch.setattr(sys, "stdout", plain)
    make_tuner("other", verbose=2).search(data)
    expected = plain.getvalue().replace("/other", "/search").split("\n")
    assert left == [line for line in expected if not line.startswith("the first step took")]
    assert left[-1] == ""  # the cursor is where the next line begins
    assert "\x1b" not in plain.getvalue() and "\r" not in plain.getvalue()


@pytest.mark.parametrize("error", [KeyboardInterrupt, interrupts.Stopped(2), _Ended])
def test_whatever_ends_a_search_leaves_no_bar(sit_down, make_tuner, data, monkeypatch, error):
    terminal = sit_down()
    seen = []

    def end(self, spec, *_, **__):
        self.on_updates(Updates(0, 2, 1, 8, 0.5))
        seen.append(terminal.lines[-2].startswith("search |"))
        raise error

    monkeypatch.setattr(Evaluator, "evaluate", end)
    with pytest.raises((KeyboardInterrupt, errors.FatalError)):
        make_tuner(verbose=1).search(data)
    assert seen == [True]
    assert not any("search |" in line or "e01s00b0 |" in line for line in terminal.lines)
    assert terminal.lines[-1] == ""
    assert interrupts._State.drawing is False


def test_verbosity_0_draws_nothing(quick, screens, sit_down, make_tuner, data):
    terminal = sit_down()
    make_tuner(verbose=0).search(data)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("why", ["dumb", "pipe"])
def test_where_nobody_watches_nothing_is_drawn(quick, sit_down, make_tuner, data, monkeypatch, why):
    terminal = sit_down()
    if why == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    else:
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    make_tuner(verbose=1).search(data)
    assert "[6/6]" in terminal.getvalue()
    assert "\r" not in terminal.getvalue() and "\x1b" not in terminal.getvalue()


def test_a_terminal_of_ascii_gets_bars_of_ascii(quick, screens, sit_down, make_tuner, data):
    sit_down("ascii")
    tuner = make_tuner("b\u00fccher", verbose=1, constraints=[Constraint("params", upper=9_000)])
    tuner.search(data)
    tuner.results_summary()
    assert screens[2][-2].startswith("search |######6             | 2/6 | ")


def test_no_thread_is_left_that_draws(quick, screens, sit_down, make_tuner, data):
    sit_down()
    before = threading.enumerate()
    make_tuner(verbose=1).search(data)
    assert threading.enumerate() == before


def test_without_bars_there_are_lines_alone():
    bars = progress.Progress(None)  # one that was never shown
    bars.child("e01s00b0")
    bars.on_updates(Updates(0, 2, 1, 8, 0.5))
    bars.trial_ended(None)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        bars.write("a line")
    assert out.getvalue() == "a line\n"


def test_a_signals_message_takes_the_place_of_a_bar(capfd, monkeypatch):
    monkeypatch.setattr("os.isatty", lambda descriptor: True)
    with pytest.raises(interrupts.Stopped), interrupts.listening(), interrupts.drawing():
        interrupts._ask(2, None)
    assert capfd.readouterr().err.startswith("\r\x1b[Kstopping in order; ")


@pytest.mark.parametrize(("seconds", "text"), [(None, "?"), (0.4, "0:00:00"), (3700.4, "1:01:40")])
def test_a_clock_is_read_as_clocks_are(seconds, text):
    assert progress.clock(seconds) == text
