"""The arithmetic of single operations, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from epnas_tf.architecture import cost_rules as rules
from epnas_tf.architecture.cost_rules import Cost


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        # 3*3*3*16 = 432 weights; 2*8*8*432 FLOPs; 4*(192 in + 432 + 1024 out) bytes.
        (rules.conv_cost((8, 8, 3), (8, 8, 16), (3, 3)), Cost(432, 55296, 6592)),
        # The 16 biases are read too, and add no multiply-add.
        (rules.conv_cost((8, 8, 3), (8, 8, 16), (3, 3), bias=True), Cost(448, 55296, 6656)),
        # Stride 2 on odd sizes: 5*5*4*8 = 800; 2*(4*3)*800; 4*(140 + 800 + 96).
        (rules.conv_cost((7, 5, 4), (4, 3, 8), (5, 5)), Cost(800, 19200, 4144)),
        # Two groups: 3*3*4*6/2 = 108; 2*16*108; 4*(256 + 108 + 96).
        (rules.conv_cost((8, 8, 4), (4, 4, 6), (3, 3), groups=2), Cost(108, 3456, 1840)),
        # One pixel high, seven wide: 7*8*12 = 672; 2*20*672; 4*(280 + 672 + 240).
        (rules.conv_cost((5, 7, 8), (5, 4, 12), (1, 7)), Cost(672, 26880, 4768)),
        # Depth multiplier 2: 5*5*16 = 400; 2*9*400; 4*(288 + 400 + 144).
        (rules.depthwise_cost((6, 6, 8), (3, 3, 16), (5, 5)), Cost(400, 7200, 3328)),
        (rules.depthwise_cost((6, 6, 8), (3, 3, 16), (5, 5), bias=True), Cost(416, 7200, 3392)),
        # 72 + 128 weights; 2*16*72 + 2*16*128; 4*(128 + 72 + 128) + 4*(128 + 128 + 256).
        (rules.separable_cost((4, 4, 8), (4, 4, 16), (3, 3)), Cost(200, 6400, 3360)),
        # 144 + 256 weights; 2*16*400; 4*(128 + 144 + 256) + 4*(256 + 256 + 256).
        (rules.separable_cost((4, 4, 8), (4, 4, 16), (3, 3), 2), Cost(400, 12800, 5184)),
        # The bias belongs to the pointwise part.
        (rules.separable_cost((4, 4, 8), (4, 4, 16), (3, 3), bias=True), Cost(216, 6400, 3424)),
        # 10*5 + 5; 2*50; 4*(10 + 55 + 5).
        (rules.dense_cost(10, 5), Cost(55, 100, 280)),
        (rules.dense_cost(10, 5, bias=False), Cost(50, 100, 260)),
        # 2*2 for each of 27 outputs; 4*(75 + 27).
        (rules.pool_cost((5, 5, 3), (3, 3, 3), (2, 2)), Cost(0, 108, 408)),
        # Global: the whole map for each of 8 outputs; 4*(128 + 8).
        (rules.pool_cost((4, 4, 8), (8,), (4, 4)), Cost(0, 128, 544)),
        (rules.batch_norm_cost(16), Cost(32, 0, 0)),
        (rules.batch_norm_cost(16, scale=False), Cost(16, 0, 0)),
        (rules.batch_norm_cost(16, scale=False, center=False), Cost(0, 0, 0)),
    ],
)
def test_costs(cost, expected):
    assert cost == expected


def test_costs_add_up_field_by_field():
    assert Cost(1, 2, 3) + Cost(10, 20, 30) == Cost(11, 22, 33)


def test_a_total_is_what_addition_makes():
    costs = [Cost(1, 2, 3), Cost(10, 20, 30), Cost(100, 200, 300)]
    assert rules.total(costs) == sum(costs, Cost()) == Cost(111, 222, 333)
    assert rules.total([]) == Cost()


def test_intensity_is_flops_a_byte():
    assert Cost(5, 10, 4).intensity == 2.5
    assert Cost(5).intensity == 0.0


def test_elements_of_a_shape():
    assert rules.elements((4, 3, 2)) == 24
    assert rules.elements(()) == 1
