"""The operations of both search patterns: which fields apply, what comes out, what it costs.

`OPS` holds the layers of the paper's Table 2 and `BRANCHES` the branch types of Table 3, each as
one literal dict. `modeling/layers.py` holds the Keras builders under the same keys. A user-defined
space brings its own dict of `OpDef` (and of builders).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from epnas_tf.architecture import cost_rules
from epnas_tf.architecture.cost_rules import Cost, Shape
from epnas_tf.architecture.spec import LayerSpec

ACTIVATIONS = ("relu", "crelu", "elu", "selu", "swish")


def halved(size: int) -> int:
    """Returns the size of a map after a stride of 2 with SAME padding."""
    return -(-size // 2)


def filters_of(layer: LayerSpec) -> int:
    """Returns the filters of a convolution: half of its channels where crelu doubles them."""
    assert layer.channels is not None, layer
    return layer.channels // 2 if layer.activation == "crelu" else layer.channels


def _same_size(layer: LayerSpec, shape: Shape) -> Shape:
    assert layer.channels is not None, layer
    return (shape[0], shape[1], layer.channels)


def _half_size(layer: LayerSpec, shape: Shape) -> Shape:
    del layer
    return (halved(shape[0]), halved(shape[1]), shape[2])


def _unchanged(layer: LayerSpec, shape: Shape) -> Shape:
    del layer
    return shape


def _conv2d_cost(layer: LayerSpec, shape: Shape) -> Cost:
    assert layer.width is not None, layer
    out = (shape[0], shape[1], filters_of(layer))
    kernel = (layer.width, layer.width)
    return cost_rules.conv_cost(shape, out, kernel) + cost_rules.batch_norm_cost(out[2])


def _separable_cost(layer: LayerSpec, shape: Shape) -> Cost:
    assert layer.width is not None, layer
    out = (shape[0], shape[1], filters_of(layer))
    kernel = (layer.width, layer.width)
    return cost_rules.separable_cost(shape, out, kernel) + cost_rules.batch_norm_cost(out[2])


def _pool_cost(layer: LayerSpec, shape: Shape) -> Cost:
    assert layer.pool is not None, layer
    return cost_rules.pool_cost(shape, _half_size(layer, shape), (layer.pool, layer.pool))


def _free(layer: LayerSpec, shape: Shape) -> Cost:
    del layer, shape
    return Cost()


@dataclasses.dataclass(frozen=True)
class OpDef:
    """What the search knows of a layer's operation.

    Attributes:
      fields: names of the fields that apply, besides op and src2.
      out_shape: (layer, input's shape) -> output's shape, before src2 is added.
      cost: (layer, input's shape) -> cost, without the projection of src2.
      halves: whether the map's height and width are halved (stride 2).
      needs_source: whether src2 must name an output other than the layer's own input.
      passes: whether anything of its input comes out; read in spaces that state edges.
      kernel: width of its convolution, None where it has none; read in spaces that state edges.
    """

    fields: tuple[str, ...]
    out_shape: Callable[[LayerSpec, Shape], Shape] = _unchanged
    cost: Callable[[LayerSpec, Shape], Cost] = _free
    halves: bool = False
    needs_source: bool = False
    passes: bool = True
    kernel: int | None = None


_CONV_FIELDS = ("width", "channels", "activation")

OPS: Mapping[str, OpDef] = {
    "conv2d": OpDef(_CONV_FIELDS, _same_size, _conv2d_cost),
    "dep_sep_conv2d": OpDef(_CONV_FIELDS, _same_size, _separable_cost),
    "max_pool": OpDef(("pool",), _half_size, _pool_cost, halves=True),
    "avg_pool": OpDef(("pool",), _half_size, _pool_cost, halves=True),
    "add": OpDef((), needs_source=True),
}


@dataclasses.dataclass(frozen=True)
class BranchDef:
    """What the search knows of a branch type.

    Attributes:
      fields: names of the fields that apply, besides op, src1 and propagate.
      first: the operation on src1: "conv", "maxpool", "avgpool" or "1x7-7x1".
      second: the operation on src2, None for the types with only one.
    """

    fields: tuple[str, ...]
    first: str
    second: str | None = None


# The name of the last type is garbled in the paper's text; PAPER_NOTES section 0 restores it.
BRANCHES: Mapping[str, BranchDef] = {
    "conv-conv": BranchDef(("width", "channels", "src2"), "conv", "conv"),
    "conv-maxpool": BranchDef(("width", "pool", "channels", "src2"), "conv", "maxpool"),
    "conv-avgpool": BranchDef(("width", "pool", "channels", "src2"), "conv", "avgpool"),
    "conv-none": BranchDef(("width", "channels"), "conv"),
    "maxpool-none": BranchDef(("pool", "channels"), "maxpool"),
    "avgpool-none": BranchDef(("pool", "channels"), "avgpool"),
    "1x7-7x1-none": BranchDef(("channels",), "1x7-7x1"),
}


def op_def(name: str, ops: Mapping[str, OpDef] = OPS) -> OpDef:
    """Returns the definition of a layer's operation; raises ValueError where there is none."""
    if name not in ops:
        raise ValueError(f"op must be one of {tuple(sorted(ops))}, got {name!r}")
    return ops[name]


def branch_def(name: str) -> BranchDef:
    """Returns the definition of a branch type; raises ValueError where there is none."""
    if name not in BRANCHES:
        raise ValueError(f"branch type must be one of {tuple(sorted(BRANCHES))}, got {name!r}")
    return BRANCHES[name]
