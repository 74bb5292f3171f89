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


# Numbers


def _count(spec):
    return sum(item.op == "a" for item in spec.items)


def _counts(spec):
    return _count(spec), sum(item.op == "b" for item in spec.items)


def _of_counts(known, describe, prior=()):
    """Returns a predictor that knows how many a's these networks have."""
    model = Predictor(_SPACE, describe, prior)
    model.fit(known, [_count(spec) for spec in known])
    return model


@pytest.mark.parametrize("seed", range(3))
def test_numbers_help_where_they_are_the_answer(seed):
    chance = {s: randomness.generator(i, "chance").normal() for i, s in enumerate(_every())}
    known, unknown = _split(seed, 20)
    errors = []
    for describe in (None, lambda spec: (_reward(spec),), lambda spec: (chance[spec],)):
        model = Predictor(_SPACE, describe)
        model.fit(known, [_reward(spec) for spec in known])
        truth = [_reward(spec) for spec in unknown]
        errors.append(np.abs(model.rewards(unknown) - truth).mean())
    plain, helped, misled = errors
    assert helped < 0.5 * plain
    assert misled < 1.1 * plain  # numbers that tell nothing take little away


@pytest.mark.parametrize("number", [0.0, 7.0, 1e9 + 1 / 3])
def test_numbers_that_are_the_same_for_all_known_networks_change_nothing(number):
    known, unknown = _split(7, 20)
    seen = set(known)
    plain, described = (
        _of_counts(known, describe)
        for describe in (None, lambda spec: (number, number if spec in seen else 3 * number + 1))
    )
    assert described.skill == plain.skill
    for one, other in zip(plain.predict(unknown), described.predict(unknown), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_unit_of_a_number_does_not_count():
    known, unknown = _split(8, 20)
    models = [
        _of_counts(known, describe)
        for describe in (
            _counts,
            lambda spec: [1000 * number + 5 for number in _counts(spec)],
            lambda spec: [1e-12 * number for number in _counts(spec)],
        )
    ]
    for model in models[1:]:
        assert model._model._process._fit.weights == models[0]._model._process._fit.weights
        assert model.skill == pytest.approx(models[0].skill, abs=0.01)  # some are equally good
        for one, other in zip(models[0].predict(unknown), model.predict(unknown), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("share", [1e-2, 1e-6, 1e-8])
def test_draws_are_possible_however_far_out_other_networks_lie(share):
    known, unknown = _split(0, 20)
    seen = set(known)

    def describe(spec):
        """Known networks are nearly the same, all others by far another number."""
        near = 1.0 + share * _count(spec)
        return [near if spec in seen else 0.1 * k + 1e-9 * _count(spec) for k in range(7)]

    draws = _of_counts(known, describe).sample(unknown, 3, randomness.generator(0, "draws"))
    assert np.isfinite(draws).all()


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [((1.0, float("nan")), "nan"), ((float("inf"), 1.0), "inf"), ((1.0,), "1.0"), (1.0, "1.0")],
)
def test_numbers_that_compare_with_no_others_are_refused(wrong, shown):
    known, unknown = _split(0, 10)
    described = {spec: (1.0, float(i)) for i, spec in enumerate(known)}
    model = _of_counts(known, lambda spec: described.get(spec, wrong))
    with pytest.raises(ValueError, match=rf"finite and as many for each, 2, got .*{shown}"):
        model.predict(unknown)


# Earlier searches


def _group(specs, rule=_count):
    return [(spec, float(rule(spec))) for spec in specs]


def _fit_to(model, unknown):
    """Returns the correlation of the predictions with the truth."""
    return np.corrcoef(model.predict(unknown)[0], [_count(spec) for spec in unknown])[0, 1]


def _few(specs):
    """Returns the first MIN_POINTS networks, and others, such that not all rewards are equal."""
    chosen = sorted(specs[:30], key=_count)[:: 30 // MIN_POINTS][:MIN_POINTS]
    return chosen, [spec for spec in specs if spec not in chosen]


@pytest.mark.parametrize("describe", [None, _counts])
def test_an_earlier_search_tells_from_the_first_networks_on(describe):
    fits = []
    for seed in range(4):
        specs, earlier = _split(seed, 180)
        known, unknown = _few(specs)
        assert len(known) == MIN_POINTS
        models = [_of_counts(known, describe, prior) for prior in ((), [_group(earlier)])]
        assert models[0].prior_share == 0 < models[1].prior_share
        fits.append([_fit_to(model, unknown) for model in models])
    without, with_prior = np.mean(fits, axis=0)
    assert with_prior > 0.8
    assert with_prior > without + 0.1
    draws = models[1].sample(unknown[:5], 4000, randomness.generator(0, "draws"))
    np.testing.assert_allclose(draws.mean(axis=0), models[1].predict(unknown[:5])[0], atol=0.05)


def test_what_a_prior_knows_is_no_trial():
    specs, earlier = _split(0, 180)
    model = Predictor(_SPACE, None, [_group(earlier)])
    model.fit(specs[: MIN_POINTS - 1], [0.0, 1.0, 2.0])
    assert not model.fitted
    known, _ = _few(specs)
    model = _of_counts(known, None, [_group(earlier, lambda spec: 100 + _count(spec))])
    low, high = min(map(_count, known)), max(map(_count, known))
    assert low <= model.rewards(specs).min() <= model.rewards(specs).max() <= high
    assert model.predict(earlier)[1].min() > model.predict(known)[1].max()


@pytest.mark.parametrize("seed", range(5))
def test_a_prior_with_permuted_rewards_is_let_go(seed):
    known, earlier = _split(seed, 40)
    rewards = randomness.generator(seed, "permuted").permutation([_count(s) for s in earlier[:100]])
    model = _of_counts(known, None, [list(zip(earlier[:100], rewards, strict=True))])
    assert model._prior is None or model.prior_share == 0
    plain = _of_counts(known, None)
    np.testing.assert_array_equal(model.predict(earlier)[0], plain.predict(earlier)[0])


def test_a_prior_without_a_rule_of_its_own_is_none():
    _, earlier = _split(0, 40)
    chance = randomness.generator(0, "permuted").normal(size=100)
    prior = list(zip(earlier[:100], chance, strict=True))
    assert Predictor(_SPACE, None, [prior])._prior is None
    assert Predictor(_SPACE, None, [_group(earlier[:100])])._prior is not None


def test_a_prior_that_says_the_contrary_is_let_go():
    known, earlier = _split(0, 40)
    model = _of_counts(known, None, [_group(earlier, lambda spec: -_count(spec))])
    assert model._prior is not None, "it has a rule of its own"
    assert model.prior_share == 0


def test_a_prior_that_helped_may_be_let_go_later():
    specs, earlier = _split(1, 180)
    model = Predictor(_SPACE, None, [_group(earlier)])
    known, _ = _few(specs)
    model.fit(known, [_count(spec) for spec in known])
    assert model.prior_share > 0
    model.fit(specs[:40], [-_count(spec) for spec in specs[:40]])
    assert model.prior_share == 0
    model.fit(known, [_count(spec) for spec in known])
    assert model.prior_share > 0
    model.fit(known[:2], [0.0, 1.0])
    assert (model.fitted, model.prior_share) == (False, 0)


def test_rewards_of_earlier_searches_are_compared_within_each_alone():
    specs, earlier = _split(2, 180)
    known, unknown = _few(specs)
    halves = earlier[:30], earlier[30:]
    near, far = _group(halves[1]), _group(halves[1], lambda spec: 1000 + 3 * _count(spec))
    models = [_of_counts(known, None, [_group(halves[0]), group]) for group in (near, far)]
    assert models[0].prior_share > 0
    for one, other in zip(*(model.predict(unknown) for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
    # In one group with the others, they would all be better than those.
    mixed = _of_counts(known, None, [_group(halves[0]) + far])
    assert not np.allclose(mixed.predict(unknown)[0], models[0].predict(unknown)[0])


@pytest.mark.parametrize(
    "groups",
    [
        [],
        [[]],
        [_group(_every()[: MIN_POINTS - 1])],
        [_group(_every(), lambda spec: 0.5)],
        # One of equal rewards, which says nothing, and one of too few.
        [_group(_every(), lambda spec: 0.5), _group(_every()[100 : 100 + MIN_POINTS - 1])],
    ],
)
def test_a_prior_of_too_few_or_of_equal_rewards_is_none(groups, monkeypatch):
    monkeypatch.setattr(predictor, "PRIOR_SKILL", -1.0)  # whatever skill it would have
    model = Predictor(_SPACE, None, groups)
    assert model._prior is None
    known, _ = _split(0, 20)
    model.fit(known, [_count(spec) for spec in known])
    assert model.fitted and model.prior_share == 0


def test_of_a_large_prior_all_searches_are_heard(monkeypatch):
    monkeypatch.setattr(predictor, "MAX_POINTS", 30)
    specs, _ = _split(3, 90)
    model = Predictor(_SPACE, None, [_group(specs[:60]), _group(specs[60:])])._prior
    assert len(model.left_out) == 30
    kept = [spec in model._view._memory for spec in specs]
    assert sum(kept[:60]) == 20 and sum(kept[60:]) == 10


# What rose to higher rungs


def _risen(specs, gain=0.1):
    """Returns rewards of a rung that adds so much to those of the lowest."""
    return {spec: _reward(spec) / 10 + gain for spec in specs}


def _with(risen, known):
    model = Predictor(_SPACE)
    model.fit(known, [_reward(spec) / 10 for spec in known], risen)
    return model


@pytest.mark.parametrize("risen", [(), [], [{}], [{}, {}]])
def test_where_nothing_rose_the_draws_are_scores_and_rewards_those_of_the_lowest_rung(risen):
    known, unknown = _split(7, 40)
    model, plain = _with(risen, known), _with((), known)
    draws = [m.sample(unknown[:5], 3, randomness.generator(0, "d")) for m in (model, plain)]
    np.testing.assert_array_equal(*draws)
    assert np.abs(draws[0]).max() > 1  # scores have deviation 1
    rewards = model.highest(known)
    assert np.corrcoef(rewards, [_reward(spec) for spec in known])[0, 1] > 0.9
    assert 0 <= rewards.min() < rewards.max() < 0.7


def test_all_are_expected_at_the_highest_rung_and_drawn_there():
    known, unknown = _split(8, 150)
    best = sorted(known, key=_reward)[-4:]
    lowest, model = _with((), known), _with([_risen(best)], known)
    gained = model.highest(unknown) - lowest.highest(unknown)
    measured = [_reward(spec) / 10 + 0.1 for spec in best]
    assert gained.mean() == pytest.approx(0.1, abs=0.06)
    assert np.abs(model.highest(best) - measured).max() < 0.1
    draws = model.sample(unknown, 4000, randomness.generator(0, "d"))
    assert draws.shape == (4000, len(unknown))
    expected = model.highest(unknown)
    assert np.corrcoef(draws.mean(axis=0), expected)[0, 1] > 0.95
    # Rewards bend at the ends: the mean of many draws is not what is expected of the mean score.
    assert np.abs(draws.mean(axis=0) - expected).max() < 0.1


def test_skill_and_scores_stay_those_of_the_lowest_rung():
    known, unknown = _split(9, 40)
    model, plain = _with([_risen(known[:8], 0.3)], known), _with((), known)
    assert model.skill == plain.skill
    for own, other in zip(model.predict(unknown), plain.predict(unknown), strict=True):
        np.testing.assert_array_equal(own, other)
    np.testing.assert_array_equal(model.rewards(unknown), plain.rewards(unknown))


def test_a_fit_forgets_what_rose_before():
    known, unknown = _split(10, 40)
    model, plain = _with([_risen(known[:3], 0.3)], known), _with((), known)
    assert np.abs(model.highest(unknown) - plain.highest(unknown)).min() > 0.1
    model.fit(known, [_reward(spec) / 10 for spec in known])
    np.testing.assert_array_equal(model.highest(unknown), plain.highest(unknown))


def test_a_rung_above_shows_its_own_order_once_enough_networks_rose():
    """At the lowest rung "b" first is worth nothing; at the one above it is."""
    known, _ = _split(11, 120)
    first = {spec: 0.2 * (spec.items[0].op == "b") for spec in known}
    risen = {spec: _reward(spec) / 10 + first[spec] for spec in known[::3]}
    rest = [spec for spec in known if spec not in risen]
    gained = _with([risen], known).highest(rest) - _with((), known).highest(rest)
    by_first = [gained[[first[spec] == worth for spec in rest]].mean() for worth in (0, 0.2)]
    assert by_first[1] - by_first[0] > 0.1
