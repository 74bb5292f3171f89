"""Cost of a spec, analytic, before anything is built.

`cost(spec, ...)` walks the same shapes as the Keras builders in `modeling/`; a conformance test
holds the two together (`cost(spec) == cost_of_model(build_model(spec))`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from epnas_tf.architecture import cost_rules
from epnas_tf.architecture.cost_rules import Cost, Shape
from epnas_tf.architecture.ops import OPS, OpDef, branch_def, halved, op_def
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec, Spec

__all__ = ["Cost", "Shape", "cost", "layer_shapes"]

STAGES = 3


def cost(spec: Spec, input_shape: Shape, num_classes: int, ops: Mapping[str, OpDef] = OPS) -> Cost:
    """Returns the cost of the network for images of `input_shape` (height, width, channels).

    Args:
      spec: the network.
      input_shape: height, width and channels of an image.
      num_classes: outputs of the classifier.
      ops: operations of a user-defined space; the paper's by default.

    Raises:
      ValueError: an operation is unknown.
    """
    return cost_rules.total(pieces(spec, input_shape, num_classes, ops))


def pieces(
    spec: Spec, input_shape: Shape, num_classes: int, ops: Mapping[str, OpDef] = OPS
) -> list[Cost]:
    """Returns the costs that make up `cost`: of the stem, each layer or cell, and the head."""
    if isinstance(spec, LayerwiseSpec):
        return _layerwise_costs(spec, input_shape, num_classes, ops)
    return _cell_network_costs(spec, input_shape, num_classes)


def _conv_bn(shape: Shape, out: Shape, kernel: tuple[int, int]) -> Cost:
    return cost_rules.conv_cost(shape, out, kernel) + cost_rules.batch_norm_cost(out[2])


def _stem(input_shape: Shape, filters: int) -> tuple[Cost, Shape]:
    out = (input_shape[0], input_shape[1], filters)
    return _conv_bn(input_shape, out, (3, 3)), out


def head(shape: Shape, num_classes: int) -> Cost:
    """Returns the cost of global average pooling and the dense layer that ends a network."""
    pooled = cost_rules.pool_cost(shape, (shape[2],), (shape[0], shape[1]))
    return pooled + cost_rules.dense_cost(shape[2], num_classes)


def layer_shapes(
    spec: LayerwiseSpec, input_shape: Shape, ops: Mapping[str, OpDef] = OPS
) -> list[Shape]:
    """Returns the shapes of outputs 0 (the stem's) to L, as (height, width, channels)."""
    shapes = [(input_shape[0], input_shape[1], spec.stem_filters)]
    for layer in spec.layers:
        shapes.append(_layer(op_def(layer.op, ops), layer, shapes[-1])[1])
    return shapes


@functools.lru_cache(maxsize=16384)  # the networks of a step differ by a layer or two
def _layer(definition: OpDef, layer: LayerSpec, shape: Shape) -> tuple[Cost, Shape]:
    """Returns the cost of a layer but for its skip, and its output's shape."""
    return definition.cost(layer, shape), definition.out_shape(layer, shape)


def _layerwise_costs(
    spec: LayerwiseSpec, input_shape: Shape, num_classes: int, ops: Mapping[str, OpDef]
) -> list[Cost]:
    stem, _ = _stem(input_shape, spec.stem_filters)
    found = [stem]
    shapes = layer_shapes(spec, input_shape, ops)
    for index, layer in enumerate(spec.layers, start=1):
        own, out = _layer(op_def(layer.op, ops), layer, shapes[index - 1])
        found.append(own + _skip_cost(layer, shapes, out))
    return [*found, head(shapes[-1], num_classes)]


def _skip_cost(layer: LayerSpec, shapes: list[Shape], out: Shape) -> Cost:
    """Returns the cost of adding output src2: none where it fits, else a 1x1 projection."""
    if layer.src2 < 0 or shapes[layer.src2] == out:
        return Cost()
    return _conv_bn(shapes[layer.src2], out, (1, 1))


def branch_channels(spec: CellSpec, branch: BranchSpec, stage: int) -> int:
    """Returns the output channels of each operation of a branch at a stage (0, 1 or 2)."""
    assert branch.channels is not None, branch
    return max(1, round(branch.channels * spec.width_multiplier)) * 2**stage


def output_branches(spec: CellSpec) -> tuple[int, ...]:
    """Returns the indices (from 1) of the branches that make up the cell's output.

    These are the propagated ones; when none propagates, all that no other branch reads.
    """
    chosen = tuple(i for i, b in enumerate(spec.branches, start=1) if b.propagate)
    if chosen:
        return chosen
    read = {source for b in spec.branches for source in (b.src1, b.src2)}
    return tuple(i for i in range(1, len(spec.branches) + 1) if i not in read)


def live_branches(spec: CellSpec) -> tuple[int, ...]:
    """Returns the indices (from 1, ascending) of the branches that the cell's output depends on.

    The others are neither built nor counted.
    """
    live: set[int] = set()
    waiting = list(output_branches(spec))
    while waiting:
        index = waiting.pop()
        if index > 0 and index not in live:
            live.add(index)
            branch = spec.branches[index - 1]
            waiting += [branch.src1] + ([] if branch.src2 is None else [branch.src2])
    return tuple(sorted(live))


def stages(spec: CellSpec) -> Iterator[tuple[int, bool]]:
    """Yields (stage, whether it reduces) of each cell in the stack, 3 N in all.

    The cells at index N and 2 N reduce (PNASNet's stacking, PAPER_NOTES section 4).
    """
    for index in range(STAGES * spec.cells_per_stage):
        stage = index // spec.cells_per_stage
        yield stage, index > 0 and index % spec.cells_per_stage == 0


def _cell_network_costs(spec: CellSpec, input_shape: Shape, num_classes: int) -> list[Cost]:
    stem, shape = _stem(input_shape, spec.filters)
    found = [stem]
    for stage, reduces in stages(spec):
        added, shape = _cell_cost(spec, shape, stage, reduces)
        found.append(added)
    return [*found, head(shape, num_classes)]


def _cell_cost(spec: CellSpec, shape: Shape, stage: int, reduces: bool) -> tuple[Cost, Shape]:
    total = Cost()
    shapes = {0: shape}
    for index in live_branches(spec):
        branch = spec.branches[index - 1]
        operations = branch_operations(branch)
        channels = branch_channels(spec, branch, stage)
        out_channels = 0
        for op, source in operations:
            stride = 2 if reduces and source == 0 else 1
            added, out = _operation_cost(op, branch, shapes[source], channels, stride)
            total += added
            out_channels += channels
        shapes[index] = (out[0], out[1], out_channels)
    outputs = [shapes[index] for index in output_branches(spec)]
    return total, (outputs[0][0], outputs[0][1], sum(out[2] for out in outputs))


def branch_operations(branch: BranchSpec) -> list[tuple[str, int]]:
    """Returns (operation, source) of the one or two operations of a branch."""
    definition = branch_def(branch.op)
    operations = [(definition.first, branch.src1)]
    if definition.second is not None:
        assert branch.src2 is not None, branch
        operations.append((definition.second, branch.src2))
    return operations


def _operation_cost(
    op: str, branch: BranchSpec, shape: Shape, channels: int, stride: int
) -> tuple[Cost, Shape]:
    height, width = shape[:2] if stride == 1 else (halved(shape[0]), halved(shape[1]))
    out = (height, width, channels)
    if op == "conv":
        assert branch.width is not None, branch
        return _conv_bn(shape, out, (branch.width, branch.width)), out
    if op == "1x7-7x1":
        middle = (shape[0], width, channels)
        return _conv_bn(shape, middle, (1, 7)) + _conv_bn(middle, out, (7, 1)), out
    assert branch.pool is not None, branch
    pooled = (height, width, shape[2])
    pooling = cost_rules.pool_cost(shape, pooled, (branch.pool, branch.pool))
    return pooling + _conv_bn(pooled, out, (1, 1)), out
