"""Images and labels as arrays: what is accepted, what it becomes, and what it would weigh."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from typing import Any

import numpy as np
import tensorflow as tf

# Data sets are held in memory; beyond this a search would swap rather than train.
MAX_GIB = 8.0

# Images looked at in one go: large enough to be fast, small enough to need no memory of note.
_CHUNK = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Images, uint8 or float32 [n, h, w, c], and their labels, int32 [n]."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @functools.cached_property
    def tensors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Images and labels as tensors, made once: copying CIFAR-10 takes half a second."""
        return tf.constant(self.images), tf.constant(self.labels)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hex digits that tell these images and labels from others, in whatever order they are."""
        total = 0
        for image, label in zip(self.images, self.labels, strict=True):
            digest = hashlib.blake2b(image.tobytes() + label.tobytes(), digest_size=8)
            total += int.from_bytes(digest.digest(), "little")
        return f"{total % 2**64:016x}"

    def take(self, indices: np.ndarray) -> Split:
        """Returns the examples at these indices."""
        return Split(self.images[indices], self.labels[indices])


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


def resize(images: Any, image_size: int) -> tf.Tensor:
    """Resizes a tensor [h, w, c] or [n, h, w, c] and keeps its type."""
    images = tf.convert_to_tensor(images)
    pixels = tf.image.resize(images, (image_size, image_size), antialias=True)
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
