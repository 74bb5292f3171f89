"""Settings, names, initial weights and shapes of what the builders make."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from epnas_tf.architecture.ops import BRANCHES, OPS
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec
from epnas_tf.modeling import BUILDERS, build_model, cell
from epnas_tf.modeling import layers as layers_lib
from epnas_tf.modeling.layers import BuildContext

CHAIN = LayerwiseSpec(
    (
        LayerSpec("conv2d", width=3, channels=16, activation="crelu"),
        LayerSpec("dep_sep_conv2d", width=5, channels=32, activation="swish", src2=0),
        LayerSpec("max_pool", pool=3, src2=2),
        LayerSpec("add", src2=0),
    )
)
CELL = CellSpec(
    (
        BranchSpec("conv-maxpool", width=3, pool=2, channels=8, src1=0, src2=0, propagate=0),
        BranchSpec("1x7-7x1-none", channels=8, src1=1),
        BranchSpec("avgpool-none", pool=3, channels=8, src1=0, propagate=0),
    )
)
SHAPE = (13, 9, 3)


def _layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def test_there_is_a_builder_for_every_operation():
    assert set(BUILDERS) == set(OPS)
    used = {op for d in BRANCHES.values() for op in (d.first, d.second) if op is not None}
    assert set(cell.OPERATIONS) == used


@pytest.mark.parametrize("synchronized", [False, True])
@pytest.mark.parametrize("spec", [CHAIN, CELL])
def test_batch_norm_settings(spec, synchronized):
    norms = _layers_of(
        build_model(spec, SHAPE, 10, synchronized=synchronized), keras.layers.BatchNormalization
    )
    assert len(norms) > 3
    for norm in norms:
        assert (norm.momentum, norm.epsilon, norm.synchronized) == (0.9, 1e-5, synchronized)


@pytest.mark.parametrize("spec", [CHAIN, CELL])
def test_only_the_classifier_has_a_bias_besides_batch_norm(spec):
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    model = build_model(spec, SHAPE, 10)
    assert not any(layer.use_bias for layer in _layers_of(model, kinds))
    assert model.layers[-1].use_bias


def test_crelu_is_the_positive_and_the_negative_half():
    inputs = keras.Input((2,))
    outputs = layers_lib.activation(inputs, "crelu", BuildContext(prefix="here"))
    model = keras.Model(inputs, outputs)
    values = np.array([[-1.5, 2.0], [0.0, 1e-30]], np.float32)
    expected = np.concatenate([np.maximum(values, 0), np.maximum(-values, 0)], axis=-1)
    np.testing.assert_array_equal(model(values), expected)


def test_names_are_unique_and_tell_place_operation_and_role():
    for spec in (CHAIN, CELL):
        names = [layer.name for layer in build_model(spec, SHAPE, 10).layers]
        assert len(set(names)) == len(names)
    weighted = [layer.name for layer in build_model(CHAIN, SHAPE, 10).layers if layer.weights]
    assert sorted(weighted) == [
        "head_dense",
        "layer1_conv2d_bn",
        "layer1_conv2d_conv",
        "layer2_dep_sep_conv2d_bn",
        "layer2_dep_sep_conv2d_depthwise",
        "layer2_dep_sep_conv2d_pointwise",
        "layer2_skip_bn",
        "layer2_skip_conv",
        "layer3_skip_bn",
        "layer3_skip_conv",
        "layer4_skip_bn",
        "layer4_skip_conv",
        "stem_bn",
        "stem_conv",
    ]
    first_cell = [
        layer.name
        for layer in build_model(CELL, SHAPE, 10).layers
        if layer.weights and layer.name.startswith("cell0_") and not layer.name.endswith("_bn")
    ]
    assert sorted(first_cell) == [
        "cell0_branch1_op0_conv_conv",
        "cell0_branch1_op1_maxpool_conv",
        "cell0_branch2_op0_1x7-7x1_1x7_conv",
        "cell0_branch2_op0_1x7-7x1_7x1_conv",
    ]


@pytest.mark.parametrize("spec", [CHAIN, CELL])
def test_initial_weights_depend_on_seed_and_names_alone(spec):
    first = build_model(spec, SHAPE, 10, seed=3)
    keras.utils.set_random_seed(99)
    build_model(CHAIN, (8, 8, 1), 2, seed=5)
    again = build_model(spec, SHAPE, 10, seed=3)
    other = build_model(spec, SHAPE, 10, seed=4)
    for one, two in zip(first.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    kernels = [w for w in first.trainable_weights if len(w.shape) > 1]
    others = [w for w in other.trainable_weights if len(w.shape) > 1]
    for one, two in zip(kernels, others, strict=True):
        assert not np.array_equal(one, two)
    flat = [np.asarray(w).ravel()[:8] for w in kernels]
    for one, two in itertools.combinations(flat, 2):
        assert not np.array_equal(one, two)


def test_initial_weights_of_an_early_layer_survive_a_change_further_on():
    longer = LayerwiseSpec((*CHAIN.layers, LayerSpec("avg_pool", pool=2)))
    name = "layer2_dep_sep_conv2d_pointwise"
    first, second = (build_model(s, SHAPE, 10).get_layer(name) for s in (CHAIN, longer))
    np.testing.assert_array_equal(first.kernel, second.kernel)


def test_convolutions_keep_the_variance_of_what_relu_halved():
    layers = (
        LayerSpec("conv2d", width=3, channels=256, activation="relu"),
        LayerSpec("dep_sep_conv2d", width=5, channels=256, activation="relu"),
    )
    model = build_model(LayerwiseSpec(layers), SHAPE, 10)
    fan_in = {
        "layer1_conv2d_conv": 9 * 16,
        "layer2_dep_sep_conv2d_depthwise": 25,
        "layer2_dep_sep_conv2d_pointwise": 256,
    }
    for name, inputs in fan_in.items():
        deviation = np.std(model.get_layer(name).get_weights()[0])
        assert deviation == pytest.approx((2 / inputs) ** 0.5, rel=0.05), name


def test_logits_are_float32_also_where_the_rest_has_16_bits():
    model = build_model(CHAIN, SHAPE, 10, dtype_policy="mixed_bfloat16")
    assert model.get_layer("stem_conv").output.dtype == "bfloat16"
    assert model.output.dtype == "float32"


def test_an_unknown_operation_is_refused_by_name():
    spec = LayerwiseSpec((LayerSpec("lstm"),))
    with pytest.raises(ValueError, match=r"op of layer 1 must be one of .*'conv2d'.*got 'lstm'"):
        build_model(spec, SHAPE, 10)
    with pytest.raises(ValueError, match=r"branch type must be one of .*got 'lstm'"):
        build_model(CellSpec((BranchSpec("lstm", channels=8),)), SHAPE, 10)
    wrong = LayerSpec("conv2d", width=1, channels=2, activation="sharp")
    with pytest.raises(ValueError, match="sharp"):
        build_model(LayerwiseSpec((wrong,)), SHAPE, 10)


def test_a_space_of_its_own_brings_its_builders():
    def _gelu_block(layer, inputs, context):
        outputs = layers_lib.conv_bn(inputs, dict(layer.extra)["size"], (1, 1), context)
        return layers_lib.activation(outputs, "gelu", context)

    spec = LayerwiseSpec((LayerSpec("block", extra=(("size", 5),)),))
    model = build_model(spec, SHAPE, 10, builders={"block": _gelu_block})
    assert model.get_layer("layer1_block_conv").output.shape == (None, 13, 9, 5)
    assert model.get_layer("layer1_block_gelu").output.shape == (None, 13, 9, 5)
