"""Averaged weights: what they are, and that they are what is measured and stored."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.training import devices
from epnas_tf.training.averages import Averages

_NONE = devices.make_strategy("none")


def _network() -> keras.Model:
    inputs = keras.Input((2,))
    outputs = keras.layers.BatchNormalization()(keras.layers.Dense(3)(inputs))
    return keras.Model(inputs, keras.layers.Dropout(0.1, seed=1)(outputs))


@pytest.mark.parametrize("compiled", [False, True])
def test_the_average_of_weights_and_statistics_is_as_by_hand(compiled):
    model, rng = _network(), np.random.default_rng(0)
    averages = Averages(model, 0.75, _NONE)
    take_in = tf.function(lambda: averages.take_in(_NONE), jit_compile=compiled)
    seen = []
    for _ in range(3):
        for variable in model.weights:
            variable.assign(rng.normal(size=variable.shape))
        take_in()
        seen.append(model.get_weights())
    with averages.shown(3):
        shown = model.get_weights()
    for place, found in enumerate(shown):
        first, second, third = (weights[place] for weights in seen)
        mean = (0.75**2 * first + 0.75 * second + third) / (0.75**2 + 0.75 + 1)
        np.testing.assert_allclose(found, mean, atol=1e-6)
        np.testing.assert_array_equal(model.get_weights()[place], third)  # it goes on from here
    averages.put(3)
    np.testing.assert_array_equal(model.get_weights()[0], shown[0])
    assert len(shown) == 6 < len(model.variables)  # dropout's counter has no average


def test_without_a_decay_nothing_is_averaged():
    model = _network()
    before, averages = model.get_weights(), Averages(model, 0.0, _NONE)
    averages.take_in(_NONE)
    averages.put(5)
    assert averages.variables == []
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
