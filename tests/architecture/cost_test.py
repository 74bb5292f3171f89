"""Costs of whole networks of both patterns, worked out by hand."""

from __future__ import annotations

import dataclasses

import pytest

from epnas_tf.architecture import cost as cost_lib
from epnas_tf.architecture.cost import Cost, cost
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec

_POOL = LayerSpec("max_pool", pool=2)


def _conv(channels: int, src2: int = -1) -> LayerSpec:
    return LayerSpec("conv2d", 3, None, channels, "relu", src2)


def _sum(rows: list[tuple[int, int, int]]) -> Cost:
    return sum((Cost(*row) for row in rows), Cost())


def test_a_convolution_with_batch_norm_and_a_projected_skip():
    spec = LayerwiseSpec((_conv(16, src2=0),), stem_filters=4)
    rows = [
        # params, FLOPs, bytes of the stem: 3x3, 3 -> 4 channels at 8x8, BN
        (9 * 3 * 4 + 2 * 4, 2 * 64 * 108, 4 * (64 * 3 + 108 + 64 * 4)),
        # 3x3, 4 -> 16 channels, BN
        (9 * 4 * 16 + 2 * 16, 2 * 64 * 576, 4 * (64 * 4 + 576 + 64 * 16)),
        # the skip's 1x1, 4 -> 16 channels, BN; the addition is free
        (4 * 16 + 2 * 16, 2 * 64 * 64, 4 * (64 * 4 + 64 + 64 * 16)),
        # global pooling: 64 operations for each of 16 channels
        (0, 64 * 16, 4 * (64 * 16 + 16)),
        # dense 16 -> 10 with bias
        (16 * 10 + 10, 2 * 160, 4 * (16 + 170 + 10)),
    ]
    assert _sum(rows) == Cost(990, 97088, 19968)
    assert cost(spec, (8, 8, 3), 10) == Cost(990, 97088, 19968)


@pytest.mark.parametrize(
    ("layers", "index", "projection"),
    [
        # Both outputs are (7, 5, 4): the sum is free.
        ((_conv(4),), 1, Cost()),
        # 1x1 stride 1, 4 -> 8: 32 (+ 16); 2*35*32; 4*(140 + 32 + 280).
        ((_conv(8),), 1, Cost(48, 2240, 1808)),
        # Over one pooling, stride 2 on odd sizes: (7, 5, 4) -> (4, 3, 8).
        ((_POOL, _conv(8)), 2, Cost(48, 2 * 12 * 32, 4 * (140 + 32 + 96))),
        # Over two, stride 4, the same channels: (7, 5, 4) -> (2, 2, 4): 16 (+ 8).
        ((_POOL, _POOL, LayerSpec("add")), 3, Cost(24, 2 * 4 * 16, 4 * (140 + 16 + 16))),
        # A pooling that adds: (7, 5, 4) -> (4, 3, 4).
        ((_conv(4), _POOL), 2, Cost(24, 2 * 12 * 16, 4 * (140 + 16 + 48))),
    ],
)
def test_a_skip_from_the_stem_costs_its_projection(layers, index, projection):
    bare = LayerwiseSpec(layers, stem_filters=4)
    last = dataclasses.replace(layers[index - 1], src2=0)
    skipping = LayerwiseSpec(layers[: index - 1] + (last,) + layers[index:], stem_filters=4)
    difference = cost(bare, (7, 5, 3), 10) + projection
    assert cost(skipping, (7, 5, 3), 10) == difference


def test_shapes_of_a_layerwise_network():
    spec = LayerwiseSpec((_conv(8), _POOL, LayerSpec("add", src2=0), _POOL, _conv(6)), 4)
    shapes = [(7, 5, 4), (7, 5, 8), (4, 3, 8), (4, 3, 8), (2, 2, 8), (2, 2, 6)]
    assert cost_lib.layer_shapes(spec, (7, 5, 3)) == shapes


# The stem (3x3 on 1 channel, 2 filters) of a cell network on 3x3 images of one channel.
_CELL_STEM = (18 + 4, 2 * 9 * 18, 4 * (9 + 18 + 18))
_ONE_OPERATION_HEAD = (9, 8 + 16, 64 + 72)  # 1x1x8, one class
_TWO_OPERATION_HEAD = (17, 16 + 32, 128 + 136)  # 1x1x16
# Three cells: 3x3 with 2 channels an operation, reduced to 2x2 with 4, reduced to 1x1 with 8.
_OPERATIONS = {
    # 3x3 kernels, inputs of 2, 2 and 4 channels: 36 (+ 4), 72 (+ 8) and 288 (+ 16) weights.
    "conv": [(40, 648, 288), (80, 576, 424), (304, 576, 1248)],
    # The same, but inputs of 2, 4 and 8 channels: two operations are concatenated.
    "conv of two": [(40, 648, 288), (152, 1152, 784), (592, 1152, 2464)],
    # 2x2 windows at the input's channels, then 1x1 with BN.
    "maxpool": [(8, 72 + 72, 144 + 160), (16, 32 + 64, 104 + 128), (48, 16 + 64, 80 + 176)],
    "maxpool of two": [(8, 72 + 72, 304), (24, 64 + 128, 208 + 192), (80, 32 + 128, 160 + 320)],
    # 3x3 windows.
    "avgpool": [(8, 162 + 72, 304), (16, 72 + 64, 232), (48, 36 + 64, 256)],
    "avgpool of two": [(8, 162 + 72, 304), (24, 144 + 128, 400), (80, 72 + 128, 480)],
    # 1x7 halves the width, then 7x1 the height: 28 + 28, 56 + 112, 224 + 448 weights and BN.
    "1x7-7x1": [
        (32 + 32, 504 + 504, 256 + 256),
        (64 + 120, 672 + 896, 392 + 608),
        (240 + 464, 896 + 896, 1024 + 1888),
    ],
}


@pytest.mark.parametrize(
    ("branch", "operations"),
    [
        (BranchSpec("conv-none", 3, None, 2), ["conv"]),
        (BranchSpec("maxpool-none", None, 2, 2), ["maxpool"]),
        (BranchSpec("avgpool-none", None, 3, 2), ["avgpool"]),
        (BranchSpec("1x7-7x1-none", None, None, 2), ["1x7-7x1"]),
        (BranchSpec("conv-conv", 3, None, 2, 0, 0), ["conv of two", "conv of two"]),
        (BranchSpec("conv-maxpool", 3, 2, 2, 0, 0), ["conv of two", "maxpool of two"]),
        (BranchSpec("conv-avgpool", 3, 3, 2, 0, 0), ["conv of two", "avgpool of two"]),
    ],
    ids=lambda value: value.op if isinstance(value, BranchSpec) else "",
)
def test_each_branch_type(branch, operations):
    head = _ONE_OPERATION_HEAD if len(operations) == 1 else _TWO_OPERATION_HEAD
    rows = [_CELL_STEM, head] + [row for name in operations for row in _OPERATIONS[name]]
    assert cost(CellSpec((branch,), filters=2), (3, 3, 1), 1) == _sum(rows)


_POINT = BranchSpec("conv-none", 1, None, 2)
_FIRST = [(8, 72, 160), (16, 64, 168), (48, 64, 224)]  # 1x1 on the cell's input, a cell each
_SECOND = [(8, 72, 160), (24, 128, 192), (80, 128, 320)]  # 1x1 on a map of the cell's own size


def test_only_what_reads_the_cells_input_reduces():
    hidden = dataclasses.replace(_POINT, propagate=0)
    spec = CellSpec((hidden, dataclasses.replace(_POINT, src1=1)), filters=2)
    rows = [_CELL_STEM, _ONE_OPERATION_HEAD, *_FIRST, *_SECOND]
    assert cost(spec, (3, 3, 1), 1) == _sum(rows) == Cost(215, 876, 1540)


def test_a_stage_may_have_several_cells_and_the_first_reduces():
    spec = CellSpec((_POINT,), filters=2, cells_per_stage=2)
    rows = [_CELL_STEM, _ONE_OPERATION_HEAD, *_FIRST, *_SECOND]
    assert cost(spec, (3, 3, 1), 1) == _sum(rows)
    assert list(cost_lib.stages(spec)) == [
        (0, False), (0, False), (1, True), (1, False), (2, True), (2, False),
    ]  # fmt: skip
    assert list(cost_lib.stages(CellSpec((_POINT,)))) == [(0, False), (1, True), (2, True)]


@pytest.mark.parametrize(
    ("multiplier", "channels"), [(1.0, [12, 24, 48]), (1.5, [18, 36, 72]), (0.01, [1, 2, 4])]
)
def test_channels_double_with_the_stage_after_the_multiplier(multiplier, channels):
    branch = BranchSpec("conv-none", 1, None, 12)
    spec = CellSpec((branch,), width_multiplier=multiplier)
    assert [cost_lib.branch_channels(spec, branch, stage) for stage in range(3)] == channels


def test_the_multiplier_is_counted():
    twice = CellSpec((_POINT,), filters=2, width_multiplier=2.0)
    assert cost(twice, (3, 3, 1), 1) == cost(
        CellSpec((dataclasses.replace(_POINT, channels=4),), filters=2), (3, 3, 1), 1
    )


def _cell(*sources_and_propagate: tuple[int, int]) -> CellSpec:
    return CellSpec(
        tuple(
            BranchSpec("conv-none", 1, None, 2, src1=source, propagate=propagate)
            for source, propagate in sources_and_propagate
        ),
        filters=2,
    )


@pytest.mark.parametrize(
    ("cell", "output", "live"),
    [
        (_cell((0, 1), (0, 1)), (1, 2), (1, 2)),
        # Branch 1 is needed by branch 2 alone.
        (_cell((0, 0), (1, 1)), (2,), (1, 2)),
        # Branch 2 feeds nothing, branch 3 a dead one at most.
        (_cell((0, 1), (1, 0)), (1,), (1,)),
        (_cell((0, 1), (1, 0), (2, 0), (1, 1)), (1, 4), (1, 4)),
        # None propagates: the leaves, 2 and 4.
        (_cell((0, 0), (1, 0), (1, 0), (3, 0)), (2, 4), (1, 2, 3, 4)),
        (_cell((0, 0)), (1,), (1,)),
    ],
)
def test_output_and_live_branches(cell, output, live):
    assert cost_lib.output_branches(cell) == output
    assert cost_lib.live_branches(cell) == live


def test_dead_branches_are_not_counted():
    dead = BranchSpec("conv-maxpool", 7, 3, 32, src1=0, src2=1, propagate=0)
    spec = CellSpec((_POINT, dead), filters=2)
    assert cost(spec, (3, 3, 1), 1) == cost(CellSpec((_POINT,), filters=2), (3, 3, 1), 1)


def test_unused_leaves_are_concatenated_when_none_propagates():
    leaves = _cell((0, 0), (0, 0))
    # Per cell two 1x1 on inputs of 2, 4 and 8 channels; the head sees 16 channels.
    cells = [(8, 72, 160), (24, 128, 4 * (36 + 16 + 16)), (80, 128, 4 * (32 + 64 + 8))]
    assert cost(leaves, (3, 3, 1), 1) == _sum([_CELL_STEM, *cells, *cells, _TWO_OPERATION_HEAD])


def test_branch_operations_have_their_own_sources():
    branch = BranchSpec("conv-avgpool", 3, 2, 8, src1=2, src2=1)
    assert cost_lib.branch_operations(branch) == [("conv", 2), ("avgpool", 1)]
    assert cost_lib.branch_operations(_POINT) == [("conv", 0)]


def test_own_operations_bring_their_own_cost():
    table = {"gate": OpDef((), cost=lambda layer, shape: Cost(shape[2], 7, 11))}
    spec = LayerwiseSpec((LayerSpec("gate"), LayerSpec("gate")), stem_filters=4)
    bare = Cost(116 + 50, 2 * 64 * 108 + 64 * 4 + 80, 2224 + 4 * (256 + 4) + 4 * (4 + 50 + 10))
    assert cost(spec, (8, 8, 3), 10, ops=table) == bare + Cost(8, 14, 22)


def test_a_layerwise_network_has_a_piece_per_layer_between_stem_and_head():
    spec = LayerwiseSpec((_conv(16, src2=0),), stem_filters=4)
    found = cost_lib.pieces(spec, (8, 8, 3), 10)
    # Of the rows above: the stem's, the layer's with its skip's projection, pooling and dense.
    assert [piece.params for piece in found] == [116, 608 + 96, 170]
    assert [piece.flops for piece in found] == [13_824, 73_728 + 8_192, 1_024 + 320]
    assert sum(found, Cost()) == cost(spec, (8, 8, 3), 10)


def test_a_cell_network_has_a_piece_per_cell():
    spec = CellSpec((_POINT,), filters=2, cells_per_stage=2)
    found = cost_lib.pieces(spec, (3, 3, 1), 1)
    cells = [row for pair in zip(_FIRST, _SECOND, strict=True) for row in pair]
    assert found == [Cost(*row) for row in (_CELL_STEM, *cells, _ONE_OPERATION_HEAD)]
    assert sum(found, Cost()) == cost(spec, (3, 3, 1), 1)


def test_own_operations_are_pieces_of_their_own():
    table = {"gate": OpDef((), cost=lambda layer, shape: Cost(shape[2], 7, 11))}
    spec = LayerwiseSpec((LayerSpec("gate"), LayerSpec("gate")), stem_filters=4)
    found = cost_lib.pieces(spec, (8, 8, 3), 10, table)
    assert found[1:-1] == [Cost(4, 7, 11)] * 2
    assert sum(found, Cost()) == cost(spec, (8, 8, 3), 10, table)


def test_unknown_operations_are_refused():
    with pytest.raises(ValueError, match="op must be one of .* got 'lstm'"):
        cost(LayerwiseSpec((LayerSpec("lstm"),)), (8, 8, 3), 10)
    with pytest.raises(ValueError, match="branch type must be one of .* got 'lstm'"):
        cost(CellSpec((BranchSpec("lstm", channels=8),)), (8, 8, 3), 10)
