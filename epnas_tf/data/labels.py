"""Labels as people have them, and the classes 0..k-1 that they stand for (DECISIONS 72)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

# What a label may be is told apart by the kind of its array.
_TRUTH, _TEXT, _WHOLE, _FLOAT = "b", "USO", "iu", "f"


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes of a data set.

    Attributes:
      names: of each class, in the order of its label; a number's or truth value's name is its text.
      one_hot: whether labels came as rows with a single 1.
    """

    names: tuple[str, ...]
    one_hot: bool = False

    def __len__(self) -> int:
        return len(self.names)

    @property
    def numbered(self) -> bool:
        """Whether the names are the labels 0..k-1 themselves: nothing was mapped."""
        return self.names == numbers(len(self.names))

    def encode(self, labels: Any, title: str = "y") -> np.ndarray:
        """Returns int32 [n], each label's class.

        Args:
          labels: as the search was given them: numbers, truth values or text [n] or [n, 1], or
            one-hot rows.
          title: what to call them in an error.

        Raises:
          ValueError: they are none, or one stands for no class.
        """
        values, width = _values(labels, title)
        if width > len(self.names):
            raise ValueError(f"{title} must have {len(self.names)} columns, got {width}")
        present, where = np.unique(values, return_inverse=True)
        known = {name: label for label, name in enumerate(self.names)}
        present_names = list(map(str, present))
        unknown = [name for name in present_names if name not in known]
        if unknown:
            raise ValueError(
                f"{title} must hold labels of the training split, {shortened(self.names)}, "
                f"got {shortened(unknown)}"
            )
        return np.array([known[name] for name in present_names], np.int32)[where.reshape(-1)]


def numbers(count: int) -> tuple[str, ...]:
    """Returns the names of classes that are called by their labels."""
    return tuple(map(str, range(count)))


def classes_of(labels: Any, title: str = "y") -> Classes:
    """Returns the classes of a training split, in sorted order: numbers by value, text by letter.

    Raises:
      ValueError: the labels break a rule, or there are fewer than two classes.
    """
    values, width = _values(labels, title)
    present = np.unique(values)
    if width and len(present) != width:
        unused = sorted(set(range(width)) - set(present.tolist()))
        raise ValueError(
            f"every column of one-hot {title} must be in use, got none of {shortened(unused)}: "
            "leave the column out"
        )
    if len(present) < 2:
        raise ValueError(f"there must be at least 2 classes, got {len(present)}")
    return Classes(tuple(map(str, present)), one_hot=bool(width))


def shortened(names: Any, most: int = 10) -> str:
    """Returns names as a list for a person to read, the first ones alone of very many."""
    names = list(map(str, names))
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, ... {names[-1]} ({len(names)} in all)"


def _values(labels: Any, title: str) -> tuple[np.ndarray, int]:
    """Returns a label per example (int64, bool or text) and the columns of one-hot ones, else 0."""
    labels = np.asarray(labels)
    if 0 in labels.shape:
        raise ValueError(f"{title} must not be empty, got shape {labels.shape}")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2:
        return _from_one_hot(labels, title), labels.shape[1]
    if labels.ndim != 1:
        raise ValueError(
            f"{title} must be a label per image, [n] or [n, 1], or one-hot [n, k], "
            f"got shape {labels.shape}"
        )
    if labels.dtype.kind in _TEXT:
        return _texts(labels, title), 0
    if labels.dtype.kind == _TRUTH:
        return labels, 0
    return _whole(labels, title), 0


def _whole(labels: np.ndarray, title: str) -> np.ndarray:
    if labels.dtype.kind not in _WHOLE + _FLOAT:
        raise ValueError(f"{title} must hold whole numbers or text, got {labels.dtype}")
    if labels.dtype.kind == _FLOAT and not (labels == np.floor(labels)).all():
        raise ValueError(
            f"{title} must hold whole numbers or text, a class per image, got {labels[:3]}: "
            "measures (regression) cannot be searched for"
        )
    if not (np.abs(labels.astype(np.float64)) < 2**53).all():
        raise ValueError(f"{title} must hold labels below 2**53, got {labels.max()}")
    return labels.astype(np.int64)


def _texts(labels: np.ndarray, title: str) -> np.ndarray:
    """Returns text; TensorFlow hands it out as bytes, tables as objects."""
    values = labels.tolist()
    mixed = {type(value).__name__ for value in values if not isinstance(value, str | bytes)}
    if not mixed:
        return np.array([_decoded(value) for value in values])
    try:  # objects that are numbers, as a column of a table may have them
        numbered = np.array(values)
    except ValueError:
        numbered = labels
    if numbered.ndim != 1 or numbered.dtype.kind not in _WHOLE + _FLOAT + _TRUTH:
        raise ValueError(
            f"{title} must hold labels of one type, text or numbers, got {sorted(mixed)}"
        )
    return numbered if numbered.dtype.kind == _TRUTH else _whole(numbered, title)


def _decoded(text: str | bytes) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _from_one_hot(labels: np.ndarray, title: str) -> np.ndarray:
    plain = labels.dtype.kind in _TRUTH + _WHOLE + _FLOAT and np.isin(labels, (0, 1)).all()
    if not plain or not (labels.sum(axis=1) == 1).all():
        raise ValueError(
            f"{title} of shape {labels.shape} must be one-hot, a single 1 per row, else 0: several "
            "labels per image, and measures (regression), cannot be searched for"
        )
    return labels.argmax(axis=1)
