"""One update, as a replica runs it; what it computes is held by trainer_test."""

from __future__ import annotations

import dataclasses
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.modeling import build_model
from epnas_tf.training import devices, step
from epnas_tf.training.schedule import Schedule

_SPEC = LayerwiseSpec((LayerSpec("conv2d", 3, channels=4, activation="relu"),), stem_filters=2)
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
def test_a_prediction_is_the_label_of_the_largest_logit(compiled):
    predict = tf.function(step.predict_step_function(_identity()), jit_compile=compiled)
    images, labels = tf.gather(tf.eye(3), [0, 1, 2, 1]), tf.constant([0, 1, 1, 1])
    weights = tf.constant([1.0, 2.0, 4.0, 8.0])
    assert list(predict(images, labels, weights).numpy()) == [0, 1, 2, 1]


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


@pytest.mark.parametrize("compiled", [False, True])
def test_smoothed_labels_change_the_loss_as_by_hand_and_no_hits(compiled):
    model, none = _identity(), devices.make_strategy("none")
    plan = dataclasses.replace(_PLAN, label_smoothing=0.3)
    update = step.train_step_function(model, plan, none, jit_compile=compiled)
    pixels, labels, weights = np.eye(4, 3), np.array([0, 1, 0, 0]), np.array([1.0, 0, 3, 0.5])
    given = tf.constant(pixels[None], tf.float32), tf.constant(labels[None], tf.int32)
    loss, correct = update(*given, tf.constant(0.1), tf.constant(weights[None], tf.float32))
    each = np.log(np.exp(pixels).sum(1))[:, None] - pixels  # the loss of each class
    smooth = 0.7 * each[range(4), labels] + 0.3 * each.mean(1)
    assert float(loss) == pytest.approx((weights * smooth).sum() / 4, rel=1e-5)
    assert float(correct) == 3.0


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_of_blended_labels_each_counts_by_its_share_in_loss_and_hits(compiled, smoothing):
    model, none = _identity(), devices.make_strategy("none")
    plan = dataclasses.replace(_PLAN, label_smoothing=smoothing)
    update = step.train_step_function(model, plan, none, jit_compile=compiled)
    pixels, weights = np.eye(4, 3), np.array([1.0, 0, 3, 0.5])
    first, second, share = np.array([0, 1, 0, 2]), np.array([1, 1, 2, 0]), 0.75
    shares = share * np.eye(3)[first] + (1 - share) * np.eye(3)[second]
    given = tf.constant(pixels[None], tf.float32), tf.constant(shares[None], tf.float32)
    loss, correct = update(*given, tf.constant(0.1), tf.constant(weights[None], tf.float32))
    each = np.log(np.exp(pixels).sum(1))[:, None] - pixels  # the loss of each class
    of_labels = share * each[range(4), first] + (1 - share) * each[range(4), second]
    smooth = (1 - smoothing) * of_labels + smoothing * each.mean(1)
    assert float(loss) == pytest.approx((weights * smooth).sum() / 4, rel=1e-5)
    # Of all logits alike, the first counts: 0.75 + 1 + 0.25 + 0.25.
    assert float(correct) == 2.25


def test_an_auxiliary_head_adds_to_gradients_by_its_weight_and_not_to_the_loss():
    image = keras.Input((3,))
    heads = [keras.layers.Dense(3, kernel_initializer="identity") for _ in range(2)]
    model = keras.Model(image, [head(image) for head in heads])
    plan = Schedule("test", 1, 4, 0.1, momentum=0.0, nesterov=False, weight_decay=0, clip_norm=0)
    plan = dataclasses.replace(plan, auxiliary_weight=0.4)
    update = step.train_step_function(model, plan, devices.make_strategy("none"))
    pixels, labels = np.eye(4, 3), np.array([0, 1, 0, 0])
    given = tf.constant(pixels[None], tf.float32), tf.constant(labels[None], tf.int32)
    loss, correct = update(*given, tf.constant(0.1))
    odds = np.exp(pixels) / np.exp(pixels).sum(1, keepdims=True)
    assert float(loss) == pytest.approx(-np.log(odds[range(4), labels]).mean(), rel=1e-5)
    assert float(correct) == 3.0
    slope = pixels.T @ (odds - np.eye(3)[labels]) / 4
    for head, weight in zip(heads, (1, 0.4), strict=True):
        assert head.kernel.numpy() == pytest.approx(np.eye(3) - 0.1 * weight * slope, abs=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_what_a_model_takes_beside_images_comes_last(weighted):
    image, factors = keras.Input((3,)), keras.Input((3,))
    model = keras.Model([image, factors], keras.layers.Multiply()([image, factors]))
    dense = keras.layers.Dense(3, kernel_initializer="identity")
    model = keras.Model(model.inputs, dense(model.output))
    update = step.train_step_function(model, _PLAN, devices.make_strategy("none"))
    pixels, times = np.eye(4, 3), np.linspace(0, 1, 12).reshape(4, 3)
    weights = np.array([1.0, 0, 3, 0.5]) if weighted else np.ones(4)
    more = [weights, times] if weighted else [times]
    given = tf.constant(pixels[None], tf.float32), tf.constant([[0, 1, 0, 0]])
    others = [tf.constant(each[None], tf.float32) for each in more]
    loss, _ = update(*given, tf.constant(0.1), *others)
    logits = pixels * times
    each = np.log(np.exp(logits).sum(1)) - logits[range(4), [0, 1, 0, 0]]
    assert float(loss) == pytest.approx((weights * each).sum() / 4, rel=1e-5)


def test_a_rate_of_its_own_moves_batch_norms_biases_alone_by_so_much(images):
    moved = []
    for factor in (1.0, 64.0):
        model = _small("float32")
        before = {each.path: each.numpy() for each in model.trainable_variables}
        _updated(model, images, bias_rate=factor)
        moved.append({e.path: e.numpy() - before[e.path] for e in model.trainable_variables})
    for path, change in moved[0].items():
        expected = 64 * change if path.endswith("bn/beta") else change
        np.testing.assert_allclose(moved[1][path], expected, rtol=1e-4, atol=1e-9)
    assert sum(path.endswith("bn/beta") for path in moved[0]) == 2
    assert any(path.endswith("dense/bias") for path in moved[0])


def test_an_update_may_see_images_of_half_the_size(images):
    half = images.reshape(4, 2, 2, 2, 2, 1).mean((2, 4))
    models = [_small("float32"), _small("float32")]
    loss = _updated(models[0], images, halved=True)
    # The same network for images that are so small.
    small = build_model(_SPEC, (2, 2, 1), 3, seed=1)
    assert _updated(small, half) == pytest.approx(loss, rel=1e-5)
    for one, other in zip(models[0].get_weights(), small.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert abs(_updated(models[1], images) - loss) > 1e-3


# 16 bits


def _small(dtype_policy: str) -> keras.Model:
    return build_model(_SPEC, (4, 4, 1), 3, seed=1, dtype_policy=dtype_policy)


def _updated(
    model: keras.Model, images: np.ndarray, rate: float = 0.1, halved: bool = False, **recipe: float
) -> float:
    """Takes one update without decay or clipping and returns the loss."""
    plan = dataclasses.replace(_PLAN, weight_decay=0.0, clip_norm=0.0, **recipe)
    none = devices.make_strategy("none")
    update = step.train_step_function(model, plan, none, halved=halved)
    labels = tf.constant([[0, 1, 2, 0]])
    run = tf.function(lambda: update(tf.constant(images)[None], labels, tf.constant(rate))[0])
    return float(run())


@pytest.fixture(name="images")
def _images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, 4, 4, 1)).astype(np.float32)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_an_update_in_16_bits_is_that_of_32_but_for_rounding(policy, images):
    exact, rounded = _small("float32"), _small(policy)
    loss = _updated(exact, images)
    assert _updated(rounded, images) == pytest.approx(loss, rel=0.02)
    assert {weight.dtype for weight in rounded.weights} == {"float32"}
    for right, found in zip(exact.get_weights(), rounded.get_weights(), strict=True):
        np.testing.assert_allclose(found, right, rtol=0.05, atol=0.01)


def test_gradients_that_float16_would_lose_are_kept(images, monkeypatch):
    moved = []
    for scale in (step._LOSS_SCALE, 1.0):
        monkeypatch.setattr(step, "_LOSS_SCALE", scale)
        model = _small("mixed_float16")
        kernel = model.get_layer("head_dense").kernel
        kernel.assign(kernel * 1e-7)  # and so are the gradients of all layers below
        before = model.get_layer("stem_bn").beta.numpy()
        _updated(model, images, rate=1e6)
        moved.append(np.abs(model.get_layer("stem_bn").beta.numpy() - before).max())
    assert moved[1] < 0.5 * moved[0]


def test_an_update_whose_gradients_are_not_finite_is_left_out(images):
    model = _small("mixed_float16")
    kernel = model.get_layer("head_dense").kernel
    kernel.assign(kernel * 1e5)  # 65,504 is the largest number of float16
    before = [weight.numpy() for weight in model.trainable_weights]
    assert np.isfinite(_updated(model, images))
    for weight, value in zip(model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
