"""The models around a network: same outputs, other ways in."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.data import arrays
from epnas_tf.exporting import checks, models
from tests.exporting import networks

_RNG = np.random.default_rng(0)
_PIXELS = _RNG.integers(0, 256, (5, *networks.SHAPE)).astype(np.float32)


@pytest.fixture(name="logits", scope="module")
def _logits() -> np.ndarray:
    return checks.outputs_of(networks.model(), _PIXELS)


def test_probabilities_are_the_softmax_of_the_logits(logits):
    found = checks.outputs_of(models.with_outputs(networks.model(), "probabilities"), _PIXELS)
    np.testing.assert_allclose(found, tf.nn.softmax(logits), atol=1e-6)
    assert models.with_outputs(networks.model(), "logits") is networks.model()


def test_images_of_any_size_are_resized_as_a_search_does():
    model = models.of_any_size(networks.model())
    large = _RNG.integers(0, 256, (2, 41, 30, 3)).astype(np.float32)
    small = tf.image.resize(large, networks.SHAPE[:2], antialias=True)
    square = arrays.resize(large, 8).numpy()  # to a height and width alike, as a search's are
    assert (tf.image.resize(large, (8, 8), antialias=True).numpy() == square).all()
    expected = checks.outputs_of(networks.model(), small.numpy())
    np.testing.assert_allclose(model(large), expected, atol=1e-5)


def test_an_image_of_the_trained_size_stays_as_it_is(logits):
    np.testing.assert_allclose(models.of_any_size(networks.model())(_PIXELS), logits, atol=1e-5)


def test_it_does_not_train_where_nobody_says_so(logits):
    # Keras' layer that resizes would have the batch norm behind it do so.
    model = models.of_any_size(networks.model())
    before = [weight.copy() for weight in networks.model().get_weights()]
    for found in (model(_PIXELS), model.predict(_PIXELS, verbose=0)):
        np.testing.assert_allclose(found, logits, atol=1e-5)
    after = networks.model().get_weights()
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_model_of_one_size_takes_its_type_and_batch(logits, dtype):
    one = models.of_one_size(networks.model(), dtype, batch=1)
    assert one.input_shape == (1, *networks.SHAPE) and one.inputs[0].dtype == dtype
    np.testing.assert_allclose(one(_PIXELS[:1].astype(dtype)), logits[:1], atol=1e-5)


def test_selus_become_sums_that_say_the_same(logits):
    model = models.for_integers(networks.model())
    np.testing.assert_allclose(checks.outputs_of(model, _PIXELS), logits, atol=1e-5)
    kinds = [type(layer) for layer in model._flatten_layers()]
    assert kinds.count(keras.layers.Lambda) == 1


def test_layers_of_16_bits_become_float32(logits):
    short = networks.model(dtype_policy="mixed_bfloat16")
    found = models.in_float32(short)
    assert {layer.compute_dtype for layer in found._flatten_layers()} == {"float32"}
    np.testing.assert_allclose(checks.outputs_of(found, _PIXELS), logits, atol=1e-5)
    assert models.in_float32(networks.model()) is networks.model()
