"""The networks of `keras.applications`, counted as Keras counts their trainable weights."""

from __future__ import annotations

import math

import keras
import pytest

from epnas_tf.modeling.counting import cost_of_model


@pytest.mark.parametrize("name", ["EfficientNetB0", "MobileNetV2", "NASNetMobile", "ResNet50"])
def test_params_are_those_that_keras_counts(name):
    with keras.StatelessScope(initialize_variables=False):  # shapes only, no values
        model = getattr(keras.applications, name)(weights=None)
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert cost_of_model(model).params == trainable


@pytest.mark.parametrize(
    ("name", "params", "multiply_adds"),
    [("MobileNetV2", 3_504_872, 300e6), ("ResNet50", 25_583_592, 3.86e9)],
)
def test_counts_as_published(name, params, multiply_adds):
    with keras.StatelessScope(initialize_variables=False):
        cost = cost_of_model(getattr(keras.applications, name)(weights=None))
    assert cost.params == params
    assert cost.flops / 2 == pytest.approx(multiply_adds, rel=0.01)
