"""What a network is, in numbers: costs, paths, kernels, widths, skips; what a predictor compares.

The numbers of a network say nothing that its spec does not, but say at once what items in order
only imply: how deep the network is where it counts, how much of the image an output sees, where
the work lies.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from epnas_tf.architecture import cost as costs
from epnas_tf.architecture import cost_rules, graph
from epnas_tf.architecture.cost_rules import Cost, Shape
from epnas_tf.architecture.ops import OPS, OpDef, op_def
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec, Spec

if TYPE_CHECKING:
    from epnas_tf.architecture.budget import Budget

STAGES = 4  # maps of full, half, a quarter and at most an eighth of the image's size
STEM_KERNEL = 3


def numbers(
    spec: Spec,
    input_shape: Shape,
    num_classes: int,
    ops: Mapping[str, OpDef] = OPS,
    pieces: Sequence[Cost] | None = None,
) -> tuple[float, ...]:
    """Returns a network's numbers: as many, in the same order, for all networks of a pattern.

    Args:
      spec: the network.
      input_shape: height, width and channels of an image.
      num_classes: outputs of the classifier.
      ops: operations of a user-defined space; the paper's by default.
      pieces: what `cost.pieces` returns, where it is known already.
    """
    pieces = pieces or costs.pieces(spec, input_shape, num_classes, ops)
    total = cost_rules.total(pieces)
    if isinstance(spec, LayerwiseSpec):
        shapes = costs.layer_shapes(spec, input_shape, ops)
        return _of_costs(total) + _of_chain(spec, shapes, pieces[1:-1], total, ops)
    return _of_costs(total) + _of_cell(spec)


def describer(space: SearchSpace, budget: Budget) -> Callable[[Spec], Sequence[float]]:
    """Returns the function that describes a space's networks in numbers.

    A user's own space may bring its own; of a graph of operations the costs and what is alive in it
    count, of any other space what `numbers` returns.
    """
    if space.numbers is not None:
        return space.numbers
    if space.edges:
        return lambda spec: _of_costs(budget.cost(spec)) + graph.graph_numbers(spec, space)
    return budget.numbers


def _of_costs(cost: Cost) -> tuple[float, ...]:
    """Returns logarithms of FLOPs, parameters, bytes moved and FLOPs per byte."""
    uses = (cost.flops, cost.params, cost.traffic_bytes)
    return (*(math.log(use + 1.0) for use in uses), math.log(cost.intensity + 1e-3))


@dataclasses.dataclass
class _Chain:
    """What is met on the way along a chain of layers."""

    field: int = STEM_KERNEL  # pixels of the image that an output sees, along one side
    jump: int = 1  # pixels of the image between neighbouring outputs
    stage: int = 0
    convolutions: int = 0
    wide: int = 0  # kernels of 3x3 and larger

    def take(self, layer: LayerSpec, halves: bool) -> None:
        if layer.width is not None:
            self.convolutions += 1
            self.wide += layer.width >= 3
        self.field += ((layer.width or layer.pool or 1) - 1) * self.jump
        if halves:
            self.jump, self.stage = 2 * self.jump, min(self.stage + 1, STAGES - 1)


def _of_chain(
    spec: LayerwiseSpec,
    shapes: Sequence[Shape],
    layer_costs: Sequence[Cost],
    total: Cost,
    ops: Mapping[str, OpDef],
) -> tuple[float, ...]:
    """Returns the numbers of a layer-by-layer network.

    Depth; convolutions on the longest and the shortest way from image to output; kernels of 3x3 and
    larger; the part of the image that an output sees, as it is and its logarithm; number and mean
    place of the halvings; by stage the share of the FLOPs and the logarithm of the widest map;
    number and mean span of the skips.
    """
    depth = len(spec.layers)
    chain = _Chain()
    shortest = [0]  # convolutions on the shortest way to each output
    work, widths = [0.0] * STAGES, [0.0] * STAGES
    widths[0] = math.log2(spec.stem_filters)
    halvings, spans = [], []
    for index, (layer, cost) in enumerate(zip(spec.layers, layer_costs, strict=True), start=1):
        halves = op_def(layer.op, ops).halves
        work[chain.stage] += cost.flops / max(1, total.flops)
        chain.take(layer, halves)
        way = shortest[-1] + (layer.width is not None)
        if halves:
            halvings.append(index / depth)
        if layer.src2 >= 0:
            way = min(way, shortest[layer.src2])
            spans.append(index - layer.src2)
        shortest.append(way)
        widths[chain.stage] = max(widths[chain.stage], math.log2(shapes[index][2]))
    seen = chain.field / min(shapes[0][:2])
    return (
        depth,
        chain.convolutions,
        shortest[-1],
        chain.wide,
        min(1.0, seen),
        math.log2(seen),
        len(halvings),
        _mean(halvings),
        *work,
        *widths,
        len(spans),
        _mean(spans),
    )


def _of_cell(spec: CellSpec) -> tuple[float, ...]:
    """Returns the numbers of a cell network.

    Live and unread branches; branches and channels of the output; operations that read the cell's
    input; convolutions on the longest and the shortest way from the cell's input to its output;
    kernels of 3x3 and larger on the longest; pixels that an output sees of the cell's input;
    poolings.
    """
    live = costs.live_branches(spec)
    outputs = costs.output_branches(spec)
    longest, shortest = {0: (0, 0)}, {0: 0}
    field = {0: 1}
    width, from_input, poolings = {0: 0}, 0, 0
    for index in live:
        branch = spec.branches[index - 1]
        operations = costs.branch_operations(branch)
        steps = [(*_step(op, branch), source) for op, source in operations]
        ways = [
            (longest[source][0] + convolutions, longest[source][1] + wide)
            for convolutions, wide, _, source in steps
        ]
        longest[index] = max(ways)
        shortest[index] = min(shortest[source] + c for c, _, _, source in steps)
        field[index] = max(field[source] + kernel - 1 for _, _, kernel, source in steps)
        width[index] = len(steps) * costs.branch_channels(spec, branch, 0)
        from_input += sum(source == 0 for *_, source in steps)
        poolings += sum("pool" in op for op, _ in operations)
    convolutions, wide = max(longest[index] for index in outputs)
    return (
        len(live),
        len(spec.branches) - len(live),
        len(outputs),
        math.log2(sum(width[index] for index in outputs)),
        from_input,
        convolutions,
        min(shortest[index] for index in outputs),
        wide,
        max(field[index] for index in outputs),
        poolings,
    )


def _step(op: str, branch: BranchSpec) -> tuple[int, int, int]:
    """Returns an operation's convolutions, those of 3x3 and larger, and its kernel's width."""
    if op == "conv":
        assert branch.width is not None, branch
        return 1, int(branch.width >= 3), branch.width
    if op == "1x7-7x1":
        return 2, 2, 7
    assert branch.pool is not None, branch
    return 1, 0, branch.pool  # a 1x1 convolution follows the pooling


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
