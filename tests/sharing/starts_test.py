"""What one layer starts from, by small numbers."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.sharing import channels, starts
from epnas_tf.sharing.channels import Piece, Tensor
from epnas_tf.sharing.graph import Node
from epnas_tf.sharing.rules import Entry, Run
from epnas_tf.sharing.sources import Source

_CONV = Node("layer2_conv2d_conv", "conv", ("layer1_conv2d_relu",), 3, (8, 8))
_DEPTHWISE = Node("layer2_dep_sep_conv2d_depthwise", "depthwise", _CONV.inputs, 3, (8, 8))
_NORM = Node("layer2_conv2d_bn", "batch_norm", (_CONV.name,), 3)


def _read(*index: int) -> Tensor:
    """Returns channels of layer 1 with these numbers of trial a's three."""
    return channels.unknown((Piece("layer1", "a", np.array(index), 3),))


def _source(role: str, **values: np.ndarray) -> Source:
    return Source(Entry("layer2", "a", 0.5, {}, {role: (Run("layer1", 3),)}), values)


def _noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_convolution_takes_the_rows_and_columns_that_its_source_has():
    own, theirs = _noise(1, 1, 3, 3), _noise(1, 1, 3, 4, seed=1)
    bias = _noise(3, seed=2), _noise(4, seed=3)
    start = starts.filters(
        _CONV,
        {"kernel": own, "bias": bias[0]},
        _read(0, 2, -1),
        _source("conv", kernel=theirs, bias=bias[1]),
        np.array([1, 3, -1]),
        "layer2/conv",
    )
    kernel = start.weights["kernel"][0, 0]
    assert (kernel[:2, :2] == theirs[0, 0][np.ix_([0, 2], [1, 3])]).all()
    assert (kernel[2, :2] == 0).all()  # nothing is read of a new channel
    assert (kernel[:, 2] == own[0, 0, :, 2]).all()  # a new filter keeps its own values
    assert start.weights["bias"].tolist() == [bias[1][1], bias[1][3], bias[0][2]]
    assert start.taken == 2 * 2 + 2
    (piece,) = start.output.pieces
    assert (piece.label, piece.source, piece.size) == ("layer2/conv", "a", 4)
    assert piece.index.tolist() == [1, 3, -1]


def test_a_depthwise_convolution_takes_the_filters_of_its_channels():
    own, theirs = _noise(3, 3, 3, 1), _noise(1, 1, 3, 1, seed=1)
    source = _source("depthwise", kernel=theirs)
    start = starts.depthwise(_DEPTHWISE, {"kernel": own}, _read(2, 0, -1), source)
    kernel = start.weights["kernel"][..., 0]
    assert kernel[1, 1].tolist()[:2] == [theirs[0, 0, 2, 0], theirs[0, 0, 0, 0]]
    assert np.count_nonzero(kernel[..., :2]) == 2
    assert (kernel[..., 2] == own[..., 2, 0]).all()
    assert start.taken == 2


def test_a_batch_norm_takes_the_statistics_of_its_channels():
    own = {name: _noise(3, seed=seed) for seed, name in enumerate(("gamma", "beta", "moving_mean"))}
    theirs = {name: value + 7 for name, value in own.items()}
    start = starts.batch_norm(_NORM, own, _read(2, -1, 0), _source("bn", **theirs))
    for name, value in start.weights.items():
        assert value.tolist() == [theirs[name][2], own[name][1], theirs[name][0]]
    assert start.taken == 2 * 2  # moving averages are not trained
    assert start.output.mean.tolist() == start.weights["beta"].tolist()


def test_an_inserted_convolution_is_identity_of_the_first_channels():
    own = _noise(3, 3, 2, 3)
    read = Tensor((Piece("layer1", "a", np.arange(2), 3),), np.array([1.0, 2]), np.array([3.0, 4]))
    start = starts.new_filters(_CONV, {"kernel": own}, read, "layer2/conv")
    images = start.weights["kernel"][..., :2]
    assert (images[1, 1] == np.eye(2)).all()
    assert np.count_nonzero(images) == 2
    assert (start.weights["kernel"][..., 2] == own[..., 2]).all()
    assert [piece.label for piece in start.output.pieces] == ["layer1", "layer2/conv"]
    np.testing.assert_array_equal(start.output.mean, [1, 2, np.nan])
    assert start.taken == 0


@pytest.mark.parametrize(
    ("name", "strides", "source"),
    [
        ("layer2_skip_conv", (1, 1), "a"),
        ("cell0_branch1_op0_conv_conv", (1, 1), "a"),
        ("layer2_conv2d_conv", (2, 2), "a"),
        ("layer2_conv2d_conv", (1, 1), ""),
    ],
)
def test_elsewhere_new_filters_keep_their_own_values(name, strides, source):
    node = Node(name, "conv", ("x",), 3, (8, 8), strides)
    own = {"kernel": _noise(1, 1, 3, 3)}
    read = channels.unknown((Piece("layer1", source, np.arange(3), 3),))
    assert (starts.new_filters(node, own, read, "x").weights["kernel"] == own["kernel"]).all()


def test_an_inserted_depthwise_convolution_is_identity():
    read = _read(0, 1, 2)
    start = starts.new_depthwise(_DEPTHWISE, {"kernel": _noise(3, 3, 3, 1)}, read)
    assert (start.weights["kernel"][1, 1] == 1).all()
    assert np.count_nonzero(start.weights["kernel"]) == 3
    assert start.output is read


def test_a_new_batch_norm_undoes_itself_where_it_knows_what_it_gets():
    own = {"gamma": np.ones(2, np.float32), "moving_mean": np.zeros(2, np.float32)}
    piece = Piece("layer1", "a", np.arange(2), 2)
    read = Tensor((piece,), np.array([5.0, np.nan]), np.array([2.0, np.nan]))
    start = starts.new_batch_norm(own, read)
    assert start.weights["moving_mean"].tolist() == [5, 0]
    assert start.weights["gamma"].tolist() == [2, 1]


@pytest.mark.parametrize(("shape", "taken"), [((2, 2), 4), ((2, 3), 0)])
def test_a_layer_of_its_own_kind_is_taken_whole_or_not_at_all(shape, taken):
    own, theirs = {"kernel": np.zeros((2, 2))}, {"kernel": np.ones(shape)}
    start = starts.other(_CONV, own, _source("conv", **theirs), "x")
    assert (start.weights["kernel"] == (theirs if taken else own)["kernel"]).all()
    assert start.taken == taken
    assert start.output.pieces[0].is_warm is bool(taken)
