"""What ends a run of a search before its last trial."""

import pytest

from epnas_tf.tuner import run_limits
from epnas_tf.tuner.run_limits import RunLimits, RunWatch


@pytest.fixture(name="clock")
def _clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(run_limits.time, "monotonic", lambda: now[0])
    return now


def test_without_limits_none_is_reached(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert RunWatch(RunLimits(max_disk=None)).reached(10**9, str(tmp_path)) == ""


def test_as_many_trials_as_allowed_may_begin(tmp_path):
    limits = RunWatch(RunLimits(max_trials=3))
    assert [limits.reached(n, str(tmp_path)) for n in (2, 3)] == ["", "max_trials=3"]


def test_hours_are_of_this_run(tmp_path, clock):
    limits = RunWatch(RunLimits(max_hours=1.5))
    clock[0] += 5400
    assert limits.reached(0, str(tmp_path)) == ""
    clock[0] += 1
    assert limits.elapsed() == 5401
    assert limits.reached(0, str(tmp_path)) == "max_hours=1.5"
    limits.begin()
    assert limits.reached(0, str(tmp_path)) == ""


def test_the_project_may_be_as_large_as_allowed(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert RunWatch(RunLimits(max_disk=5)).reached(0, str(tmp_path)) == ""
    assert RunWatch(RunLimits(max_disk=4)).reached(0, str(tmp_path)) == "max_disk=4"


def test_the_first_that_is_reached_is_named(tmp_path, clock):
    limits = RunWatch(RunLimits(max_trials=1, max_hours=1))
    clock[0] += 4000
    assert limits.reached(1, str(tmp_path)) == "max_trials=1"


def test_the_time_is_up_after_the_last_second(clock):
    limits, endless = RunWatch(RunLimits(max_hours=1.5)), RunWatch(RunLimits(max_hours=0))
    clock[0] += 5400
    assert not limits.time_is_up
    clock[0] += 0.1
    assert limits.time_is_up
    assert not endless.time_is_up


def test_the_seconds_of_a_run_are_those_of_its_hours():
    assert RunWatch(RunLimits(max_hours=1.5)).seconds == 5400
    assert RunWatch(RunLimits()).seconds == 0


def test_time_that_is_kept_back_is_for_no_networks(tmp_path, clock):
    limits = RunWatch(RunLimits(max_hours=1, max_trials=3))
    clock[0] += 3000
    assert limits.reached(0, str(tmp_path), 600) == ""
    assert limits.reached(0, str(tmp_path), 601) == "max_hours=1"
    assert limits.reached(3, str(tmp_path)) == "max_trials=3"
    assert limits.spent(str(tmp_path)) == ""  # for what counts as no trial
    clock[0] += 601
    assert limits.spent(str(tmp_path)) == "max_hours=1"


def test_a_search_that_is_to_be_finished_gets_no_network(tmp_path):
    limits = RunWatch(RunLimits(finish=True))
    assert limits.reached(0, str(tmp_path)) == "finish=true"
    assert limits.spent(str(tmp_path)) == ""
