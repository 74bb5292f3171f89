"""Loops in the graph, cut into calls."""

from __future__ import annotations

import tensorflow as tf

from epnas_tf.training import devices, loop


def test_the_parts_of_a_loop_follow_each_other_from_start_to_stop(monkeypatch):
    for patience, count in ((0.0, 5), (1e9, 2)):
        monkeypatch.setattr(loop, "_PATIENCE_SECONDS", patience)
        parts = list(loop.Pace()(3, 8))
        assert [place for part in parts for place in range(part.start, part.stop)] == [*range(3, 8)]
        assert len(parts) == count  # the first is of one step, to see how long it takes
    assert list(loop.Pace()(3, 3)) == []


def test_whoever_wants_to_stop_is_asked_between_two_parts(monkeypatch):
    asked = []
    monkeypatch.setattr(loop.interrupts, "check", lambda: asked.append(1))
    monkeypatch.setattr(loop, "_PATIENCE_SECONDS", 0.0)
    assert len(list(loop.Pace()(0, 3))) == len(asked) == 3


def test_a_loop_in_the_graph_runs_its_body_so_often():
    run = tf.function(lambda n: loop.repeat(n, lambda i, x: (i + 1, x + i), tf.constant(0))[1])
    assert [int(run(tf.constant(n))) for n in (0, 4)] == [0, 6]


def test_shares_of_replicas_are_summed():
    none = devices.make_strategy("none")
    sums = loop.over_replicas(none, (tf.constant(1.0), tf.constant(2.0)))
    assert [float(each) for each in sums] == [1, 2]
