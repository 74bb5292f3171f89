"""A model as plain data: who reads whom, channels and sizes, and weights in and out."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.architecture import initial
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec
from epnas_tf.modeling import build_model
from epnas_tf.sharing import graph
from epnas_tf.sharing.graph import Node

_SHAPE = (8, 8, 3)


def _by_name(model: keras.Model) -> dict[str, Node]:
    return {node.name: node for node in graph.layout_of(model)}


def test_a_chain_with_a_projected_skip():
    first = LayerSpec("dep_sep_conv2d", 3, None, 8, "swish")
    second = LayerSpec("max_pool", pool=2, src2=0)
    nodes = _by_name(build_model(LayerwiseSpec((first, second), 4), _SHAPE, 5))
    assert nodes["image"] == Node("image", "input", (), 3, (8, 8))
    assert nodes["stem_conv"] == Node("stem_conv", "conv", ("image",), 4, (8, 8))
    depthwise = nodes["layer1_dep_sep_conv2d_depthwise"]
    assert depthwise == Node(depthwise.name, "depthwise", ("stem_relu",), 4, (8, 8))
    assert nodes["layer1_dep_sep_conv2d_swish"].activation == "silu"
    pool = nodes["layer2_max_pool_pool"]
    assert (pool.kind, pool.channels, pool.size) == ("same", 8, (8, 8))
    assert nodes["layer2_skip_conv"].strides == (2, 2)
    assert nodes["layer2_skip_add"].inputs == (pool.name, "layer2_skip_bn")
    assert nodes["layer2_skip_add"].size == (4, 4)
    assert nodes["head_dense"] == Node("head_dense", "dense", ("head_pool",), 5)
    assert (depthwise.block, depthwise.role) == ("layer1_dep_sep_conv2d", "depthwise")


def test_crelu_is_a_difference_beside_its_positive_part():
    layer = LayerSpec("conv2d", 3, None, 8, "crelu")
    nodes = _by_name(build_model(LayerwiseSpec((layer,), 4), _SHAPE, 5))
    positive, negative, both = (nodes[f"layer1_conv2d_{r}"] for r in ("relu", "negative", "crelu"))
    assert (positive.kind, positive.activation, positive.channels) == ("activation", "relu", 4)
    assert (negative.kind, negative.inputs) == ("subtract", (positive.name, "layer1_conv2d_bn"))
    assert (both.kind, both.channels) == ("concatenate", 8)
    assert both.inputs == (positive.name, negative.name)


def test_kernels_and_strides_that_are_not_square():
    spec = CellSpec((BranchSpec("1x7-7x1-none", channels=4),), 4)
    nodes = _by_name(build_model(spec, _SHAPE, 5))
    assert nodes["cell1_branch1_op0_1x7-7x1_1x7_conv"].strides == (1, 2)
    down = nodes["cell1_branch1_op0_1x7-7x1_7x1_conv"]
    assert (down.size, down.strides) == ((8, 4), (2, 1))
    assert (down.block, down.role) == ("cell1_branch1_op0_1x7-7x1_7x1", "conv")


@pytest.mark.parametrize("space", [layerwise_space((8, 8), max_layers=6), module_space()])
def test_layers_come_after_those_that_they_read(space):
    spec = initial.random_spec(space, randomness.generator(1, "layout_test"))
    model = build_model(spec, _SHAPE, 5)
    seen: set[str] = set()
    for node in graph.layout_of(model):
        assert seen.issuperset(node.inputs)
        seen.add(node.name)
    assert seen == {layer.name for layer in model.layers}


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(4, 3, padding="valid"),
        keras.layers.Conv2D(4, 3, padding="same", groups=2),
        keras.layers.Conv2D(4, 3, padding="same", dilation_rate=2),
        keras.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
        keras.layers.LeakyReLU(),
    ],
)
def test_what_no_rule_is_about_is_other(layer):
    image = keras.Input((8, 8, 4))
    assert graph.layout_of(keras.Model(image, layer(image)))[1].kind == "other"


def test_sums_and_joins_of_other_axes_are_other():
    image = keras.Input((8, 8, 4))
    wide = keras.layers.Concatenate(axis=1, name="wide")([image, image])
    one = keras.layers.Conv2D(1, 1, name="one")(wide)
    nodes = _by_name(keras.Model(image, keras.layers.Add(name="sum")([one, wide])))
    assert {name: nodes[name].kind for name in ("wide", "one", "sum")} == {
        "wide": "other",
        "one": "conv",
        "sum": "other",
    }


def test_a_bare_operation_is_other():
    image = keras.Input((8, 8, 4))
    outputs = keras.layers.ReLU(name="last")(image * 2)
    first, middle, last = graph.layout_of(keras.Model(image, outputs))
    assert (middle.kind, middle.inputs, middle.channels) == ("other", (first.name,), 4)
    assert last.inputs == (middle.name,)


class _Two(keras.layers.Layer):
    """Returns two tensors."""

    def call(self, inputs):
        return inputs, inputs

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape), keras.KerasTensor(inputs.shape)


def _twice(image):
    layer = keras.layers.ReLU()
    return layer(layer(image))


def _read_twice(image):
    return keras.layers.ReLU(name="bad")(_twice(image))


def _nested(image):
    inner = keras.Input((8, 8, 4))
    model = keras.Model(inner, keras.layers.ReLU()(inner), name="inner")
    return keras.layers.ReLU(name="bad")(model(image))


def _several(image):
    return keras.layers.Add()(_Two(name="bad")(image))


@pytest.mark.parametrize(
    ("make", "named"),
    [(_twice, "output 'keras_tensor"), (_read_twice, "'bad'"), (_nested, "'inner'")]
    + [(_several, "'bad'")],
)
def test_what_cannot_be_followed_is_refused_by_name(make, named):
    image = keras.Input((8, 8, 4))
    with pytest.raises(ValueError, match=f"must be called once.*{named}"):
        graph.layout_of(keras.Model(image, make(image)))


def test_weights_are_taken_and_given():
    spec = LayerwiseSpec((LayerSpec("conv2d", 3, None, 8, "relu"),), 4)
    left, right = build_model(spec, _SHAPE, 5, seed=1), build_model(spec, _SHAPE, 5, seed=2)
    weights = graph.weights_of(left)
    assert set(weights) == {"stem_conv", "stem_bn", "layer1_conv2d_conv", "layer1_conv2d_bn"} | {
        "head_dense"
    }
    assert set(weights["stem_bn"]) == {"gamma", "beta", "moving_mean", "moving_variance"}
    weights["stem_bn"]["moving_mean"] = np.arange(4, dtype=np.float32)
    graph.assign(right, weights)
    given = graph.weights_of(right)
    assert all((given[k][n] == v).all() for k, named in weights.items() for n, v in named.items())
    assert (left.get_layer("stem_bn").moving_mean.numpy() == 0).all()  # a copy was changed


class _Pair(keras.layers.Layer):
    """Two dense layers in one, so that two weights are called kernel."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.parts = [keras.layers.Dense(4), keras.layers.Dense(4)]

    def build(self, shape):
        for part in self.parts:
            part.build(shape)

    def call(self, inputs):
        return self.parts[0](inputs) + self.parts[1](inputs)


def test_weights_of_the_same_name_are_told_apart():
    image = keras.Input((4,))
    model = keras.Model(image, _Pair(name="pair")(image))
    weights = graph.weights_of(model)
    assert list(weights["pair"]) == ["kernel", "bias", "kernel:1", "bias:1"]
    before = model.get_weights()
    graph.assign(model, weights)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
