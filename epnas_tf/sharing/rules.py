"""The rules of the shared parameter dictionary, as pure functions of arrays (paper, section 3.4).

What a trained child leaves is kept by block: a convolution with its batch norm, under its place and
operation and the shapes of its kernels (DECISIONS 18). A new child takes for each of its blocks the
entry of the same shapes or else the closest, and splices or pads it. Which channels go where is
decided in `warm_start.py`; the files are kept by `store.py`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from epnas_tf.modeling.names import parse_block
from epnas_tf.sharing.graph import Node, Weights

SHARING = ("none", "dictionary", "lineage")

# A size beyond this is of no network that was trained, but would fill the memory.
_MOST = 2**24

# Block name -> the label it is kept under.
Labels = Callable[[str], str]
# Role in its block -> variable name -> shape or value.
Shapes = Mapping[str, Mapping[str, tuple[int, ...]]]
Values = dict[str, dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Run:
    """A run of a tensor's channels: those that one block made."""

    label: str
    size: int


@dataclasses.dataclass(frozen=True)
class Entry:
    """What the dictionary knows of a block's parameters, besides their values.

    Attributes:
      label: the block's place and operation.
      source: name of the trial that left them.
      accuracy: that trial's validation accuracy, plain or balanced as networks are compared.
      shapes: of every variable, by role and name.
      inputs: of each role: whose channels its input was made of, in order.
    """

    label: str
    source: str
    accuracy: float
    shapes: Shapes
    inputs: Mapping[str, tuple[Run, ...]]

    @property
    def key(self) -> str:
        """What two entries must share to clash: label and shapes of the kernels."""
        return key_of(self.label, self.shapes)

    def made_of(self, role: str, channels: int) -> tuple[Run, ...]:
        """Returns whose channels so many of a role's input were; nothing where it does not say.

        A file may have been edited: runs that do not add up say nothing.
        """
        runs = self.inputs.get(role, ())
        return runs if sum(run.size for run in runs) == channels else ()

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data."""
        return {
            "label": self.label,
            "donor": self.source,
            "accuracy": self.accuracy,
            "shapes": {role: {n: list(s) for n, s in v.items()} for role, v in self.shapes.items()},
            "inputs": {r: [[run.label, run.size] for run in v] for r, v in self.inputs.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Entry:
        """Returns the entry that `to_dict` described; raises ValueError where it is none."""
        try:
            return cls(
                str(values["label"]),
                str(values["donor"]),
                _accuracy(values["accuracy"]),
                {
                    role: {name: tuple(map(_size, shape)) for name, shape in named.items()}
                    for role, named in values["shapes"].items()
                },
                {
                    role: tuple(Run(str(label), _size(size)) for label, size in runs)
                    for role, runs in values["inputs"].items()
                },
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            text = f"{error!r:.200} in {values!r:.200}"
            raise ValueError(f"not an entry of the shared parameters: {text}") from error


def _size(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= _MOST:
        raise ValueError(f"a size must be a whole number in 1..{_MOST}, got {value!r:.80}")
    return value


def _accuracy(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"accuracy must be in [0, 1], got {value!r:.80}")
    return float(value)


def shapes_of(values: Mapping[str, Mapping[str, np.ndarray]]) -> Shapes:
    """Returns the shapes of a block's values."""
    return {role: {n: tuple(v.shape) for n, v in named.items()} for role, named in values.items()}


def key_of(label: str, shapes: Shapes) -> str:
    """Returns the key of a block, such as "layer3_conv2d 3x3x16x32"."""
    return " ".join([label, *("x".join(map(str, shape)) for _, shape in _sizes(shapes))])


def _sizes(shapes: Shapes) -> list[tuple[tuple[str, str], tuple[int, ...]]]:
    """Returns ((role, variable), shape) of the kernels, of everything where there are none."""
    every = sorted(
        ((role, name), shape) for role, named in shapes.items() for name, shape in named.items()
    )
    return [item for item in every if len(item[1]) > 1] or every


# Which entry


def distance(wanted: Shapes, stored: Shapes) -> float:
    """Returns the sum of |log size ratio| over all kernel dimensions; inf where they do not fit.

    Entries fit that hold the same variables: a builder's bias may depend on a field.
    """
    if {r: set(named) for r, named in wanted.items()} != {r: set(n) for r, n in stored.items()}:
        return math.inf
    ours, theirs = _sizes(wanted), _sizes(stored)
    if [(name, len(shape)) for name, shape in ours] != [(n, len(shape)) for n, shape in theirs]:
        return math.inf
    ratios = (
        abs(math.log(a / b))
        for (_, left), (_, right) in zip(ours, theirs, strict=True)
        for a, b in zip(left, right, strict=True)
    )
    return round(sum(ratios), 9)  # so that ties are ties whatever the order and the library


def choose(label: str, wanted: Shapes, entries: Iterable[Entry]) -> Entry | None:
    """Returns the entry of this label that fits exactly, else the closest; ties go by key."""
    of_label = [entry for entry in entries if entry.label == label]
    ranked = sorted((distance(wanted, entry.shapes), entry.key, entry) for entry in of_label)
    if not ranked or math.isinf(ranked[0][0]):
        return None
    return ranked[0][2]


def merged(known: Mapping[str, Entry], offers: Iterable[Entry]) -> dict[str, Entry]:
    """Returns the dictionary after offers: at a clash of keys the more accurate trial's stays."""
    after = dict(known)
    for offer in offers:
        holder = after.get(offer.key)
        if holder is None or offer.accuracy > holder.accuracy:
            after[offer.key] = offer
    return after


# How it is made to fit


def pad_before(size: int, kernel: int, stride: int) -> int:
    """Returns the rows that SAME padding adds before a map of this size."""
    outputs = -(-size // stride)
    return max((outputs - 1) * stride + kernel - size, 0) // 2


def placed(own: np.ndarray, source: np.ndarray, at: Sequence[int]) -> np.ndarray:
    """Returns zeros of own's height and width with the source's kernel at an offset, cropped.

    Shapes are [height, width, ...]; all later axes are the source's.
    """
    result = np.zeros((*own.shape[:2], *source.shape[2:]), own.dtype)
    ours, theirs = [], []
    for new, old, offset in zip(own.shape[:2], source.shape[:2], at, strict=True):
        first, last = max(offset, 0), min(offset + old, new)
        ours.append(slice(first, max(last, first)))
        theirs.append(slice(first - offset, max(last, first) - offset))
    result[tuple(ours)] = source[tuple(theirs)]
    return result


def offsets(node: Node, own: tuple[int, ...], source: tuple[int, ...]) -> tuple[int, int]:
    """Returns where the source's kernel lies in the child's, so that both see the same pixels.

    Without strides it is the centre; a stride's SAME padding is not symmetric.
    """
    before = [
        pad_before(size, new, stride) - pad_before(size, old, stride)
        for size, new, old, stride in zip(node.size, own[:2], source[:2], node.strides, strict=True)
    ]
    return before[0], before[1]


def gathered(values: np.ndarray, index: np.ndarray, axis: int, fresh: np.ndarray) -> np.ndarray:
    """Returns the source's values in the child's order along an axis; `fresh` where index is -1."""
    taken = np.take(values, np.maximum(index, 0), axis)
    known = np.expand_dims(index >= 0, [a for a in range(values.ndim) if a != axis % values.ndim])
    return np.where(known, taken, fresh).astype(fresh.dtype)


def fit_kernel(
    own: np.ndarray,
    source: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    at: Sequence[int] = (0, 0),
) -> np.ndarray:
    """Returns a child's kernel made of a source's.

    The source's filters read nothing of channels that it did not have, so that what they compute
    stays the same; filters that the source did not have keep the child's own values.

    Args:
      own: the child's fresh kernel [..., inputs, outputs].
      source: the source's, of the same rank.
      rows: int [inputs], the source's input channel of each, -1 for none.
      columns: int [outputs], the source's filter of each, -1 for none.
      at: offset of the source's kernel in height and width.
    """
    body = placed(own, source, at) if own.ndim == 4 else source
    body = gathered(body, rows, -2, np.zeros((), own.dtype))
    return gathered(body, columns, -1, own)


def matching(own: int, source: int) -> np.ndarray:
    """Returns int [own] that pairs channels by number: 0, 1, ..., then -1 beyond the source's."""
    index = np.arange(own)
    return np.where(index < source, index, -1)


def strongest(kernels: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Returns the filters to keep, ascending: those of the largest norms, lower numbers on ties.

    Kernels [..., filters] whose outputs are added to each other keep the same filters.
    """
    norms = sum(np.square(k, dtype=np.float64).reshape(-1, k.shape[-1]).sum(0) for k in kernels)
    return np.sort(np.argsort(-np.asarray(norms), kind="stable")[:count])


# Under which label


def by_number(block: str) -> str:
    """Returns the label by the layer's or branch's number, the paper's key: the name itself."""
    return block


def by_lineage(names: Sequence[str]) -> Labels:
    """Returns the labels that follow a layer through morphs: by its name instead of its number.

    Args:
      names: of layers or branches 1, 2, ...
    """
    return lambda block: parse_block(block).labelled(tuple(names))


def blocks_of(layout: Sequence[Node], weights: Weights) -> dict[str, list[Node]]:
    """Returns the layers with weights, by block, in order.

    A layer that a user's builder gave no name of its place is left out: Keras' numbers for unnamed
    layers say nothing about which layer it is.
    """
    found: dict[str, list[Node]] = {}
    for node in layout:
        if node.name in weights and node.parsed.block.place is not None:
            found.setdefault(node.block, []).append(node)
    return found


def made_by(node: Node, labels: Labels) -> str:
    """Returns what the channels are called that a layer makes, such as "layer3_conv2d/conv"."""
    return f"{labels(node.block)}/{node.role}"
