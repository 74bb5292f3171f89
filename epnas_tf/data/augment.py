"""Random variations of training images, each a pure function of (slot seed, pass, example index).

Keras' random layers and stateful random ops gave four results in four runs of a parallel pipeline
(KERAS_TUNER section 8); draws with such a key depend on neither the batch size, the replicas nor
the order. A batch is varied as a whole: image by image it took five times as long, a sixth of the
time in which a small network trains on them.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from epnas_tf import randomness
from epnas_tf.data import draws
from epnas_tf.data.settings import VariationSettings
from epnas_tf.fields import SettingError

# One key per draw, so that an image's crop says nothing about its brightness.
_DRAWS = ("top", "left", "flip", "brightness", "contrast", "cut_top", "cut_left")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is varied, and by how much.

    Attributes:
      pad: pixels of black added at each side before a crop of the old size.
      flip: whether half of the images are mirrored left to right.
      brightness: largest shift of all pixels, as a share of full scale.
      contrast: largest change of the contrast's factor from 1.
      alternating: whether an image that is flipped in one pass is not in the next, and so on.
      cutout: side in pixels of a square that is filled with the mean.
    """

    pad: int = 0
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    alternating: bool = False
    cutout: int = 0

    def __post_init__(self) -> None:
        if self.pad < 0:
            raise ValueError(f"pad must be >= 0, got {self.pad}")
        if self.brightness < 0:
            raise ValueError(f"brightness must be >= 0, got {self.brightness}")
        if not 0 <= self.contrast < 1:
            raise ValueError(f"contrast must be in [0, 1), got {self.contrast}")
        if self.cutout < 0:
            raise ValueError(f"cutout must be >= 0, got {self.cutout}")

    def check_fits(self, height: int, width: int) -> None:
        """Raises SettingError where images are too small for what is done to them."""
        if self.cutout > min(height, width):
            rule = f"must be at most the images' height and width ({height} x {width})"
            raise SettingError("cutout", f"{rule}, got {self.cutout}")


def suited_to(input_shape: tuple[int, ...], *, flip: bool = True) -> Augmentation:
    """Returns the augmentation for images of this [height, width, channels].

    Crops pad 4 pixels at 32 and fewer for smaller images; the paper names flip, crop, brightness
    and contrast but no strengths, and PAPER_NOTES section 4 advises weak ones (up to 0.2) for short
    training. Grey images are mostly characters, where a mirror image is another class and the tone
    carries nothing: they are cropped only.
    """
    height, width, channels = input_shape
    pad = min(4, round(min(height, width) / 8))
    if channels != 3:
        return Augmentation(pad=pad)
    return Augmentation(pad=pad, flip=flip, brightness=0.1, contrast=0.2)


def chosen(suited: Augmentation, asked: VariationSettings) -> Augmentation:
    """Returns what suits the images, with what a person asked for in its place."""
    named = {"pad": asked.crop_padding, "brightness": asked.brightness, "contrast": asked.contrast}
    values: dict[str, Any] = {name: value for name, value in named.items() if value >= 0}
    if asked.flip != "auto":
        values["flip"] = asked.flip == "true"
    values["alternating"] = asked.alternating_flips and values.get("flip", suited.flip)
    return dataclasses.replace(suited, cutout=asked.cutout, **values)


def keys(seed: int, passes: int) -> np.ndarray:
    """Returns int32 [passes, 2 + draws]: of each pass, what `augment` wants to know of it.

    It is the number of the pass, what keys the flips of the first one, and what keys its own draws,
    besides the example.
    """
    first = randomness.seed_of(seed, "augment", 0, "flip")
    table = [
        [number, first, *(randomness.seed_of(seed, "augment", number, draw) for draw in _DRAWS)]
        for number in range(passes)
    ]
    return np.array(table, np.int32)


def augment(
    images: Any, index: Any, key: Any, augmentation: Augmentation, full_scale: float
) -> Any:
    """Returns images varied, in float32 of full scale 1.

    Args:
      images: uint8 or float32 [n, h, w, c].
      index: the images' places in the training split, int32 [n].
      key: their passes' rows of `keys`, int32 [n, ...].
      augmentation: how they are varied.
      full_scale: value of a white pixel.
    """
    drawn = draws.uniform(key[:, 1:], index)
    first_flip, top, left, flip, brightness, contrast = tf.unstack(drawn[:, :6], axis=1)
    flipped = flip < 0.5
    if augmentation.alternating:
        flipped = tf.math.logical_xor(first_flip < 0.5, key[:, 0] % 2 == 1)
    _, height, width, _ = images.shape
    pad = augmentation.pad
    rows, columns = (
        tf.range(size) + draws.whole(first, 2 * pad + 1)[:, tf.newaxis]
        for size, first in ((height, top), (width, left))
    )
    if augmentation.flip:
        columns = tf.where(flipped[:, tf.newaxis], columns[:, ::-1], columns)
    if pad:
        images = tf.pad(images, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
        images = tf.gather(images, rows, axis=1, batch_dims=1)
    if pad or augmentation.flip:
        images = tf.gather(images, columns, axis=2, batch_dims=1)
    images = scaled(images, full_scale)
    if augmentation.brightness:
        images += _each(augmentation.brightness * (2 * brightness - 1))
    if augmentation.contrast:
        factor = _each(1 + augmentation.contrast * (2 * contrast - 1))
        mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
        images = factor * (images - mean) + mean
    return images


def cut_out(images: Any, index: Any, key: Any, side: int, mean: tuple[float, ...]) -> Any:
    """Returns images with a square filled with the mean, which normalisation makes 0.

    DeVries and Taylor (https://arxiv.org/abs/1708.04552): the centre is anywhere in the image; what
    lies beyond its borders is lost.

    Args:
      images: float32 [n, h, w, c] of full scale 1.
      index: the images' places in the training split, int32 [n].
      key: their passes' rows of `keys`, int32 [n, ...].
      side: of the square, in pixels.
      mean: of each channel, at full scale 1.
    """
    _, height, width, _ = images.shape
    drawn = draws.uniform(key[:, -2:], index)
    first = draws.whole(drawn, tf.constant([height, width], tf.float32)) - side // 2
    rows, columns = (
        (tf.range(size) >= first[:, axis, tf.newaxis])
        & (tf.range(size) < first[:, axis, tf.newaxis] + side)
        for axis, size in enumerate((height, width))
    )
    square = rows[:, :, tf.newaxis, tf.newaxis] & columns[:, tf.newaxis, :, tf.newaxis]
    return tf.where(square, tf.constant(mean, tf.float32), images)


def _each(values: Any) -> Any:
    """Returns a value per image so that it meets all pixels of it."""
    return values[:, tf.newaxis, tf.newaxis, tf.newaxis]


def scaled(images: Any, full_scale: float) -> Any:
    """Returns images as float32 shares of the value of a white pixel."""
    images = tf.cast(images, tf.float32)
    return images if full_scale == 1 else images / full_scale


def normalised(images: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    """Returns float32 images [..., c] with each channel's mean taken off, divided by its std."""
    return (images - tf.constant(mean, tf.float32)) / tf.constant(std, tf.float32)
