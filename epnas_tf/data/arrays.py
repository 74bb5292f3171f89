"""Images and labels as arrays: what is accepted, what it becomes, and what it would weigh."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from epnas_tf.data import copies

# Data sets are held in memory; beyond this a search would swap rather than train.
MAX_GIB = 8.0

# Images looked at in one go: large enough to be fast, small enough to need no memory of note.
_CHUNK = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels.

    Attributes:
      images: uint8 or float32 [n, h, w, c].
      labels: int32 [n].
      weights: of the images in the training loss, float32 [n]; None where all count alike. No
        measured accuracy knows them.
    """

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @functools.cached_property
    def tensors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Images and labels as tensors, made once: copying CIFAR-10 takes half a second."""
        return tf.constant(self.images), tf.constant(self.labels)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hex digits that tell these examples from others, in whatever order they are.

        Weights are part of an example where there are any.
        """
        parts = [self.images, self.labels] + ([] if self.weights is None else [self.weights])
        total = 0
        for example in zip(*parts, strict=True):
            content = b"".join(part.tobytes() for part in example)
            total += copies.digest_of(content)
        return f"{total % 2**64:016x}"

    def take(self, indices: np.ndarray) -> Split:
        """Returns the examples at these indices."""
        weights = None if self.weights is None else self.weights[indices]
        return Split(self.images[indices], self.labels[indices], weights)

    def joined(self, other: Split) -> Split:
        """Returns the examples of both, this split's first; one without weights has ones."""
        weights = None
        if self.weights is not None or other.weights is not None:
            parts = (each.weights for each in (self, other))
            ones = (np.ones(len(each), np.float32) for each in (self, other))
            both = [one if part is None else part for part, one in zip(parts, ones, strict=True)]
            weights = np.concatenate(both)
        images = np.concatenate([self.images, other.images])
        return Split(images, np.concatenate([self.labels, other.labels]), weights)

    def weighted(self, weights: Any, name: str = "sample_weight") -> Split:
        """Returns the split with weights in the training loss, times those that it has.

        Raises:
          ValueError: they are not one finite number of at least 0 per image.
        """
        weights = _weights(np.asarray(weights), len(self), name)
        if self.weights is not None:
            weights = self.weights * weights
        return dataclasses.replace(self, weights=weights)

    def unweighted(self) -> Split:
        """Returns the split without weights: it is measured on."""
        return dataclasses.replace(self, weights=None)


def _weights(given: np.ndarray, count: int, name: str) -> np.ndarray:
    if given.shape not in ((count,), (count, 1)):
        raise ValueError(f"{name} must hold a number per image, [{count}], got {given.shape}")
    if given.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers, got {given.dtype}")
    with np.errstate(over="ignore"):
        given = given.reshape(count).astype(np.float32)
    if not np.isfinite(given).all() or given.min() < 0:
        wrong = given[~np.isfinite(given) | (given < 0)][0]
        raise ValueError(f"{name} must hold finite numbers of at least 0, got {wrong}")
    return given


def check_some_weight(train: Split) -> None:
    """Raises ValueError where no image of a training split has a weight."""
    if train.weights is not None and not train.weights.any():
        raise ValueError(
            "sample_weight and class_weight must leave some image of the training split a weight "
            "above 0, got 0 for all: nothing would be learnt"
        )


def check_alike(split: Split, title: str, train: Split) -> None:
    """Checks that a split could be classified by a network made for the training split.

    Raises:
      ValueError: its images differ in shape or type.
    """
    ours, theirs = split.images.shape[1:], train.images.shape[1:]
    if ours != theirs or split.images.dtype != train.images.dtype:
        raise ValueError(
            f"images of the {title} split must be like those of the training split, "
            f"{theirs} {train.images.dtype}, got {ours} {split.images.dtype}"
        )


def channel_statistics(
    images: np.ndarray, full_scale: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns each channel's mean and standard deviation, as shares of the full scale.

    A channel that never varies gets a deviation of 1, so that dividing by it does no harm.
    """
    channels = images.shape[-1]
    total, squares = np.zeros(channels), np.zeros(channels)
    for start in range(0, len(images), _CHUNK):
        pixels = images[start : start + _CHUNK].reshape(-1, channels).astype(np.float64)
        total += pixels.sum(axis=0)
        squares += np.einsum("pc,pc->c", pixels, pixels)
    count = images.size // channels
    mean = total / count / full_scale
    std = np.sqrt(np.maximum(squares / count / full_scale**2 - mean**2, 0.0))
    std[std < 1e-6] = 1.0
    return tuple(mean.tolist()), tuple(std.tolist())


def resized(images: np.ndarray, image_size: int) -> np.ndarray:
    """Returns the images at this height and width, antialiased, in their type; 0 keeps them."""
    if image_size in (0, images.shape[1]) and image_size in (0, images.shape[2]):
        return images
    chunks = [
        resize(images[start : start + _CHUNK], image_size).numpy()
        for start in range(0, len(images), _CHUNK)
    ]
    return np.concatenate(chunks)


def resize(images: Any, height: int, width: int = 0) -> tf.Tensor:
    """Resizes a tensor [h, w, c] or [n, h, w, c], antialiased, and keeps its type; 0: a square."""
    images = tf.convert_to_tensor(images)
    pixels = tf.image.resize(images, (height, width or height), antialias=True)
    if images.dtype == tf.uint8:
        pixels = tf.round(pixels)
    return tf.cast(pixels, images.dtype)


def check_memory(name: str, size: int, cure: str = "lower image_size or train_fraction") -> None:
    """Refuses images of this size in bytes before they are loaded.

    Raises:
      ValueError: they would need more than `MAX_GIB`.
    """
    if size > MAX_GIB * 2**30:
        raise ValueError(
            f"images are held in memory and must need at most {MAX_GIB:g} GiB, {name} needs "
            f"{size / 2**30:.1f}: {cure}"
        )
