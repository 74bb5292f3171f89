"""Data sets that tfds has prepared."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from epnas_tf.data import arrays, copies, names
from epnas_tf.data.arrays import Split
from epnas_tf.data.labels import Classes
from epnas_tf.data.sources.common import DEFAULT_SIZE, Raw, Request
from epnas_tf.fields import SettingError

_SPLITS = ("training", "validation", "test")


def load(name: str, request: Request) -> Raw:
    """Returns a data set that tfds has prepared; nothing is downloaded.

    The last of tfds' labelled splits `test` and `validation` becomes the test split: published
    figures are measured on it, and a search must not choose by it. The validation split is tfds'
    own where it has both, else 10% of `train`.

    Raises:
      SettingError: the name is unknown, or data_dir is not there.
      ValueError: the data are not there, or not for image classification.
    """
    builder = _builder(name, request.data_dir)
    image_key, label_key, shape = _features(name, builder)
    size = request.image_size or (0 if None not in shape[:2] else DEFAULT_SIZE)
    labels = {
        split: _labels(builder, split, image_key, label_key)
        for split in ("train", "validation", "test")
        if split in builder.info.splits
    }
    # Some sets have a test split whose labels are kept secret and given as -1.
    labels = {split: values for split, values in labels.items() if values.min() >= 0}
    if "train" not in labels:
        raise ValueError(f"data set {name!r} must have a labelled split train, got {list(labels)}")
    own_validation = "validation" in labels and "test" in labels
    chosen = request.choose(labels["train"], *([] if own_validation else [0.1]))
    others = [split for split in labels if split != "train"]
    pixels = (size, size, shape[2]) if size else shape
    count = sum(map(len, chosen)) + sum(len(labels[split]) for split in others)
    arrays.check_memory(name, count * math.prod(pixels))

    kept = np.sort(np.concatenate(chosen))
    images = _images(builder, "train", image_key, kept, pixels)
    splits = [
        Split(images[np.searchsorted(kept, indices)], labels["train"][indices])
        for indices in chosen
    ]
    for split in others:
        every = np.arange(len(labels[split]))
        splits.append(Split(_images(builder, split, image_key, every, pixels), labels[split]))
    test = splits[2] if len(splits) > 2 else None
    classes = Classes(tuple(builder.info.features[label_key].names))
    return Raw(splits[0], splits[1], test, classes, notes=_notes(splits))


def _notes(splits: list[Split]) -> tuple[str, ...]:
    """Says what copies a published data set has; its splits stay as everybody measures on them."""
    digests = [copies.digests_of(split.images) for split in splits]
    counts = {
        title: len(own) - len(copies.outside(own, *digests[:place]))
        for place, (title, own) in enumerate(zip(_SPLITS, digests, strict=False))
        if place
    }
    said = [f"{count} of the {title} split" for title, count in counts.items() if count]
    return (f"copies of images in an earlier split: {', '.join(said)}",) if said else ()


def _builder(name: str, data_dir: str) -> Any:
    if data_dir and not tf.io.gfile.isdir(data_dir):
        raise SettingError("data_dir", f"must name a directory, {data_dir!r} does not exist")
    namespace, _, rest = name.partition(":")
    if rest and not re.match(r"[\d*]|experimental", rest):  # else a version
        raise SettingError(
            "dataset",
            f"must be {names.FORMS} or the name of a tfds data set, got {name!r} ({namespace}: is "
            "no source, and nothing is downloaded: save its images as a folder or an .npz file)",
        )
    try:
        builder = tfds.builder(name, data_dir=data_dir or None, try_gcs=False)
    except ImportError as error:
        reason = f"{name!r} needs a library that is not installed ({error})"
        raise SettingError("dataset", reason) from error
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        raise SettingError(
            "dataset", f"must be {names.FORMS} or the name of a tfds data set, got {name!r}"
        ) from error
    if not builder.info.splits:
        raise ValueError(
            f"data set {name!r} must have been prepared in data_dir {builder.data_dir!r}, which "
            f"holds none (`tfds build {name} --data_dir=...` prepares it)"
        )
    return builder


def _features(name: str, builder: Any) -> tuple[str, str, tuple[int, ...]]:
    """Returns the names of image and label, and the shape of an image."""
    keys = builder.info.supervised_keys
    features = builder.info.features
    if (
        keys is None
        or len(keys) != 2
        or not isinstance(features[keys[0]], tfds.features.Image)
        or not isinstance(features[keys[1]], tfds.features.ClassLabel)
        or features[keys[0]].np_dtype != np.uint8
    ):
        raise ValueError(
            f"data set {name!r} must be one of image classification (an image of 8 bits, a class)"
        )
    return keys[0], keys[1], features[keys[0]].shape


def _raw(builder: Any, split: str, image_key: str) -> tf.data.Dataset:
    """The split in tfds' own fixed order, images not decoded."""
    undecoded = {image_key: tfds.decode.SkipDecoding()}
    # tfds would otherwise cache small sets, which are kept as arrays anyway.
    config = tfds.ReadConfig(try_autocache=False)
    return builder.as_dataset(
        split=split, decoders=undecoded, shuffle_files=False, read_config=config
    )


def _labels(builder: Any, split: str, image_key: str, label_key: str) -> np.ndarray:
    dataset = _raw(builder, split, image_key).map(lambda example: example[label_key])
    return np.concatenate([batch.numpy() for batch in dataset.batch(1024)]).astype(np.int32)


def _images(
    builder: Any, split: str, image_key: str, indices: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Returns the images at these sorted indices of a split, in this shape."""
    decode = builder.info.features[image_key].decode_example
    kept = np.zeros(builder.info.splits[split].num_examples, bool)
    kept[indices] = True

    def image_of(example: dict[str, Any], _: Any) -> tf.Tensor:
        image = decode(example[image_key])
        if image.shape != shape:
            image = arrays.resize(image, shape[0])
        return tf.ensure_shape(image, shape)

    dataset = tf.data.Dataset.zip(
        _raw(builder, split, image_key), tf.data.Dataset.from_tensor_slices(kept)
    )
    dataset = dataset.filter(lambda _, keep: keep)
    dataset = dataset.map(image_of, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    images = np.empty((len(indices), *shape), np.uint8)
    start = 0
    for batch in dataset.batch(256):
        images[start : start + len(batch)] = batch
        start += len(batch)
    return images
