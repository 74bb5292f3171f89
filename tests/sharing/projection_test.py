"""Projections of skips: filters follow what they are added to, new ones do what a bare sum did."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.modeling import build_model
from epnas_tf.sharing import channels, graph, projection
from epnas_tf.sharing.channels import Piece
from epnas_tf.sharing.rules import Entry, Run


def _conv(channels_: int, src2: int = -1) -> LayerSpec:
    return LayerSpec("conv2d", 3, None, channels_, "relu", src2)


@pytest.fixture(name="parts", scope="module")
def _parts():
    """Returns layers and weights of a network with a bare skip and a projected one."""
    layers = (_conv(2, src2=0), _conv(3, src2=1))
    model = build_model(LayerwiseSpec(layers, 2), (8, 8, 3), 5)
    return graph.layout_of(model), graph.weights_of(model)


def _tensor(label: str, *index: int, source: str = "a"):
    return channels.unknown((Piece(label, source, np.array(index), 2),))


def test_only_a_skip_with_weights_is_a_projection(parts):
    found = projection.projections(*parts)
    assert list(found) == ["layer2_skip"]
    names = found["layer2_skip"].conv.name, found["layer2_skip"].norm.name
    assert names == ("layer2_skip_conv", "layer2_skip_bn")


def test_filters_follow_the_channels_of_the_same_source():
    entry = Entry("layer2_skip", "a", 0.5, {}, {"main": (Run("main", 2),)})
    columns = projection.followed(_tensor("main", 1, -1, 0), entry, 2)
    assert columns is not None
    assert columns.tolist() == [1, -1, 0]
    assert projection.followed(_tensor("main", 1, 0, source="b"), entry, 2) is None


def _started(parts, bare):
    nodes, weights = parts
    (found,) = projection.projections(nodes, weights).values()
    read, main = _tensor("read", 1, 0), _tensor("main", 0, 1, -1)
    started = projection.start_new(weights, found, read, main, bare)
    assert set(started) == {"layer2_skip_conv", "layer2_skip_bn"}
    return started["layer2_skip_conv"]["kernel"][0, 0], started["layer2_skip_bn"]


def test_where_a_source_had_a_bare_sum_the_projection_does_the_same(parts):
    bare = Entry("s", "a", 0.5, {}, {"skip": (Run("read", 2),), "main": (Run("main", 2),)})
    kernel, norm = _started(parts, bare)
    assert kernel[:, :2].tolist() == [[0, 1], [1, 0]]  # what it reads is in another order
    assert (kernel[:, 2] == parts[1]["layer2_skip_conv"]["kernel"][0, 0, :, 2]).all()
    assert norm["gamma"].tolist() == [1, 1, 0]
    np.testing.assert_allclose(norm["moving_variance"][:2] + 1e-5, 1)


def test_without_one_it_is_silent(parts):
    kernel, norm = _started(parts, None)
    assert (kernel == parts[1]["layer2_skip_conv"]["kernel"][0, 0]).all()
    assert not norm["gamma"].any()
