"""What studies train: counted as it is built, the same each time, with the weights asked for."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from epnas_tf import global_state
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.modeling import build_model, cost_of_model
from epnas_tf.studies import known_networks, networks
from epnas_tf.studies.block_networks import Block, BlockNetwork, Conv
from epnas_tf.studies.known_networks import Stage

SHAPE = (9, 7, 3)  # odd and oblong, so that rounding and a mix-up of axes show

_STAGES = (Stage(6, 2), Stage(10, 2, stride=2))
BLOCKS = {
    "resnet8": known_networks.resnet8(4),
    "separable": known_networks.separable_net(4, _STAGES),
    "inverted": known_networks.inverted_residuals(4, (Stage(4, 1, expansion=1), *_STAGES), 12),
}
SPEC = LayerwiseSpec((LayerSpec("conv2d", 3, channels=4, activation="relu"),), 2)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_network_of_blocks_costs_what_is_counted_on_the_model(name):
    with keras.StatelessScope(initialize_variables=False):  # shapes only, no values
        model = networks.build(BLOCKS[name], SHAPE, 5)
    assert model.input_shape[1:] == SHAPE
    assert model.output_shape[1:] == (5,)
    assert networks.cost(BLOCKS[name], SHAPE, 5) == cost_of_model(model)


def test_a_spec_is_counted_and_built_as_a_search_does():
    model = networks.build(SPEC, SHAPE, 5, seed=3)
    expected = build_model(SPEC, SHAPE, 5, seed=3)
    for mine, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert networks.cost(SPEC, SHAPE, 5) == cost_of_model(model)


@pytest.fixture(name="resnet", scope="module")
def _resnet():
    return networks.build(BLOCKS["resnet8"], SHAPE, 5, seed=3)


def test_the_seed_decides_the_weights(resnet):
    again = networks.build(BLOCKS["resnet8"], SHAPE, 5, seed=3).get_weights()
    for mine, other in zip(resnet.get_weights(), again, strict=True):
        np.testing.assert_array_equal(mine, other)
    other = networks.build(BLOCKS["resnet8"], SHAPE, 5, seed=4).get_weights()
    assert not np.array_equal(resnet.get_weights()[0], other[0])


def test_what_a_block_does_is_in_its_layers(resnet):
    names = [layer.name for layer in resnet.layers]
    assert {"stem_op0_conv", "stem_op0_bn", "stem_op0_relu"} <= {*names}
    assert [name for name in names if name.startswith("block2_shortcut")] == [
        "block2_shortcut_op0_conv"  # a projection without batch norm
    ]
    assert not any(name.startswith("block1_shortcut") for name in names)
    assert {"block1_add", "block1_relu"} <= {*names}
    assert "block1_op1_relu" not in names  # linear, then the sum
    assert resnet.get_layer("block2_op0_conv").strides == (2, 2)
    assert resnet.get_layer("block1_op0_conv").use_bias


def test_a_shortcut_adds_what_it_says():
    """With kernels of 0 what is left of a block is its input."""
    block = Block((Conv(3, 3, norm=False),), ())
    model = networks.build(BlockNetwork((block,)), SHAPE, 5)
    model.get_layer("stem_op0_conv").kernel.assign(np.zeros((3, 3, 3, 3)))
    image = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")
    kernel, bias = model.get_layer("head_dense").get_weights()
    expected = image.mean(axis=(1, 2)) @ kernel + bias
    np.testing.assert_allclose(model(image), expected, rtol=1e-4, atol=1e-5)


def test_convolutions_may_begin_as_the_identity():
    block = Block((Conv(3, 3, norm=False),))
    network = BlockNetwork((Block((Conv(1, 3),)), block))
    model = networks.build(network, SHAPE, 5, identity_init=True)
    kernel = model.get_layer("block1_op0_conv").get_weights()[0]
    np.testing.assert_array_equal(kernel[1, 1], np.eye(3))
    assert np.count_nonzero(kernel) == 3


def test_layers_compute_in_what_is_asked():
    model = networks.build(BLOCKS["separable"], SHAPE, 5, dtype_policy="mixed_bfloat16")
    kinds = {layer.compute_dtype for layer in model.layers if "block" in layer.name}
    assert kinds == {"bfloat16"}
    assert model.outputs[0].dtype == global_state.FLOAT32
