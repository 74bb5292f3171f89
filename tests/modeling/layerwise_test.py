"""Chains of layers: their names, and skips of any size."""

from __future__ import annotations

import keras
import pytest

from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.modeling import BUILDERS, build_model

CHAIN = LayerwiseSpec(
    (
        LayerSpec("conv2d", width=3, channels=16, activation="crelu"),
        LayerSpec("dep_sep_conv2d", width=5, channels=32, activation="swish", src2=0),
        LayerSpec("max_pool", pool=3, src2=2),
        LayerSpec("add", src2=0),
    )
)
SHAPE = (13, 9, 3)


def test_every_layer_of_a_chain_has_its_name():
    names = [layer.name for layer in build_model(CHAIN, SHAPE, 10).layers]
    assert sorted(names) == sorted(
        [
            "image",
            "stem_conv",
            "stem_bn",
            "stem_relu",
            "layer1_conv2d_conv",
            "layer1_conv2d_bn",
            "layer1_conv2d_relu",
            "layer1_conv2d_negative",
            "layer1_conv2d_crelu",
            "layer2_dep_sep_conv2d_depthwise",
            "layer2_dep_sep_conv2d_pointwise",
            "layer2_dep_sep_conv2d_bn",
            "layer2_dep_sep_conv2d_swish",
            "layer2_skip_conv",
            "layer2_skip_bn",
            "layer2_skip_add",
            "layer3_max_pool_pool",
            "layer3_skip_conv",
            "layer3_skip_bn",
            "layer3_skip_add",
            "layer4_skip_conv",
            "layer4_skip_bn",
            "layer4_skip_add",
            "head_pool",
            "head_dense",
        ]
    )


@pytest.mark.parametrize("size", [1, 2, 5, 7, 8, 9, 33])
def test_skips_over_poolings_fit_any_size(size):
    pools = [LayerSpec(op, pool=pool) for op in ("max_pool", "avg_pool") for pool in (2, 3)]
    ends = [LayerSpec("add", src2=source) for source in (0, 1, 2)]
    model = build_model(LayerwiseSpec((*pools[:3], *ends)), (size, 2 * size, 3), 4)
    halved = -(-size // 8), -(-2 * size // 8)
    assert model.get_layer("layer6_skip_add").output.shape[1:3] == halved


def test_a_skip_is_projected_only_where_shapes_differ():
    layers = (
        LayerSpec("conv2d", width=1, channels=16, activation="relu", src2=0),
        LayerSpec("conv2d", width=1, channels=32, activation="relu", src2=0),
    )
    names = [layer.name for layer in build_model(LayerwiseSpec(layers), SHAPE, 10).layers]
    assert "layer1_skip_add" in names
    assert "layer1_skip_conv" not in names
    assert {"layer2_skip_conv", "layer2_skip_bn", "layer2_skip_add"} <= set(names)


def test_a_skip_that_no_halving_explains_is_refused():
    def _crop(layer, inputs, context):
        return keras.layers.Cropping2D(1, name=context.name("crop"))(inputs)

    spec = LayerwiseSpec((LayerSpec("crop"), LayerSpec("add", src2=0)))
    with pytest.raises(ValueError, match=r"source \(8, 8\) halved some times, got \(6, 6\)"):
        build_model(spec, (8, 8, 3), 2, builders={**BUILDERS, "crop": _crop})
