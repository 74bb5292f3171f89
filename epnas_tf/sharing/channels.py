"""The channels of a tensor as a child inherits them: whose they are, and what they are like.

A tensor's channels come in pieces, each made by one block. A piece's donor numbers them, -1 for
those that it did not have; where maker and reader have the same donor, the reader finds its rows by
these numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from epnas_tf.sharing import rules
from epnas_tf.sharing.rules import Entry, Run

ANYONE = "*"  # every donor saw the same image
_QUADRATURE = np.polynomial.hermite_e.hermegauss(32)


@dataclasses.dataclass(frozen=True)
class Piece:
    """A run of a tensor's channels: its label, whose they are, the donor's number of each."""

    label: str
    donor: str  # "" for none
    index: np.ndarray  # the donor's channel of each, -1 for a new one
    size: int  # the donor's channels of this run

    @property
    def inherited(self) -> bool:
        """Whether a trial left what makes these channels."""
        return self.donor not in ("", ANYONE)


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


def activated(source: Tensor, kind: str) -> Tensor:
    """An activation, of which the mean and deviation follow from those of a Gaussian."""
    function = _FUNCTIONS.get(kind, lambda x: np.maximum(x, 0))
    points, masses = _QUADRATURE
    values = function(source.mean[:, None] + source.std[:, None] * points)
    masses = masses / masses.sum()
    mean = values @ masses
    return Tensor(source.pieces, mean, np.sqrt(np.square(values - mean[:, None]) @ masses))


def aligned(
    source: Tensor, entry: Entry, role: str, size: int
) -> tuple[np.ndarray, tuple[Piece, ...]]:
    """Returns the donor's channel of each input channel, -1 for none, and whose they then are.

    By who made them, where that is known of both; else by number.
    """
    runs = entry.made_of(role, size)
    found = by_maker(source, runs, entry.donor)
    if (found >= 0).any():
        return found, source.pieces
    by_number = rules.matching(len(found), size)
    return by_number, _by_number(by_number, runs, entry.donor)


def by_maker(source: Tensor, runs: Sequence[Run], donor: str) -> np.ndarray:
    """Returns the channel of the donor's runs that each channel is, -1 where it is none."""
    starts = _starts([run.label for run in runs], [run.size for run in runs])
    order = _starts([piece.label for piece in source.pieces], [0] * len(source.pieces))
    rows = []
    for (label, nth), piece in zip(order, source.pieces, strict=True):
        start, length = starts.get((label, nth), (0, -1))
        shared = piece.donor in (donor, ANYONE) and length == piece.size
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


def _by_number(rows: np.ndarray, runs: Sequence[Run], donor: str) -> tuple[Piece, ...]:
    """Returns the pieces of channels that were paired by number with a donor's runs."""
    pieces, start = [], 0
    for run in runs:
        mine = rows[start : start + run.size]
        if len(mine):
            index = np.where(mine >= 0, np.arange(len(mine)), -1)
            pieces.append(Piece(run.label, donor, index, run.size))
        start += run.size
    if start < len(rows):
        pieces.append(Piece("", "", np.full(len(rows) - start, -1), 0))
    return tuple(pieces)
