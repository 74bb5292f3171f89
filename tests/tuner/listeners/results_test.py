"""The files of a work_dir, literally, and that a resumed search leaves the same."""

from __future__ import annotations

import csv
import dataclasses
import json
import types

import pytest

from epnas_tf.architecture import resources
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.morph import Insert, Morph, Scale
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec, spec_from_dict
from epnas_tf.searching.trials import Proposal, Slot
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.tuner.listeners import results
from epnas_tf.tuner.listeners.results import ResultsWriter
from epnas_tf.tuner.trial_data import Assignment, CompletedTrial, Outcome
from epnas_tf.workdir import storage, trials_csv, weights
from epnas_tf.workdir.layout import WorkDir

_HEADER = (
    "slot,attempt,trial_id,episode,step,branch,parent,action,spec_key,accuracy,reward,params,flops,"
    "intensity,traffic_bytes,feasible,status,seconds,overhead_seconds,worker,reused,inherited,reason,"
    "rung,epochs,wave"
)
_CONV = LayerSpec("conv2d", 3, None, 8, "relu")
_LOG = types.SimpleNamespace(assignment=None)
_BUDGET = Budget((8, 8, 1), 10)


def _trial(
    spec, slot, parent=None, action=None, attempt=1, feasible=True, **outcome
) -> CompletedTrial:
    values = {"reward": 0.9, "accuracy": 0.95, "status": "trained", "epochs": 3} | outcome
    uses = resources.uses_of(_BUDGET.cost(spec))
    came = Outcome(**values, uses=uses, seconds=2.5, overhead_seconds=0.75)
    proposal = Proposal(slot, spec, parent, action)
    return CompletedTrial("0003", Assignment(proposal, attempt, "tuner0"), came, feasible)


_START = _trial(LayerwiseSpec((_CONV,), 4), Slot(1, 0, 1))
_MORPHED = _trial(
    LayerwiseSpec((_CONV, LayerSpec("max_pool", pool=2)), 4),
    Slot(1, 3, 5),
    "e01s02b5",
    Morph((Scale(0, "channels", by=1),), Insert(1, LayerSpec("max_pool", pool=2))),
    attempt=2,
    reward=0.1 / 3,
    accuracy=0.1,
    feasible=False,
    status="over_limits",
    epochs=0,
)

_REUSED = dataclasses.replace(
    _START,
    assignment=dataclasses.replace(
        _START.assignment,
        proposal=dataclasses.replace(_START.proposal, slot=Slot(1, 4, 0), reuse="e01s00b1"),
    ),
)


def _csv(*trials):
    return trials_csv.text(map(results.row_of, trials))


def test_the_csv_is_literally_this():
    assert _csv(_START, _MORPHED, _REUSED) == (
        f"{_HEADER}\n"
        f"e01s00b1,1,0003,1,0,1,,start,{_START.proposal.spec.key},0.950000,0.9,"
        "438,42144,5.165,8160,1,trained,2.500,0.750,tuner0,,0.0000,,0,3,\n"
        "e01s03b5,2,0003,1,3,5,e01s02b5,part 1 channels up; insert max_pool 2x2 after 1,"
        f"{_MORPHED.proposal.spec.key},0.100000,0.03333333333333333,438,42272,4.603,9184,0,over_limits,"
        "2.500,0.750,tuner0,,0.0000,,0,0,\n"
        f"e01s04b0,1,0003,1,4,0,,drawn at random,{_START.proposal.spec.key},0.950000,0.9,"
        "438,42144,5.165,8160,1,trained,2.500,0.750,tuner0,e01s00b1,0.0000,,0,3,\n"
    )


def test_the_reason_is_one_short_line():
    reason = "OOM when\n  allocating" + " x" * 500
    failed = dataclasses.replace(_START, outcome=dataclasses.replace(_START.outcome, reason=reason))
    last = _csv(failed).splitlines()[-1]
    assert ",0.0000,OOM when allocating x x" in last
    assert len(last) < 500


def test_the_best_network_is_literally_this():
    limit = Constraint("params", upper=20_000)
    assert results.best_of(_START, (limit,), ("a", "b")).to_dict() == {
        "format": 1,
        "slot": "e01s00b1",
        "rung": 0,
        "epochs": 3,
        "spec_key": _START.proposal.spec.key,
        "spec": _START.proposal.spec.to_dict(),
        "validation_accuracy": 0.95,
        "reward": 0.9,
        "feasible": True,
        "cost": {
            "params": 438,
            "flops": 42144,
            "traffic_bytes": 8160,
            "intensity": pytest.approx(5.165, abs=1e-3),
        },
        "limits": [{"metric": "params", "lower": None, "upper": 20_000, "base": 0.9}],
        "class_names": ["a", "b"],
    }


def test_files_grow_with_the_trials(quick, make_tuner, data):
    tuner = make_tuner(episodes=2)
    lengths = []

    def watch(oracle, finished):
        rows = storage.read_text(tuner.work_dir.trials_csv).splitlines()[1:]
        steps = storage.read_text(tuner.work_dir.steps).splitlines()
        lengths.append((len(rows), len(steps)))
        assert rows[-1].startswith(f"{finished.slot.name},1,{finished.trial_id},")
        best = json.loads(storage.read_text(tuner.work_dir.best))
        assert best["slot"] == oracle.best()[0].slot.name

    tuner.oracle.listeners.append(watch)
    tuner.search(data)
    assert lengths == [(n, n // 2) for n in range(1, 11)]


@pytest.mark.parametrize("policy", ["random", "lstm"])
def test_a_step_has_a_line(quick, make_tuner, data, policy):
    tuner = make_tuner(policy=policy, episodes=2, near_networks=0)
    tuner.search(data)
    steps = [json.loads(line) for line in storage.read_text(tuner.work_dir.steps).splitlines()]
    assert [(step["episode"], step["step"]) for step in steps] == [
        *((1, 0), (1, 1), (1, 2), (2, 1), (2, 2))
    ]
    records = tuner.oracle.completed()
    for number, step in enumerate(steps):
        pair = records[2 * number : 2 * number + 2]
        assert step["mean_reward"] == pytest.approx(sum(r.result.reward for r in pair) / 2)
        assert (step["feasible"], step["trained"]) == (2, 2)
    assert "entropy" not in steps[0]  # nobody chose the starting networks
    assert all(step["entropy"] > 0 for step in steps[1:])
    assert all(-1 <= step["skill"] <= 1 for step in steps[1:])
    assert all(step["offered"] >= 2 for step in steps[1:])
    if policy == "lstm":
        for step in steps[1:]:
            assert list(step["decision"]) == ["insert", "remove", "keep"]
            assert sum(step["decision"].values()) == pytest.approx(1, abs=1e-5)


def test_files_are_written_anew_as_they_were(quick, make_tuner, data):
    tuner = make_tuner(episodes=2)
    tuner.search(data)
    files = [tuner.work_dir.trials_csv, tuner.work_dir.best, tuner.work_dir.steps]
    before = [storage.read_text(path) for path in files]
    for path in files:
        storage.write_atomic(path, "lost")
    again = make_tuner(episodes=2)
    again.search(data)
    ResultsWriter(again.work_dir, 3).write(again.oracle)
    assert [storage.read_text(path) for path in files] == before


def test_best_json_reloads_to_the_best_network(quick, make_tuner, data):
    tuner = make_tuner()
    tuner.search(data)
    best = json.loads(storage.read_text(tuner.work_dir.best))
    assert spec_from_dict(best["spec"]) == tuner.oracle.best()[0].proposal.spec


def test_nothing_trained_gives_no_best_json(quick, make_tuner, data):
    tuner = make_tuner(constraints=[Constraint("params", upper=1)])
    tuner.search(data)
    assert not storage.exists(tuner.work_dir.best)
    assert len(storage.read_text(tuner.work_dir.trials_csv).splitlines()) == 7


def test_weights_of_no_use_are_deleted_and_nothing_else(quick, make_tuner, data):
    tuner = make_tuner(max_trials=2, keep_models=1)
    best = []

    def litter(oracle, finished):
        kept = {record.slot.name for record in oracle.best()[:1]}
        names = {"e01s00b0.weights.h5", "e01s00b1.weights.h5"}
        names |= {"e09s09b9.weights.h5", "e09s09b9.tmp.weights.h5", "notes.txt", "mine/a.keras"}
        for name in names:
            storage.write_atomic(f"{tuner.work_dir.models}/{name}", "")
        ResultsWriter(tuner.work_dir, 1).write(oracle)
        best[:] = [f"{name}.weights.h5" for name in kept]
        assert storage.names(tuner.work_dir.models) == sorted([*best, "mine", "notes.txt"])

    tuner.oracle.listeners.append(litter)
    tuner.search(data)
    assert len(best) == 1


@pytest.fixture(name="keeping")
def _keeping(make_tuner, data, monkeypatch):
    """Returns a function that opens a project of three trials, whose weights are all kept."""
    saved = Evaluator.evaluate  # the quick one

    def evaluate(self, spec, seed, keep=None, **rest):
        keep(None)
        return saved(self, spec, seed, keep, **rest)

    monkeypatch.setattr(Evaluator, "evaluate", evaluate)
    monkeypatch.setattr(weights, "write", lambda network, path: storage.write_atomic(path, ""))
    make_tuner(max_trials=3, keep_models=3).search(data)
    return lambda **changed: make_tuner(**{"max_trials": 4} | changed)


def _weights(tuner):
    return [name.partition(".")[0] for name in storage.names(tuner.work_dir.models)]


def test_whose_weights_a_lowered_number_deletes_is_said_before(quick, keeping, data, caplog):
    tuner = keeping(keep_models=1)
    best = [trial.slot.name for trial in tuner.oracle.best()]
    at_first = []

    def stop(trial):
        at_first.append((caplog.text, _weights(tuner)))
        raise KeyboardInterrupt

    tuner.on_trial_begin = stop
    with pytest.raises(KeyboardInterrupt):
        tuner.search(data)
    ((said, there),) = at_first
    assert (
        f"keep_models=1: the weights of 2 of the 3 networks in {tuner.work_dir.models} will be "
        f"deleted: {best[1]}, {best[2]} (keep_models=3 keeps them)"
    ) in said
    assert there == sorted(best), "who stops at the warning loses nothing"

    tuner = keeping(keep_models=1)
    tuner.search(data)
    assert _weights(tuner) == [tuner.oracle.best()[0].slot.name]


def test_a_finished_search_keeps_what_it_says(quick, keeping, data, caplog):
    tuner = keeping(keep_models=2, max_trials=3)
    tuner.search(data)
    assert "the weights of 1 of the 3 networks" in caplog.text
    assert _weights(tuner) == sorted(trial.slot.name for trial in tuner.oracle.best()[:2])


@pytest.mark.parametrize("keep_models", [3, 9])
def test_nothing_is_said_where_nothing_kept_is_deleted(quick, keeping, data, caplog, keep_models):
    keeping(keep_models=keep_models).search(data)
    assert "deleted" not in caplog.text


def test_of_many_weights_that_go_ten_are_named(tmp_path, caplog):
    trials = [_trial(_START.proposal.spec, Slot(1, 1, branch)) for branch in range(14)]
    finals = types.SimpleNamespace(kept=set)
    oracle = types.SimpleNamespace(best=lambda: trials, ongoing_trials={}, log=_LOG, finals=finals)
    work_dir = WorkDir(str(tmp_path))
    names = [trial.slot.name for trial in trials]
    for name in names:
        storage.write_atomic(work_dir.model(name), "")
    ResultsWriter(work_dir, 1).begin(oracle)
    assert f"deleted: {', '.join(names[1:11])} and 3 more (keep_models=14" in caplog.text
    assert len(storage.names(work_dir.models)) == 14


def test_weights_of_running_trials_stay(quick, make_tuner, data):
    tuner = make_tuner(max_trials=1)
    tuner.search(data)
    tuner = make_tuner(max_trials=2)
    tuner.plan(data)
    running = tuner.oracle.create_trial("other")
    path = tuner.work_dir.model(running.hyperparameters.values["slot"])
    storage.write_atomic(path, "")
    ResultsWriter(tuner.work_dir, 0).write(tuner.oracle)
    assert storage.exists(path)


def test_rewards_are_exact(quick, make_tuner, data):
    tuner = make_tuner()
    tuner.search(data)
    rows = list(csv.DictReader(storage.read_text(tuner.work_dir.trials_csv).splitlines()))
    assert [float(row["reward"]) for row in rows] == [
        record.result.reward for record in tuner.oracle.completed()
    ]
