"""Training steps that could run on a TPU, and some that could not."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from epnas_tf.training.schedule import Schedule
from epnas_tf.training.step import train_step_function

_BATCH = 4


def model_with(layer: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((6, 6, 3))
    h = layer(keras.layers.Conv2D(4, 3)(inputs))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(h)))


class Through(keras.layers.Layer):
    """Applies a function that keeps the shape."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return tf.ensure_shape(self.function(x), x.shape)

    def compute_output_shape(self, shape):
        return shape


def compiled_train_step(model: keras.Model) -> Any:
    """Compiles a model's training step with XLA, runs it once and returns the function."""
    schedule = Schedule("tpu", epochs=1, batch_size=_BATCH, learning_rate=0.01)
    step: Any = train_step_function(model, schedule, tf.distribute.get_strategy(), jit_compile=True)
    images = tf.zeros([1, _BATCH, *model.input_shape[1:]])
    labels = tf.zeros([1, _BATCH], tf.int32)
    function = step.get_concrete_function(images, labels, tf.constant(0.01))
    function(images, labels, tf.constant(0.01))
    return function


def test_a_plain_net_is_ready(forbidden_ops) -> None:
    model = model_with(keras.layers.BatchNormalization())
    assert forbidden_ops(compiled_train_step(model)) == []


def test_forbidden_ops_are_named_even_in_loops(forbidden_ops) -> None:
    @tf.function
    def counted(x: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0, tf.int64)
        for row in x:
            total += tf.reduce_sum(tf.where(row > 0))
        return tf.cast(total, tf.float64)

    function = counted.get_concrete_function(tf.TensorSpec([3, 4]))
    assert forbidden_ops(function) == ["Cast (float64)", "Identity (float64)", "Where"]


def test_what_xla_cannot_compile_is_refused() -> None:
    host = Through(lambda x: tf.py_function(lambda y: y, [x], tf.float32))
    with pytest.raises(tf.errors.OpError, match="EagerPyFunc"):
        compiled_train_step(model_with(host))
