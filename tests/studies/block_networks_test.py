"""Networks of blocks: what comes out, what it costs, what they are known by."""

from __future__ import annotations

import dataclasses

import pytest

from epnas_tf.architecture.cost_rules import Cost
from epnas_tf.studies.block_networks import Block, BlockNetwork, Conv

SHAPE = (9, 7, 4)


def test_a_convolution_costs_its_kernel_where_it_stands():
    conv = Conv(3, 8, stride=2, bias=True)
    assert conv.out_shape(SHAPE) == (5, 4, 8)
    weights = 3 * 3 * 4 * 8
    traffic = 4 * (9 * 7 * 4 + weights + 8 + 5 * 4 * 8)
    assert conv.cost(SHAPE) == Cost(weights + 8 + 2 * 8, 2 * 5 * 4 * weights, traffic)
    plain = dataclasses.replace(conv, bias=False, norm=False)
    assert plain.cost(SHAPE).params == weights


def test_a_depthwise_convolution_keeps_its_channels():
    conv = Conv(5, stride=2)
    assert conv.out_shape(SHAPE) == (5, 4, 4)
    assert conv.cost(SHAPE).params == 5 * 5 * 4 + 2 * 4
    assert conv.cost(SHAPE).flops == 2 * 5 * 4 * 5 * 5 * 4


def test_a_depthwise_convolution_has_no_bias():
    with pytest.raises(ValueError, match="bias must be off"):
        Conv(3, bias=True)


def test_a_shortcut_costs_its_projection_and_must_fit():
    convs, projection = (Conv(3, 8, stride=2), Conv(3, 8)), (Conv(1, 8, stride=2),)
    block = Block(convs, projection)
    assert block.out_shape(SHAPE) == (5, 4, 8)
    assert block.cost(SHAPE) == Block(convs).cost(SHAPE) + projection[0].cost(SHAPE)
    with pytest.raises(ValueError, match=r"the shape of its block, \(5, 4, 8\), got \(9, 7, 4\)"):
        Block(convs, ()).out_shape(SHAPE)


def test_a_network_costs_its_blocks_and_its_head():
    first, second = Block((Conv(3, 8, stride=2),)), Block((Conv(3), Conv(1, 6)))
    cost = BlockNetwork((first, second)).cost(SHAPE, 10)
    own = first.cost(SHAPE) + second.cost((5, 4, 8))
    assert cost.params == own.params + 6 * 10 + 10
    assert cost.flops == own.flops + 5 * 4 * 6 + 2 * 6 * 10


def test_a_network_is_known_by_what_it_is():
    one = BlockNetwork((Block((Conv(3, 8),)),))
    assert one.key == BlockNetwork((Block((Conv(3, 8),)),)).key
    others = [Block((Conv(3, 8),), ()), Block((Conv(3, 8, activation="relu"),)), Block((Conv(3),))]
    assert len({one.key, *(BlockNetwork((each,)).key for each in others)}) == 4
