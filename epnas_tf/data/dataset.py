"""Image data in memory: what a data set is here, and `load`, which finds one by name.

Arrays rather than streams on purpose: a search trains hundreds of small networks on the same small
images, and memory serves them faster than any disk. Every split depends on the seed alone. A search
trains on `train` and compares on `validation`; `test` is for one final measurement.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from epnas_tf import randomness
from epnas_tf.data import arrays, sources, splits
from epnas_tf.data.arrays import Part
from epnas_tf.data.augment import Augmentation, suited_to
from epnas_tf.data.sources import folder

__all__ = ["Data", "Part", "from_arrays", "load"]


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """A data set for training and comparing networks.

    Attributes:
        name: What the user called it.
        train: What networks are trained on.
        validation: What networks are compared by.
        test: Never used by a search; None where there is no labelled one.
        num_classes: Labels are 0..num_classes-1.
        augmentation: How training images are varied.
        mean: Mean of each channel over the training part, at full scale 1 for uint8 images.
        std: Standard deviation of each channel over the training part, on the same scale.
    """

    name: str
    train: Part
    validation: Part
    test: Part | None
    num_classes: int
    augmentation: Augmentation
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.train.images.shape[1:]
        return int(height), int(width), int(channels)


# Colour images in which a mirror image is another class (or none).
_NEVER_FLIPPED = ("svhn_cropped",)


def load(
    name: str,
    *,
    data_dir: str = "",
    image_size: int = 0,
    train_fraction: float = 1.0,
    seed: int = 0,
) -> Data:
    """Loads a data set by name.

    Args:
        name: `digits`; `folder:PATH`, a directory a class, or of these in `train` and optionally
            `validation` (or `val`) and `test`; `npz:PATH` with x_train, y_train and optionally
            x_val, y_val, x_test, y_test; else the tfds name of an image classification set that
            has been prepared in `data_dir`.
        data_dir: Where tfds keeps its data; empty takes tfds' own default.
        image_size: Height and width to resize to; 0 keeps the size of the images (32 where these
            differ in size).
        train_fraction: Stratified share of the training part that is kept.
        seed: What the splits depend on.

    Raises:
        ValueError: Something about the arguments or the data breaks a rule, which is named.
    """
    if image_size < 0:
        raise ValueError(f"image_size must be >= 0, got {image_size}")
    if not 0 < train_fraction <= 1:
        raise ValueError(f"train_fraction must be in (0, 1], got {train_fraction}")
    request = sources.Request(image_size, train_fraction, seed)
    kind, _, path = name.partition(":")
    if name == "digits":
        raw = sources.digits(request)
    elif kind == "folder":
        raw = folder.folder(path, request)
    elif kind == "npz":
        raw = sources.npz(path, request)
    else:
        raw = sources.tfds_set(name, data_dir, request)
    return _data(name, raw)


def from_arrays(
    x: np.ndarray,
    y: np.ndarray,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    validation_split: float = 0.2,
    seed: int = 0,
    name: str = "arrays",
) -> Data:
    """Makes a data set of images and labels as Keras' `fit` takes them.

    Args:
        x: Images [n, h, w, c], or [n, h, w] for grey ones; integers in 0..255 or floats.
        y: Labels, integers [n] or [n, 1] from 0, or one-hot [n, classes].
        validation_data: The validation part, in the same form.
        validation_split: Stratified share held out of x where there is no validation_data.
        seed: What the split depends on.
        name: What to call it.

    Raises:
        ValueError: The arrays break a rule, which is named.
    """
    train = arrays.checked(x, y, "x", "y")
    if validation_data is not None:
        validation = arrays.checked(*validation_data, "x of validation_data", "y of it")
    else:
        if not 0 < validation_split < 1:
            raise ValueError(f"validation_split must be in (0, 1), got {validation_split}")
        rng = randomness.generator(seed, "split")
        kept, held = splits.held_out(train.labels, (validation_split,), rng)
        train, validation = train.take(kept), train.take(held)
    return _data(name, sources.Raw(train, validation, None))


def _data(name: str, raw: sources.Raw) -> Data:
    """Checks the parts against each other and measures the training part."""
    train = raw.train
    num_classes = arrays.count_classes(train.labels)
    for part, title in ((raw.validation, "validation"), (raw.test, "test")):
        if part is not None:
            arrays.check_alike(part, title, train, num_classes)
    mean, std = arrays.channel_statistics(train.images)
    flip = name.partition("/")[0] not in _NEVER_FLIPPED
    return Data(
        name=name,
        train=train,
        validation=raw.validation,
        test=raw.test,
        num_classes=num_classes,
        augmentation=suited_to(train.images.shape[1:], flip=flip),
        mean=mean,
        std=std,
    )
