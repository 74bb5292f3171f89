"""Trials as plain data: what is logged, and that it comes back as it was."""

from __future__ import annotations

import dataclasses
import json

import pytest

from epnas_tf.architecture.budget import STATUSES, Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.morph import Insert, Morph, Scale
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.trials import Proposal, Slot
from epnas_tf.tuner import trial_data

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
_METRICS = {"reward": 0.9, "accuracy": 0.95, "seconds": 3.0, "overhead_seconds": 0.5, "status": 0.0}
_BUDGET = Budget((8, 8, 1), 3, (Constraint("params", upper=500),))


def test_values_are_literally_these():
    assert trial_data.values_of(_MORPHED, 2, "tuner0") == {
        "slot": "e02s13b5",
        "attempt": 2,
        "worker": "tuner0",
        "parent": "e02s12b5",
        "action": json.dumps(_MORPHED.to_dict()["action"], sort_keys=True),
        "reuse": "",
        "spec": _MORPHED.spec.to_json(),
    }
    start = trial_data.values_of(_START, 1, "w7")
    assert (start["parent"], start["action"]) == ("", "")
    assert trial_data.values_of(_REUSED, 1, "w7")["reuse"] == "e01s03b0"


@pytest.mark.parametrize("proposal", [_START, _MORPHED, _REUSED])
def test_a_proposal_comes_back_as_it_was_logged(proposal, space):
    values = trial_data.values_of(proposal, 3, "w1")
    # Keras Tuner takes nothing but text and numbers.
    assert {type(value) for value in values.values()} <= {str, int}
    assert trial_data.proposal_of(json.loads(json.dumps(values)), space) == proposal


def test_values_of_an_earlier_version_name_no_slot_to_reuse(space):
    values = trial_data.values_of(_MORPHED, 3, "w1")
    del values["reuse"]
    assert trial_data.proposal_of(values, space) == _MORPHED


def test_a_record_joins_values_metrics_and_costs(space):
    values = trial_data.values_of(_MORPHED, 2, "w1")
    found = trial_data.record_of("0007", values, _METRICS, space, _BUDGET)
    assert (found.trial_id, found.attempt, found.worker) == ("0007", 2, "w1")
    assert (found.proposal, found.slot) == (_MORPHED, Slot(2, 13, 5))
    assert (found.outcome.accuracy, found.result.reward, found.result.status) == (
        0.95,
        0.9,
        "trained",
    )
    assert (found.outcome.seconds, found.outcome.overhead_seconds) == (3.0, 0.5)
    assert found.cost == _BUDGET.cost(_MORPHED.spec)
    assert found.cost.params > 500
    assert found.result.feasible is False
    assert found.trained
    assert found.outcome.reason == ""
    assert trial_data.record_of("7", values, _METRICS, space, _BUDGET, "deep").reason == "deep"


@pytest.mark.parametrize("code", range(len(STATUSES)))
def test_a_status_is_its_index(code, space):
    values = trial_data.values_of(_START, 1, "w1")
    found = trial_data.record_of("0", values, _METRICS | {"status": float(code)}, space, _BUDGET)
    assert found.result.status == STATUSES[code]
    assert found.trained == (code == 0)


def test_statuses_are_never_renumbered():
    known = ("trained", "over_limits", "too_long", "not_finite", "failed", "hopeless", "too_large")
    assert known == STATUSES


def test_the_order_is_feasible_then_reward_then_slot(space):
    def made(trial_id, params, reward, slot):
        proposal = Proposal(slot, _START.spec)
        budget = Budget((8, 8, 1), 3, (Constraint("params", upper=params),))
        values = trial_data.values_of(proposal, 1, "w")
        return trial_data.record_of(trial_id, values, _METRICS | {"reward": reward}, space, budget)

    trials = [
        made("infeasible", 1, 0.99, Slot(1, 0, 0)),
        made("late", 10**6, 0.8, Slot(1, 2, 0)),
        made("early", 10**6, 0.8, Slot(1, 1, 3)),
        made("better", 10**6, 0.9, Slot(1, 2, 1)),
    ]
    ordered = [r.trial_id for r in sorted(trials, key=trial_data.Record.order)]
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
        ({"spec": "[]"}, "must be a JSON object"),
        ({"spec": "[" * 100_000}, "levels deep"),
        ({"action": "7"}, "must be a JSON object"),
        ({"action": '{"insert": "e01s00b0"}'}, "not an action"),
        ({"action": '{"insert": {"place": 1, "item": {"width": 1}}}'}, "not an action"),
    ],
)
def test_values_of_no_trial_are_refused(changes, message, space):
    values = trial_data.values_of(_MORPHED, 2, "tuner0")
    trial_data.check_values(values, space)
    with pytest.raises(ValueError, match=message):
        trial_data.check_values(values | changes, space)


def test_a_network_of_another_stem_is_refused(space):
    big = LayerwiseSpec(_MORPHED.spec.layers, 10**6)
    values = trial_data.values_of(dataclasses.replace(_MORPHED, spec=big), 1, "w")
    with pytest.raises(ValueError, match="stem and stacking must be those of the space"):
        trial_data.check_values(values, space)


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
    trial_data.check_metrics(_METRICS)
    with pytest.raises(ValueError, match=message):
        trial_data.check_metrics(_METRICS | changes)


def test_a_reason_that_is_no_text_becomes_text(space):
    values = trial_data.values_of(_START, 1, "w")
    assert trial_data.record_of("0", values, _METRICS, space, _BUDGET, [1]).reason == "[1]"  # type: ignore[arg-type]
