"""What one layer starts from: its source's values where it has one, else near identity or afresh.

Each function takes the layer, its own initial weights and the tensor that it reads, and returns its
weights and the tensor that it makes.

Example: a convolution reads channels 0 and 2 of its source's layer and a new one, and has the
source's filters 1 and 3 and a new one. Its kernel is the source's rows 0 and 2 of the columns 1 and
3, zeros in the row of the new channel, and its own initial values in the column of the new filter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from epnas_tf.modeling.layers import BATCH_NORM_EPSILON
from epnas_tf.sharing import channels, graph, rules
from epnas_tf.sharing.channels import Piece, Tensor
from epnas_tf.sharing.graph import Node
from epnas_tf.sharing.sources import Source

# Variable name -> value.
Own = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Start:
    """How a layer starts.

    Attributes:
      output: its channels.
      weights: by the name of the variable.
      taken: how many trainable parameters are the source's.
    """

    output: Tensor
    weights: dict[str, np.ndarray]
    taken: int = 0


# From a source


def filters(
    node: Node, own: Own, inputs: Tensor, source: Source, columns: np.ndarray, made: str
) -> Start:
    """Starts a convolution or dense layer, which reads its input's channels and makes new ones.

    Args:
      node: the layer.
      own: its initial weights.
      inputs: what it reads.
      source: what it starts from.
      columns: the source's filter of each of its own, -1 for new ones.
      made: what its channels are called.
    """
    kernel = source.values["kernel"]
    rows, _ = channels.aligned(inputs, source.entry, node.role, kernel.shape[-2])
    at = rules.offsets(node, own["kernel"].shape, kernel.shape) if kernel.ndim == 4 else (0, 0)
    weights = {**own, "kernel": rules.fit_kernel(own["kernel"], kernel, rows, columns, at)}
    taken = _overlap(own["kernel"].shape, kernel.shape, at) * _known(rows) * _known(columns)
    if "bias" in own:
        weights["bias"] = rules.gathered(source.values["bias"], columns, 0, own["bias"])
        taken += _known(columns)
    piece = Piece(made, source.entry.source, columns, kernel.shape[-1])
    return Start(channels.unknown((piece,)), weights, taken)


def depthwise(node: Node, own: Own, inputs: Tensor, source: Source) -> Start:
    """Starts a filter per channel: its channels are its input's."""
    kernel = source.values["kernel"]
    rows, pieces = channels.aligned(inputs, source.entry, node.role, kernel.shape[2])
    at = rules.offsets(node, own["kernel"].shape, kernel.shape)
    body = rules.placed(own["kernel"], kernel, at)
    weights = {**own, "kernel": rules.gathered(body, rows, 2, own["kernel"])}
    taken = _overlap(own["kernel"].shape, kernel.shape, at) * _known(rows)
    if "bias" in own:
        weights["bias"] = rules.gathered(source.values["bias"], rows, 0, own["bias"])
        taken += _known(rows)
    return Start(channels.unknown(pieces), weights, taken)


def batch_norm(node: Node, own: Own, inputs: Tensor, source: Source) -> Start:
    """Starts a batch norm: its channels are its input's, its statistics travel with them."""
    size = len(next(iter(source.values.values())))
    rows, pieces = channels.aligned(inputs, source.entry, node.role, size)
    weights = {
        name: rules.gathered(source.values[name], rows, 0, fresh) for name, fresh in own.items()
    }
    trained = sum(not name.startswith("moving") for name in own)
    return Start(channels.normalised(pieces, weights), weights, trained * _known(rows))


def other(node: Node, own: Own, source: Source | None, made: str) -> Start:
    """Starts a layer that no rule is about: as its source was, or afresh where shapes differ."""
    if source is not None and _shapes(own) == _shapes(source.values):
        piece = Piece(made, source.entry.source, np.arange(node.channels), node.channels)
        return Start(channels.unknown((piece,)), dict(source.values), trainable(source.values))
    return Start(channels.unknown((channels.made_fresh(made, node.channels),)), dict(own))


# Without a source


def new_filters(node: Node, own: Own, inputs: Tensor, made: str) -> Start:
    """Starts a convolution or dense layer afresh, in a chain as identity of the first channels."""
    if not _may_be_identity(node, inputs):
        fresh = channels.made_fresh(made, node.channels)
        return Start(channels.unknown((fresh,)), dict(own))
    count = min(own["kernel"].shape[-2:])
    kernel = own["kernel"].copy()
    kernel[..., :count] = 0
    middle = tuple((width - 1) // 2 for width in kernel.shape[:2])
    for channel in range(count):
        kernel[(*middle, channel, channel)] = 1
    more = node.channels - count
    pieces = channels.first(inputs.pieces, count)
    if more:
        pieces += (channels.made_fresh(made, more),)
    mean, std = (
        np.append(known[:count], np.full(more, np.nan)) for known in (inputs.mean, inputs.std)
    )
    return Start(Tensor(pieces, mean, std), {**own, "kernel": kernel})


def new_depthwise(node: Node, own: Own, inputs: Tensor) -> Start:
    """Starts a filter per channel afresh, in a chain as identity."""
    if not _may_be_identity(node, inputs):
        return Start(channels.unknown(inputs.pieces), dict(own))
    kernel = np.zeros_like(own["kernel"])
    kernel[(kernel.shape[0] - 1) // 2, (kernel.shape[1] - 1) // 2] = 1
    return Start(inputs, {**own, "kernel": kernel})


def new_batch_norm(own: Own, inputs: Tensor) -> Start:
    """Starts a batch norm that passes on what it gets, where that is known and has a source."""
    warm = [np.full(len(piece.index), piece.is_warm) for piece in inputs.pieces]
    known = np.isfinite(inputs.mean) & np.concatenate(warm)
    # A channel that is always 0 has no deviation to divide by.
    variance = np.maximum(np.square(inputs.std) - BATCH_NORM_EPSILON, 0)
    moments = {
        "gamma": np.sqrt(variance + BATCH_NORM_EPSILON),
        "beta": inputs.mean,
        "moving_mean": inputs.mean,
        "moving_variance": variance,
    }
    weights = {
        name: np.where(known, moments[name], fresh).astype(fresh.dtype)
        if name in moments
        else fresh
        for name, fresh in own.items()
    }
    return Start(channels.normalised(inputs.pieces, weights), weights)


def _may_be_identity(node: Node, inputs: Tensor) -> bool:
    return (
        any(piece.is_warm for piece in inputs.pieces)
        and node.kind in (graph.CONV, graph.DEPTHWISE)
        and node.strides == (1, 1)
        and node.parsed.block.in_chain
    )


# Counting


def trainable(values: Mapping[str, np.ndarray]) -> int:
    """Returns how many of a layer's parameters training changes."""
    return sum(int(v.size) for name, v in values.items() if not name.startswith("moving"))


def _shapes(values: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in values.items()}


def _known(index: np.ndarray) -> int:
    return int((index >= 0).sum())


def _overlap(own: Sequence[int], source: Sequence[int], at: Sequence[int]) -> int:
    """Returns how many pixels of a source's kernel are inside the child's; 1 for a dense layer."""
    if len(own) < 4:
        return 1
    area = 1
    for new, old, offset in zip(own[:2], source[:2], at, strict=True):
        area *= max(min(offset + old, new) - max(offset, 0), 0)
    return area
