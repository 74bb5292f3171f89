"""The auxiliary head: where it stands and how large it is."""

from __future__ import annotations

import keras
import pytest

from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec
from epnas_tf.modeling import auxiliary, build_model
from epnas_tf.modeling.layers import BuildContext


def _layer(src2: int = -1, channels: int = 4) -> LayerSpec:
    return LayerSpec("conv2d", 1, channels=channels, activation="relu", src2=src2)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ((_layer(),), "stem_relu"),
        ((_layer(),) * 3, "layer2_conv2d_relu"),
        ((_layer(),) * 5, "layer3_conv2d_relu"),
        # With what is added there; a later skip from before it does not count.
        ((_layer(), _layer(0), _layer(1, channels=8)), "layer2_skip_add"),
    ],
)
def test_in_a_chain_it_stands_after_two_thirds_of_the_layers(layers, expected):
    assert auxiliary.place(build_model(LayerwiseSpec(layers), (8, 8, 3), 3)) == expected


@pytest.mark.parametrize(
    ("cells", "branches", "expected"),
    [(1, 1, "cell1_branch1_op0_conv_relu"), (2, 1, "cell3_branch1_op0_conv_relu")]
    + [(1, 2, "cell1_concat")],
)
def test_in_a_stack_it_stands_before_the_second_cell_that_reduces(cells, branches, expected):
    branch = BranchSpec("conv-none", width=1, channels=2)
    model = build_model(CellSpec((branch,) * branches, cells_per_stage=cells), (8, 8, 3), 3)
    assert auxiliary.place(model) == expected


def test_a_network_of_no_spec_has_no_place_for_it():
    image = keras.Input((4,))
    assert auxiliary.place(keras.Model(image, keras.layers.Dense(3)(image))) is None


def _head(*shape: int) -> keras.Model:
    image = keras.Input(shape)
    return keras.Model(image, auxiliary.head(image, 10, BuildContext(prefix="auxiliary")))


def test_on_the_papers_maps_it_is_that_of_the_pnas_code():
    model = _head(16, 16, 384)
    kernels = [tuple(weight.shape) for weight in model.weights if weight.name == "kernel"]
    assert kernels == [(1, 1, 384, 128), (4, 4, 128, 768), (768, 10)]
    assert model.get_layer("auxiliary_pool").output.shape[1:] == (4, 4, 384)
    assert model.get_layer("auxiliary_map_conv").output.shape[1:] == (1, 1, 768)
    pool = model.get_layer("auxiliary_pool")
    assert (pool.pool_size, pool.strides, pool.padding) == ((5, 5), (3, 3), "valid")


@pytest.mark.parametrize(
    ("shape", "pooled"),
    [
        ((1, 1), (1, 1)),
        ((2, 3), (1, 1)),
        ((7, 7), (1, 1)),
        ((8, 8), (2, 2)),
        ((32, 32), (4, 4)),
        ((96, 20), (4, 4)),
        ((128, 128), (4, 4)),
    ],
)
def test_it_suits_smaller_and_larger_maps_and_fewer_channels(shape, pooled):
    model = _head(*shape, 6)
    assert model.get_layer("auxiliary_pool").output.shape[1:3] == pooled
    assert model.get_layer("auxiliary_map_conv").output.shape[1:] == (1, 1, 36)
    assert model.output_shape == (None, 10)


def test_no_map_is_pooled_to_more_than_five_by_five():
    for size in range(1, 513):
        window, stride = auxiliary._pooling(size)
        assert 1 <= window <= size
        assert 1 <= (size - window) // stride + 1 <= 5, size
