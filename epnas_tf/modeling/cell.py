"""Networks of cells: the cell, its reduction version, and the stack of 3 N of them.

Which branches are alive, which make up the output and where cells reduce is told by
`architecture.cost`, so that what is counted and what is built follow the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras

from epnas_tf.architecture import cost as cost_lib
from epnas_tf.architecture.spec import BranchSpec, CellSpec
from epnas_tf.modeling import layers as layers_lib
from epnas_tf.modeling import names
from epnas_tf.modeling.layers import BuildContext


def stack(spec: CellSpec, stem: keras.KerasTensor, context: BuildContext) -> keras.KerasTensor:
    """Adds the cells of `spec` (paper, section 3; PNASNet's stacking) to the stem's output.

    Cells count from 0, as in `cost.stages`; branches from 1, since 0 is the cell's input.

    Raises:
      ValueError: a branch type is unknown.
    """
    output = stem
    for index, (stage, reduces) in enumerate(cost_lib.stages(spec)):
        output = _cell(spec, output, stage, reduces, context.within(names.cell(index)))
    return output


def _cell(
    spec: CellSpec, inputs: keras.KerasTensor, stage: int, reduces: bool, context: BuildContext
) -> keras.KerasTensor:
    outputs = {0: inputs}
    for index in cost_lib.live_branches(spec):
        branch = spec.branches[index - 1]
        channels = cost_lib.branch_channels(spec, branch, stage)
        place = context.within(names.branch(index))
        parts = []
        for position, (op, source) in enumerate(cost_lib.branch_operations(branch)):
            strides = 2 if reduces and source == 0 else 1
            part_place = place.within(names.operation(position, op))
            parts.append(OPERATIONS[op](branch, outputs[source], channels, strides, part_place))
        outputs[index] = _concatenate(parts, place)
    return _concatenate([outputs[index] for index in cost_lib.output_branches(spec)], context)


def _concatenate(parts: list[keras.KerasTensor], context: BuildContext) -> keras.KerasTensor:
    if len(parts) == 1:
        return parts[0]
    return keras.layers.Concatenate(**context.layer("concat"))(parts)


Operation = Callable[
    [BranchSpec, keras.KerasTensor, int, int, BuildContext], keras.KerasTensor
]  # (branch, inputs, channels, strides, context) -> outputs


def _conv(
    branch: BranchSpec,
    inputs: keras.KerasTensor,
    channels: int,
    strides: int,
    context: BuildContext,
) -> keras.KerasTensor:
    assert branch.width is not None, branch
    kernel = (branch.width, branch.width)
    outputs = layers_lib.conv_bn(inputs, channels, kernel, context, strides)
    return layers_lib.activation(outputs, "relu", context)


def _factorized(
    branch: BranchSpec,
    inputs: keras.KerasTensor,
    channels: int,
    strides: int,
    context: BuildContext,
) -> keras.KerasTensor:
    """Adds 1x7 and 7x1; in a reduction each takes the stride along its own seven."""
    del branch
    outputs = inputs
    for role, kernel, steps in (("1x7", (1, 7), (1, strides)), ("7x1", (7, 1), (strides, 1))):
        place = context.within(role)
        outputs = layers_lib.conv_bn(outputs, channels, kernel, place, steps)
        outputs = layers_lib.activation(outputs, "relu", place)
    return outputs


def _max_pool(
    branch: BranchSpec,
    inputs: keras.KerasTensor,
    channels: int,
    strides: int,
    context: BuildContext,
) -> keras.KerasTensor:
    pooled = keras.layers.MaxPooling2D(
        branch.pool, strides, "same", layers_lib.DATA_FORMAT, **context.layer("pool")
    )(inputs)
    return _to_channels(pooled, channels, context)


def _avg_pool(
    branch: BranchSpec,
    inputs: keras.KerasTensor,
    channels: int,
    strides: int,
    context: BuildContext,
) -> keras.KerasTensor:
    pooled = keras.layers.AveragePooling2D(
        branch.pool, strides, "same", layers_lib.DATA_FORMAT, **context.layer("pool")
    )(inputs)
    return _to_channels(pooled, channels, context)


def _to_channels(
    pooled: keras.KerasTensor, channels: int, context: BuildContext
) -> keras.KerasTensor:
    """Adds the 1x1 convolution that gives a pooling the branch's channels."""
    outputs = layers_lib.conv_bn(pooled, channels, (1, 1), context)
    return layers_lib.activation(outputs, "relu", context)


OPERATIONS: Mapping[str, Operation] = {
    "conv": _conv,
    "1x7-7x1": _factorized,
    "maxpool": _max_pool,
    "avgpool": _avg_pool,
}
