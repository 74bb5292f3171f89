"""Trials as plain data: what is logged, and that it comes back as it was."""

from __future__ import annotations

import dataclasses
import json

import pytest

from epnas_tf.architecture import resources
from epnas_tf.architecture.budget import STATUSES
from epnas_tf.architecture.cost import Cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.morph import Insert, Morph, Scale
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.trials import Proposal, Result, Slot
from epnas_tf.tuner import trial_data
from epnas_tf.tuner.trial_data import Assignment, Outcome, Remembered

_CONV = LayerSpec("conv2d", 3, None, 8, "relu")
_START = Proposal(Slot(1, 0, 1), LayerwiseSpec((_CONV,), 4))
_ACTION = Morph((Scale(0, "channels", by=1),), Insert(1, LayerSpec("max_pool", pool=2)))
_MORPHED = Proposal(
    Slot(2, 13, 5),
    LayerwiseSpec((_CONV.replace("channels", 16), LayerSpec("max_pool", pool=2)), 4),
    "e02s12b5",
    _ACTION,
)
_REUSED = dataclasses.replace(_MORPHED, reuse="e01s03b0")
_USES = resources.uses_of(Cost(600, 6_000, 200))
_METRICS = {
    **{"reward": 0.9, "accuracy": 0.95, "seconds": 3.0, "overhead_seconds": 0.5, "status": 0.0},
    **{"inherited": 0.0, "offer": 0.0, "epochs": 3.0, "training_accuracy": 0.7, "loss_sum": 2.5},
    **_USES,
}
_LIMITS = (Constraint("params", upper=500),)


def _values(proposal, attempt=1, worker="w1", **more):
    return Assignment(proposal, attempt, worker, **more).to_values()


def _completed(proposal, trial_id="0", limits=_LIMITS, **metrics):
    outcome = Outcome.from_metrics(_METRICS | metrics)
    return trial_data.completed(trial_id, Assignment(proposal, 1, "w"), outcome, limits)


def test_values_are_literally_these():
    assert _values(_MORPHED, 2, "tuner0") == {
        "slot": "e02s13b5",
        "attempt": 2,
        "worker": "tuner0",
        "parent": "e02s12b5",
        "action": json.dumps(_MORPHED.to_dict()["action"], sort_keys=True),
        "reuse": "",
        "spec": _MORPHED.spec.to_json(),
    }
    start = _values(_START, 1, "w7")
    assert (start["parent"], start["action"]) == ("", "")
    assert _values(_REUSED, 1, "w7")["reuse"] == "e01s03b0"


@pytest.mark.parametrize("proposal", [_START, _MORPHED, _REUSED])
def test_a_proposal_comes_back_as_it_was_logged(proposal, space):
    values = _values(proposal, 3, "w1")
    # Keras Tuner takes nothing but text and numbers.
    assert {type(value) for value in values.values()} <= {str, int}
    assert Assignment.from_values(json.loads(json.dumps(values)), space).proposal == proposal


@pytest.mark.parametrize(
    "more",
    [
        {"failures": 2},
        {"remembered": Remembered(0.5, 0.45, "trained", 3)},
        {"remembered": Remembered(0.5, 0.45, "trained", 3, 0.25)},
        {"generation": 0, "names": ("e01s00b1.1", "e01s02b0")},
        {"reference": ()},
        {"reference": ((0.25, 0.5), (0.125, 1.0))},
    ],
)
def test_what_a_trial_must_know_besides_comes_back(more, space):
    assignment = Assignment(_MORPHED, 3, "w1", **more)
    values = json.loads(json.dumps(assignment.to_values()))
    assert {type(value) for value in values.values()} <= {str, int}
    assert Assignment.from_values(values, space) == assignment


def test_deaths_are_the_earlier_tries_but_for_those_that_are_excused():
    assert Assignment(_START, 3, "w").deaths == 2
    assert Assignment(_START, 3, "w", failures=1).deaths == 1


@pytest.mark.parametrize(
    ("slot", "wave", "logged"),
    [
        (Slot(1, 0, 1, rung=1), 3, {"rung": 1, "wave": 3}),
        (Slot(1, 0, 1, rung=2), 0, {"rung": 2, "wave": 0}),
        (Slot(1, 0, 1, rung=2, measurement=1), None, {"rung": 2}),
    ],
)
def test_what_rises_says_its_rung_and_its_step(slot, wave, logged, space):
    proposal = dataclasses.replace(_START, slot=slot, wave=wave)
    values = json.loads(json.dumps(_values(proposal)))
    assert values["slot"] == slot.name
    assert values["parent"] == values["action"] == values["reuse"] == ""
    assert {name: values[name] for name in values.keys() - _values(_START).keys()} == logged
    found = Assignment.from_values(values, space)
    assert (found.proposal, found.slot.rung) == (proposal, slot.rung)


@pytest.mark.parametrize("wave", [-1, 1_000_001, 1.5, "3", [], 1e300])
def test_a_step_that_cannot_be_is_refused(wave, space):
    values = _values(dataclasses.replace(_START, slot=Slot(1, 0, 1, rung=1), wave=1))
    with pytest.raises(ValueError, match="wave must be a number from 0 to"):
        Assignment.from_values(values | {"wave": wave}, space)


def test_a_completed_trial_joins_assignment_outcome_and_limits():
    found = _completed(_MORPHED, "0007")
    assert (found.trial_id, found.proposal, found.slot) == ("0007", _MORPHED, Slot(2, 13, 5))
    outcome = found.outcome
    assert (outcome.accuracy, outcome.reward, outcome.status) == (0.95, 0.9, "trained")
    assert (outcome.seconds, outcome.overhead_seconds) == (3.0, 0.5)
    assert outcome.uses == _USES
    assert found.result == Result(found.slot, 0.9, 0.95, False, "trained")
    assert not found.feasible
    assert _completed(_MORPHED, limits=(Constraint("params", upper=600),)).feasible
    assert found.trained
    assert outcome.reason == ""
    assert Outcome.from_metrics(_METRICS, "deep").reason == "deep"


@pytest.mark.parametrize("code", range(len(STATUSES)))
def test_a_status_is_its_index(code):
    found = _completed(_START, status=float(code))
    assert found.outcome.status == STATUSES[code]
    assert found.trained == (code == 0)
    assert found.outcome.to_metrics()["status"] == code


def test_an_outcome_comes_back_from_its_metrics():
    outcome = Outcome(0.5, 0.4, "hopeless", _USES, 1.5, 0.5, 0.25, 2**52 - 1, (0.25, 0.5))
    more = {"epochs": 27, "training_accuracy": 0.75, "loss_sum": 12.5}
    outcome = dataclasses.replace(outcome, **more)
    metrics = outcome.to_metrics()
    assert {type(value) for value in metrics.values()} == {float}
    assert Outcome.from_metrics(json.loads(json.dumps(metrics))) == outcome


def test_a_balanced_accuracy_is_logged_only_where_networks_are_compared_by_it():
    outcome = Outcome(0.95, 0.45, "trained", _USES, balanced_accuracy=0.5)
    metrics = json.loads(json.dumps(outcome.to_metrics()))
    assert Outcome.from_metrics(metrics) == outcome
    plain = dataclasses.replace(outcome, balanced_accuracy=None).to_metrics()
    assert metrics.keys() - plain.keys() == {"balanced_accuracy"}
    for wrong in (1.5, -0.1, "0.5", None):
        with pytest.raises(ValueError, match="balanced_accuracy must be"):
            Outcome.from_metrics(metrics | {"balanced_accuracy": wrong})
    assert Remembered(0.5, 0.45, "trained", 3).to_json() == '[0.5, 0.45, "trained", 3]'


def test_statuses_are_never_renumbered():
    known = ("trained", "over_limits", "too_long", "not_finite", "failed", "hopeless", "too_large")
    assert known == STATUSES


def test_the_order_is_feasible_then_reward_then_slot():
    def made(trial_id, params, reward, slot):
        limits = (Constraint("params", upper=params),)
        return _completed(Proposal(slot, _START.spec), trial_id, limits, reward=reward)

    trials = [
        made("infeasible", 1, 0.99, Slot(1, 0, 0)),
        made("late", 10**6, 0.8, Slot(1, 2, 0)),
        made("early", 10**6, 0.8, Slot(1, 1, 3)),
        made("better", 10**6, 0.9, Slot(1, 2, 1)),
    ]
    ordered = [r.trial_id for r in sorted(trials, key=lambda trial: trial.rank)]
    assert ordered == ["better", "early", "late", "infeasible"]


# What a file may hold instead


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attempt": 0}, "attempt must be a number from 1"),
        ({"attempt": 10**400}, "attempt must be a number from 1"),
        ({"attempt": "1"}, "attempt must be a number from 1"),
        ({"slot": ""}, "looks like e01s03b5|slot must be"),
        ({"slot": "e1s0b1"}, "slot must be a slot's name"),  # another name of e01s00b1
        ({"slot": f"e{10**9}s00b1"}, "slot must be a slot's name"),
        ({"parent": "../../x"}, "looks like e01s03b5"),
        ({"reuse": 2**63}, "reuse must be a slot's name"),
        ({"reuse": ["e01s00b0"]}, "reuse must be a slot's name"),
        ({"worker": None}, "worker must be text"),
        ({"remembered": -1}, "these are no trial's values"),
        ({"names": 7}, "these are no trial's values"),
        ({"reference": "7"}, "these are no trial's values"),
        ({"spec": "[]"}, "must be a JSON object"),
        ({"spec": "[" * 100_000}, "levels deep"),
        ({"action": "7"}, "must be a JSON object"),
        ({"action": '{"insert": "e01s00b0"}'}, "not an action"),
        ({"action": '{"insert": {"place": 1, "item": {"width": 1}}}'}, "not an action"),
    ],
)
def test_values_of_no_trial_are_refused(changes, message, space):
    values = _values(_MORPHED, 2, "tuner0")
    Assignment.from_values(values, space)
    with pytest.raises(ValueError, match=message):
        Assignment.from_values(values | changes, space)


def test_a_network_of_another_stem_is_refused(space):
    big = LayerwiseSpec(_MORPHED.spec.layers, 10**6)
    values = _values(dataclasses.replace(_MORPHED, spec=big), 1, "w")
    with pytest.raises(ValueError, match="stem and stacking must be those of the space"):
        Assignment.from_values(values, space)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward": "\0"}, "reward must be a finite number"),
        ({"reward": None}, "reward must be a finite number"),
        ({"reward": 10**400}, "reward must be a finite number"),
        ({"seconds": float("nan")}, "seconds must be a finite number"),
        ({"status": 2.5}, "status must be in"),
        ({"status": 99}, "status must be in"),
        ({"accuracy": 1.5}, r"accuracy must be in \[0, 1\]"),
        ({"offer": []}, "offer must be a finite number"),
        ({"offer": 1e300}, "offer must be a whole number"),
        ({"inherited": "x"}, "inherited must be a finite number"),
        ({"curve_001": {}}, "curve_001 must be a finite number"),
    ],
)
def test_metrics_of_no_trial_are_refused(changes, message):
    Outcome.from_metrics(_METRICS)
    with pytest.raises(ValueError, match=message):
        Outcome.from_metrics(_METRICS | changes)


def test_a_reason_that_is_no_text_becomes_text():
    assert Outcome.from_metrics(_METRICS, [1]).reason == "[1]"
