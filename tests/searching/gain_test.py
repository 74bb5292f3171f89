"""What the best network has over the best start: by hand, and how often the interval is right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from epnas_tf.searching import gain
from epnas_tf.searching.gain import Gain, Measured

_A = np.array([[1, 1, 1, 0, 1, 1], [1, 1, 0, 0, 1, 1]], bool)
_B = np.array([[1, 0, 1, 0, 0, 1], [1, 0, 0, 0, 1, 0]], bool)


def _measured(hits):
    return Measured(list(hits.mean(1)), hits)


def test_the_interval_is_the_one_of_the_formula():
    points, low, high, basis = gain.interval(_measured(_A), _measured(_B))
    assert points == pytest.approx(100 * (9 / 12 - 5 / 12))
    # Accuracies 5/6, 4/6 and 3/6, 2/6: each pair has the variance 1/72, of 1 degree of freedom.
    of_seeds = 2 * (1 / 72) / 2
    differences = np.array([0, 1, 0, 0, 0.5, 0.5])
    over_seeds = np.array([0, 0, 0.5 + 0.5, 0, 0.5, 0.5]) / 2
    of_images = (differences.var(ddof=1) - over_seeds.mean()) / 6
    assert of_images > 0
    quantiles = [special.stdtrit(degrees, 0.975) ** 2 for degrees in (2, 5)]
    half = 100 * np.sqrt(quantiles[0] * of_seeds + quantiles[1] * of_images)
    assert (low, high) == pytest.approx((points - half, points + half))
    assert basis == "seeds and images"


def test_the_level_is_corrected_for_the_choice_and_all_networks_tell_of_the_seeds():
    more = Measured([0.5, 0.5])
    _, low, high, basis = gain.interval(Measured([0.8, 0.7]), Measured([0.5, 0.6]), [more, more])
    quantile = special.stdtrit(4, 1 - 0.05 / 3 / 2)
    assert high - low == pytest.approx(200 * quantile * np.sqrt(2 * (2 * 0.005 / 4) / 2))
    assert basis == "seeds"


def test_of_one_seed_the_images_alone_tell():
    points, low, high, basis = gain.interval(_measured(_A[:1]), _measured(_B[:1]))
    exact = stats.ttest_rel(_A[0].astype(float), _B[0].astype(float)).confidence_interval(0.95)
    assert (low, high) == pytest.approx((100 * exact.low, 100 * exact.high))
    assert (points, basis) == (pytest.approx(100 / 3), "images")


def test_without_images_or_seeds_nothing_tells():
    assert gain.interval(Measured([0.75]), Measured([0.5])) == (25.0, None, None, "")


def test_what_is_balanced_over_classes_takes_each_class_as_a_sample():
    classes = np.array([0, 0, 0, 0, 1, 1])
    _, low, high, _ = gain.interval(_measured(_A[:1]), _measured(_B[:1]), classes=classes)
    differences = _A[0].astype(float) - _B[0]
    parts = [differences[classes == label] for label in (0, 1)]
    variance = sum(part.var(ddof=1) / len(part) for part in parts) / 4
    assert high - low == pytest.approx(200 * special.stdtrit(4, 0.975) * np.sqrt(variance))


def _covered(networks, times, spread, repetitions=400, images=300):
    """Returns how often the interval of the best of equal networks holds the true gain of 0."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(repetitions):
        seeds = rng.normal(0, spread, (networks, times, 1))
        own = rng.normal(0, 0.7, (networks, 1, images))  # what a network finds easy
        noise = rng.normal(0, 0.7, (networks, times, images))
        found = list(map(_measured, seeds + own + rng.normal(0.8, 1, images) + noise > 0))
        best = max(found[1:], key=lambda each: each.mean)
        rest = [each for each in found[1:] if each is not best]
        _, low, high, _ = gain.interval(best, found[0], rest)
        held += low <= 0 <= high
    return held / repetitions


@pytest.mark.parametrize("spread", [0.02, 0.15])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(spread):
    assert 0.93 <= _covered(2, 2, spread) <= 0.985  # of two networks, none is chosen
    assert 0.95 <= _covered(4, 2, spread) <= 0.999


def test_images_alone_are_too_sure_where_seeds_differ():
    """What the sentence admits: "of the images alone"."""
    assert _covered(4, 1, 0.4) < 0.7


def _gain(points, low, high, **more):
    more = {"basis": "seeds and images", "seeds": 2, "networks": 3} | more
    return Gain("e03s07b2", "e01s00b1", points, low, high, **more)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            _gain(2.14, 0.7, 3.5),
            "e03s07b2 beats the best start (e01s00b1) by 2.1 points "
            "(95%: 0.7 to 3.5; 3 networks measured with 2 more seeds)",
        ),
        (
            _gain(0.3, -1.1, 1.7, seeds=1),
            "e03s07b2 is no better than the best start (e01s00b1), as far as is known: +0.3 points "
            "(95%: -1.1 to 1.7; 3 networks measured with 1 more seed)",
        ),
        (
            _gain(-2.0, -3.0, -1.0),
            "e03s07b2 is worse than the best start (e01s00b1): -2.0 points "
            "(95%: -3.0 to -1.0; 3 networks measured with 2 more seeds)",
        ),
        (
            _gain(-0.4, -1.9, 1.1, start_is_best=True),
            "the best start (e01s00b1) is itself the best network; next comes e03s07b2: "
            "-0.4 points (95%: -1.9 to 1.1; 3 networks measured with 2 more seeds)",
        ),
        (
            _gain(2.0, 1.0, 3.0, basis="images", seeds=0),
            "e03s07b2 beats the best start (e01s00b1) by 2.0 points "
            "(95% of the images alone: 1.0 to 3.0; 3 networks measured once, as they were chosen)",
        ),
        (
            _gain(2.0, None, None, basis="", seeds=1),
            "e03s07b2 is no better than the best start (e01s00b1), as far as is known: +2.0 points "
            "(nothing tells how sure; 3 networks measured with 1 more seed)",
        ),
    ],
)
def test_a_gain_is_a_sentence_a_person_can_repeat(found, sentence):
    assert found.sentence == sentence
