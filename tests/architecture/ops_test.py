"""Each operation of Table 2: its output and its cost, worked out by hand, and Table 3's types."""

from __future__ import annotations

import pytest

from epnas_tf.architecture import ops
from epnas_tf.architecture.cost_rules import Cost
from epnas_tf.architecture.spec import LayerSpec

_SHAPE = (7, 5, 4)  # 140 elements, both sizes odd


@pytest.mark.parametrize(
    ("layer", "out", "cost"),
    [
        # 3*3*4*16 = 576 (+ 32 of BN); 2*35*576; 4*(140 + 576 + 560).
        (LayerSpec("conv2d", 3, None, 16, "relu"), (7, 5, 16), Cost(608, 40320, 5104)),
        # crelu: 8 filters, the channels stay nominal. 288 (+ 16); 2*35*288; 4*(140 + 288 + 280).
        (LayerSpec("conv2d", 3, None, 16, "crelu"), (7, 5, 16), Cost(304, 20160, 2832)),
        # 100 + 64 (+ 32); 2*35*164; 4*(140 + 100 + 140) + 4*(140 + 64 + 560).
        (LayerSpec("dep_sep_conv2d", 5, None, 16, "elu"), (7, 5, 16), Cost(196, 11480, 4576)),
        # 100 + 32 (+ 16); 2*35*132; 4*(140 + 100 + 140) + 4*(140 + 32 + 280).
        (LayerSpec("dep_sep_conv2d", 5, None, 16, "crelu"), (7, 5, 16), Cost(148, 9240, 3328)),
        # Both sizes round up. 2*2*48; 4*(140 + 48).
        (LayerSpec("max_pool", pool=2), (4, 3, 4), Cost(0, 192, 752)),
        (LayerSpec("max_pool", pool=3), (4, 3, 4), Cost(0, 432, 752)),
        (LayerSpec("avg_pool", pool=3), (4, 3, 4), Cost(0, 432, 752)),
        (LayerSpec("add", src2=0), (7, 5, 4), Cost(0, 0, 0)),
    ],
)
def test_layers(layer, out, cost):
    definition = ops.OPS[layer.op]
    assert definition.out_shape(layer, _SHAPE) == out
    assert definition.cost(layer, _SHAPE) == cost


def test_only_pooling_halves_and_only_add_needs_a_source():
    assert [op for op, definition in ops.OPS.items() if definition.halves] == [
        "max_pool",
        "avg_pool",
    ]
    assert [op for op, definition in ops.OPS.items() if definition.needs_source] == ["add"]


def test_halving_rounds_up():
    assert [ops.halved(size) for size in (1, 2, 3, 7, 8, 32)] == [1, 1, 2, 4, 4, 16]


def test_crelu_has_half_the_filters():
    filters = {
        activation: ops.filters_of(LayerSpec("conv2d", 1, None, 96, activation))
        for activation in ops.ACTIVATIONS
    }
    assert filters == {"relu": 96, "crelu": 48, "elu": 96, "selu": 96, "swish": 96}


def test_branch_types_name_their_two_operations():
    assert {name: (d.first, d.second) for name, d in ops.BRANCHES.items()} == {
        "conv-conv": ("conv", "conv"),
        "conv-maxpool": ("conv", "maxpool"),
        "conv-avgpool": ("conv", "avgpool"),
        "conv-none": ("conv", None),
        "maxpool-none": ("maxpool", None),
        "avgpool-none": ("avgpool", None),
        "1x7-7x1-none": ("1x7-7x1", None),
    }


def test_a_branch_has_a_second_source_exactly_with_a_second_operation():
    for definition in ops.BRANCHES.values():
        assert ("src2" in definition.fields) == (definition.second is not None)
        names = f"{definition.first} {definition.second}"
        assert ("pool" in definition.fields) == ("pool" in names)
        assert ("width" in definition.fields) == ("conv" in names)


def test_unknown_operations_are_refused_with_what_is_known():
    with pytest.raises(ValueError, match=r"op must be one of \('add', .*\), got 'lstm'"):
        ops.op_def("lstm")
    with pytest.raises(ValueError, match=r"op must be one of \('gru',\), got 'add'"):
        ops.op_def("add", {"gru": ops.OpDef(())})
    with pytest.raises(ValueError, match="branch type must be one of .* got 'conv2d'"):
        ops.branch_def("conv2d")
