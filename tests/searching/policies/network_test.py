"""The parts of the LSTM policy's network, against NumPy and against themselves step by step."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.searching.policies import network
from epnas_tf.searching.policies.network import Decoder, Seeds

_FOCUS = 3


def _decoder(seed=0, focus_size=_FOCUS):
    return Decoder("test", 5, Seeds(seed), focus_size)


def _floats(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def _mixed(logits, mask, prior, mix):
    arguments = [tf.constant(x) for x in (np.float32(logits), mask, np.float32(prior))]
    return network.mixed_log_probabilities(*arguments, tf.constant(np.float32(mix))).numpy()


def test_all_weights_start_small_and_differ():
    weights = [variable.numpy() for variable in _decoder().variables]
    assert len(weights) == 6  # kernel, recurrent kernel and bias; tokens; kernel and bias
    for weight in weights:
        assert 0 < np.abs(weight).max() <= network.INIT_RANGE
        assert len(np.unique(weight)) > 0.99 * weight.size or weight.size < 10
    first_rows = {tuple(np.round(weight.ravel()[:4], 6)) for weight in weights}
    assert len(first_rows) == len(weights)  # each has a seed of its own


def test_the_seed_decides_the_weights():
    weights, same, other = (
        [variable.numpy() for variable in _decoder(seed).variables] for seed in (0, 0, 1)
    )
    for a, b, c in zip(weights, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


def test_names_do_not_count_instances():
    """TensorFlow adds in the order of names: a later policy would differ in its last bits."""
    names = [[variable.name for variable in _decoder().variables] for _ in range(2)]
    assert names[0] == names[1]


def test_a_sequence_is_the_cell_step_by_step():
    decoder, networks, focus = _decoder(), _floats(2, 32), _floats(2, 4, _FOCUS, seed=1)
    tokens = tf.constant([[0, 4, 2, 1], [3, 3, 0, 0]])
    logits = decoder.sequence_logits(networks, tokens, focus)
    assert logits.shape == (2, 4, decoder.tokens)
    state = [tf.zeros((2, network.DECODER_UNITS))] * 2
    last = tf.zeros((2,), tf.int32)  # no choice yet
    for step in range(4):
        inputs = decoder.inputs(networks, last, focus[:, step])
        hidden, state = decoder.cell(inputs, state)
        np.testing.assert_allclose(decoder.head(hidden), logits[:, step], atol=1e-6)
        last = tokens[:, step] + 1


def test_a_choice_sees_the_earlier_choices_and_not_the_later():
    decoder, networks, focus = _decoder(focus_size=0), _floats(1, 32), _floats(1, 3, 0)
    before = decoder.sequence_logits(networks, tf.constant([[0, 1, 2]]), focus).numpy()[0]
    after = decoder.sequence_logits(networks, tf.constant([[0, 3, 4]]), focus).numpy()[0]
    np.testing.assert_array_equal(before[:2], after[:2])
    assert (before[2] != after[2]).any()


@pytest.mark.parametrize("changed", ["network", "focus"])
def test_logits_depend_on_the_network_and_on_what_the_choice_is_about(changed):
    decoder, tokens = _decoder(), tf.constant([[0, 1]])
    values = {"network": _floats(1, 32), "focus": _floats(1, 2, _FOCUS)}
    found = []
    for factor in (1.0, 2.0):
        inputs = values | {changed: factor * values[changed]}
        found.append(decoder.sequence_logits(inputs["network"], tokens, inputs["focus"]).numpy())
    assert (found[0] != found[1]).all()


def test_probabilities_without_a_mix_are_those_of_the_legal_options():
    logits, mask = [[2.0, 1.0, 9.0, -1.0]], [[True, True, False, True]]
    found = _mixed(logits, mask, np.zeros((1, 4)), [0.0])[0]
    legal = np.exp([2.0, 1.0, -1.0])
    np.testing.assert_allclose(np.exp(found[[0, 1, 3]]), legal / legal.sum(), rtol=1e-6)
    assert found[2] == -1e9  # finite: 0 times it is 0 in an entropy


@pytest.mark.parametrize("mix", [0.2, 1.0])
def test_a_mix_adds_the_prior_in_proportion(mix):
    prior = np.array([[0.5, 0.5, 0.0, 0.0]])
    found = np.exp(_mixed([[0.0, 0.0, 0.0, 9.0]], [[True, True, True, False]], prior, [mix])[0])
    expected = (1 - mix) / 3 + mix * prior[0, :3]
    np.testing.assert_allclose(found[:3], expected, atol=1e-7)
    assert found.sum() == pytest.approx(1)


def test_choices_without_a_mix_keep_their_precision_beside_mixed_ones():
    """An option of log-probability -50 would be lost in an exponential of float32."""
    logits, mask = [[0.0, -50.0]] * 2, [[True, True]] * 2
    found = _mixed(logits, mask, [[0.5, 0.5]] * 2, [0.0, 0.5])
    assert found[0, 1] == pytest.approx(-50, abs=1e-4)
    assert found[1, 1] == pytest.approx(np.log(0.25), abs=1e-4)


def test_gradients_are_finite_where_an_option_is_illegal_or_certain():
    logits = tf.constant([[0.0, 100.0, 5.0]])
    mask, prior = tf.constant([[True, True, False]]), tf.constant([[1.0, 0.0, 0.0]])
    for mix in (0.0, 1.0):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            found = network.mixed_log_probabilities(logits, mask, prior, tf.constant([mix]))
            probability = tf.exp(found)
            entropy = -tf.reduce_sum(probability * found)
        assert np.isfinite(tape.gradient(entropy, logits)).all()
        assert np.isfinite(entropy)
