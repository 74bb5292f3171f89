"""What networks are in numbers: those of small networks of both patterns worked out by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import randomness
from epnas_tf.architecture import anatomy, cost, graph, initial
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec, Spec
from tests.own_space import OWN

_COSTS = ("log flops", "log params", "log traffic", "log intensity")
_CHAIN = (
    *("depth", "longest", "shortest", "wide", "seen", "log2 seen", "halvings", "their place"),
    *(f"work {stage}" for stage in range(4)),
    *(f"width {stage}" for stage in range(4)),
    *("skips", "their span"),
)
_CELL = (
    *("live", "unread", "outputs", "log2 width", "from input", "longest", "shortest", "wide"),
    *("field", "poolings"),
)


def _conv(channels: int, width: int = 3, src2: int = -1, op: str = "conv2d") -> LayerSpec:
    return LayerSpec(op, width, None, channels, "relu", src2)


def _pool(width: int = 2, src2: int = -1) -> LayerSpec:
    return LayerSpec("max_pool", pool=width, src2=src2)


def _numbers(spec: Spec, size: int = 8, **options) -> dict[str, float]:
    names = _COSTS + (_CHAIN if isinstance(spec, LayerwiseSpec) else _CELL)
    found = anatomy.numbers(spec, (size, size, 3), 10, **options)
    return dict(zip(names, found, strict=True))


def _of_layers(*layers: LayerSpec, size: int = 8, stem: int = 4) -> dict[str, float]:
    return _numbers(LayerwiseSpec(layers, stem), size)


# Costs


def test_costs_are_logarithms_of_what_the_network_uses():
    found = _of_layers(_conv(16, src2=0))
    # 990 parameters, 97,088 FLOPs and 19,968 bytes, as tests/architecture/cost_test.py counts them.
    assert {name: found[name] for name in _COSTS} == pytest.approx(
        {
            "log flops": math.log(97_089),
            "log params": math.log(991),
            "log traffic": math.log(19_969),
            "log intensity": math.log(97_088 / 19_968 + 0.001),
        }
    )


# Layer by layer


def test_a_chain_with_poolings_and_skips():
    found = _of_layers(
        _conv(16),
        _pool(),
        _conv(8, width=1, src2=0),
        _conv(32, width=5, op="dep_sep_conv2d"),
        LayerSpec("add", src2=3),
    )
    # FLOPs: stem 13,824; layers 73,728, 1,024, 4,096 (and 1,024 of the skip's projection), 14,592
    # and (a projection) 8,192; head 1,152.
    work = {"work 0": 74_752 / 117_632, "work 1": 27_904 / 117_632, "work 2": 0, "work 3": 0}
    widths = {"width 0": 4, "width 1": 5, "width 2": 0, "width 3": 0}  # 16 and 32 channels
    expected = {
        **{"depth": 5, "longest": 3, "wide": 2, "skips": 2, "their span": (3 + 2) / 2},
        "shortest": 0,  # the stem's map is added to layer 3's, and that to the last one
        # 3 of the stem, 2 of layer 1, 1 of the pooling, then 4 that are two pixels apart.
        **{"seen": 1, "log2 seen": math.log2(14 / 8)},
        **{"halvings": 1, "their place": 2 / 5},
    }
    assert {name: found[name] for name in _CHAIN} == pytest.approx(expected | work | widths)


def test_one_layer_without_anything():
    found = _of_layers(_conv(16, width=1), size=12, stem=32)
    assert {name: found[name] for name in ("depth", "longest", "shortest", "wide")} == {
        **{"depth": 1, "longest": 1, "shortest": 1, "wide": 0}
    }
    assert (found["seen"], found["log2 seen"]) == (3 / 12, -2)
    assert (found["halvings"], found["their place"]) == (0, 0)
    assert (found["skips"], found["their span"]) == (0, 0)
    assert [found[f"width {stage}"] for stage in range(4)] == [5, 0, 0, 0]  # the stem's


def test_the_shorter_side_of_an_image_is_what_is_seen_of_it():
    spec = LayerwiseSpec((_conv(16, width=5),))
    place = (_COSTS + _CHAIN).index("seen")
    seen = [anatomy.numbers(spec, shape, 10)[place] for shape in ((14, 28, 3), (28, 14, 3))]
    assert seen == [7 / 14, 7 / 14]


def test_a_skip_shortens_the_way_only_where_it_leads_past_convolutions():
    assert _of_layers(*[_conv(16)] * 4)["shortest"] == 4
    assert _of_layers(_conv(16), _conv(16), _conv(16, src2=1), _conv(16))["shortest"] == 2
    assert _of_layers(_conv(16), _conv(16, src2=1))["shortest"] == 1  # past itself
    assert _of_layers(_conv(16), _pool(src2=1), _pool())["shortest"] == 1


def test_what_is_halved_often_is_one_stage():
    found = _of_layers(*[_conv(16), _pool()] * 5, _conv(64), size=64, stem=16)
    assert (found["halvings"], found["their place"]) == (5, pytest.approx(6 / 11))
    assert [found[f"width {stage}"] for stage in range(4)] == [4, 4, 4, 6]
    # 2 * 9 * 16 * 16 FLOPs of a convolution and 4 * 16 / 4 of a pooling for each of a map's pixels.
    conv, pooling = 4_608, 16
    total = math.exp(found["log flops"]) - 1
    work = [(conv + pooling) * (64 // 2**halved) ** 2 / total for halved in range(5)]
    last = 4 * conv * 4 / total
    expected = [*work[:3], work[3] + work[4] + last]
    assert [found[f"work {stage}"] for stage in range(4)] == pytest.approx(expected)
    # 3, then per pair 2 and 1 pixels that lie 1, 2, 4, 8 and 16 apart, then 2 that are 32 apart.
    assert found["log2 seen"] == pytest.approx(math.log2((3 + 3 * 31 + 64) / 64))


def test_pieces_that_are_known_are_not_counted_anew():
    spec = LayerwiseSpec((_conv(16), _pool()))
    pieces = cost.pieces(spec, (8, 8, 3), 10)
    twice = [cost.Cost(2 * c.params, 2 * c.flops, 2 * c.traffic_bytes) for c in pieces]
    assert _numbers(spec, pieces=pieces) == _numbers(spec)
    assert _numbers(spec, pieces=twice)["log flops"] == pytest.approx(
        math.log(2 * sum(c.flops for c in pieces) + 1)
    )


# Cells


def test_a_cell_with_an_unread_branch():
    found = _numbers(
        CellSpec(
            (
                BranchSpec("conv-maxpool", 5, 3, 8, 0, 0, propagate=0),
                BranchSpec("1x7-7x1-none", None, None, 16, 1, propagate=1),
                BranchSpec("conv-none", 1, None, 4, 0, propagate=1),
                BranchSpec("avgpool-none", None, 2, 8, 2, propagate=0),
            )
        )
    )
    expected = {
        **{"live": 3, "unread": 1, "outputs": 2, "log2 width": math.log2(16 + 4)},
        "from input": 3,  # both operations of branch 1, and branch 3
        **{"longest": 1 + 2, "wide": 1 + 2, "shortest": 1},
        "field": 5 + 6,
        "poolings": 1,  # the other one is never built
    }
    assert {name: found[name] for name in _CELL} == pytest.approx(expected)


def test_the_longest_way_has_the_most_convolutions_and_then_the_widest():
    hidden = BranchSpec("conv-none", 7, None, 8, 0, propagate=0)
    narrow = BranchSpec("conv-none", 1, None, 8, 0, propagate=0)
    joined = BranchSpec("conv-avgpool", 3, 2, 8, 2, 1)  # 3x3 after 1x1, pooling after 7x7
    found = _numbers(CellSpec((hidden, narrow, joined)))
    assert (found["longest"], found["wide"], found["shortest"]) == (2, 1, 2)
    assert found["field"] == 7 + 1
    assert found["log2 width"] == 4  # two operations of 8 channels


def test_where_no_branch_propagates_all_leaves_are_the_output():
    leaf = BranchSpec("maxpool-none", None, 3, 8, 0, propagate=0)
    found = _numbers(CellSpec((leaf, leaf), width_multiplier=2.0))
    assert (found["live"], found["unread"], found["outputs"]) == (2, 0, 2)
    assert (found["longest"], found["wide"], found["field"], found["poolings"]) == (1, 0, 3, 2)
    assert found["log2 width"] == math.log2(2 * 16)


# All networks


_SPACES = {
    "layerwise": layerwise_space((8, 8), max_layers=6),
    "module": module_space(max_branches=5),
    "own": OWN,
}


@pytest.mark.parametrize("space", _SPACES.values(), ids=_SPACES)
@settings(deadline=None, derandomize=True, max_examples=40, database=None)
@given(seed=st.integers(0, 10**6))
def test_all_networks_of_a_pattern_have_as_many_finite_numbers(space, seed):
    spec = initial.random_spec(space, randomness.generator(seed, "anatomy_test", space.pattern))
    found = anatomy.numbers(spec, (8, 8, 3), 10, space.ops)
    names = _COSTS + (_CELL if space.pattern == "module" else _CHAIN)
    assert len(found) == len(names)
    assert all(map(math.isfinite, found))
    pieces = cost.pieces(spec, (8, 8, 3), 10, space.ops)
    assert anatomy.numbers(spec, (8, 8, 3), 10, space.ops, pieces) == found


# What describes a space


def test_a_space_is_described_by_its_costs_and_paths():
    space = _SPACES["module"]
    budget = Budget((8, 8, 3), 10)
    spec = initial.random_spec(space, randomness.generator(0, "anatomy_test"))
    describe = anatomy.describer(space, budget)
    assert describe(spec) == anatomy.numbers(spec, (8, 8, 3), 10)


def test_own_operations_are_described_by_their_own_costs():
    budget = Budget((8, 8, 3), 10, ops=OWN.ops)
    layers = [OWN.new_item({"op": "half"}), OWN.new_item({"op": "dense", "units": 8})]
    found = anatomy.describer(OWN, budget)(OWN.new_spec(layers))
    numbers = dict(zip(_COSTS + _CHAIN, found, strict=True))
    assert (numbers["depth"], numbers["longest"], numbers["halvings"]) == (2, 0, 1)
    assert numbers["work 0"] == 0 < numbers["work 1"]  # halving is free, 16 -> 8 units are not


def test_a_space_may_bring_numbers_of_its_own():
    own = dataclasses.replace(OWN, numbers=lambda spec: (len(spec.items), 7.0))
    spec = own.new_spec([own.new_item({"op": "id"})] * 3)
    assert anatomy.describer(own, Budget((8, 8, 3), 10, ops=OWN.ops))(spec) == (3, 7.0)


def test_of_a_graph_of_operations_costs_and_what_is_alive_count():
    table = {"conv": OpDef((), kernel=3), "none": OpDef((), passes=False)}
    space = SearchSpace(
        "layerwise",
        (Field("op", tuple(table)),),
        max_items=3,
        fixed_length=True,
        skips=False,
        ops=table,
        edges=((0, 1), (0, 2), (1, 2)),
    )
    budget = Budget((8, 8, 3), 10, ops=table)
    specs = [
        space.new_spec([space.new_item({"op": op}) for op in ops])
        for ops in (("conv", "none", "conv"), ("conv", "none", "none"))
    ]
    describe = anatomy.describer(space, budget)
    for spec in specs:
        of_costs = describe(spec)[:4]
        assert of_costs == anatomy.numbers(spec, (8, 8, 3), 10, table)[:4]
        assert describe(spec)[4:] == graph.graph_numbers(spec, space)
    assert describe(specs[0])[4:] != describe(specs[1])[4:]
