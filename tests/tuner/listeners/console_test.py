"""The line per trial, literally."""

from __future__ import annotations

import dataclasses
import types

import pytest

from epnas_tf.architecture import resources
from epnas_tf.architecture.cost import Cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.morph import Insert, Morph, Scale
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.trials import Proposal, Slot, ranked
from epnas_tf.tuner.listeners import console
from epnas_tf.tuner.listeners.console import Console
from epnas_tf.tuner.listeners.timing import Timing
from epnas_tf.tuner.settings import OracleSettings
from epnas_tf.tuner.trial_data import Assignment, CompletedTrial, Outcome

_SPEC = LayerwiseSpec((LayerSpec("conv2d", 3, None, 8, "relu"),), 4)
_ACTION = Morph((Scale(1, "channels", by=1),), Insert(0, LayerSpec("max_pool", pool=2)))
_COST = Cost(12_345, 2_500_000, 250_000)
_LIMITS = (Constraint("params", upper=20_000), Constraint("intensity", lower=8, upper=9.5))


def _trial(
    slot, action=None, accuracy=0.9712, status="trained", feasible=True, seconds=1.0
) -> CompletedTrial:
    proposal = Proposal(slot, _SPEC, action and "e01s02b0", action)
    outcome = Outcome(accuracy, accuracy, status, resources.uses_of(_COST), seconds, 1.0)
    return CompletedTrial("0000", Assignment(proposal, 1, "tuner0"), outcome, feasible)


def _oracle(*trials, total=28, seconds=100.0, constraints=(), limit=0.0):
    return types.SimpleNamespace(
        done=len(trials),
        completed=lambda: list(trials),
        best=lambda: ranked(trials),
        total=total,
        watch=types.SimpleNamespace(elapsed=lambda: seconds, seconds=limit),
        finals=types.SimpleNamespace(minutes=lambda: 0.0),
        constraints=constraints,
        settings=OracleSettings(branches=4),
    )


def _line(oracle, finished):
    """Returns the line of a trial of a run that has trained all there are."""
    return console.line(oracle, finished, Timing().tally(oracle))


_FIRST = _trial(Slot(1, 0, 0))
_BETTER = _trial(Slot(1, 3, 2), _ACTION, accuracy=0.98)
_REUSED = dataclasses.replace(
    _BETTER,
    assignment=dataclasses.replace(
        _BETTER.assignment,
        proposal=dataclasses.replace(_BETTER.proposal, slot=Slot(1, 4, 0), reuse="e01s03b2"),
    ),
)


def test_balanced_accuracy_stands_in_the_line_where_networks_are_compared_by_it():
    outcome = dataclasses.replace(_FIRST.outcome, balanced_accuracy=0.5)
    trial = dataclasses.replace(_FIRST, outcome=outcome)
    line = _line(_oracle(trial), trial)
    assert "| acc 0.9712, balanced 0.5000 | best balanced 0.5000 (e01s00b0) |" in line


def test_a_line_is_literally_this():
    oracle = _oracle(_FIRST, _BETTER, constraints=_LIMITS[:1])
    assert _line(oracle, _BETTER) == (
        "[ 2/28] e01s03b2 | part 2 channels up; insert max_pool 2x2 after 0 | acc 0.9800"
        " | params 12.3k <= 20k | best 0.9800 (e01s03b2) | 0:01:40, ETA 0:21:40"
    )


@pytest.mark.parametrize(
    ("slot", "said"),
    [
        (Slot(1, 3, 2, rung=1), "e01s03b2r1 | promoted, 9 epochs | acc 0.9900 | best 0.9900"),
        (Slot(1, 3, 2, 2, 1), "e01s03b2r2m1 | measured again, 9 epochs | acc 0.9900 | best 0.9800"),
    ],
)
def test_what_rose_says_so_and_its_epochs(slot, said):
    trial = _trial(slot, accuracy=0.99)
    trial = dataclasses.replace(trial, outcome=dataclasses.replace(trial.outcome, epochs=9))
    assert f"] {said}" in _line(_oracle(_FIRST, _BETTER, trial), trial)


def test_a_starting_network_without_limits():
    oracle = _oracle(_FIRST, total=4, seconds=3700.4)
    assert _line(oracle, _FIRST) == (
        "[1/4] e01s00b0 | start | acc 0.9712 | best 0.9712 (e01s00b0) | 1:01:40, ETA 3:05:01"
    )


def test_a_reused_result_names_its_trial():
    line = _line(_oracle(_FIRST, _BETTER, _REUSED), _REUSED)
    assert line.startswith("[ 3/28] e01s04b0 | ")
    assert " | acc 0.9800 (as e01s03b2) | best 0.9800 (e01s03b2) | " in line


def test_the_time_left_is_at_most_what_max_hours_leaves():
    oracle = _oracle(_FIRST, _BETTER, limit=1800.0)
    assert _line(oracle, _BETTER).endswith("0:01:40, ETA 0:21:40")
    oracle = _oracle(_FIRST, _BETTER, limit=600.0)
    assert _line(oracle, _BETTER).endswith("0:01:40, ETA 0:08:20")


def test_where_nothing_was_trained_yet_nobody_knows_the_time_left():
    skipped = _trial(Slot(1, 0, 1), status="over_limits", accuracy=0.1, seconds=0.0)
    assert _line(_oracle(skipped), skipped).endswith("0:01:40, ETA ?")


def test_a_broken_limit_is_marked_and_both_sides_are_shown():
    finished = _trial(Slot(1, 0, 1), feasible=False)
    oracle = _oracle(finished, constraints=_LIMITS)
    line = _line(oracle, finished)
    assert " | params 12.3k <= 20k | intensity 10 > 9.5 | none feasible yet | " in line


def test_an_untrained_network_says_why():
    skipped = _trial(Slot(1, 0, 1), status="over_limits", accuracy=0.1)
    line = _line(_oracle(_FIRST, skipped), skipped)
    assert " | not trained: over_limits | best 0.9712 (e01s00b0) | " in line


def test_what_went_wrong_is_said_in_short():
    failed = _trial(Slot(1, 0, 1), status="failed", accuracy=0.1)
    outcome = dataclasses.replace(failed.outcome, reason="cannot be built:\n" + "deep " * 30)
    failed = dataclasses.replace(failed, outcome=outcome)
    line = _line(_oracle(_FIRST, failed), failed)
    assert " | not trained: failed (cannot be built: deep deep " in line
    assert "deep [...]) | best 0.9712" in line
    assert "\n" not in line


def _slots(count):
    return [
        dataclasses.replace(_trial(Slot(1, 0, branch)), trial_id=f"{branch:04d}")
        for branch in range(count)
    ]


def test_the_first_step_is_followed_by_how_long_the_others_take(capsys):
    trials = _slots(4)
    Console()(_oracle(*trials[:3]), trials[2])
    assert capsys.readouterr().out.count("\n") == 1
    Console()(_oracle(*trials), trials[3])
    said = capsys.readouterr().out.splitlines()[1]
    assert said == "the first step took 2 minutes: about 10 minutes more for 24 networks"


@pytest.mark.parametrize(("metric", "use"), [("flops", "2.5M"), ("traffic", "250k")])
def test_every_resource_has_a_text(metric, use):
    assert console.limit_text(_FIRST, Constraint(metric, lower=1)) == f"1 <= {metric} {use}"


def test_verbosity_0_prints_nothing(capsys):
    printer = Console(0)
    printer(_oracle(_FIRST), _FIRST)
    assert capsys.readouterr().out == ""
    printer.verbose = 1
    printer(_oracle(_FIRST, _BETTER), _BETTER)
    assert capsys.readouterr().out.endswith("0:01:40, ETA 0:21:40\n")


def test_verbosity_2_prints_the_network_below(capsys):
    Console(2)(_oracle(_FIRST), _FIRST)
    line, network = capsys.readouterr().out.splitlines()
    assert line == _line(_oracle(_FIRST), _FIRST)
    assert network == f"    {_SPEC.to_json()}"
