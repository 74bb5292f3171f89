"""Projections of skips: their filters follow the channels that they are added to.

A skip adds an earlier output to a layer's. Where shapes differ, a 1x1 convolution and a batch norm
project it. A child whose parent needed no projection starts one that does what the bare sum did.

Example: the parent added 4 channels to 4, and the child's layer has 8. Its new projection has ones
from each of the 4 to the one that it was added to; the other 4 filters are silent (gamma 0).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from epnas_tf.modeling.layers import BATCH_NORM_EPSILON
from epnas_tf.sharing import channels, graph, offers, rules
from epnas_tf.sharing.channels import Tensor
from epnas_tf.sharing.graph import Node, Weights
from epnas_tf.sharing.rules import Entry


@dataclasses.dataclass(frozen=True)
class Projection:
    """The layers with weights of a skip."""

    conv: Node
    norm: Node


def projections(layout: Sequence[Node], weights: Weights) -> dict[str, Projection]:
    """Returns those of a child, by block."""
    blocks = rules.blocks_of(layout, weights)
    sums = [node for node in layout if node.kind == graph.ADD and node.parsed.block.is_skip]
    return {node.block: Projection(*blocks[node.block]) for node in sums if node.block in blocks}


def followed(main: Tensor, entry: Entry, size: int) -> np.ndarray | None:
    """Returns the source's filter for each channel that is added to, None where they have others.

    Args:
      main: what the projection is added to.
      entry: what the projection starts from.
      size: filters of the source.
    """
    columns = channels.by_maker(main, entry.made_of(offers.MAIN, size), entry.source)
    return columns if (columns >= 0).any() else None


def start_new(
    weights: Weights, projection: Projection, read: Tensor, main: Tensor, bare: Entry | None
) -> Weights:
    """Returns what a new projection starts from: as the skip without one, or silent.

    Args:
      weights: of the child, of which those of the projection are taken.
      projection: its layers.
      read: what it projects.
      main: what it is added to.
      bare: the entry of the skip without a projection, if a source had that.
    """
    conv, norm = projection.conv, projection.norm
    kernel, own = weights[conv.name]["kernel"], dict(weights[norm.name])
    pairs = np.zeros(kernel.shape[-2:], bool)
    if bare is not None and conv.strides == (1, 1):
        added, to = (bare.inputs.get(name, ()) for name in (offers.ADDED, offers.MAIN))
        rows = channels.by_maker(read, added, bare.source)
        columns = channels.by_maker(main, to, bare.source)
        pairs = (rows[:, None] == columns) & (rows >= 0)[:, None]
        kernel = np.where(pairs.any(0), pairs, kernel)
    paired, dtype = pairs.any(0), own["gamma"].dtype
    variance = np.where(paired, 1 - BATCH_NORM_EPSILON, own["moving_variance"])
    own |= {"gamma": paired.astype(dtype), "moving_variance": variance.astype(dtype)}
    return {conv.name: {**weights[conv.name], "kernel": kernel}, norm.name: own}
