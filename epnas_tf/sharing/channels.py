"""The channels of a tensor at a child's warm start: whose they are, and what they are like.

A tensor's channels come in pieces, each made by one block. A piece has a source, the trial whose
parameters its block starts from, and the source's number of each channel, -1 for those that it did
not have. Where maker and reader have the same source, the reader finds its rows by these numbers.

Example: trial a left a layer 1 of four filters. A child's has three and keeps the strongest: its
output is one piece, of source a, with the numbers 0, 2, 3. The child's layer 2, if it starts from a
as well, takes the rows 0, 2, 3 of a's kernel; if it starts from a trial b, b's first three.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from epnas_tf.sharing import rules
from epnas_tf.sharing.rules import Entry, Run

ANYONE = "*"  # every source saw the same image
_QUADRATURE = np.polynomial.hermite_e.hermegauss(32)


@dataclasses.dataclass(frozen=True)
class Piece:
    """A run of a tensor's channels.

    Attributes:
      label: what makes them.
      source: the trial that left it, empty for none.
      index: the source's channel of each, -1 for a new one.
      size: the source's channels of this run.
    """

    label: str
    source: str
    index: np.ndarray
    size: int

    @property
    def is_warm(self) -> bool:
        """Whether a trial left what makes these channels."""
        return self.source not in ("", ANYONE)


def made_fresh(label: str, count: int) -> Piece:
    """Returns channels of a maker that has no source."""
    return Piece(label, "", np.full(count, -1), 0)


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A layer's output: its channels, and what their values are like (NaN where not known)."""

    pieces: tuple[Piece, ...]
    mean: np.ndarray
    std: np.ndarray


def unknown(pieces: tuple[Piece, ...]) -> Tensor:
    """Returns a tensor of values of which nothing is known."""
    count = sum(len(piece.index) for piece in pieces)
    return Tensor(pieces, np.full(count, np.nan), np.full(count, np.nan))


def first(pieces: Sequence[Piece], count: int) -> tuple[Piece, ...]:
    """Returns the pieces of the first channels."""
    found = []
    for piece in pieces:
        if count > 0:
            found.append(dataclasses.replace(piece, index=piece.index[:count]))
        count -= len(piece.index)
    return tuple(found)


def joined(inputs: Sequence[Tensor]) -> Tensor:
    """Returns a concatenation."""
    pieces = tuple(piece for tensor in inputs for piece in tensor.pieces)
    mean = np.concatenate([tensor.mean for tensor in inputs])
    return Tensor(pieces, mean, np.concatenate([tensor.std for tensor in inputs]))


def added(inputs: Sequence[Tensor]) -> Tensor:
    """Returns a sum, whose channels are those of the first, taken to be independent."""
    mean = np.sum([tensor.mean for tensor in inputs], axis=0)
    std = np.sqrt(np.sum([np.square(tensor.std) for tensor in inputs], axis=0))
    return Tensor(inputs[0].pieces, mean, std)


def negative_half(positive: Tensor, whole: Tensor) -> Tensor:
    """Returns crelu's second half, relu(x) - x, which is relu(-x)."""
    mirrored = dataclasses.replace(whole, mean=-whole.mean)
    return dataclasses.replace(activated(mirrored, "relu"), pieces=positive.pieces)


_FUNCTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507 * np.where(x > 0, x, 1.67326 * np.expm1(np.minimum(x, 0))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def normalised(pieces: tuple[Piece, ...], weights: Mapping[str, np.ndarray]) -> Tensor:
    """Returns what a batch norm gives: mean beta and deviation gamma."""
    zeros = np.zeros(sum(len(piece.index) for piece in pieces))
    return Tensor(pieces, weights.get("beta", zeros) + 0.0, np.abs(weights.get("gamma", zeros + 1)))


def activated(tensor: Tensor, kind: str) -> Tensor:
    """Returns an activation, whose mean and deviation follow from those of a Gaussian."""
    function = _FUNCTIONS.get(kind, lambda x: np.maximum(x, 0))
    points, masses = _QUADRATURE
    values = function(tensor.mean[:, None] + tensor.std[:, None] * points)
    masses = masses / masses.sum()
    mean = values @ masses
    return Tensor(tensor.pieces, mean, np.sqrt(np.square(values - mean[:, None]) @ masses))


def aligned(
    tensor: Tensor, entry: Entry, role: str, size: int
) -> tuple[np.ndarray, tuple[Piece, ...]]:
    """Returns the source's channel of each input channel, -1 for none, and whose they then are.

    Channels are paired by who made them, where that is known of both; else by number.

    Args:
      tensor: what the child's layer reads.
      entry: what its block starts from.
      role: what the layer does in its block.
      size: channels that the source's layer read.
    """
    runs = entry.made_of(role, size)
    found = by_maker(tensor, runs, entry.source)
    if (found >= 0).any():
        return found, tensor.pieces
    by_number = rules.matching(len(found), size)
    return by_number, _by_number(by_number, runs, entry.source)


def by_maker(tensor: Tensor, runs: Sequence[Run], source: str) -> np.ndarray:
    """Returns the channel of the source's runs that each channel is, -1 where it is none."""
    starts = _starts([run.label for run in runs], [run.size for run in runs])
    order = _starts([piece.label for piece in tensor.pieces], [0] * len(tensor.pieces))
    rows = []
    for (label, nth), piece in zip(order, tensor.pieces, strict=True):
        start, length = starts.get((label, nth), (0, -1))
        shared = piece.source in (source, ANYONE) and length == piece.size
        rows.append(np.where(shared & (piece.index >= 0), piece.index + start, -1))
    return np.concatenate(rows)


def _starts(labels: Sequence[str], sizes: Sequence[int]) -> dict[tuple[str, int], tuple[int, int]]:
    """Returns (first channel, size) of each run by its label and how often that came before."""
    found: dict[tuple[str, int], tuple[int, int]] = {}
    start = 0
    for label, size in zip(labels, sizes, strict=True):
        nth = sum(known == label for known, _ in found)
        found[label, nth] = (start, size)
        start += size
    return found


def _by_number(rows: np.ndarray, runs: Sequence[Run], source: str) -> tuple[Piece, ...]:
    """Returns the pieces of channels that were paired by number with a source's runs."""
    pieces, start = [], 0
    for run in runs:
        mine = rows[start : start + run.size]
        if len(mine):
            index = np.where(mine >= 0, np.arange(len(mine)), -1)
            pieces.append(Piece(run.label, source, index, run.size))
        start += run.size
    if start < len(rows):
        pieces.append(made_fresh("", len(rows) - start))
    return tuple(pieces)
