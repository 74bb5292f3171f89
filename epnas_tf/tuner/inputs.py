"""The data arguments of Keras' `fit`, as a `Data` in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data

VALIDATION_SPLIT = 0.2


def data_of(x: Any, y: Any, arguments: dict[str, Any], seed: int) -> Data:
    """Returns the training and validation parts that `fit`'s arguments describe.

    Args:
      x: images, a finite tf.data.Dataset of (image, label), or a `Data`, returned as it is.
      y: labels, where x holds images alone.
      arguments: `validation_data` and `validation_split`; anything else is refused.
      seed: what a split depends on.

    Raises:
      ValueError: the data breaks a rule, or an argument is not supported.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    validation_data = given.pop("validation_data", None)
    split = given.pop("validation_split", VALIDATION_SPLIT)
    if given:
        raise ValueError(
            "search() takes x, y, validation_data, validation_split, epochs, batch_size and "
            f"verbose, got {sorted(given)}"
        )
    if isinstance(x, Data):
        if y is not None or validation_data is not None:
            raise ValueError("a Data holds labels and validation part itself, got others beside it")
        return x
    images, labels = _pair(x if y is None else (x, y), "x and y")
    if validation_data is not None:
        validation_data = _pair(validation_data, "validation_data")
    return data_lib.from_arrays(images, labels, validation_data, split, seed)


def _pair(given: Any, name: str) -> tuple[Any, Any]:
    """Returns images and labels; raises ValueError for anything but two of a kind."""
    if isinstance(given, tf.data.Dataset):
        return _arrays_of(given, name)
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(f"{name} must be images and labels, nothing else (no sample weights)")
    return given[0], given[1]


def _arrays_of(dataset: tf.data.Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns a data set's images and labels; raises ValueError for an infinite one."""
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(f"{name}: a tf.data.Dataset must be finite, got one that repeats for ever")
    element = dataset.element_spec
    if not isinstance(element, tuple) or len(element) != 2:
        raise ValueError(f"{name}: a tf.data.Dataset must hold (image, label), got {element}")
    if _is_batched(*element):
        dataset = dataset.unbatch()
    pairs = list(dataset.as_numpy_iterator())
    return np.stack([x for x, _ in pairs]), np.stack([y for _, y in pairs])


def _is_batched(image: tf.TensorSpec, label: tf.TensorSpec) -> bool:
    """Says whether elements are batches: [b, h, w, c], or grey [b, h, w] with labels [b, ...]."""
    if image.shape.rank != 3 or label.shape.rank == 0:
        return image.shape.rank == 4
    return image.shape[0] is None or image.shape[0] == label.shape[0] != image.shape[1]
