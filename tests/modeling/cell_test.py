"""Networks of cells: their names, what is built, and where they halve."""

from __future__ import annotations

from epnas_tf.architecture.spec import BranchSpec, CellSpec
from epnas_tf.modeling import build_model

CELL = CellSpec(
    (
        BranchSpec("conv-maxpool", width=3, pool=2, channels=8, src1=0, src2=0, propagate=0),
        BranchSpec("1x7-7x1-none", channels=8, src1=1),
        BranchSpec("avgpool-none", pool=3, channels=8, src1=0, propagate=0),
    )
)
SHAPE = (13, 9, 3)


def test_every_layer_of_a_network_of_cells_has_its_name():
    leaves = CellSpec(tuple(branch.replace("propagate", 0) for branch in CELL.branches[:1] * 2))
    several = [layer.name for layer in build_model(leaves, SHAPE, 10).layers]
    assert "cell2_concat" in several
    names = [layer.name for layer in build_model(CELL, SHAPE, 10).layers]
    of_a_cell = [
        "branch1_op0_conv_conv",
        "branch1_op0_conv_bn",
        "branch1_op0_conv_relu",
        "branch1_op1_maxpool_pool",
        "branch1_op1_maxpool_conv",
        "branch1_op1_maxpool_bn",
        "branch1_op1_maxpool_relu",
        "branch1_concat",
        "branch2_op0_1x7-7x1_1x7_conv",
        "branch2_op0_1x7-7x1_1x7_bn",
        "branch2_op0_1x7-7x1_1x7_relu",
        "branch2_op0_1x7-7x1_7x1_conv",
        "branch2_op0_1x7-7x1_7x1_bn",
        "branch2_op0_1x7-7x1_7x1_relu",
    ]
    cells = [f"cell{index}_{name}" for index in range(3) for name in of_a_cell]
    ends = ["image", "stem_conv", "stem_bn", "stem_relu", "head_pool", "head_dense"]
    assert sorted(names) == sorted([*ends, *cells])


def test_branches_that_nothing_reads_are_not_built():
    names = [layer.name for layer in build_model(CELL, SHAPE, 10).layers]
    assert not any("branch3" in name for name in names)


def test_cells_halve_and_double_at_one_third_and_two_thirds():
    spec = CellSpec((BranchSpec("conv-none", width=1, channels=4),), cells_per_stage=2)
    model = build_model(spec, SHAPE, 10)
    shapes = [model.get_layer(f"cell{i}_branch1_op0_conv_relu").output.shape for i in range(6)]
    wanted = [(13, 9, 4), (13, 9, 4), (7, 5, 8), (7, 5, 8), (4, 3, 16), (4, 3, 16)]
    assert [shape[1:] for shape in shapes] == wanted
