"""Cores for processes side by side."""

from __future__ import annotations

import queue

from epnas_tf.studies import cores


class _Context:
    Queue = queue.Queue


def test_each_process_has_a_core_of_those_allowed_and_the_last_may_share(monkeypatch):
    monkeypatch.setattr(cores, "usable", lambda: [1, 4])
    assert cores.shared_out(3) == [1, 4, 1]
    free = cores.queue(2, _Context)
    assert [free.get_nowait(), free.get_nowait(), free.empty()] == [1, 4, True]


def test_where_the_system_pins_no_process_any_core_will_do(monkeypatch):
    monkeypatch.setattr(cores, "usable", list)
    assert cores.shared_out(2) == [-1, -1]
    cores.pin(-1)


def test_a_process_is_kept_on_its_core(monkeypatch):
    kept = []
    monkeypatch.setattr(cores.os, "sched_setaffinity", lambda *a: kept.append(a), raising=False)
    cores.pin(3)
    assert kept == [(0, {3})]


def test_a_command_is_kept_on_its_core_where_the_system_can(monkeypatch):
    monkeypatch.setattr(cores.shutil, "which", lambda name: f"/bin/{name}")
    assert cores.pinned(["a", "b"], 3) == ["/bin/taskset", "-c", "3", "a", "b"]
    assert cores.pinned(["a", "b"], -1) == ["a", "b"]
    monkeypatch.setattr(cores.shutil, "which", lambda name: None)
    assert cores.pinned(["a", "b"], 3) == ["a", "b"]
