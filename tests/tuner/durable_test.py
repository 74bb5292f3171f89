"""Files that are whole after any kill, and a lock that is free after any error."""

from __future__ import annotations

import io
import json
import os
import pathlib
import re
import sys
import threading
from collections.abc import Sequence

import keras_tuner
import pytest
import tensorflow as tf
from keras_tuner import errors

from epnas_tf.tuner.durable import (
    DurableOracle,
    DurableTuner,
    Status,
    StoppedError,
    Trial,
    metrics,
    values,
)
from epnas_tf.workdir import storage


class _Counting(DurableOracle):
    """Hands out the numbers 0, 1, 2 and stops; a number whose attempt failed comes again."""

    def __init__(self):
        super().__init__(objective=keras_tuner.Objective("reward", "max"))

    def populate_space(self, trial_id):
        done = {
            values(trial)["number"]
            for trial in self.trials.values()
            if trial.status in (Status.COMPLETED, Status.RUNNING) and values(trial)
        }
        left = [number for number in range(3) if number not in done]
        if not left:
            return {"status": Status.STOPPED}
        return {"status": Status.RUNNING, "values": {"number": left[0]}}


class _Tuner(DurableTuner):
    """Rewards a number with a tenth of it; counts what it ran."""

    def __init__(self, folder, **settings):
        self.ran = []
        super().__init__(
            _Counting(), hypermodel=None, directory=str(folder), project_name="p", **settings
        )
        self.oracle.verbose = 0

    def run_trial(self, trial, *args, **kwargs):
        number = values(trial)["number"]
        self.ran.append(number)
        return {"reward": number / 10, "accuracy": 0.5}


def _trial_file(folder: pathlib.Path, trial_id: str) -> pathlib.Path:
    return folder / "p" / f"trial_{trial_id}" / "trial.json"


def _finished(tuner: _Tuner) -> dict[int, float]:
    trials = [t for t in tuner.oracle.trials.values() if t.status == Status.COMPLETED]
    return {values(trial)["number"]: metrics(trial)["reward"] for trial in trials}


_ALL = {0: 0.0, 1: 0.1, 2: 0.2}


@pytest.fixture(name="finished")
def _finished_folder(tmp_path):
    tuner = _Tuner(tmp_path)
    tuner.search()
    assert _finished(tuner) == _ALL
    return tmp_path


def _ids_and_files_agree(tuner: _Tuner, folder: pathlib.Path, but: Sequence[str] = ()) -> None:
    files = sorted((folder / "p").glob("trial_*/trial.json"))
    ids = [trial_id for trial_id in _ids(tuner) if trial_id not in but]
    assert [path.parent.name for path in files] == [f"trial_{trial_id}" for trial_id in ids]
    for path in files:
        trial_id = path.parent.name.removeprefix("trial_")
        assert json.loads(path.read_text())["trial_id"] == trial_id


def _ids(tuner: _Tuner) -> list[str]:
    return list(tuner.oracle.trials)


def test_every_file_is_replaced_and_never_rewritten(tmp_path, monkeypatch):
    written = []
    real = storage.write_atomic

    def write(path, data):
        written.append(os.path.relpath(path, tmp_path / "p"))
        json.loads(data)
        real(path, data)

    monkeypatch.setattr(storage, "write_atomic", write)
    _Tuner(tmp_path).search()
    found = {str(p.relative_to(tmp_path / "p")) for p in tmp_path.rglob("*") if p.is_file()}
    assert found == set(written)  # nothing reached the folder by another way, nothing is left over
    assert found == {"oracle.json", "tuner0.json"} | {f"trial_000{n}/trial.json" for n in range(3)}


@pytest.mark.parametrize("content", ["", "{", '{"trial_id": "0001"', "[]", "null", '{"a": 1}'])
def test_a_torn_trial_is_a_failed_attempt_that_is_run_again(finished, content):
    torn = _trial_file(finished, "0001")
    torn.write_text(content)
    tuner = _Tuner(finished)
    assert tuner.oracle.trials["0001"].status == Status.FAILED
    assert torn.read_text() == content  # whose it is, a later look may tell better
    tuner.search()
    assert tuner.ran == [1]
    assert _finished(tuner) == _ALL
    assert _ids(tuner) == ["0000", "0001", "0002", "0003"]
    torn.unlink()
    torn.parent.rmdir()
    _ids_and_files_agree(tuner, finished, but=["0001"])


def test_a_running_trial_is_a_failed_attempt_that_is_run_again(finished):
    state = json.loads(_trial_file(finished, "0002").read_text())
    _trial_file(finished, "0002").write_text(json.dumps(state | {"status": "RUNNING"}))
    tuner = _Tuner(finished)
    assert (tuner.oracle.trials["0002"].status, tuner.oracle.trials["0002"].message) == (
        Status.FAILED,
        "interrupted",
    )
    tuner.search()
    assert tuner.ran == [2]
    assert _finished(tuner) == _ALL
    _ids_and_files_agree(tuner, finished)


def test_a_completed_trial_without_a_score_is_run_again(finished):
    state = json.loads(_trial_file(finished, "0000").read_text())
    _trial_file(finished, "0000").write_text(json.dumps(state | {"score": None}))
    tuner = _Tuner(finished)
    tuner.search()
    assert tuner.ran == [0]


@pytest.mark.parametrize("lost", ["0000", "0001", "0002"])
@pytest.mark.parametrize("whole_folder", [True, False])
def test_no_later_trial_gets_the_id_of_one_that_is_there(finished, lost, whole_folder):
    _trial_file(finished, lost).unlink()
    if whole_folder:
        _trial_file(finished, lost).parent.rmdir()
    kept = {path: path.read_bytes() for path in finished.rglob("trial.json")}
    tuner = _Tuner(finished)
    tuner.search()
    assert tuner.ran == [int(lost)]
    assert _finished(tuner) == _ALL
    assert {path: path.read_bytes() for path in kept} == kept
    last_is_lost = whole_folder and lost == "0002"  # then nothing tells that it ever was
    assert _ids(tuner) == ["0000", "0001", "0002", "0003"][: 3 if last_is_lost else 4]


def test_what_is_no_trial_folder_does_not_count(finished):
    (finished / "p" / "trial_notes").mkdir()
    (finished / "p" / "trial_0007.bak").mkdir()
    assert _ids(_Tuner(finished)) == ["0000", "0001", "0002"]


def test_a_look_at_a_project_writes_nothing(finished):
    state = json.loads(_trial_file(finished, "0002").read_text())
    _trial_file(finished, "0002").write_text(json.dumps(state | {"status": "RUNNING"}))
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    _Tuner(finished).oracle.get_best_trials()
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_a_folder_name_may_look_like_a_pattern(tmp_path):
    folder = tmp_path / "run[1]*?"
    _Tuner(folder).search()
    tuner = _Tuner(folder)
    tuner.search()
    assert tuner.ran == []
    assert _finished(tuner) == _ALL


@pytest.mark.parametrize("name", ["oracle.json", "tuner0.json"])
@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_what_is_no_trial_file_may_be_missing_or_broken(finished, name, content):
    path = finished / "p" / name
    path.unlink() if content is None else path.write_text(content)
    tuner = _Tuner(finished)
    tuner.search()
    assert tuner.ran == []
    assert _finished(tuner) == _ALL


def test_trials_come_in_the_order_of_their_ids(finished):
    assert _ids(_Tuner(finished)) == ["0000", "0001", "0002"]


def test_overwrite_begins_anew(finished):
    tuner = _Tuner(finished, overwrite=True)
    assert tuner.oracle.trials == {}
    tuner.search()
    assert tuner.ran == [0, 1, 2]


def test_a_fatal_error_stops_and_the_next_run_tries_again(tmp_path):
    class Breaking(_Tuner):
        def run_trial(self, trial, *args, **kwargs):
            if values(trial)["number"] == 1:
                raise errors.FatalError("no disk")
            return super().run_trial(trial)

    broken = Breaking(tmp_path)
    with pytest.raises(errors.FatalError, match="no disk"):
        broken.search()
    tuner = _Tuner(tmp_path)
    tuner.search()
    assert tuner.ran == [1, 2]
    assert [t.status for t in tuner.oracle.trials.values()] == [
        *(Status.COMPLETED, Status.FAILED, Status.COMPLETED, Status.COMPLETED)
    ]


# The lock


def _gets_through(oracle: DurableOracle) -> bool:
    """Says whether another thread can lock the oracle now."""
    passed = threading.Event()

    def enter():
        with oracle.locked():
            passed.set()

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    thread.join(timeout=0.3)
    return passed.is_set()


@pytest.fixture(name="oracle")
def _oracle(tmp_path) -> DurableOracle:
    return _Tuner(tmp_path).oracle


def test_one_thread_at_a_time_but_that_one_again_and_again(oracle):
    with oracle.locked():
        with oracle.locked():
            assert not _gets_through(oracle)
        assert not _gets_through(oracle)  # leaving the inner block frees nothing
    assert _gets_through(oracle)


@pytest.mark.parametrize(
    "call",
    [
        lambda oracle: oracle.create_trial("tuner0"),
        lambda oracle: oracle.update_trial("no such trial", {"reward": 1.0}),
        lambda oracle: oracle.end_trial(Trial(keras_tuner.HyperParameters(), trial_id="none")),
    ],
    ids=["create_trial", "update_trial", "end_trial"],
)
def test_the_lock_is_free_after_an_error(oracle, call, monkeypatch):
    def fail(trial_id):
        raise KeyError(trial_id)

    monkeypatch.setattr(oracle, "populate_space", fail)
    with pytest.raises(KeyError):
        call(oracle)
    assert _gets_through(oracle)


def test_an_error_in_an_inner_block_keeps_the_outer_lock(oracle):
    with oracle.locked():
        with pytest.raises(ZeroDivisionError), oracle.locked():
            raise ZeroDivisionError
        assert not _gets_through(oracle)
    assert _gets_through(oracle)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "must be a JSON object"),
        ("[" * 100_000, "levels deep"),
        ('{"a": NaN}', "finite numbers, got NaN"),
        ('{"a": 1}', "KeyError|'trial_id'|hyperparameters"),
    ],
)
def test_a_torn_or_foreign_file_is_named(finished, content, reason, caplog):
    torn = _trial_file(finished, "0001")
    torn.write_text(content)
    _Tuner(finished)
    (message,) = caplog.messages
    assert re.search(
        f"{torn} is corrupt or not written by this search, its trial is run again: .*({reason})",
        message,
    )


def test_a_trial_of_another_number_is_foreign(finished, caplog):
    state = json.loads(_trial_file(finished, "0002").read_text())
    _trial_file(finished, "0001").write_text(json.dumps(state))
    assert _Tuner(finished).oracle.trials["0001"].status == Status.FAILED
    assert "trial_id must be 0001, got '0002'" in caplog.text


def test_a_disk_that_cannot_be_read_is_no_torn_file(finished, monkeypatch):
    def unreadable(path):
        raise PermissionError(path)

    monkeypatch.setattr(storage, "read_text", unreadable)
    with pytest.raises(PermissionError):
        _Tuner(finished)


def test_a_trial_that_was_put_back_is_handed_out_again(tmp_path):
    class Stopping(_Tuner):
        def run_trial(self, trial, *args, **kwargs):
            raise KeyboardInterrupt

    tuner = Stopping(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        tuner.search()
    tuner.oracle.put_back()
    again = _Tuner(tmp_path)
    assert [trial.message for trial in again.oracle.trials.values()] == ["stopped"]
    again.search()
    assert again.ran == [0, 1, 2]


def test_a_trial_that_was_stopped_in_order_counts_as_no_failure(tmp_path):
    class Stopping(_Tuner):
        def run_trial(self, trial, *args, **kwargs):
            if not self.oracle.end_order:
                raise StoppedError("for a while")
            return super().run_trial(trial, *args, **kwargs)

    tuner = Stopping(tmp_path)
    tuner.search()
    ended = [(trial.status, trial.message) for trial in _Tuner(tmp_path).oracle.trials.values()]
    assert ended[0] == (Status.FAILED, "stopped")
    assert {status for status, _ in ended[1:]} == {Status.COMPLETED}


def test_a_trial_that_has_ended_is_not_put_back(tmp_path, monkeypatch):
    """Ctrl-C between the trial's last file and the oracle's own."""
    real = DurableOracle.save

    def interrupted(self):
        if any(trial.status == Status.COMPLETED for trial in self.trials.values()):
            raise KeyboardInterrupt
        real(self)

    tuner = _Tuner(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(DurableOracle, "save", interrupted)
        tuner.search()
    tuner.oracle.put_back()
    again = _Tuner(tmp_path)
    again.search()
    assert again.ran == [1, 2]
    assert _finished(again) == _ALL


def test_a_store_that_cannot_be_read_is_no_torn_file(finished, monkeypatch):
    def unavailable(path):
        raise tf.errors.UnavailableError(None, None, "try again")

    monkeypatch.setattr(storage, "read_text", unavailable)
    with pytest.raises(tf.errors.UnavailableError):
        _Tuner(finished)


def test_a_project_is_reloaded_in_a_terminal_of_ascii(quick, make_tuner, data, monkeypatch):
    make_tuner("b\u00fccher", max_trials=1).search(data)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii", write_through=True))
    make_tuner("b\u00fccher")
    assert b"b\\xfccher" in written.getvalue()
