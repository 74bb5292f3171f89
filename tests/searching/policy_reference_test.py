"""The LSTM policy against a second implementation: NumPy, float64, one choice after the other."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from epnas_tf import randomness
from epnas_tf.architecture import choices, initial
from epnas_tf.architecture.morph import Insert, Keep, Morph, Remove, Scale
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching import features
from epnas_tf.searching.policies.lstm import LSTMPolicy
from epnas_tf.searching.settings import LSTMSettings

_MIX = 0.3
_SPACES = {
    "layerwise": layerwise_space((16, 16), max_layers=6, parts=2),
    "module": module_space(max_branches=4, parts=2),
}


def _made(space, seed=0, **options):
    """Returns a policy without bonus and extra inputs, at the paper's rate, but for the options."""
    plain = {"policy_learning_rate": 6e-4, "policy_entropy": 0.0, "policy_part_inputs": False}
    return LSTMPolicy(space, LSTMSettings(**plain | options), seed=seed)


def _lstm(inputs, state, kernel, recurrent, bias):
    hidden, cell = state
    gates = np.split(inputs @ kernel + hidden @ recurrent + bias, 4)
    into, forget, out = (1 / (1 + np.exp(-gates[i])) for i in (0, 1, 3))
    cell = forget * cell + into * np.tanh(gates[2])
    return out * np.tanh(cell), cell


def _embedding(spec, space, weights):
    """The network LSTM over the items; an item is the sum of the rows of its factors."""
    table, *lstm = weights[:4]
    first_rows = np.cumsum([0, *features.factor_sizes(space)[:-1]])
    state = (np.zeros(32), np.zeros(32))
    for factors in features.factors(spec, space):
        state = _lstm(table[factors + first_rows].sum(axis=0), state, *lstm)
    return state[0]


def _first_tokens(space):
    """The first token of each head: the scale LSTM has one head, the insert LSTM all others."""
    firsts, count = {"scale": 0}, 0
    for head, options in choices.heads(space).items():
        if head != "scale":
            firsts[head] = count
            count += len(options)
    return firsts


def _check_table(choice, mix):
    """The weight and the distribution of the check table, of which only layers have one."""
    if choice.head != "place" or choice.spec.pattern != "layerwise":
        return 0.0, np.zeros(len(choice.mask))
    return mix, np.array(choice.mask) / sum(choice.mask)


def _decoded(taken, space, weights, decoder, mix):
    """Yields each choice of a decoder, the token taken, the softmax and q over its options."""
    kernel, recurrent, bias, table, head_kernel, head_bias = decoder
    network = _embedding(taken[0][0].spec, space, weights)
    state, last = (np.zeros(128), np.zeros(128)), 0
    for choice, index in taken:
        inputs = np.concatenate([network, table[last]])
        state = _lstm(inputs, state, kernel, recurrent, bias)
        first = _first_tokens(space)[choice.head]
        logits = (state[0] @ head_kernel + head_bias)[first : first + len(choice.mask)]
        softmax = np.exp(logits) * choice.mask
        softmax /= softmax.sum()
        weight, prior = _check_table(choice, mix)
        yield choice, first + index, softmax, (1 - weight) * softmax + weight * prior
        last = 1 + first + index


def _all_decoded(spec, action, space, weights, mix=_MIX):
    taken = choices.encode(spec, action, space)
    scales = [step for step in taken if step[0].head == "scale"]
    edits = [step for step in taken if step[0].head != "scale"]
    yield from _decoded(scales, space, weights, weights[4:10], mix)
    yield from _decoded(edits, space, weights, weights[10:16], mix)


def _log_probability(spec, action, space, weights, mix=_MIX):
    firsts = _first_tokens(space)
    return sum(
        np.log(q[token - firsts[choice.head]])
        for choice, token, _, q in _all_decoded(spec, action, space, weights, mix)
    )


def _policy(pattern, mix=_MIX, learning_rate=6e-4):
    """A policy with weights eight times the initial ones, far from uniform."""
    space = _SPACES[pattern]
    policy = _made(space, seed=1, check_table_mix=mix, policy_learning_rate=learning_rate)
    for variable in policy.variables:
        variable.assign(variable * 8)
    return policy


def _weights(policy):
    return [variable.numpy().astype(np.float64) for variable in policy.variables]


def _pairs(pattern, count=12):
    space = _SPACES[pattern]
    rng = randomness.generator(2, "test")
    specs = [initial.random_spec(space, rng) for _ in range(count)]
    pick = initial.uniform_pick(rng)
    actions = [choices.decide(spec, space, pick) for spec in specs]
    assert {type(action.edit) for action in actions} == {Insert, Remove, Keep}
    return specs, actions


def _gradients(policy, specs, actions, weights=1.0):
    """The gradient of the weighted sum of log-probabilities by automatic differentiation."""
    with tf.GradientTape() as tape:
        scale, edit = policy._log_probabilities(policy._batch(specs, actions))[:2]
        total = tf.reduce_sum((scale + edit) * tf.cast(weights, tf.float32))
    gradients = tape.gradient(total, [variable.value for variable in policy.variables])
    return [np.array(gradient, np.float64) for gradient in gradients]


# Log-probabilities


@pytest.mark.parametrize("mix", [0.0, _MIX, 1.0])
@pytest.mark.parametrize("pattern", _SPACES)
def test_log_probabilities(pattern, mix):
    policy = _policy(pattern, mix)
    specs, actions = _pairs(pattern)
    expected = [
        _log_probability(spec, action, _SPACES[pattern], _weights(policy), mix)
        for spec, action in zip(specs, actions, strict=True)
    ]
    assert np.std(expected) > 1
    np.testing.assert_allclose(policy.log_probability(specs, actions), expected, atol=2e-4)


def test_all_weights_zero_leave_uniform_choices():
    space = _SPACES["layerwise"]
    policy = _made(space, check_table_mix=_MIX)
    for variable in policy.variables:
        variable.assign(variable * 0)
    # Two layers in two parts. Part 1, conv2d 3x3 32: width up or down, channels up or down, keep;
    # part 2, a pooling: keep. Insert (or remove, or keep) at one of three places one of 5
    # operations (place 2): add, with source 0 or 1.
    spec = LayerwiseSpec((LayerSpec("conv2d", 3, None, 32, "relu"), LayerSpec("max_pool", pool=2)))
    action = Morph((Scale(0, "width", 1),), Insert(2, LayerSpec("add", src2=0)))
    expected = -np.log([5, 1, 3, 3, 5, 2]).sum()
    np.testing.assert_allclose(policy.log_probability([spec], [action]), [expected], rtol=1e-6)


@pytest.mark.parametrize("pattern", _SPACES)
def test_statistics(pattern):
    policy = _policy(pattern)
    specs, actions = _pairs(pattern)
    entropies, decisions = [], []
    for spec, action in zip(specs, actions, strict=True):
        for choice, _, _, q in _all_decoded(spec, action, _SPACES[pattern], _weights(policy)):
            entropies.append(-sum(p * np.log(p) for p in q if p > 0))
            if choice.head == "decision":
                decisions.append(q)
    statistics = policy.statistics(specs, actions)
    assert statistics["entropy"] == pytest.approx(np.mean(entropies), abs=1e-4)
    insert, remove, keep = np.mean(decisions, axis=0)
    expected = {"insert": insert, "remove": remove, "keep": keep}
    assert statistics["decision"] == pytest.approx(expected, abs=1e-4)


# Gradients


def _bias_gradients(spec, action, space, weights, mix):
    """By hand: of ln q of what was taken, with q_k = (1 - m) p_k + m c_k and p the softmax.

    d ln q_k / d logit_j = (1 - m) p_k (1[j = k] - p_j) / q_k, which without the check table
    (m = 0) is 1[j = k] - p_j; a bias is part of its logit in every choice.
    """
    firsts = _first_tokens(space)
    gradients = {True: np.zeros(weights[9].shape), False: np.zeros(weights[15].shape)}
    for choice, token, p, q in _all_decoded(spec, action, space, weights, mix):
        first = firsts[choice.head]
        k = token - first
        weight, _ = _check_table(choice, mix)
        slope = (1 - weight) * p[k] * (np.eye(len(p))[k] - p) / q[k]
        gradients[choice.head == "scale"][first : first + len(p)] += slope
    return gradients[True], gradients[False]


@pytest.mark.parametrize("mix", [0.0, _MIX, 1.0])
@pytest.mark.parametrize("pattern", _SPACES)
def test_gradients_by_hand(pattern, mix):
    policy = _policy(pattern, mix)
    specs, actions = _pairs(pattern, 8)
    by_hand = [
        _bias_gradients(spec, action, _SPACES[pattern], _weights(policy), mix)
        for spec, action in zip(specs, actions, strict=True)
    ]
    gradients = _gradients(policy, specs, actions)
    for found, expected in zip(
        (gradients[9], gradients[15]), zip(*by_hand, strict=True), strict=True
    ):
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(found, np.sum(expected, axis=0), atol=1e-4)


@pytest.mark.parametrize("pattern", _SPACES)
def test_gradients_by_differences(pattern):
    policy = _policy(pattern)
    specs, actions = _pairs(pattern, 6)
    weights = _weights(policy)

    # Differences of the float64 implementation: those of float32 would drown in rounding.
    def total():
        return sum(
            _log_probability(spec, action, _SPACES[pattern], weights)
            for spec, action in zip(specs, actions, strict=True)
        )

    rng = randomness.generator(3, "test")
    for variable, found, weight in zip(
        policy.variables, _gradients(policy, specs, actions), weights, strict=True
    ):
        steepest = np.abs(found).argmax()
        for place in (steepest, *rng.integers(found.size, size=3)):
            index = np.unravel_index(place, found.shape)
            value, step = weight[index], 1e-5
            weight[index] = value + step
            above = total()
            weight[index] = value - step
            slope = (above - total()) / (2 * step)
            weight[index] = value
            assert found[index] == pytest.approx(slope, rel=1e-3, abs=1e-4), variable.path
        assert abs(found).max() > 1e-3, variable.path


# Updates


def test_an_update_is_adams_first_step_up_the_gradient_of_reinforce():
    policy = _policy("layerwise", learning_rate=0.01)
    specs, actions = _pairs("layerwise")
    advantages = randomness.generator(4, "test").normal(size=len(specs))
    before = _weights(policy)
    gradients = _gradients(policy, specs, actions, advantages)
    policy.update(specs, actions, advantages)
    for old, new, gradient in zip(before, _weights(policy), gradients, strict=True):
        # Adam's first step: rate * g / (|g| + epsilon / sqrt(1 - beta2)).
        expected = 0.01 * gradient / (np.abs(gradient) + 1e-7 / np.sqrt(1e-3))
        sure = (np.abs(gradient) > 1e-4) | (gradient == 0)
        np.testing.assert_allclose((new - old)[sure], expected[sure], atol=2e-4)
        assert np.count_nonzero(np.abs(gradient) > 1e-4) > 0
