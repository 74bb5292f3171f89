"""fuzz: its flags reach the fuzzer of the checkout; without one it says what it needs."""

from __future__ import annotations

import pathlib

import pytest
from absl import app


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch):
    """The command may be an installed one, which looks for the fuzzer in the working directory."""
    monkeypatch.chdir(pathlib.Path(__file__).parents[3])


def test_the_command_fuzzes_what_it_is_asked_to(run_command, capsys):
    assert run_command("checks.fuzz", inputs=50, targets="json") == 0
    assert "| json | 50 | " in capsys.readouterr().out


def test_unknown_targets_and_leftovers_are_refused(run_command):
    with pytest.raises(app.UsageError, match="--targets must be of spec, json, .* got sorcery"):
        run_command("checks.fuzz", targets="sorcery")
    with pytest.raises(app.UsageError, match="'5' is no flag"):
        run_command("checks.fuzz", "5")


def test_without_a_checkout_it_says_so(run_command, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "is_dir", lambda path: False)
    with pytest.raises(app.UsageError, match="fuzzing needs a checkout: .* has no tests/fuzzing"):
        run_command("checks.fuzz")
