"""Convolutions that begin as the identity."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec
from epnas_tf.modeling import build_model


def _built(*layers: LayerSpec, identity_init: bool = True) -> keras.Model:
    spec = LayerwiseSpec(layers, stem_filters=4)
    return build_model(spec, (6, 5, 3), 2, seed=1, identity_init=identity_init)


def _outputs(model: keras.Model, *names: str) -> list[np.ndarray]:
    watched = keras.Model(model.input, [model.get_layer(name).output for name in names])
    pixels = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:]))
    return watched.predict(pixels, verbose=0)


@pytest.mark.parametrize("op", ["conv2d", "dep_sep_conv2d"])
@pytest.mark.parametrize(("width", "channels"), [(3, 4), (5, 6), (1, 2)])
def test_a_layer_passes_the_channels_that_it_shares(op, width, channels):
    model = _built(LayerSpec(op, width, channels=channels, activation="relu"))
    before, after = _outputs(model, "stem_relu", f"layer1_{op}_relu")
    shared = min(4, channels)
    np.testing.assert_allclose(after[..., :shared], before[..., :shared], rtol=1e-3, atol=1e-6)


def test_what_is_not_shared_and_the_stem_begin_as_without():
    layer = LayerSpec("conv2d", 3, channels=6, activation="relu")
    models = [_built(layer, identity_init=each) for each in (True, False)]
    stems, kernels, heads = (
        [model.get_layer(name).get_weights()[0] for model in models]
        for name in ("stem_conv", "layer1_conv2d_conv", "head_dense")
    )
    np.testing.assert_array_equal(*stems)
    np.testing.assert_array_equal(*heads)
    np.testing.assert_array_equal(*(kernel[..., 4:] for kernel in kernels))
    assert np.abs(kernels[0] - kernels[1])[..., :4].max() > 0.1


def test_cells_begin_so_too():
    spec = CellSpec((BranchSpec("1x7-7x1-none", channels=4),), filters=4)
    model = build_model(spec, (8, 8, 1), 2, identity_init=True)
    names = [layer.name for layer in model.layers if layer.name.endswith("7x1_relu")]
    before, after = _outputs(model, "stem_relu", names[0])
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-6)
