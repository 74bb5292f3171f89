"""A network as it is trained: what is added to it, and that it stays what it is."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec, Spec
from epnas_tf.fields import SettingError
from epnas_tf.modeling import build_model
from epnas_tf.modeling.training_model import TrainingModel, training_model

_PAIR = BranchSpec("conv-maxpool", width=3, pool=2, channels=4, src1=0, src2=0)
_CELLS = CellSpec((_PAIR,), filters=4)
_SKIPPED = LayerSpec("conv2d", 3, channels=6, activation="crelu", src2=1)
_CHAIN = LayerwiseSpec(
    (LayerSpec("conv2d", 3, channels=4, activation="relu"), _SKIPPED, _SKIPPED), stem_filters=4
)
_SPECS = {"cells": _CELLS, "chain": _CHAIN}
_SHAPE = (9, 8, 3)


def _built(spec: Spec, dtype_policy: str = "float32") -> keras.Model:
    return build_model(spec, _SHAPE, 5, seed=1, dtype_policy=dtype_policy)


def _logits(network: keras.Model, images: np.ndarray) -> np.ndarray:
    return network(images, training=False).numpy()


def _whole(network: keras.Model, **traits) -> TrainingModel:
    return training_model(network, drop_path=True, auxiliary_head=True, seed=2, **traits)


@pytest.fixture(name="images", scope="module")
def _images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, *_SHAPE)).astype(np.float32)


def test_where_nothing_is_added_it_is_the_network():
    network = _built(_CELLS)
    assert training_model(network).model is network
    no_paths = _built(LayerwiseSpec(_CHAIN.layers[:1]))
    only = training_model(no_paths, drop_path=True)
    assert (len(only.model.inputs), len(only.model.outputs), only.depths) == (1, 1, ())


@pytest.mark.parametrize("spec", _SPECS.values(), ids=_SPECS)
def test_it_has_the_networks_variables_and_the_heads(spec):
    network = _built(spec)
    found = _whole(network)
    own = {id(variable) for variable in network.variables}
    added = [each.path for each in found.model.variables if id(each) not in own]
    assert own <= {id(variable) for variable in found.model.variables}
    assert added and all(path.startswith("auxiliary_") for path in added)
    assert len(found.depths) == {_CELLS: 6, _CHAIN: 2}[spec]
    assert [out.shape for out in found.model.outputs] == [(None, 5), (None, 5)]


@pytest.mark.parametrize("spec", _SPECS.values(), ids=_SPECS)
def test_the_network_stays_what_it_is(spec, images, tmp_path):
    network = _built(spec)
    config, before = network.to_json(), _logits(network, images)
    _whole(network)
    _whole(network)
    assert network.to_json() == config
    np.testing.assert_array_equal(_logits(network, images), before)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_logits(loaded, images), before)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("spec", _SPECS.values(), ids=_SPECS)
def test_paths_times_one_give_the_networks_logits(spec, policy, images):
    network = _built(spec, policy)
    found = _whole(network)
    ones = np.ones((4, len(found.depths)), np.float32)
    logits, of_head = found.model([images, ones], training=False)
    np.testing.assert_array_equal(logits, network(images, training=False))
    assert {logits.dtype.name, of_head.dtype.name} == {"float32"}
    assert np.isfinite(of_head).all() and np.ptp(of_head) > 0


def _factors(paths: int, dropped: int) -> np.ndarray:
    values = np.ones((4, paths), np.float32)
    values[1, dropped] = 0
    return values


@pytest.mark.parametrize("spec", _SPECS.values(), ids=_SPECS)
def test_a_path_times_zero_changes_its_image_alone(spec, images):
    network = _built(spec)
    found = training_model(network, drop_path=True)
    before = _logits(network, images)
    for path in range(len(found.depths)):
        inputs = [images, _factors(len(found.depths), path)]
        after = found.model(inputs, training=False).numpy()
        np.testing.assert_allclose(after[[0, 2, 3]], before[[0, 2, 3]], atol=1e-6)
        assert np.abs(after[1] - before[1]).max() > 1e-4, path


def test_a_dropped_skip_leaves_what_it_brings(images):
    network = _built(_CHAIN)
    found = training_model(network, drop_path=True)
    add = network.get_layer("layer3_skip_add")
    own, source = keras.Model(network.input, add.input)(images, training=False)
    head = keras.Model(add.output, network.output)
    expected = head(np.where([[[[1]]], [[[0]]], [[[1]]], [[[1]]]], own, 0) + source, training=False)
    after = found.model([images, _factors(2, 1)], training=False)
    np.testing.assert_allclose(after, expected, atol=1e-5)


@pytest.mark.parametrize("setting", ["drop_path", "auxiliary_head"])
def test_a_network_of_no_spec_is_refused(setting):
    image = keras.Input((4, 4, 3))
    dense = keras.layers.Dense(3)(keras.layers.Flatten()(image))
    own = keras.Model(image, dense, name="own")
    name = {"auxiliary_head": "auxiliary_weight"}.get(setting, setting)
    with pytest.raises(SettingError, match=f"{name} must be 0 for .* such as 'own'"):
        training_model(own, **{setting: True})


def test_the_heads_weights_follow_from_the_seed():
    heads = [
        training_model(_built(_CELLS), auxiliary_head=True, seed=seed).model.get_layer(
            "auxiliary_map_conv"
        )
        for seed in (2, 2, 3)
    ]
    one, same, other = (layer.kernel.numpy() for layer in heads)
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01


def test_the_heads_batch_norm_may_be_synchronized():
    found = training_model(_built(_CELLS), auxiliary_head=True, synchronized=True)
    kinds = [
        e.synchronized
        for e in found.model.layers
        if e.name.startswith("auxiliary_") and isinstance(e, keras.layers.BatchNormalization)
    ]
    assert kinds == [True, True]
