"""Fused batch norm is Keras' batch norm, and leaves no trace in the model."""

from __future__ import annotations

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.data import dataset
from epnas_tf.training import batch_norm, devices, schedule, trainer


def _network(**settings) -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    h = keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(1))(inputs)
    h = keras.layers.BatchNormalization(name="bn", **{"momentum": 0.9, "epsilon": 1e-5} | settings)(
        h
    )
    h = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(h))
    outputs = keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(2))(h)
    return keras.Model(inputs, outputs)


@pytest.fixture(name="images", scope="module")
def _images() -> dataset.Data:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (40, 6, 6, 1)).astype(np.uint8)
    return dataset.from_arrays(x, np.arange(40) % 2, (255 - x, np.arange(40) % 2))


def _trained(images: dataset.Data) -> tuple[keras.Model, trainer.TrainResult]:
    model = _network()
    plan = schedule.Schedule("s", epochs=3, batch_size=8, learning_rate=0.1)
    return model, trainer.train(model, images, plan, devices.make_strategy("none"), seed=0)


def _operations(model: keras.Model, training: bool) -> set[str]:
    traced = tf.function(lambda x: model(x, training=training), autograph=False)
    graph = traced.get_concrete_function(tf.zeros((2, 6, 6, 1))).graph
    return {operation.type for operation in graph.get_operations()}


def test_training_gives_the_weights_that_keras_gives(images, monkeypatch):
    fused, fused_result = _trained(images)
    monkeypatch.setattr(batch_norm, "fused", lambda model: contextlib.nullcontext())
    plain, plain_result = _trained(images)
    for ours, theirs in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-6)
    losses = [[epoch.loss for epoch in r.epochs] for r in (fused_result, plain_result)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_one_step_is_that_of_keras_to_the_statistics(training):
    x = np.random.default_rng(1).normal(3, 2, (5, 6, 6, 1)).astype(np.float32)
    ours, theirs = _network(), _network()
    with batch_norm.fused(ours):
        fused = ours(x, training=training)
    np.testing.assert_allclose(fused, theirs(x, training=training), rtol=1e-5, atol=1e-6)
    for name in ("moving_mean", "moving_variance"):
        values = [getattr(m.get_layer("bn"), name).numpy() for m in (ours, theirs)]
        np.testing.assert_allclose(*values, rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_it_runs_as_one_operation_within_and_as_keras_does_afterwards(training):
    model = _network()
    with batch_norm.fused(model):
        assert "FusedBatchNormV3" in _operations(model, training)
    assert "FusedBatchNormV3" not in _operations(model, training)
    assert "call" not in vars(model.get_layer("bn"))


def test_an_error_within_leaves_the_model_as_it_was():
    model = _network()
    with pytest.raises(ZeroDivisionError), batch_norm.fused(model):
        raise ZeroDivisionError
    assert "call" not in vars(model.get_layer("bn"))


@pytest.mark.parametrize(
    "settings",
    [{"synchronized": True}, {"scale": False}, {"center": False}, {"axis": 1}, {"dtype": "float64"}]
    + [{"trainable": False}],
)
def test_what_the_operation_cannot_do_is_left_to_keras(settings):
    model = _network(**settings)
    with batch_norm.fused(model):
        assert "call" not in vars(model.get_layer("bn"))


def test_a_trained_model_is_saved_and_loaded_without_us(images, tmp_path):
    model, _ = _trained(images)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[2]) is keras.layers.BatchNormalization
    x = np.ones((2, 6, 6, 1), np.float32)
    np.testing.assert_array_equal(model(x), loaded(x))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_in_16_bits_it_measures_as_keras_does_to_the_bit(policy):
    inputs = keras.Input((6, 6, 16))
    model = keras.Model(inputs, keras.layers.BatchNormalization(epsilon=1e-5, dtype=policy)(inputs))
    rng = np.random.default_rng(0)
    shift, spread = rng.normal(size=(3, 16)), rng.uniform(0.1, 3, 16)
    model.set_weights([shift[0] + 2, *shift[1:], spread])
    # So many that some lie where two ways to compute are rounded to either side.
    x = rng.normal(size=(4000, 6, 6, 16)).astype(np.float32)
    with batch_norm.fused(model):
        measured = tf.cast(model(x, training=False), tf.float32)
    np.testing.assert_array_equal(measured, tf.cast(model(x, training=False), tf.float32))
