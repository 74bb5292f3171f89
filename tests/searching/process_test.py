"""The Gaussian process held against plain linear algebra, and its weights against their grid."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.searching import process
from epnas_tf.searching.process import NOISES, WEIGHTS, Process

_SIZES = (3, 5, 2)  # features of each group


def _points(count, seed, *names):
    rng = randomness.generator(seed, "process_test", *names)
    return [rng.normal(size=(count, size)) for size in _SIZES]


def _scores(points, seed):
    """Depends on one feature of the first group and of the second, and on chance."""
    noise = randomness.generator(seed, "noise").normal(size=len(points[0]))
    scores = np.sin(points[0][:, 0]) + points[1][:, 1] + 0.3 * noise
    return scores - scores.mean()


def _made(count=25, seed=0):
    points = _points(count, seed)
    scores = _scores(points, seed)
    return points, scores, Process(points, scores)


def _kernel(left, right, weights):
    """The kernel, from each group's differences one by one."""
    differences = [a[:, np.newaxis] - b for a, b in zip(left, right, strict=True)]
    distances = [(own**2).sum(axis=2) for own in differences]
    return np.exp(-sum(w * own for w, own in zip(weights, distances, strict=True)))


def _posterior(points, scores, weights, noise, others):
    """Returns mean and covariance by the textbook, with the variance that is the likeliest."""
    inverse = np.linalg.inv(_kernel(points, points, weights) + noise * np.eye(len(scores)))
    variance = scores @ inverse @ scores / len(scores)
    cross = _kernel(others, points, weights)
    covariance = _kernel(others, others, weights) - cross @ inverse @ cross.T
    return cross @ inverse @ scores, variance * covariance


def test_the_posterior_is_that_of_linear_algebra():
    points, scores, made = _made()
    others = _points(6, 1, "others")
    fit = made._fit
    mean, covariance = _posterior(points, scores, fit.weights, fit.noise, others)
    found, deviation = made.predict(others)
    np.testing.assert_allclose(found, mean, atol=1e-8)
    np.testing.assert_allclose(deviation, np.sqrt(np.diag(covariance)), atol=1e-8)
    np.testing.assert_allclose(made.mean(others), mean, atol=1e-8)
    assert np.ptp(mean) > 0.5, "the process learnt nothing, which shows nothing"


def test_draws_are_joint_and_have_the_mean_and_the_covariance_of_the_posterior():
    points, scores, made = _made()
    others = _points(5, 1, "others")
    fit = made._fit
    mean, covariance = _posterior(points, scores, fit.weights, fit.noise, others)
    draws = made.sample(others, 40_000, randomness.generator(0, "draws"))
    assert draws.shape == (40_000, 5)
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.03)
    found, deviation = made.predict(others)
    np.testing.assert_allclose(draws.mean(axis=0), found, atol=0.02)
    np.testing.assert_allclose(draws.std(axis=0), deviation, rtol=0.03)


def test_equal_networks_have_equal_draws():
    _, _, made = _made()
    twice = [np.repeat(group, 2, axis=0) for group in _points(3, 1, "others")]
    draws = made.sample(twice, 50, randomness.generator(0, "draws"))
    np.testing.assert_allclose(draws[:, ::2], draws[:, 1::2], atol=0.02)  # but for the jitter


def test_each_known_score_is_predicted_by_the_others():
    points, scores, made = _made()
    fit = made._fit
    for left in range(len(scores)):
        rest = [i for i in range(len(scores)) if i != left]
        known, own = [group[rest] for group in points], [group[[left]] for group in points]
        mean, _ = _posterior(known, scores[rest], fit.weights, fit.noise, own)
        assert made.left_out[left] == pytest.approx(mean[0], abs=1e-8)


def _likelihood(points, scores, weights, noise):
    """Log marginal likelihood, but for a constant, with the likeliest variance."""
    kernel = _kernel(points, points, weights) + noise * np.eye(len(scores))
    variance = scores @ np.linalg.solve(kernel, scores) / len(scores)
    return -0.5 * (np.linalg.slogdet(kernel)[1] + len(scores) * np.log(variance))


@pytest.mark.parametrize(("count", "seed"), [(4, 0), (12, 1), (25, 2), (25, 3)])
def test_no_change_of_one_weight_or_of_the_noise_is_likelier(count, seed):
    points, scores, made = _made(count, seed)
    fit = made._fit
    here = _likelihood(points, scores, fit.weights, fit.noise)
    assert fit.likelihood == pytest.approx(here, abs=1e-6)
    assert fit.noise in NOISES and set(fit.weights) <= set(WEIGHTS)
    for group, weight in itertools.product(range(len(_SIZES)), WEIGHTS):
        weights = (*fit.weights[:group], weight, *fit.weights[group + 1 :])
        assert _likelihood(points, scores, weights, fit.noise) <= here + 1e-9
    for noise in NOISES:
        assert _likelihood(points, scores, fit.weights, noise) <= here + 1e-9


@pytest.mark.parametrize("telling", range(len(_SIZES)))
def test_a_group_that_tells_nothing_has_a_low_weight(telling):
    points = _points(60, 4)
    scores = np.sin(points[telling]).sum(axis=1)
    weights = Process(points, scores - scores.mean())._fit.weights
    assert weights[telling] >= 0.1
    assert all(weights[group] == 0 for group in range(len(_SIZES)) if group != telling)


def test_scores_without_a_rule_are_hardly_predicted():
    points = _points(60, 5)
    scores = randomness.generator(5, "chance").normal(size=60)
    made = Process(points, scores)
    assert np.abs(made.mean(_points(20, 6))).max() < scores.std() / 2


def test_the_sure_is_told_from_the_unsure():
    points, _, made = _made()
    near = made.predict([group + 0.01 for group in points])[1]
    far = made.predict([group + 100.0 for group in points])[1]
    assert near.max() < 0.7 * far.min()
    mean, _ = made.predict([group + 100.0 for group in points])
    np.testing.assert_allclose(mean, 0, atol=1e-6)


def test_a_process_is_the_same_to_the_bit_each_time():
    points, scores, made = _made()
    again = Process([group.copy() for group in points], scores.copy())
    others = _points(6, 1, "others")
    np.testing.assert_array_equal(again.left_out, made.left_out)
    for one, other in zip(again.predict(others), made.predict(others), strict=True):
        np.testing.assert_array_equal(one, other)
    draws = [
        process_.sample(others, 3, randomness.generator(1, "draws")) for process_ in (made, again)
    ]
    np.testing.assert_array_equal(*draws)


def test_networks_that_are_the_same_may_be_known_twice():
    points, scores, _ = _made(10)
    twice = [np.concatenate([group, group]) for group in points]
    made = Process(twice, np.concatenate([scores, scores + 0.1]) - 0.05)
    assert np.isfinite(made.left_out).all()
    assert np.isfinite(made.sample(points, 2, randomness.generator(0, "draws"))).all()


def test_distances_are_never_negative():
    points = 1e4 * _points(20, 7)[1]
    found = process._squared_distances(points, points)
    assert found.min() >= 0
    for i, j in itertools.product(range(20), repeat=2):
        assert found[i, j] == pytest.approx(np.sum((points[i] - points[j]) ** 2), abs=1e-5)
