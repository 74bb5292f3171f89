"""on_trial_end: told of each trial as plain data, after the files, without a way to interfere."""

from __future__ import annotations

import csv
import dataclasses
import json
import pickle

import pytest

import epnas_tf
from epnas_tf.architecture.limits import Constraint
from epnas_tf.tuner.listeners import told
from epnas_tf.tuner.listeners.told import TrialRecord
from tests.tiny_search import TINY


def _log(tuner):
    return [(trial.proposal, trial.result) for trial in tuner.oracle.completed()]


def _rows(tuner):
    with open(tuner.work_dir.trials_csv, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_trial_is_told_once_in_the_order_in_which_they_end(make_tuner, data, quick):
    records: list[TrialRecord] = []
    tuner = make_tuner()
    tuner.search(data, on_trial_end=records.append)
    trials = {trial.slot.name: trial for trial in tuner.oracle.completed()}
    assert [record.slot for record in records] == list(trials)
    assert [(record.done, record.total) for record in records] == [(n, 6) for n in range(1, 7)]
    for record in records:
        trial = trials[record.slot]
        assert record.spec == trial.proposal.spec
        assert (record.accuracy, record.reward) == (trial.outcome.accuracy, trial.outcome.reward)
        assert (record.status, record.feasible) == ("trained", trial.feasible)
        assert record.uses == trial.outcome.uses
        assert record.parent == (trial.proposal.parent or "")
        assert record.action == trial.proposal.made


def test_the_best_so_far_is_told(make_tuner, data, quick):
    records: list[TrialRecord] = []
    make_tuner(constraints=[Constraint("params", upper=1000)]).search(
        data, on_trial_end=records.append
    )
    best = None
    for record in records:
        if best is None or (record.feasible, record.reward) > (best.feasible, best.reward):
            best = record
        assert record.is_best == (best is record)


def test_the_files_are_written_before(make_tuner, data, quick):
    tuner, seen = make_tuner(), []

    def look(record):
        last = _rows(tuner)[-1]
        with open(tuner.work_dir.best, encoding="utf-8") as file:
            best = json.load(file)["slot"]
        seen.append((last["slot"] == record.slot, float(last["reward"]) == record.reward, best))
        assert (best == record.slot) == record.is_best

    tuner.search(data, on_trial_end=look)
    assert [row[:2] for row in seen] == [(True, True)] * 6


def test_what_is_done_with_a_record_changes_nothing(make_tuner, data, quick):
    def meddle(record):
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.reward = 1.0
        record.uses.clear()

    told_tuner, plain = make_tuner("told"), make_tuner("plain")
    told_tuner.search(data, on_trial_end=meddle)
    plain.search(data)
    assert _log(told_tuner) == _log(plain)
    without_times = [
        [
            {name: value for name, value in row.items() if "seconds" not in name}
            for row in _rows(tuner)
        ]
        for tuner in (told_tuner, plain)
    ]
    assert without_times[0] == without_times[1]


def test_a_record_can_be_kept(make_tuner, data, quick):
    records: list[TrialRecord] = []
    make_tuner().search(data, on_trial_end=records.append)
    assert pickle.loads(pickle.dumps(records)) == records
    assert dataclasses.asdict(records[0])["slot"] == records[0].slot


def test_an_error_ends_the_search_and_it_goes_on_after_the_told_trial(make_tuner, data, quick):
    heard = []

    def fail(record):
        heard.append(record.slot)
        if len(heard) == 2:
            raise LookupError("of the user's own")

    with pytest.raises(LookupError, match="of the user's own"):
        make_tuner().search(data, on_trial_end=fail)
    again = make_tuner()
    assert [trial.slot.name for trial in again.oracle.completed()] == heard
    rest = []
    again.search(data, on_trial_end=lambda record: rest.append(record.slot))
    assert not set(rest) & set(heard)
    whole = make_tuner("whole")
    whole.search(data)
    assert _log(again) == _log(whole)
    assert heard + rest == [trial.slot.name for trial in whole.oracle.completed()]


def test_a_search_tells_nobody_that_it_was_not_asked_to_tell(make_tuner, data, quick):
    heard = []
    tuner = make_tuner(max_trials=2)
    tuner.search(data, on_trial_end=heard.append)
    assert len(heard) == 2
    listeners = list(tuner.oracle.listeners)
    with told.telling(tuner.oracle, None):
        assert tuner.oracle.listeners == listeners
    make_tuner(max_trials=4).search(data)
    tuner.oracle.listeners[-1](tuner.oracle, tuner.oracle.completed()[0])
    assert len(heard) == 2


def test_networks_that_are_not_trained_are_told_too(make_tuner, data, quick):
    records: list[TrialRecord] = []
    make_tuner(constraints=[Constraint("params", upper=1)], limits="soft", skip_over=1.0).search(
        data, on_trial_end=records.append
    )
    assert len(records) == 6
    assert {(record.status, record.feasible) for record in records} == {("over_limits", False)}
    assert all(record.accuracy == pytest.approx(1 / 3) for record in records)
    assert not any(record.is_best for record in records)


def test_a_configured_search_tells_too(tmp_path):
    records: list[epnas_tf.TrialRecord] = []
    config = epnas_tf.SearchConfig(work_dir=str(tmp_path / "search"), **TINY)
    result = epnas_tf.search(config, on_trial_end=records.append)
    assert len(records) == result.trials == 4
    assert {network.slot for network in result.networks} <= {record.slot for record in records}
    assert all(record.epochs == 1 and record.seconds > 0 for record in records)
