"""Images and labels in the forms that Keras' `fit` takes, as two arrays.

Batches are poured into one array and checked while they come: a data set may be without end.
"""

from __future__ import annotations

import epnas_tf.backend

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from epnas_tf.data import arrays, copies

# Images per batch of a data set that comes without batches.
_BATCH = 256
# Bytes of batches that are poured into one block: the system takes back large ones at once, and the
# memory of small ones serves the next.
_BLOCK = 2**25
# Of a data set that does not say how long it is, so many images are read before anybody asks
# whether they only repeat, and so many times each: one that is drawn on for ever does.
_REPEATS_FROM, _REPEATS = 1_000, 4

_CURE = (
    "give x and y as arrays, a finite tf.data.Dataset of (image, label) or a keras.utils.PyDataset"
)


def pair(given: Any, name: str) -> tuple[Any, Any]:
    """Returns images and labels; raises ValueError for anything but two of a kind."""
    if isinstance(given, tf.data.Dataset):
        return _joined(_batches_of(given, name), name, _length_of(given, name))
    if isinstance(given, keras.utils.PyDataset):
        return _joined(_batches_of_py(given, name), name, given.num_batches)
    if isinstance(given, tuple | list) and len(given) == 2:
        for part in given:
            _check_arrays(part, name)
        return given[0], given[1]
    if isinstance(given, tuple | list):
        raise ValueError(
            f"{name} must be images and labels, nothing else, got {len(given)} parts: weights act "
            "on the training loss alone, give them as sample_weight beside x and y"
        )
    _check_arrays(given, name)
    raise ValueError(f"{name} must be images and labels, got only {_type_of(given)}: {_CURE}")


def _check_arrays(part: Any, name: str) -> None:
    """Refuses what is no array by what it is, with what to do."""
    if isinstance(part, Mapping):
        keys = ", ".join(map(repr, part))
        raise ValueError(
            f"{name} must be arrays, got a dict of {keys}: give its entries themselves"
        )
    if isinstance(part, tf.RaggedTensor | tf.SparseTensor):
        raise ValueError(f"{name} must be dense, got {_type_of(part)}: resize images to one size")
    if isinstance(part, Iterator):
        raise ValueError(
            f"{name}: {_type_of(part)} may have no end and cannot be drawn on twice: {_CURE}"
        )
    if isinstance(part, Iterable) and not hasattr(part, "__array__") and not _is_sequence(part):
        raise ValueError(f"{name}: {_type_of(part)} cannot be read: {_CURE}")


def _is_sequence(part: Any) -> bool:
    return isinstance(part, tuple | list | range)


def _type_of(given: Any) -> str:
    return f"a {type(given).__module__}.{type(given).__qualname__}".replace("a builtins.", "a ")


# Batches


def _length_of(dataset: tf.data.Dataset, name: str) -> int | None:
    """Returns how many elements there are, None where it is unknown; raises for an infinite set."""
    length = int(dataset.cardinality())
    if length == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            f"{name}: a tf.data.Dataset must be finite, got one that repeats for ever: "
            "leave out repeat(), or take(n)"
        )
    return None if length == tf.data.UNKNOWN_CARDINALITY else length


def _batches_of(dataset: tf.data.Dataset, name: str) -> Iterator[tuple[Any, Any]]:
    element = dataset.element_spec
    if isinstance(element, Mapping):
        keys = ", ".join(map(repr, element))
        raise ValueError(
            f"{name}: a tf.data.Dataset must hold (image, label), got a dict of {keys}: "
            "map(lambda e: (e[...], e[...])) makes pairs of it (tfds: as_supervised=True)"
        )
    if not isinstance(element, tuple) or len(element) != 2:
        raise ValueError(f"{name}: a tf.data.Dataset must hold (image, label), got {element}")
    if not all(isinstance(spec, tf.TensorSpec) for spec in element):
        raise ValueError(f"{name}: a tf.data.Dataset must hold two dense tensors, got {element}")
    if not _is_batched(*element):
        dataset = dataset.batch(_BATCH)
    yield from _read(dataset.as_numpy_iterator(), name)


def _read(batches: Iterator[tuple[Any, Any]], name: str) -> Iterator[tuple[Any, Any]]:
    try:
        yield from batches
    except tf.errors.InvalidArgumentError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{name}: its images must be of one size ({reason})") from error


def _batches_of_py(dataset: keras.utils.PyDataset, name: str) -> Iterator[tuple[Any, Any]]:
    if dataset.num_batches is None:
        raise ValueError(f"{name}: a PyDataset must say how many batches it has, got None: {_CURE}")
    for index in range(dataset.num_batches):
        batch = dataset[index]
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ValueError(f"{name}: a PyDataset must give (images, labels), got {batch!r:.80}")
        yield np.asarray(batch[0]), np.asarray(batch[1])


def _joined(
    batches: Iterator[tuple[Any, Any]], name: str, length: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images and labels of all batches; they are let go as they are copied.

    Raises:
      ValueError: there are none, they differ in shape, need too much memory or have no end.
    """
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    pending: list[np.ndarray] = []
    watch = None if length is not None else _Repeats(name)
    size = poured = 0  # bytes so far, and those of them that are in blocks
    for x, y in batches:
        pending.append(x)
        labels.append(y)
        size += x.nbytes
        if size - poured >= _BLOCK:
            images.append(_poured(pending, name))
            poured = size
        arrays.check_memory(name, size, "resize the images, or take(n) of a set without an end")
        if watch is not None:
            watch.check(x)
    if not labels:
        raise ValueError(f"{name} must hold images, got none")
    if pending:
        images.append(_poured(pending, name))
    return _poured(images, name), np.concatenate(labels)


def _poured(parts: list[np.ndarray], name: str) -> np.ndarray:
    """Returns the parts as one array and empties their list, so that they are not held twice."""
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise ValueError(f"{name}: its images must be of one size, got {sorted(shapes)[:3]}")
    kind = np.result_type(*{part.dtype for part in parts})
    whole = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), kind)
    end = len(whole)
    while parts:
        part = parts.pop()
        whole[end - len(part) : end] = part
        end -= len(part)
    return whole


class _Repeats:
    """Notices a data set of unknown length whose images only come again and again."""

    def __init__(self, name: str):
        self._name = name
        self._seen: set[int] = set()
        self._read, self._next = 0, _REPEATS_FROM

    def check(self, images: np.ndarray) -> None:
        """Raises ValueError where what was read so far holds each image several times."""
        self._seen.update(copies.digests_of(images).tolist())
        self._read += len(images)
        if self._read < self._next:
            return
        self._next *= 2
        if self._read >= _REPEATS * len(self._seen):
            raise ValueError(
                f"{self._name}: a data set must be finite, this one repeats: {len(self._seen)} "
                f"images are all among the first {self._read}: leave out repeat(), or take(n)"
            )


def _is_batched(image: tf.TensorSpec, label: tf.TensorSpec) -> bool:
    """Says whether elements are batches: [b, h, w, c], or grey [b, h, w] with labels [b, ...]."""
    if image.shape.rank != 3 or label.shape.rank == 0:
        return image.shape.rank == 4
    return image.shape[0] is None or image.shape[0] == label.shape[0] != image.shape[1]
