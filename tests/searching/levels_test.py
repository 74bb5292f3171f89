"""From one rung to the next: lines that can be checked by hand, and what is left of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.searching import levels
from epnas_tf.searching.levels import BELIEVED, MIN_POINTS, Level, Levels, Lowest, Scale
from tests.searching.limited_search import spec_of


def _points(values):
    """Returns the one feature of each network: a number."""
    return [np.asarray(values, np.float64)[:, None]]


def _level(below, rewards, features=None):
    features = range(len(below)) if features is None else features
    return Level(np.asarray(below, float), _points(features), np.asarray(rewards, float))


def _line(level, below=(0.0, 1.0)):
    """Returns shift and slope of what a level without a process expects."""
    at = level.mean(np.asarray(below), _points(below))
    return float(at[0]), float(at[1] - at[0])


# Scores and rewards


def test_scores_come_back_as_the_rewards_that_they_stand_for():
    scale = Scale(np.array([1.0, -1.0, 0.0]), np.array([0.8, 0.2, 0.6]))
    np.testing.assert_allclose(scale(np.array([-1.0, 0.0, 1.0])), [0.2, 0.6, 0.8])
    np.testing.assert_allclose(scale(np.array([-0.5, 0.5])), [0.4, 0.7])


def test_beyond_the_best_the_upper_half_goes_straight_on():
    scores = np.array([-1.5, -0.5, 0.5, 1.5])
    scale = Scale(scores, np.array([0.0, 0.5, 0.6, 0.7]))
    np.testing.assert_allclose(scale(np.array([2.5, 3.5])), [0.8, 0.9])
    np.testing.assert_allclose(scale(np.array([-1.5, -9.0])), 0.0)


def test_scores_that_are_alike_say_nothing_of_what_lies_beyond():
    scale = Scale(np.array([-1.0, 1.0, 1.0, 1.0]), np.array([0.1, 0.5, 0.5, 0.5]))
    assert scale(np.array([5.0])) == 0.5


# The line


def test_one_network_gives_a_shift():
    level = _level([0.5], [0.7])
    assert _line(level) == pytest.approx((0.2, 1.0))
    assert level.mean(np.array([0.6]), _points([3])) == pytest.approx(0.8)


@pytest.mark.parametrize("count", [2, 5])
def test_equal_networks_below_give_a_shift(count):
    level = _level([0.5] * count, np.linspace(0.6, 0.8, count))
    assert _line(level) == pytest.approx((0.2, 1.0))


def test_a_shift_is_found_whatever_the_number_of_networks():
    below = np.linspace(0.3, 0.6, 5)
    assert _line(_level(below, below + 0.1)) == pytest.approx((0.1, 1.0))


def test_a_known_line_is_found_the_better_the_more_networks_rose():
    rng = randomness.generator(0, "line")
    slopes = []
    for count in (1, 2, 5, 50, 2000):
        below = rng.uniform(0.3, 0.6, count)
        slopes.append(levels._slope(below, 0.2 + 0.4 * below))
    assert slopes[0] == 1
    assert all(0.4 < later < earlier for earlier, later in itertools.pairwise(slopes))
    assert slopes[-1] == pytest.approx(0.4, abs=0.01)


def test_without_a_relation_few_networks_keep_a_slope_of_about_one():
    below = np.array([0.50, 0.51, 0.52])
    assert 0.7 < levels._slope(below, np.array([0.7, 0.6, 0.8])) < 1.3


# What the line leaves


def test_networks_enough_give_a_process_of_what_the_line_leaves():
    features = np.linspace(-2, 2, 20)
    below = np.full(20, 0.5)
    rewards = 0.6 + 0.1 * np.sign(features)
    level = _level(below, rewards, features)
    at = level.mean(np.array([0.5, 0.5]), _points([-1.05, 1.05]))
    assert at[0] < 0.56 < 0.64 < at[1]
    few = _level(below[: MIN_POINTS - 1], rewards[8 : 7 + MIN_POINTS], features[8 : 7 + MIN_POINTS])
    at = few.mean(np.array([0.5, 0.5]), _points([-1.05, 1.05]))
    assert at[0] == at[1]


def test_what_a_line_explains_whole_needs_no_process():
    below = np.array([0.3, 0.5, 0.3, 0.5, 0.3, 0.5, 0.3])
    level = _level(below, below)
    np.testing.assert_allclose(level.mean(np.array([0.4]), _points([99])), 0.4)
    draws = level.sample(np.full((3, 1), 0.4), _points([99]), randomness.generator(0, "draws"))
    np.testing.assert_allclose(draws, 0.4)


def test_half_of_what_the_line_leaves_is_believed_of_few_networks():
    below, rewards = np.array([0.5, 0.5]), np.array([0.6, 0.8])
    level = _level(below, rewards)
    believed = level.believed(level.mean(below, _points([0, 1])), rewards)
    assert BELIEVED == 0.5
    np.testing.assert_allclose(believed, [0.65, 0.75])


@pytest.mark.parametrize("count", [MIN_POINTS - 1, MIN_POINTS, 30])
def test_what_is_believed_lies_between_the_line_and_what_was_measured(count):
    rng = randomness.generator(count, "measured")
    below, features = rng.uniform(0.3, 0.6, count), rng.normal(size=count)
    rewards = below + 0.1 + 0.05 * np.sin(3 * features) + rng.normal(0, 0.02, count)
    level = _level(below, rewards, features)
    line = level._shift + level._slope * below
    believed = level.believed(level.mean(below, _points(features)), rewards)
    assert np.abs(believed - line).mean() < np.abs(rewards - line).mean()
    # A process of few may take all that the line leaves for luck.
    gained = np.abs(line - rewards).mean() - np.abs(believed - rewards).mean()
    assert gained > 0 if count != MIN_POINTS else gained >= 0


def test_draws_follow_those_of_the_rung_below():
    level = _level([0.5], [0.7])
    below = np.array([[0.1, 0.2], [0.3, 0.5]])
    rng = randomness.generator(0, "draws")
    np.testing.assert_allclose(level.sample(below, _points([1, 2]), rng), below + 0.2)


def test_draws_have_the_mean_that_is_expected_and_some_spread():
    features = np.linspace(-2, 2, 12)
    below = np.full(12, 0.5)
    level = _level(below, 0.6 + 0.1 * np.sign(features), features)
    points, expected = _points([-1.0, 3.0]), np.full((4000, 2), 0.5)
    draws = level.sample(expected, points, randomness.generator(0, "draws"))
    np.testing.assert_allclose(draws.mean(axis=0), level.mean(expected[0], points), atol=0.01)
    assert draws.std(axis=0)[1] > 0.01


# Several rungs

_WORDS = ("aaaaaa", "bbbbbb", "cccccc", "dddddd")
_BELOW = dict(zip(map(spec_of, _WORDS), (0.2, 0.4, 0.5, 0.6), strict=True))
_SPECS = list(_BELOW)
_LOWEST = Lowest(
    lambda specs: np.array([_BELOW[spec] for spec in specs]),
    lambda specs: _points([_BELOW[spec] for spec in specs]),
)


def test_without_a_network_that_rose_all_are_as_at_the_lowest_rung():
    for risen in ([], [{}], [{}, {}]):
        np.testing.assert_allclose(Levels(_LOWEST, risen).mean(_SPECS), list(_BELOW.values()))


def test_all_are_expected_at_the_highest_rung_that_has_any():
    # One network a rung gives a shift: 0.1 from the lowest, 0.2 from the one above.
    above = Levels(_LOWEST, [{_SPECS[1]: 0.5}, {_SPECS[1]: 0.7}, {}])
    np.testing.assert_allclose(above.mean(_SPECS), [0.5, 0.7, 0.8, 0.9])
    draws = above.sample(_SPECS[2:], np.array([[0.5, 0.6]]), randomness.generator(0, "d"))
    np.testing.assert_allclose(draws, [[0.8, 0.9]])


def test_a_rung_that_nothing_reached_is_passed_over():
    above = Levels(_LOWEST, [{}, {_SPECS[1]: 0.5}])
    np.testing.assert_allclose(above.mean(_SPECS), [0.3, 0.5, 0.6, 0.7])


def test_a_measured_network_is_believed_in_part_and_its_surprise_rises_with_it():
    # The two lie 0.1 above and below their line; half of it is believed.
    measured = {_SPECS[1]: 0.6, _SPECS[2]: 0.5}
    above = Levels(_LOWEST, [measured])
    mean = above.mean(_SPECS)
    line = above._levels[0].mean(np.array([0.4, 0.5]), _points([0, 0]))
    np.testing.assert_allclose(mean[1:3], (line + [0.6, 0.5]) / 2)
    higher = Levels(_LOWEST, [measured, {_SPECS[1]: 0.9}])
    shift = 0.9 - mean[1]
    np.testing.assert_allclose(higher.mean(_SPECS), mean + shift)
