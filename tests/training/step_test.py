"""One update, as a replica runs it; what it computes is held by trainer_test."""

from __future__ import annotations

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.training import devices, step
from epnas_tf.training.schedule import Schedule

_PLAN = Schedule("test", epochs=1, batch_size=4, learning_rate=0.1)


def _identity() -> keras.Model:
    """Returns a network whose logits are its inputs."""
    image = keras.Input((3,))
    dense = keras.layers.Dense(3, kernel_initializer="identity")
    return keras.Model(image, dense(image))


def test_several_replicas_are_not_compiled():
    two = types.SimpleNamespace(num_replicas_in_sync=2)
    with pytest.raises(ValueError, match="jit_compile must be off where there is more than one"):
        step.train_step_function(_identity(), _PLAN, two, jit_compile=True)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_prediction_sums_the_weights_of_the_correct_by_class(compiled):
    predict = tf.function(step.predict_step_function(_identity()), jit_compile=compiled)
    images, labels = tf.gather(tf.eye(3), [0, 1, 2, 1]), tf.constant([0, 1, 1, 1])
    weights = tf.constant([1.0, 2.0, 4.0, 8.0])
    assert list(predict(images, labels, weights).numpy()) == [1.0, 10.0, 0.0]


@pytest.mark.parametrize("compiled", [False, True])
def test_an_update_returns_loss_and_hits_of_its_images(compiled):
    model, none = _identity(), devices.make_strategy("none")
    update = step.train_step_function(model, _PLAN, none, jit_compile=compiled)
    images, labels = tf.eye(4, 3)[None], tf.constant([[0, 1, 0, 0]])
    loss, correct = update(images, labels, tf.constant(0.1))
    logs = np.log(np.exp(images[0]).sum(1)) - np.array([1, 1, 0, 0])
    assert float(loss) == pytest.approx(logs.mean(), rel=1e-5)
    assert float(correct) == 3.0  # of the last image all logits are alike: the first counts


@pytest.mark.parametrize("micro", [4, 2])
def test_weights_change_the_loss_and_the_gradient_as_by_hand_and_no_hits(micro):
    model, none = _identity(), devices.make_strategy("none")
    plan = Schedule("test", 1, 4, 0.1, momentum=0.0, nesterov=False, weight_decay=0, clip_norm=0)
    update = step.train_step_function(model, plan, none)
    pixels, labels = np.eye(4, 3, dtype=np.float32), np.array([0, 1, 0, 0])
    weights = np.array([1.0, 0.0, 3.0, 0.5], np.float32)
    kernel = model.layers[-1].kernel.numpy()
    shape = (4 // micro, micro)
    loss, correct = update(
        tf.constant(pixels.reshape(*shape, 3)),
        tf.constant(labels.reshape(shape), tf.int32),
        tf.constant(0.1),
        tf.constant(weights.reshape(shape)),
    )
    odds = np.exp(pixels) / np.exp(pixels).sum(1, keepdims=True)
    each = -np.log(odds[range(4), labels])
    # The mean over the batch, not over the weights' sum: other micro-batches would weigh otherwise.
    assert float(loss) == pytest.approx((weights * each).sum() / 4, rel=1e-5)
    assert float(correct) == 3.0
    slope = pixels.T @ ((odds - np.eye(3)[labels]) * weights[:, None]) / 4
    assert model.layers[-1].kernel.numpy() == pytest.approx(kernel - 0.1 * slope, abs=1e-6)
