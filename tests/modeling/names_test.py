"""Layers' names: every part is found again, and any text is its own name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.modeling import names
from epnas_tf.modeling.names import Block, LayerName, Place

_checked = settings(deadline=None, derandomize=True, max_examples=300, database=None)

_LITERAL = {
    "stem_conv": LayerName(Block(Place("stem")), "conv"),
    "head_dense": LayerName(Block(Place("head")), "dense"),
    "layer3_conv2d_conv": LayerName(Block(Place("layer", 3), "conv2d"), "conv"),
    "layer12_dep_sep_conv2d_bn": LayerName(Block(Place("layer", 12), "dep_sep_conv2d"), "bn"),
    "layer4_skip_add": LayerName(Block(Place("layer", 4), "skip"), "add"),
    "cell0_concat": LayerName(Block(Place("cell", 0)), "concat"),
    "cell0_branch2_concat": LayerName(Block(Place("branch", 2, cell=0)), "concat"),
    "cell0_branch2_op1_maxpool_pool": LayerName(
        Block(Place("branch", 2, cell=0), "op1_maxpool"), "pool"
    ),
    "cell10_branch1_op0_1x7-7x1_7x1_conv": LayerName(
        Block(Place("branch", 1, cell=10), "op0_1x7-7x1_7x1"), "conv"
    ),
    # of users' builders
    "layer3_own": LayerName(Block(Place("layer", 3)), "own"),
    "layer3_own__x": LayerName(Block(Place("layer", 3), "own_"), "x"),
    "image": LayerName(Block(), "image"),
    "conv2d_7": LayerName(Block(None, "conv2d"), "7"),
    "layered_conv_x": LayerName(Block(None, "layered_conv"), "x"),
    "cell0_branched_conv": LayerName(Block(Place("cell", 0), "branched"), "conv"),
    "stem": LayerName(Block(), "stem"),
    "_x": LayerName(Block(), "_x"),
}


@pytest.mark.parametrize("name", _LITERAL)
def test_a_name_has_place_operation_and_role(name):
    assert names.parse(name) == _LITERAL[name]
    assert str(_LITERAL[name]) == name


_numbers = st.integers(0, 120)
_places = st.one_of(
    st.sampled_from(("stem", "head")).map(Place),
    st.builds(Place, st.just("layer"), _numbers),
    st.builds(Place, st.just("cell"), _numbers),
    st.builds(Place, st.just("branch"), _numbers, _numbers),
)
_operations = st.sampled_from(("", "conv2d", "skip", "dep_sep_conv2d", "op1_maxpool", "a__b", "x-"))
_roles = st.sampled_from(("conv", "bn", "1x7", "negative"))
# What names are made of and what may look like it.
_texts = st.lists(
    st.sampled_from((*"_03x\n", "__", "stem", "head", "layer", "cell", "branch", "_skip", "op1_"))
).map("".join)


@_checked
@given(_places, _operations, _roles)
def test_what_is_put_together_is_taken_apart_again(place, operation, role):
    name = LayerName(Block(place, operation), role)
    assert names.parse(str(name)) == name
    assert names.parse_block(str(name.block)) == name.block


@_checked
@given(st.one_of(_texts, st.text()))
def test_any_text_is_the_name_of_its_parts(text):
    assert str(names.parse(text)) == text
    assert str(names.parse_block(text)) == text


def test_places_nest():
    place = names.joined(names.cell(2), names.branch(3))
    assert place == str(Place("branch", 3, cell=2)) == "cell2_branch3"
    assert names.joined(place, names.operation(1, "conv")) == "cell2_branch3_op1_conv"
    assert names.joined("", names.layer(1)) == str(Place("layer", 1)) == "layer1"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("layer3_conv2d", True),
        ("layer3_skip", False),
        ("layer3_long_skip", True),
        ("layer3", True),
        ("layered_conv", False),
        ("stem", False),
        ("head", False),
        ("cell0_branch1_op0_conv", False),
    ],
)
def test_only_layers_of_a_chain_stand_between_others(block, expected):
    assert names.parse_block(block).in_chain is expected


@pytest.mark.parametrize(
    ("block", "expected"),
    [("layer3_skip", True), ("layer3_long_skip", False), ("cell0_skip", False), ("skip", False)],
)
def test_only_a_layers_own_sum_is_a_skip(block, expected):
    assert names.parse_block(block).is_skip is expected


def test_names_are_read_without_a_library(sources):
    (source,) = [s for s in sources if s.path == "epnas_tf/modeling/names.py"]
    tops = {name.split(".")[0] for name in source.imports}
    assert tops - {"__future__"} == {"dataclasses", "re"}
