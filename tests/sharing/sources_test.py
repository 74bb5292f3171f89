"""What a child's blocks start from: the entry that fits, if its values fit each other."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.sharing import rules, sources
from epnas_tf.sharing.graph import Node
from epnas_tf.sharing.rules import Entry, Run, Values

_CONV = Node("layer1_conv2d_conv", "conv", ("image",), 4, (8, 8))
_NORM = Node("layer1_conv2d_bn", "batch_norm", (_CONV.name,), 4)
_RELU = Node("layer1_conv2d_relu", "activation", (_NORM.name,), 4)
_DENSE = Node("somewhere", "dense", (_RELU.name,), 2)
_LAYOUT = (Node("image", "input", (), 3), _CONV, _NORM, _RELU, _DENSE)


def _values(width: int = 3, channels: int = 4) -> Values:
    norm = {name: np.zeros(channels) for name in ("gamma", "beta")}
    return {"conv": {"kernel": np.zeros((width, width, 3, channels))}, "bn": norm}


def _entry(values: Values, source: str = "a", label: str = "layer1_conv2d") -> Entry:
    return Entry(label, source, 0.5, rules.shapes_of(values), {})


_FRESH = {_CONV.name: _values()["conv"], _NORM.name: _values()["bn"]} | {
    _DENSE.name: {"kernel": np.zeros((4, 2))}
}


def _chosen(*entries: Entry, values: Values) -> sources.Sources:
    return sources.choose(_LAYOUT, _FRESH, rules.by_number, entries, lambda entry: values)


def test_a_block_has_the_closest_entry():
    values = _values(5)
    entries = _entry(_values(7), "far"), _entry(values, "near"), _entry(_values(), "no", "layer2")
    found = _chosen(*entries, values=values)
    assert {block: entry.source for block, entry in found.entries.items()} == {
        "layer1_conv2d": "near"
    }
    source = found.of(_CONV, _FRESH[_CONV.name])
    assert source is not None
    assert source.values is values["conv"]
    assert found.kernel(_CONV) is values["conv"]["kernel"]


def test_layers_without_weights_or_without_a_place_have_no_source():
    dense = _entry({"somewhere": {"kernel": np.zeros((4, 2))}}, label="somewhere")
    found = _chosen(_entry(_values()), dense, values=_values())
    assert found.of(_RELU, {}) is None
    assert found.of(_DENSE, _FRESH[_DENSE.name]) is None


def test_sums_without_parameters_are_found_by_their_label():
    bare = Entry("layer2_skip", "a", 0.5, {}, {"main": (Run("x", 4),)})
    assert _chosen(bare, values={}).sums == {"layer2_skip": bare}


@pytest.mark.parametrize(
    ("node", "broken"),
    [
        (_CONV, {"kernel": np.zeros((3, 3, 4))}),
        (_NORM, {"gamma": np.zeros(4), "beta": np.zeros(5)}),
    ],
)
def test_values_that_do_not_fit_each_other_are_no_source(node, broken):
    values = _values() | {node.role: broken}
    found = sources.Sources({_CONV.block: _entry(_values())}, {_CONV.block: values}, {})
    assert found.of(node, _FRESH[node.name]) is None


@pytest.mark.parametrize(
    ("kind", "kernel", "sound"),
    [
        ("conv", (3, 3, 2, 4), True),
        ("conv", (3, 3, 4, 2), False),
        ("depthwise", (3, 3, 4, 1), True),
        ("depthwise", (3, 3, 4, 2), False),
        ("depthwise", (3, 3, 2, 1), False),
    ],
)
def test_a_bias_belongs_to_the_filters(kind, kernel, sound):
    values = {"kernel": np.zeros(kernel), "bias": np.zeros(4)}
    node = Node("layer1_own_conv", kind, ("image",), 4, (8, 8))
    found = sources.Sources({node.block: _entry({})}, {node.block: {"conv": values}}, {})
    assert (found.of(node, values) is not None) is sound
