"""How a cluster would be used: by what must hold of every search, and by cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.studies import cluster
from epnas_tf.studies.cluster import Times
from epnas_tf.workdir.layout import WorkDir
from tests.studies import search_files


def _rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize(("workers", "branches"), [(1, 1), (1, 8), (4, 8), (8, 8)])
def test_equal_trials_that_fill_the_workers_leave_nobody_waiting(workers, branches):
    times = Times([10.0])
    use = cluster.in_steps(times, workers, branches, _rng())
    assert use.busy == pytest.approx(1.0)
    assert use.per_hour == pytest.approx(360 * workers)
    assert cluster.without_steps(times, workers, _rng()).per_hour == pytest.approx(360 * workers)


def test_workers_beyond_the_branches_wait():
    use = cluster.in_steps(Times([10.0]), 64, 8, _rng())
    assert (use.busy, use.per_hour) == (pytest.approx(8 / 64), pytest.approx(360 * 8))
    # Five trials on four workers take two rounds.
    assert cluster.in_steps(Times([10.0]), 4, 5, _rng()).busy == pytest.approx(5 / 8)


def test_what_the_chief_does_counts_against_all():
    use = cluster.in_steps(Times([10.0], proposal=2.5), 4, 4, _rng())
    assert use.busy == pytest.approx(0.5)
    # Without steps the chief gives out a network each 2.5 seconds: four workers are enough for it.
    use = cluster.without_steps(Times([10.0], proposal=2.5), 40, _rng())
    assert use.per_hour == pytest.approx(3600 / 2.5, rel=0.02)
    assert use.busy == pytest.approx(4 / 40, rel=0.02)


@pytest.mark.parametrize("workers", [2, 8, 64])
def test_a_barrier_costs_the_more_the_more_trials_differ(workers):
    even, uneven = Times([29.0, 31.0]), Times([10.0, 50.0])
    steps = [cluster.in_steps(times, workers, workers, _rng()).busy for times in (even, uneven)]
    free = [cluster.without_steps(times, workers, _rng()).busy for times in (even, uneven)]
    assert steps[0] > steps[1] and free[0] > 0.9 and free[1] > steps[1]


def test_promotions_come_in_proportion_and_take_their_time():
    times = Times([10.0] * 4, [30.0])
    alone = cluster.in_steps(times, 1, 8, _rng())
    assert alone.busy == pytest.approx(1.0)
    assert alone.per_hour == pytest.approx(3600 / (10 + 30 / 4), rel=0.05)
    free = cluster.without_steps(times, 1, _rng())
    assert free.per_hour == pytest.approx(3600 / (10 + 30 / 4), rel=0.05)


def test_times_are_those_of_trained_networks(tmp_path):
    rows = [
        search_files.row("e01s00b0", 0, 0.5),
        search_files.row("e01s00b1", 1, 0.5),
        search_files.row("e01s00b0r1", 2, 0.6, wave=1),
        search_files.row("e01s00b1r1m1", 3, 0.6),  # at the end: none of a step's
    ]
    search_files.write(tmp_path, rows)
    times = cluster.measured(WorkDir(str(tmp_path)), 0.5)
    assert (len(times.networks), len(times.promotions), times.proposal) == (2, 1, 0.5)
    assert times.networks[0] == rows[0].seconds + rows[0].overhead_seconds


@pytest.mark.parametrize("wrong", [([],), ([0.0],), ([1.0], [-1.0]), ([1.0], [], -0.1)])
def test_times_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="times must be above 0"):
        Times(*wrong)
