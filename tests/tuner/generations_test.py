"""The dictionary beside the trials: generations, kills at every write, and real children."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil

import numpy as np
import pytest

from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.trials import Proposal, Slot
from epnas_tf.sharing import rules
from epnas_tf.sharing.rules import Entry
from epnas_tf.sharing.store import Offer, ParamStore
from epnas_tf.training.evaluate import Evaluation, Evaluator
from epnas_tf.tuner import durable
from epnas_tf.tuner.durable import Status
from epnas_tf.tuner.generations import Generations
from epnas_tf.tuner.trial_data import Assignment, CompletedTrial, Outcome
from epnas_tf.workdir import storage

_SHARING = ("dictionary", "lineage")
_SPEC = LayerwiseSpec((LayerSpec("conv2d", 1, None, 4, "relu"),), 4)


@pytest.fixture(name="seen")
def _seen(monkeypatch):
    """Gives networks an accuracy that follows from the dictionary they see; returns what they saw.

    Each offers one block under its first layer's label, so that offers clash and differ.
    """
    log = []

    def evaluate(self, spec, seed, keep=None, sharing=None, **_):
        known = [(e.key, e.source, e.accuracy) for e in sharing.store.entries]
        label = sharing.labels("layer1_conv2d")
        log.append((sharing.slot, sharing.store.generation, label))
        text = json.dumps([spec.key, known])
        accuracy = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32
        values = {"conv": {"kernel": np.full((1, 1, 1, 2), accuracy, np.float32)}}
        entry = Entry(label, sharing.slot, accuracy, rules.shapes_of(values), {})
        offer = sharing.store.offer(f"{sharing.slot}-{sharing.attempt}", [(entry, values)])
        reward = self.budget.reward(accuracy, spec)
        return Evaluation(accuracy, reward, "trained", 1.0, warm_share=0.5, offer=offer.digest)

    monkeypatch.setattr(Evaluator, "evaluate", evaluate)
    return log


def _outcome(tuner):
    """Returns what must not depend on kills; the names of files hold attempts."""
    log = [
        (r.slot.name, r.proposal, r.result, r.outcome.inherited) for r in tuner.oracle.completed()
    ]
    store = ParamStore(tuner.work_dir.shared_params)
    entries = [(e, store.load(e)["conv"]["kernel"].tolist()) for e in store.entries]
    return log, store.generation, entries


@pytest.mark.parametrize("sharing", _SHARING)
def test_a_step_sees_the_dictionary_as_it_stood_when_it_began(seen, make_tuner, data, sharing):
    tuner = make_tuner(parameter_sharing=sharing, episodes=2, reuse_duplicates=False)
    tuner.search(data)
    assert [(slot, generation) for slot, generation, _ in seen] == [
        (f"{step}b{branch}", generation)
        for generation, step in enumerate(("e01s00", "e01s01", "e01s02", "e02s01", "e02s02"))
        for branch in range(2)
    ]
    store = ParamStore(tuner.work_dir.shared_params)
    assert store.generation == 5
    files = [name for name in storage.names(tuner.work_dir.shared_params) if name.endswith(".npz")]
    assert len(files) == len({e.source for e in store.entries}) < 10  # the others are deleted
    assert {r.outcome.inherited for r in tuner.oracle.completed()} == {0.5}


def test_by_number_the_label_is_the_layers_place(seen, make_tuner, data):
    make_tuner(parameter_sharing="dictionary").search(data)
    assert {label for _, _, label in seen} == {"layer1_conv2d"}


def test_by_lineage_the_label_is_the_layers_first_slot(seen, make_tuner, data):
    tuner = make_tuner(parameter_sharing="lineage", episodes=2)
    tuner.search(data)
    labels = {label for _, _, label in seen}
    slots = {record.slot.name for record in tuner.oracle.completed()}
    births = {label.removeprefix("layer:").removesuffix("_conv2d") for label in labels}
    assert {birth.partition(".")[0] for birth in births} <= slots
    assert any(birth.endswith(".1") for birth in births)


@pytest.mark.parametrize("sharing", _SHARING)
def test_a_kill_between_any_two_writes_changes_nothing(
    seen, make_tuner, data, die_at, sharing, killed
):
    settings = {"seed": 3, "parameter_sharing": sharing}
    clock = die_at(-1)
    whole = make_tuner("whole", **settings)
    whole.search(data)
    writes, expected = clock["writes"], _outcome(whole)
    assert writes > 6 * 9
    for number in range(writes):
        project = f"killed{number}"
        die_at(number)
        with pytest.raises(killed):
            make_tuner(project, **settings).search(data)
        die_at(-1)
        resumed = make_tuner(project, **settings)
        resumed.search(data)
        assert _outcome(resumed) == expected, f"killed before write {number} of {writes}"


def test_kills_in_a_row_change_nothing(seen, make_tuner, data, die_at, killed):
    settings = {"episodes": 2, "parameter_sharing": "lineage"}
    die_at(-1)
    whole = make_tuner("whole", **settings)
    whole.search(data)
    for number in itertools.cycle((9, 4, 14)):
        die_at(number)
        tuner = make_tuner("killed", **settings)
        try:
            tuner.search(data)
        except killed:
            continue
        break
    die_at(-1)
    assert _outcome(tuner) == _outcome(whole)


def _pending(tuner):
    """Returns the path of the first offer of the second step."""
    folder = tuner.work_dir.shared_params
    (name,) = [name for name in storage.names(folder) if name.startswith("e01s01b0-1-")]
    return os.path.join(folder, name)


@pytest.mark.parametrize("torn", [False, True])
def test_an_offer_that_is_lost_is_made_again(seen, make_tuner, data, torn):
    # A loss is no attempt: it must not count against the slot.
    settings = {"seed": 3, "parameter_sharing": "dictionary", "max_attempts": 1}
    whole = make_tuner("whole", **settings)
    whole.search(data)
    part = make_tuner("part", **settings, max_trials=3)  # one of the second step
    part.search(data)
    pending = _pending(part)
    storage.write_atomic(pending, b"torn") if torn else storage.remove(pending)
    assert len(make_tuner("part", **settings).oracle.completed()) == 3  # looking changes nothing
    again = make_tuner("part", **settings)
    again.search(data)
    reasons = [t.message for t in again.oracle.trials.values() if t.status == Status.FAILED]
    assert reasons == ["its shared parameters are missing"]
    for tuner in (again, make_tuner("part", **settings)):  # also once it is opened anew
        assert _outcome(tuner) == _outcome(whole)
        attempts = {r.slot.name: r.assignment.attempt for r in tuner.oracle.completed()}
        assert attempts == {r.slot.name: 1 for r in whole.oracle.completed()} | {"e01s01b0": 2}


def test_a_dictionary_that_is_gone_is_named(seen, make_tuner, data):
    settings = {"seed": 3, "parameter_sharing": "dictionary"}
    part = make_tuner(**settings, max_trials=5)  # two whole steps
    part.search(data)
    shutil.rmtree(part.work_dir.shared_params)
    again = make_tuner(**settings)
    assert len(again.oracle.completed()) == 5
    with pytest.raises(ValueError, match="shared_params must hold generation 1 .* got 0: put the"):
        again.search(data)


def test_a_finished_search_needs_its_dictionary_no_more(seen, make_tuner, data):
    tuner = make_tuner(parameter_sharing="lineage")
    tuner.search(data)
    best = [record.slot for record in tuner.oracle.best()]
    shutil.rmtree(tuner.work_dir.shared_params)
    again = make_tuner(parameter_sharing="lineage")
    again.search(data)
    assert [record.slot for record in again.oracle.best()] == best


def test_a_trial_whose_file_is_lost_after_its_step_runs_again(seen, make_tuner, data):
    settings = {"seed": 3, "parameter_sharing": "dictionary"}
    part = make_tuner(**settings, max_trials=5)
    part.search(data)
    lost = next(r for r in part.oracle.completed() if r.slot.name == "e01s00b1")
    path = os.path.join(part.project_dir, f"trial_{lost.trial_id}", "trial.json")
    storage.write_atomic(path, "torn")
    again = make_tuner(**settings)
    again.search(data)
    assert len(again.oracle.completed()) == again.oracle.total


def test_looking_at_a_project_writes_nothing(seen, make_tuner, data, die_at):
    tuner = make_tuner(parameter_sharing="dictionary")
    tuner.search(data)
    die_at(0)
    make_tuner(parameter_sharing="dictionary").results_summary()


def test_another_sharing_is_another_search(seen, make_tuner, data):
    make_tuner(parameter_sharing="dictionary", max_trials=1).search(data)
    with pytest.raises(ValueError, match="parameter_sharing is dictionary, asked for lineage"):
        make_tuner(parameter_sharing="lineage").search(data)


def test_a_dictionary_at_another_generation_is_refused(tmp_path):
    library = Generations(ParamStore(str(tmp_path)), branches=2, steps=2)
    with pytest.raises(ValueError, match="must hold generation 1 .* got 0"):
        library.sharing(Assignment(Proposal(Slot(1, 1, 0), _SPEC), 1, "w", generation=1))


def test_what_rises_is_no_part_of_a_step(tmp_path):
    def trial(*slot, offer=0):
        outcome = Outcome(0.5, 0.5, "trained", dict.fromkeys(RESOURCES, 1.0), offer=offer)
        return CompletedTrial("0", Assignment(Proposal(Slot(*slot), _SPEC), 1, "w"), outcome, True)

    library = Generations(ParamStore(str(tmp_path)), branches=2, steps=2)
    first, second = trial(1, 0, 0), trial(1, 0, 1)
    risen = [trial(1, 0, 0, 1), trial(1, 0, 0, 2), trial(1, 0, 0, 2, 1)]
    library.take_in([first, *risen])
    assert library.store.generation == 0
    library.take_in([first, *risen, second])
    assert library.store.generation == 1
    lost = trial(1, 1, 0, offer=7)
    assert library.lacking([first, *risen, second, lost, trial(1, 1, 0, 1, offer=8)]) == [lost]


def test_the_hash_of_an_offer_survives_as_a_float():
    digest = 2**52 - 1
    assert Offer("e01s00b0-1", int(float(digest))).file == "e01s00b0-1-fffffffffffff.npz"


@pytest.mark.parametrize("sharing", _SHARING)
def test_real_children_inherit(make_tuner, data, plan, sharing):
    tuner = make_tuner(parameter_sharing=sharing, schedule=plan)
    tuner.search(data)
    records = tuner.oracle.completed()
    assert [r.outcome.inherited for r in records[:2]] == [0.0, 0.0]
    assert all(0 < r.outcome.inherited <= 1 for r in records[2:])
    assert all(r.outcome.offer for r in records if not r.proposal.reuse)
    row = storage.read_text(tuner.work_dir.trials_csv).splitlines()[-1]
    assert row.endswith(f",{records[-1].outcome.inherited:.4f},,0,2,")


# Hopeless children


def test_the_curves_of_the_step_before_are_handed_out(make_tuner, data, plan):
    tuner = make_tuner(stop_hopeless=0.3, schedule=plan, reuse_duplicates=False)
    tuner.search(data)
    records = {r.slot.name: r for r in tuner.oracle.completed()}
    assert all(
        len(r.outcome.curve) == 2 for r in records.values() if r.trained and not r.proposal.reuse
    )
    values = {v["slot"]: v for v in map(durable.values, tuner.oracle.trials.values())}
    assert json.loads(values["e01s00b1"]["reference"]) == []
    step = [list(records[f"e01s00b{branch}"].outcome.curve) for branch in range(2)]
    assert json.loads(values["e01s01b0"]["reference"]) == step


def test_a_stopped_child_is_no_parent_and_leaves_nothing(make_tuner, data, plan, monkeypatch):
    monkeypatch.setattr("epnas_tf.training.early_stopping.FEWEST_REFERENCES", 1)
    monkeypatch.setattr("epnas_tf.training.early_stopping.StopRule.on_epoch", _stops_second_step)
    tuner = make_tuner(stop_hopeless=0.3, schedule=plan, parameter_sharing="dictionary")
    tuner.search(data)
    stopped = [r for r in tuner.oracle.completed() if r.slot.step == 1]
    assert {r.result.status for r in stopped if not r.proposal.reuse} == {"hopeless"}
    assert {r.outcome.offer for r in stopped} == {0.0}
    last = [r for r in tuner.oracle.completed() if r.slot.step == 2]
    assert {r.proposal.parent[:6] for r in last} == {"e01s00"}
    assert tuner.work_dir.models and not any(
        name.startswith("e01s01") for name in storage.names(tuner.work_dir.models)
    )


def _stops_second_step(rule, result):
    """The rule of a step that is held against the first one's two curves, and no other's."""
    return bool(rule.reference) and len(rule.reference) == 2


def test_curves_travel_as_numbers():
    curve = tuple(n / 200 for n in range(120))
    outcome = Outcome(0.5, 0.5, "trained", dict.fromkeys(RESOURCES, 1.0), curve=curve)
    assert Outcome.from_metrics(outcome.to_metrics()).curve == curve
