from __future__ import annotations

import keras
import pytest
import tensorflow as tf

from epnas_tf.training import tpu


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


def test_a_plain_net_is_ready() -> None:
    model = model_with(keras.layers.BatchNormalization())
    assert tpu.check_train_step(model) == []


def test_forbidden_ops_are_named_even_in_loops() -> None:
    @tf.function
    def counted(x: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0, tf.int64)
        for row in x:
            total += tf.reduce_sum(tf.where(row > 0))
        return tf.cast(total, tf.float64)

    function = counted.get_concrete_function(tf.TensorSpec([3, 4]))
    assert tpu.forbidden_ops(function) == ["Cast (float64)", "Identity (float64)", "Where"]


def test_what_xla_cannot_compile_is_refused() -> None:
    host = Through(lambda x: tf.py_function(lambda y: y, [x], tf.float32))
    with pytest.raises(ValueError, match="XLA must be able to compile the training step"):
        tpu.check_train_step(model_with(host))
