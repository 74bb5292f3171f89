"""Image data in memory: what a data set is here, and `load`, which finds one by name.

Arrays rather than streams on purpose: a search trains hundreds of small networks on the same small
images, and memory serves them faster than any disk. Every split depends on the seed alone. A search
trains on `train` and compares on `validation`; `test` is for one final measurement.
"""

from __future__ import annotations

import dataclasses
import importlib

import numpy as np

from epnas_tf.data import arrays, given, splits
from epnas_tf.data.arrays import Split
from epnas_tf.data.augment import Augmentation, suited_to
from epnas_tf.data.labels import Classes
from epnas_tf.data.names import DatasetName
from epnas_tf.data.sources.common import Raw, Request
from epnas_tf.fields import SettingError

__all__ = ["Data", "Split", "from_arrays", "load"]


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """A data set for training and comparing networks.

    Attributes:
      name: what the user called it.
      train: what networks are trained on.
      validation: what networks are compared by.
      test: never used by a search; None where there is no labelled one.
      classes: what labels 0..k-1 stand for.
      augmentation: how training images are varied.
      full_scale: value of a white pixel: 255 for bytes.
      mean: mean of each channel over the training split, as a share of the full scale.
      std: standard deviation of each channel over the training split, on the same scale.
      notes: what a person should know of it, a line each.
    """

    name: str
    train: Split
    validation: Split
    test: Split | None
    classes: Classes
    augmentation: Augmentation
    full_scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.augmentation.check_fits(*self.input_shape[:2])

    @property
    def num_classes(self) -> int:
        """Labels are 0..num_classes-1."""
        return len(self.classes)

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
      name: `digits`; `folder:PATH`, a directory per class, or of these in `train` and optionally
        `validation` (or `val`) and `test`; `npz:PATH` with x_train, y_train and optionally
        x_val, y_val, x_test, y_test; else the tfds name of an image classification set that
        has been prepared in `data_dir`.
      data_dir: where tfds keeps its data; empty takes tfds' own default.
      image_size: height and width to resize to; 0 keeps the size of the images (32 where these
        differ in size).
      train_fraction: stratified share of the training split that is kept.
      seed: what the splits depend on.

    Raises:
      SettingError: an argument breaks a rule.
      ValueError: the data break a rule, which is named.
    """
    if image_size < 0:
        raise SettingError("image_size", f"must be >= 0, got {image_size}")
    splits.check_fraction(train_fraction)
    dataset = DatasetName.parse(name)
    request = Request(
        image_size=image_size, train_fraction=train_fraction, seed=seed, data_dir=data_dir
    )
    # By name, so that a source is a file and a line in the table of names, and so that nobody waits
    # for the libraries of a source that is not used.
    source = importlib.import_module(f"epnas_tf.data.sources.{dataset.source}")
    raw: Raw = source.load(dataset.path, request)
    return _data(name, raw)


def from_arrays(
    x: np.ndarray,
    y: np.ndarray,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    validation_split: float = 0.2,
    seed: int = 0,
    name: str = "arrays",
    sample_weight: np.ndarray | None = None,
) -> Data:
    """Makes a data set of images and labels as Keras' `fit` takes them.

    Examples are put in an order that their content alone decides: the same images, shuffled, are
    the same data set (DECISIONS 65).

    Args:
      x: images [n, h, w, c], or [n, h, w] for grey ones; integers or floats of any scale.
      y: labels, whole numbers, truth values or text [n] or [n, 1], or one-hot [n, classes].
      validation_data: the validation split, in the same form.
      validation_split: stratified share held out of x where there is no validation_data.
      seed: what the split depends on.
      name: what to call it.
      sample_weight: of each image of x in the training loss, [n], finite and at least 0; images
        held out of x are measured without it.

    Raises:
      ValueError: the arrays break a rule, which is named.
    """
    if validation_data is None and not 0 < validation_split < 1:
        raise ValueError(f"validation_split must be in (0, 1), got {validation_split}")
    pairs = {"train": (x, y)} | ({} if validation_data is None else {"val": validation_data})
    request = Request(seed=seed)
    raw = given.prepared(
        pairs,
        request,
        validation_split,
        titles=_TITLES,
        by_content=True,
        weights=sample_weight,
    )
    return _data(name, raw)


_TITLES = {"train": ("x", "y"), "val": ("x of validation_data", "y of validation_data")}


def _data(name: str, raw: Raw) -> Data:
    """Checks the splits against each other and measures the training split."""
    train = raw.train
    for split, title in ((raw.validation, "validation"), (raw.test, "test")):
        if split is not None:
            arrays.check_alike(split, title, train)
    mean, std = arrays.channel_statistics(train.images, raw.full_scale)
    flip = name.partition("/")[0] not in _NEVER_FLIPPED
    return Data(
        name=name,
        train=train,
        validation=raw.validation,
        test=raw.test,
        classes=raw.classes,
        augmentation=suited_to(train.images.shape[1:], flip=flip),
        full_scale=raw.full_scale,
        mean=mean,
        std=std,
        notes=raw.notes,
    )
