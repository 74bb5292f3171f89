"""Returns, baseline and advantages against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.searching import returns
from epnas_tf.searching.returns import Baseline

# Two steps of two branches: returns-to-go (1, 0.5) and (0.4, 0.3).
_FIRST = np.array([[0.6, 0.2], [0.4, 0.3]])
_SECOND = np.array([[0.5, 0.9], [0.7, 0.1]])


def test_a_return_is_the_sum_of_this_and_all_later_rewards():
    rewards = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    np.testing.assert_array_equal(
        returns.returns_to_go(rewards), [[7.0, 70.0], [6.0, 60.0], [4.0, 40.0]]
    )


def test_of_one_step_the_return_is_the_reward():
    rewards = np.array([[0.3, 0.1, 0.2]])
    np.testing.assert_array_equal(returns.returns_to_go(rewards), rewards)


def test_the_first_episode_is_its_own_baseline():
    advantages, baseline = returns.advantages(_FIRST, Baseline())
    # Means of the returns: 0.75 and 0.35. Centred: +-0.25, +-0.05.
    assert baseline.means == pytest.approx((0.75, 0.35))
    # Standard deviation: sqrt((2 * 0.0625 + 2 * 0.0025) / 4) = sqrt(0.0325).
    scale = 0.0325**0.5 + 0.001
    expected = np.array([[0.25, -0.25], [0.05, -0.05]]) / scale
    np.testing.assert_allclose(advantages, expected, rtol=1e-12)


def test_later_episodes_have_the_moving_average_of_those_before():
    _, baseline = returns.advantages(_FIRST, Baseline())
    advantages, updated = returns.advantages(_SECOND, baseline)
    # Returns: (1.2, 1.0), (0.7, 0.1); less 0.75 and 0.35, which do not hold this episode yet.
    centred = np.array([[0.45, 0.25], [0.35, -0.25]])
    # Their squares are 0.2025, 0.0625, 0.1225, 0.0625.
    scale = (0.45 / 4) ** 0.5 + 0.001
    np.testing.assert_allclose(advantages, centred / scale, rtol=1e-12)
    # 0.9 * 0.75 + 0.1 * 1.1 and 0.9 * 0.35 + 0.1 * 0.4.
    assert updated.means == pytest.approx((0.785, 0.355))


def test_a_third_episode_goes_on_from_the_average():
    baseline = Baseline((0.785, 0.355))
    _, updated = returns.advantages(np.array([[0.0, 0.0], [1.0, 1.0]]), baseline)
    assert updated.means == pytest.approx((0.8065, 0.4195))


def test_equal_rewards_teach_nothing():
    advantages, baseline = returns.advantages(np.full((3, 4), 0.9), Baseline())
    np.testing.assert_allclose(advantages, 0.0, atol=1e-9)
    assert baseline.means == pytest.approx((2.7, 1.8, 0.9))


def test_an_episode_of_equal_returns_is_not_divided_by_the_floor_alone():
    advantages, _ = returns.advantages(np.full((1, 4), 0.1), Baseline((0.8,)))
    np.testing.assert_allclose(advantages, -0.7 / 0.701, rtol=1e-12)


def test_differences_below_the_floor_are_not_blown_up():
    advantages, _ = returns.advantages(np.array([[0.5 + 1e-6, 0.5 - 1e-6]]), Baseline())
    # 1e-6 / (1e-6 + 1e-3): noise stays small, where dividing by the deviation alone gave +-1.
    np.testing.assert_allclose(advantages, [[1 / 1001, -1 / 1001]], rtol=1e-6)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_first_advantages_have_mean_zero_in_every_step(rewards):
    advantages, _ = returns.advantages(np.array(rewards), Baseline())
    assert advantages.shape == (len(rewards), 3)
    np.testing.assert_allclose(advantages.mean(axis=1), 0.0, atol=1e-9)
    assert advantages.std() < 1


def test_nothing_is_changed_in_place():
    rewards, baseline = _FIRST.copy(), Baseline((0.5, 0.5))
    returns.advantages(rewards, baseline)
    np.testing.assert_array_equal(rewards, _FIRST)
    assert baseline == Baseline((0.5, 0.5))
