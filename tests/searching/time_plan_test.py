"""The plan for the time there is, by what must hold of every plan."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest

from epnas_tf.searching import time_plan
from epnas_tf.searching.time_plan import Given, Shares, TimePlan

_MINUTE = 60.0
_BUDGETS = [_MINUTE * minutes for minutes in (1, 3, 7, 15, 30, 60, 240, 1440)]
# Seconds of training per image of the smallest and of the largest networks: a GPU, two cores with
# small and with large images, a slow core.
_NETWORKS = [(1e-6, 1e-4), (2e-4, 2e-3), (4e-4, 5e-3), (3e-3, 2e-2), (2e-2, 5e-1)]
_DATA = [(11, 1_350), (3, 5_000), (40, 300)]  # epochs, images per epoch


def _typical(least, most):
    """Networks of all sizes between two, of which a typical one is nearly as large as may be."""

    def typical(ceiling):
        return None if ceiling < least else max(least, 0.8 * min(ceiling, most))

    return typical


def _given(seconds=3600.0, networks=(2e-4, 2e-3), data=(3, 5_000), **changes) -> Given:
    known = {
        "validation_images": 1_000,
        "rungs": (1, 3, 9),
        "shares": Shares(0.5, 0.1),
    }
    epochs, images = data
    typical = _typical(*networks)
    return Given(
        seconds=seconds, epochs=epochs, epoch_images=images, typical=typical, **(known | changes)
    )


_ALL = list(itertools.product(_BUDGETS, _NETWORKS, _DATA))


def _work(plan: TimePlan, shares: Shares) -> float:
    """Seconds of all networks and promotions, building included."""
    each = plan.child_seconds / (1 - shares.promotions)
    return plan.networks * (each + shares.setups * time_plan.SETUP_SECONDS)


@pytest.mark.parametrize(("seconds", "networks", "data"), _ALL)
def test_no_more_is_planned_than_there_is_time_for(seconds, networks, data):
    given = _given(seconds, networks, data)
    plan = time_plan.plan(given)
    shares = given.shares if plan.rungs > 1 else Shares()
    assert plan.networks == 1 or _work(plan, shares) <= shares.usable(seconds)
    assert 850 <= plan.epochs * plan.epoch_images <= 3 * given.images
    longest = (3 if _begun_higher(given) else 1) * given.epochs
    assert plan.epochs <= longest and plan.epoch_images <= given.epoch_images
    slots = given.branches * (1 + plan.episodes * plan.steps)
    assert plan.networks <= slots <= 3 * plan.networks + 8


def _begun_higher(given: Given) -> bool:
    return time_plan.plan(given) != _from_the_first(given)


def _from_the_first(given: Given) -> TimePlan:
    return time_plan.plan(dataclasses.replace(given, rungs=given.rungs[:2]))


@pytest.mark.parametrize(("seconds", "networks", "data"), _ALL)
def test_all_are_trained_for_the_second_rung_where_enough_networks_come(seconds, networks, data):
    given = _given(seconds, networks, data)
    first, plan = _from_the_first(given), time_plan.plan(given)
    if _begun_higher(given):
        assert (plan.epochs, plan.epoch_images) == (3 * first.epochs, first.epoch_images)
        assert plan.networks >= 20 and plan.rungs == 2
        assert plan.child_seconds < 3 * first.child_seconds  # one validation, however long
        assert plan.max_child_seconds == 3 * first.max_child_seconds
    else:
        top = 9 * first.child_seconds + time_plan.SETUP_SECONDS
        few = time_plan.expected(seconds, 3 * first.child_seconds, given.shares) < 20
        assert few or 4 * top > 0.09 * seconds or top > 0.4 * seconds


def test_no_rung_is_left_out_at_the_bottom_where_a_person_said_how_long():
    long = _given(14_400.0, (2e-4, 2e-3))
    assert _begun_higher(long)
    for fixed in ({"fixed_length": True}, {"fixed_rungs": True}, {"max_child_seconds": 60.0}):
        assert time_plan.plan(dataclasses.replace(long, **fixed)).epochs == 3


@pytest.mark.parametrize(("seconds", "networks", "data"), [c for c in _ALL if c[0] >= 900])
def test_sixty_networks_come_or_the_smallest_on_the_fewest_images_take_too_long(
    seconds, networks, data
):
    given = _given(seconds, networks, data)
    plan = _from_the_first(given)
    if plan.networks < 60:
        fewest = min(1_000, given.images) + given.epochs
        assert plan.epochs * plan.epoch_images <= fewest
        assert plan.child_seconds <= 1.15 * networks[0] * given.passes(fewest)
        assert time_plan.expected(seconds, plan.child_seconds, given.shares) < 60


@pytest.mark.parametrize("networks", _NETWORKS)
@pytest.mark.parametrize("data", _DATA)
@pytest.mark.parametrize("bounded", [True, False])
def test_more_time_is_never_for_less(networks, data, bounded):
    searches = [_given(seconds, networks, data, bounded=bounded) for seconds in _BUDGETS]
    for shorter, longer in itertools.pairwise(searches):
        less, more = time_plan.plan(shorter), time_plan.plan(longer)
        higher = _begun_higher(shorter), _begun_higher(longer)
        assert higher[0] <= higher[1]
        assert _images_at_the_top(less) <= _images_at_the_top(more) + 3 * more.epochs
        # Where a rung comes in, its trainings take a share of the time from new networks.
        if less.rungs == more.rungs and higher[0] == higher[1]:
            assert less.networks <= more.networks
            assert _images(less) <= _images(more) + more.epochs


def _images(plan: TimePlan) -> int:
    return plan.epochs * plan.epoch_images


def _images_at_the_top(plan: TimePlan) -> int:
    return (1, 3, 9)[plan.rungs - 1] * _images(plan)


@pytest.mark.parametrize("networks", _NETWORKS)
@pytest.mark.parametrize("data", _DATA)
@pytest.mark.parametrize("finals", [0.0, 0.05, 0.1, 0.3])
def test_there_is_time_to_measure_two_networks_twice_again(networks, data, finals):
    shares = Shares(0.5, finals)
    for seconds in _BUDGETS:
        plan = time_plan.plan(_given(seconds, networks, data, shares=shares))
        top = (1, 3, 9)[plan.rungs - 1] * plan.child_seconds
        assert plan.rungs == 1 or not finals or 4 * top <= finals * seconds


@pytest.mark.parametrize("seconds", _BUDGETS)
def test_enough_networks_come_even_if_all_take_what_they_may(seconds):
    shares = Shares(0.5, 0.1)
    child = time_plan.ceiling(seconds, shares)
    come = time_plan.expected(seconds, child, shares)
    assert come >= math.floor(time_plan.wanted(seconds)) or child == 1.0
    assert child <= seconds / 10


def test_a_search_of_any_length_has_children_of_ten_minutes():
    assert time_plan.ceiling(0) == 600


def test_a_quarter_of_an_hour_is_for_sixty_networks_an_hour_for_larger_ones():
    assert [time_plan.wanted(60 * minutes) for minutes in (5, 15, 60, 240)] == [20, 60, 60, 120]


def test_large_networks_within_the_limits_see_fewer_images_before_they_are_made_smaller():
    few, many = _given(rungs=(1, 3)), _given(networks=(2e-4, 5e-4), rungs=(1, 3))
    assert time_plan.plan(many).epochs * time_plan.plan(many).epoch_images == 15_000
    planned = time_plan.plan(few)
    assert (planned.epochs, planned.rungs) == (3, 2)
    assert 2_500 <= planned.epochs * planned.epoch_images + 3 < 15_000
    free = time_plan.plan(_given(rungs=(1, 3), bounded=False))
    assert free.epoch_images > planned.epoch_images  # any size will do: they share the burden


def test_small_data_are_seen_less_often_and_whole():
    planned = time_plan.plan(_given(1800.0, data=(11, 1_350)))
    assert planned.epoch_images == 1_350
    assert 2 <= planned.epochs < 11
    shorter = time_plan.plan(_given(900.0, data=(11, 1_350)))
    assert 2_500 - 2 <= shorter.epochs * shorter.epoch_images < 2 * 1_350


def test_what_is_fixed_stays():
    fixed = _given(600.0, (1e-2, 1e-1), fixed_length=True, fixed_rungs=True, max_child_seconds=7.0)
    planned = time_plan.plan(fixed)
    assert (planned.epochs, planned.epoch_images, planned.rungs) == (3, 5_000, 3)
    whole = time_plan.plan(dataclasses.replace(fixed, max_child_seconds=1e4))
    assert whole.max_child_seconds == 1e4
    assert whole.child_seconds == pytest.approx(0.08 * fixed.passes(15_000))
    assert time_plan.plan(dataclasses.replace(fixed, max_child_seconds=math.inf)).networks == 1


def test_rungs_that_no_network_could_reach_are_left_out():
    slow = _given(120.0, (2e-2, 5e-1))
    assert time_plan.plan(slow).rungs == 1
    assert time_plan.plan(dataclasses.replace(slow, seconds=86_400.0)).rungs == 2
    assert time_plan.plan(dataclasses.replace(slow, rungs=(1,))).rungs == 1


def test_few_networks_come_in_short_episodes():
    assert time_plan.plan(_given(180.0)).steps < 10
    assert time_plan.plan(_given()).steps == 10
    assert time_plan.plan(_given(steps=5)).steps == 5


def test_of_networks_that_nobody_knows_the_ceiling_tells():
    planned = time_plan.plan(dataclasses.replace(_given(), typical=lambda most: None))
    assert planned.epochs * planned.epoch_images == 15_000
    assert planned.networks > 60
