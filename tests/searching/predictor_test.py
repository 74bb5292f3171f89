"""The reward predictor: exact where it can be checked by hand, skilful where there is something."""

import itertools

import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.architecture import initial
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space, module_space
from epnas_tf.searching import features, predictor, process
from epnas_tf.searching.predictor import MIN_POINTS, Predictor

_OPS = ("a", "b", "c")
_SPACE = SearchSpace(
    "layerwise",
    (Field("op", _OPS, scaled=True),),
    max_items=5,
    parts=5,
    fixed_length=True,
    ops={op: OpDef(()) for op in _OPS},
)


def _every():
    words = itertools.product(_OPS, repeat=5)
    return [_SPACE.new_spec([_SPACE.new_item({"op": op}) for op in word]) for word in words]


def _reward(spec):
    """Counts a's at even places and rewards "b" before "c": no linear model holds it."""
    ops = [item.op for item in spec.items]
    return sum(op == "a" for op in ops[::2]) + 2 * sum(
        pair == ("b", "c") for pair in itertools.pairwise(ops)
    )


def _split(seed, known):
    every = _every()
    specs = [every[i] for i in randomness.generator(seed, "test").permutation(3**5)]
    return specs[:known], specs[known:]


def _fitted(known):
    model = Predictor(_SPACE)
    model.fit(known, [_reward(spec) for spec in known])
    return model


def test_unknown_networks_are_ranked():
    known, unknown = _split(0, 60)
    model = _fitted(known)
    mean, deviation = model.predict(unknown)
    truth = [_reward(spec) for spec in unknown]
    assert np.corrcoef(mean, truth)[0, 1] > 0.6
    assert (deviation > 0).all()


def test_skill_is_what_leaving_one_out_gives():
    known, _ = _split(1, 30)
    rewards = np.array([_reward(spec) for spec in known])
    model = _fitted(known)
    left_out = []
    for i in range(len(known)):
        rest = [j for j in range(len(known)) if j != i]
        points = features.summary(known, _SPACE)
        fit = model._model._process._fit
        kernel = process._kernel(process._distances(points, points), fit.weights)
        scores = predictor.normal_scores(rewards)
        noisy = kernel[np.ix_(rest, rest)] + fit.noise * np.eye(len(rest))
        left_out.append(kernel[i, rest] @ np.linalg.solve(noisy, scores[rest]))
    ranks = [predictor.stats.rankdata(values) for values in (left_out, rewards)]
    assert model.skill == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-6)


def test_noise_has_no_skill():
    known, _ = _split(2, 120)
    model = Predictor(_SPACE)
    model.fit(known, randomness.generator(0, "noise").normal(size=len(known)))
    assert model.skill < 0.3


def test_what_is_known_is_surer_than_what_is_not():
    known, unknown = _split(3, 40)
    model = _fitted(known)
    assert model.predict(known)[1].max() < model.predict(unknown)[1].min()


def test_draws_have_the_mean_and_the_deviation_of_the_prediction():
    known, unknown = _split(4, 40)
    model = _fitted(known)
    draws = model.sample(unknown[:6], 20000, randomness.generator(0, "draws"))
    mean, deviation = model.predict(unknown[:6])
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(draws.std(axis=0), deviation, rtol=0.03)


def test_predicted_rewards_lie_within_those_seen_and_keep_their_order():
    known, unknown = _split(5, 60)
    model = _fitted(known)
    rewards = model.rewards(unknown)
    seen = [_reward(spec) for spec in known]
    assert min(seen) <= rewards.min() <= rewards.max() <= max(seen)
    order = np.argsort(model.predict(unknown)[0], kind="stable")
    assert (np.diff(rewards[order]) >= 0).all()


@pytest.mark.parametrize("count", [0, 1, MIN_POINTS - 1])
def test_too_few_networks_predict_nothing(count):
    model = _fitted(_split(0, 100)[0])
    known = _split(0, count)[0]
    model.fit(known, [_reward(spec) for spec in known])
    assert not model.fitted and model.skill == 0
    with pytest.raises(RuntimeError, match="enough networks"):
        model.predict(_every()[:1])


def test_equal_rewards_predict_nothing():
    model = Predictor(_SPACE)
    model.fit(_every()[:20], [0.5] * 20)
    assert not model.fitted


def test_the_best_and_the_newest_points_are_kept():
    values = np.arange(3 * predictor.MAX_POINTS)[::-1].astype(float)
    chosen = predictor._chosen(values)
    half = predictor.MAX_POINTS // 2
    assert list(chosen) == [*range(half), *range(len(values) - half, len(values))]


@pytest.mark.parametrize("space", [layerwise_space((16, 16), max_layers=6), module_space()])
def test_networks_of_the_papers_spaces_differ_in_their_features(space):
    rngs = [randomness.generator(0, "specs", i) for i in range(40)]
    specs = list({s.key: s for s in (initial.random_spec(space, rng) for rng in rngs)}.values())
    sequence, bag = features.summary(specs, space)
    distances = process._squared_distances(sequence, sequence)
    off = distances[~np.eye(len(specs), dtype=bool)]
    assert off.min() > 1e-3
    assert off.max() <= 1.5 * space.max_items + 1e-9
    assert np.isfinite(bag).all()


def test_neighbouring_sizes_are_nearer_than_distant_ones():
    space = layerwise_space((16, 16), max_layers=3)
    values = {"op": "conv2d", "width": 3, "activation": "relu", "src2": -1}
    specs = [space.new_spec([space.new_item(values | {"channels": c})]) for c in (16, 32, 256)]
    sequence, _ = features.summary(specs, space)
    near, far = (np.sum((sequence[0] - sequence[i]) ** 2) for i in (1, 2))
    assert 0 < near < far
