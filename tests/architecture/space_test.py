"""The paper's two spaces as data, and the rules for a single network."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from epnas_tf.architecture import space as space_lib
from epnas_tf.architecture.ops import BRANCHES, OPS, BranchDef, OpDef
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec

_CONV = LayerSpec("conv2d", width=3, channels=32, activation="relu")
_POOL = LayerSpec("max_pool", pool=2)
_BRANCH = BranchSpec("conv-none", width=3, channels=8)


def test_the_layerwise_space_is_the_papers_table_2():
    assert {field.name: field.choices for field in layerwise_space().fields} == {
        "op": ("conv2d", "dep_sep_conv2d", "max_pool", "avg_pool", "add"),
        "width": (1, 3, 5, 7),
        "pool": (2, 3),
        "channels": (16, 32, 64, 96, 128, 256),
        "activation": ("relu", "crelu", "elu", "selu", "swish"),
        "src2": (),
    }


def test_the_module_space_is_the_papers_table_3():
    assert {field.name: field.choices for field in module_space().fields} == {
        "op": (
            "conv-conv",
            "conv-maxpool",
            "conv-avgpool",
            "conv-none",
            "maxpool-none",
            "avgpool-none",
            "1x7-7x1-none",
        ),
        "width": (1, 3, 5, 7),
        "pool": (2, 3),
        "channels": (8, 12, 16, 24, 32),
        "src1": (),
        "src2": (),
        "propagate": (0, 1),
    }


@pytest.mark.parametrize("make", [layerwise_space, module_space])
def test_an_operation_that_is_added_changes_no_space_that_does_not_ask_for_it(make, monkeypatch):
    before = make()
    monkeypatch.setattr(space_lib, "OPS", OPS | {"new": OpDef(())})
    monkeypatch.setattr(space_lib, "BRANCHES", BRANCHES | {"new": BranchDef((), "conv")})
    assert make().fields == before.fields
    asked = layerwise_space(layer_types=("conv2d", "new"))
    assert asked.field("op").choices == ("conv2d", "new")
    asked.check(asked.new_spec([LayerSpec("new")]))


@pytest.mark.parametrize("space", [layerwise_space(), module_space()])
def test_width_and_channels_are_what_is_scaled(space):
    assert [field.name for field in space.fields if field.scaled] == ["width", "channels"]
    assert [field.name for field in space.fields if field.ordered] == ["width", "pool", "channels"]


def test_defaults():
    space, cells = layerwise_space(), module_space()
    assert (space.max_items, space.parts, space.stem_filters, space.image_size) == (
        20, 4, 16, (32, 32),
    )  # fmt: skip
    assert (cells.max_items, cells.parts, cells.stem_filters, cells.image_size) == (6, 4, 16, None)
    assert (cells.cells_per_stage, cells.width_multiplier) == (1, 1.0)


def test_choices_can_be_set():
    space = layerwise_space(
        (8, 8),
        layer_types=("conv2d", "max_pool"),
        filter_widths=list(np.array([1, 5])),
        pool_widths=[3],
        channels=(8, 24),
        activations=("swish",),
        max_layers=5,
        parts=2,
        stem_filters=8,
    )
    choices = [("conv2d", "max_pool"), (1, 5), (3,), (8, 24), ("swish",), ()]
    assert [field.choices for field in space.fields] == choices
    assert {type(width) for width in space.field("width").choices} == {int}
    assert (space.max_items, space.parts, space.stem_filters) == (5, 2, 8)
    cells = module_space(branch_types=("conv-conv",), filters=24, cells_per_stage=2)
    assert cells.field("op").choices == ("conv-conv",)
    assert cells.new_spec([_BRANCH]) == CellSpec((_BRANCH,), 24, 2)
    assert space.new_spec([_CONV]) == LayerwiseSpec((_CONV,), 8)


@pytest.mark.parametrize(
    ("size", "halvings"),
    [
        ((32, 32), 3),  # 16, 8, 4
        ((28, 28), 3),  # 14, 7, 4
        ((33, 33), 3),  # 17, 9, 5; 3 is below 4
        ((224, 224), 6),  # 112, 56, 28, 14, 7, 4
        ((16, 16), 2),  # 8, 4
        ((15, 15), 3),  # 8, 4, 2: under 16 pixels the least is 2
        ((8, 8), 2),  # 4, 2
        ((3, 3), 1),  # 2
        ((2, 2), 0),
        ((1, 1), 0),
        ((224, 8), 2),  # the smaller side counts
    ],
)
def test_maps_are_not_halved_below_the_least_size(size, halvings):
    assert layerwise_space(size).max_halvings == halvings


def test_no_image_size_means_no_limit_on_halving():
    space = dataclasses.replace(layerwise_space(), image_size=None)
    assert space.max_halvings is None
    space.check(LayerwiseSpec((_POOL,) * 20))


@pytest.mark.parametrize(
    ("length", "parts"),
    [
        (1, [0]),
        (2, [0, 2]),
        (3, [0, 1, 2]),
        (5, [0, 0, 1, 2, 3]),
        (8, [0, 0, 1, 1, 2, 2, 3, 3]),
    ],
)
def test_parts_are_contiguous_groups(length, parts):
    space = layerwise_space(parts=4)
    assert [space.part_of(index, length) for index in range(1, length + 1)] == parts


def test_the_check_table_is_uniform_over_the_places():
    assert layerwise_space().check_table(1) == (0.5, 0.5)
    assert layerwise_space().check_table(3) == (0.25, 0.25, 0.25, 0.25)


def test_fields_that_apply_to_each_operation():
    space, cells = layerwise_space(), module_space()
    assert {op: space.fields_of(str(op)) for op in space.field("op").choices} == {
        "conv2d": ("width", "channels", "activation", "src2"),
        "dep_sep_conv2d": ("width", "channels", "activation", "src2"),
        "max_pool": ("pool", "src2"),
        "avg_pool": ("pool", "src2"),
        "add": ("src2",),
    }
    assert {op: cells.fields_of(str(op)) for op in cells.field("op").choices} == {
        "conv-conv": ("width", "channels", "src1", "src2", "propagate"),
        "conv-maxpool": ("width", "pool", "channels", "src1", "src2", "propagate"),
        "conv-avgpool": ("width", "pool", "channels", "src1", "src2", "propagate"),
        "conv-none": ("width", "channels", "src1", "propagate"),
        "maxpool-none": ("pool", "channels", "src1", "propagate"),
        "avgpool-none": ("pool", "channels", "src1", "propagate"),
        "1x7-7x1-none": ("channels", "src1", "propagate"),
    }


def test_equal_spaces_are_one_dictionary_key():
    assert hash(layerwise_space()) == hash(layerwise_space())
    assert layerwise_space() == layerwise_space()
    assert layerwise_space((8, 8)) != layerwise_space()


def test_new_items_are_of_the_patterns_kind():
    values = {"op": "x", "width": 3}
    assert layerwise_space().new_item(values) == LayerSpec("x", 3)
    assert module_space().new_item(values) == BranchSpec("x", 3)


def _layers(*layers: LayerSpec) -> LayerwiseSpec:
    return LayerwiseSpec(layers)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (CellSpec((_BRANCH,)), "pattern must be 'layerwise', got 'module'"),
        (_layers(*[_CONV] * 21), "a network must have at most 20 items, got 21"),
        (_layers(LayerSpec("lstm")), r"item 1: op must be one of \('conv2d', .*, got 'lstm'"),
        (
            _layers(_CONV, _CONV.replace("channels", 48)),
            r"item 2: channels must be one of \(16, 32, .*\), got 48",
        ),
        (_layers(_CONV.replace("width", 4)), r"width must be one of \(1, 3, 5, 7\), got 4"),
        (_layers(LayerSpec("max_pool")), r"pool must be one of \(2, 3\), got None"),
        (_layers(_CONV.replace("pool", 2)), "pool does not apply to conv2d, got 2"),
        (_layers(_CONV.replace("units", 9)), "units is not a field of this space, got 9"),
        (_layers(_POOL.replace("activation", "relu")), "activation does not apply .* got 'relu'"),
        (_layers(LayerSpec("add")), "add must add an output other than its own input, got src2=-1"),
        (_layers(_CONV, LayerSpec("add", src2=1)), "other than its own input, got src2=1"),
        (_layers(*[_POOL] * 4), r"images of \(32, 32\) may be halved 3 times, got 4"),
    ],
)
def test_layerwise_networks_outside_the_space(spec, message):
    with pytest.raises(ValueError, match=message):
        layerwise_space().check(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (_layers(_CONV), "pattern must be 'module', got 'layerwise'"),
        (CellSpec((_BRANCH,) * 7), "a network must have at most 6 items, got 7"),
        (CellSpec((BranchSpec("lstm"),)), r"op must be one of \('conv-conv', .* got 'lstm'"),
        (CellSpec((_BRANCH.replace("channels", 9),)), "channels must be one of .* got 9"),
        (CellSpec((_BRANCH.replace("pool", 2),)), "pool does not apply to conv-none, got 2"),
        (CellSpec((_BRANCH.replace("src2", 0),)), "conv-none and src2 do not fit, got src2=0"),
        (
            CellSpec((BranchSpec("conv-conv", 3, None, 8),)),
            "conv-conv and src2 do not fit, got src2=None",
        ),
    ],
)
def test_cells_outside_the_space(spec, message):
    with pytest.raises(ValueError, match=message):
        module_space().check(spec)


def test_what_the_space_holds_passes():
    space = layerwise_space()
    space.check(_layers(_CONV, _POOL.replace("src2", 0), LayerSpec("add", src2=0)))
    space.check(_layers(_CONV.replace("src2", 0)))  # a layer may add its own input
    module_space().check(CellSpec((_BRANCH, BranchSpec("conv-maxpool", 1, 3, 32, 1, 0, 0))))


def test_a_space_without_some_fields_refuses_them():
    gates = {"gate": OpDef(())}
    space = SearchSpace("layerwise", (Field("op", ("gate",)),), 3, fixed_length=True, ops=gates)
    space.check(_layers(*[LayerSpec("gate")] * 3))
    for layer, message in [
        (LayerSpec("gate", src2=0), "gate has no skip in this space, got src2=0"),
        (LayerSpec("gate", activation="relu"), "activation is not a field .* got 'relu'"),
        (LayerSpec("gate", channels=8), "channels is not a field of this space, got 8"),
    ]:
        with pytest.raises(ValueError, match=message):
            space.check(_layers(layer, layer, layer))
    with pytest.raises(ValueError, match="a network must have exactly 3 items, got 2"):
        space.check(_layers(*[LayerSpec("gate")] * 2))


_OP = Field("op", ("max_pool",))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Field("width"), "field 'width' must have at least one choice, got none"),
        (lambda: Field("width", (3, 3)), r"choices of 'width' must differ, got \(3, 3\)"),
        (
            lambda: Field("width", (3, 1), ordered=True),
            r"choices of 'width' must ascend, got \(3, 1\)",
        ),
        (
            lambda: Field("rate", (0.5,)),
            "choices of 'rate' must be a whole number or text, got 0.5",
        ),
        (lambda: SearchSpace("graph", (_OP,), 3), "pattern must be .* got 'graph'"),
        (
            lambda: SearchSpace("layerwise", (Field("width", (1,)), _OP), 3),
            r"the first field must be 'op', got \['width', 'op'\]",
        ),
        (lambda: SearchSpace("layerwise", (), 3), r"the first field must be 'op', got \[\]"),
        (
            lambda: SearchSpace("layerwise", (Field("op", ("add",), ordered=True),), 3),
            "op must not be ordered, got",
        ),
        (
            lambda: SearchSpace("layerwise", (Field("op", ("add",)), Field("place", (1,))), 3),
            r"no field may be named as one of .*, got \['place'\]",
        ),
        (lambda: layerwise_space(max_layers=0), "max_items must be at least 1, got 0"),
        (lambda: module_space(parts=0), "parts must be at least 1, got 0"),
        (lambda: layerwise_space(layer_types=("lstm",)), "op must be one of .* got 'lstm'"),
        (lambda: module_space(branch_types=("add",)), "op must be one of .* got 'add'"),
        (
            lambda: SearchSpace("layerwise", (_OP,), 3),
            r"op 'max_pool' needs the fields \['pool'\]",
        ),
        (
            lambda: SearchSpace("layerwise", (Field("op", ("add",)),), 3),
            r"op 'add' needs the fields \['src2'\]",
        ),
        (
            lambda: layerwise_space(channels=(15, 16, 17)),
            r"channels must be even where crelu halves the filters, got \[15, 17\]",
        ),
        (
            lambda: layerwise_space(layer_types=("add",)),
            r"op must have a choice for every place of a network, got \['add'\]",
        ),
        (
            lambda: layerwise_space((2, 2), layer_types=("max_pool", "add")),
            r"op must have a choice for every place of a network, got \['max_pool', 'add'\]",
        ),
    ],
)
def test_what_is_no_space_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def _graph(*edges, **values):
    ops = {"gate": OpDef(())}
    values = {"fixed_length": True, "skips": False, "ops": ops, "edges": edges} | values
    return SearchSpace("layerwise", (Field("op", ("gate",)),), 3, **values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _graph((0, 1), (1, 2)), "edges must be max_items=3, got 2"),
        (lambda: _graph((0, 1), (2, 1), (1, 2)), r"edges must lead to a higher node, got .*2, 1"),
        (lambda: _graph((0, 1), (1, 1), (1, 2)), r"edges must lead to a higher node, got .*1, 1"),
        (lambda: _graph((1, 2), (1, 3), (2, 3)), "edges must begin at node 0, the input, got"),
        (lambda: _graph((-1, 0), (0, 1), (1, 2)), "edges must begin at node 0, the input, got"),
        (
            lambda: _graph((0, 1), (0, 2), (1, 2), fixed_length=False),
            "edges must be of a layerwise space of fixed length",
        ),
        (
            lambda: dataclasses.replace(module_space(), fixed_length=True, edges=[(0, 1)] * 6),
            "edges must be of a layerwise space of fixed length",
        ),
    ],
)
def test_what_is_no_graph_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_space_describes_its_edges_where_it_states_any():
    space = _graph([0, 1], [0, 2], [1, 2])
    assert space.describe()["edges"] == ((0, 1), (0, 2), (1, 2))
    assert space != _graph((0, 1), (1, 2), (0, 2))
    assert "edges" not in layerwise_space().describe()  # as stored searches have it


def test_odd_channels_are_fine_without_crelu():
    assert layerwise_space(channels=(15,), activations=("relu",)).field("channels").choices == (15,)


def test_an_unknown_field_is_a_key_error():
    with pytest.raises(KeyError, match="units"):
        layerwise_space().field("units")
