"""A network behind the normalisation of pixels."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from epnas_tf.modeling.build import with_normalisation

_MEAN, _STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


@pytest.mark.parametrize("full_scale", [255.0, 1.0])
def test_each_channel_is_normalised_before_the_network(full_scale):
    image = keras.Input((4, 5, 3))
    network = keras.Model(image, keras.layers.Flatten()(image), name="net")
    model = with_normalisation(network, full_scale, _MEAN, _STD)
    assert (model.name, model.input_shape) == ("net_of_pixels", (None, 4, 5, 3))
    levels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3))
    pixels = levels.astype(np.uint8) if full_scale == 255 else levels / 255
    expected = (levels / 255 - np.array(_MEAN)) / np.array(_STD)
    found = model.predict(pixels, verbose=0)
    np.testing.assert_allclose(found, expected.reshape(2, -1), atol=1e-5)


def test_it_has_the_networks_own_weights():
    image = keras.Input((4, 5, 3))
    network = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
    model = with_normalisation(network, 255.0, _MEAN, _STD)
    assert [weight.path for weight in model.weights] == [weight.path for weight in network.weights]
    network.set_weights([np.ones_like(weight) for weight in network.get_weights()])
    assert all((weight == 1).all() for weight in model.get_weights())
