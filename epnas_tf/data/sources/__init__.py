"""Where images come from: the embedded digits, an .npz file, tfds (and, in folder.py, a folder).

Each source returns the three parts as arrays, with the validation part held out by seed where the
source has none. Images that are not kept are not decoded.
"""

from __future__ import annotations

import dataclasses
import math
import zipfile
from typing import IO, Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from sklearn import datasets as sklearn_datasets

from epnas_tf import randomness, untrusted
from epnas_tf.data import arrays, splits
from epnas_tf.data.arrays import Part

# Size of images that come in many sizes, where none is asked for.
DEFAULT_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked of any source; the meaning is that of `data.load`."""

    image_size: int
    train_fraction: float
    seed: int

    def choose(self, labels: np.ndarray, *shares: float) -> list[np.ndarray]:
        """Returns indices: the training part cut to its fraction, then each part held out."""
        rng = randomness.generator(self.seed, "split")
        train, *others = splits.held_out(labels, shares, rng)
        rng = randomness.generator(self.seed, "fraction")
        return [train[splits.fraction_of(labels[train], self.train_fraction, rng)], *others]


@dataclasses.dataclass(frozen=True, eq=False)
class Raw:
    """The parts of a data set, not yet checked against each other."""

    train: Part
    validation: Part
    test: Part | None


def digits(request: Request) -> Raw:
    """Returns scikit-learn's 1,797 digits of 8x8 pixels, split 60/20/20."""
    bunch = sklearn_datasets.load_digits()
    # Its pixels are counts in 0..16.
    images = np.round(bunch.images[..., np.newaxis] * (255 / 16)).astype(np.uint8)
    every = Part(arrays.resized(images, request.image_size), bunch.target.astype(np.int32))
    return Raw(*(every.take(chosen) for chosen in request.choose(every.labels, 0.2, 0.2)))


def npz(path: str, request: Request) -> Raw:
    """Returns the arrays of an .npz file; 20% of x_train are held out where it has no x_val.

    Raises:
        ValueError: The file, or an array in it, is missing or breaks a rule.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError(f"npz:PATH must name an .npz file, {path!r} is none")
    with open(path, "rb") as file:
        archive = _archive(path, file)
        _check_npz(path, archive.files)
        parts = {
            name: _npz_part(archive, name, request.image_size)
            for name in ("train", "val", "test")
            if f"x_{name}" in archive.files
        }
    train, test = parts["train"], parts.get("test")
    if "val" in parts:
        (kept,) = request.choose(train.labels)
        return Raw(train.take(kept), parts["val"], test)
    kept, held = request.choose(train.labels, 0.2)
    return Raw(train.take(kept), train.take(held), test)


def _archive(path: str, file: IO[bytes]) -> Any:
    try:
        archive = np.load(file, allow_pickle=False)
    except untrusted.BAD_ARCHIVE as error:
        raise ValueError(f"{path} must be a whole .npz file: {error}") from error
    if isinstance(archive, np.ndarray):  # an .npy file that ends like an archive
        raise ValueError(f"npz:PATH must name an .npz file, {path!r} is none")
    return archive


def _check_npz(path: str, keys: list[str]) -> None:
    present = [name for name in ("val", "test") if {f"x_{name}", f"y_{name}"} & set(keys)]
    for key in (f"{axis}_{name}" for name in ("train", *present) for axis in "xy"):
        if key not in keys:
            raise ValueError(f"{path} must hold {key}, it has {sorted(keys)}")
    size = untrusted.unpacked_bytes(path)
    arrays.check_memory(path, size, "store fewer or smaller images")


def _npz_part(archive: Any, name: str, image_size: int) -> Part:
    x, y = f"x_{name}", f"y_{name}"
    try:
        images, labels = archive[x], archive[y]
    except untrusted.BAD_ARCHIVE as error:
        raise ValueError(f"{x} and {y} must be readable without pickle: {error}") from error
    part = arrays.checked(images, labels, x, y)
    return Part(arrays.resized(part.images, image_size), part.labels)


def tfds_set(name: str, data_dir: str, request: Request) -> Raw:
    """Returns a data set that tfds has prepared; nothing is downloaded.

    The last of tfds' labelled splits `test` and `validation` becomes the test part: published
    figures are measured on it, and a search must not choose by it. The validation part is tfds' own
    where it has both, else 10% of `train`.

    Raises:
        ValueError: The name is unknown, the data are not there, or not for image classification.
    """
    builder = _builder(name, data_dir)
    image_key, label_key, shape = _features(name, builder)
    size = request.image_size or (0 if None not in shape[:2] else DEFAULT_SIZE)
    labels = {
        split: _tfds_labels(builder, split, image_key, label_key)
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
    images = _tfds_images(builder, "train", image_key, kept, pixels)
    parts = [
        Part(images[np.searchsorted(kept, indices)], labels["train"][indices]) for indices in chosen
    ]
    for split in others:
        every = np.arange(len(labels[split]))
        parts.append(Part(_tfds_images(builder, split, image_key, every, pixels), labels[split]))
    return Raw(parts[0], parts[1], parts[2] if len(parts) > 2 else None)


def _builder(name: str, data_dir: str) -> Any:
    if data_dir and not tf.io.gfile.isdir(data_dir):
        raise ValueError(f"data_dir must name a directory, {data_dir!r} does not exist")
    try:
        builder = tfds.builder(name, data_dir=data_dir or None, try_gcs=False)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        raise ValueError(
            "dataset must be digits, folder:PATH, npz:PATH or the name of a tfds data set, "
            f"got {name!r}"
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


def _tfds_raw(builder: Any, split: str, image_key: str) -> tf.data.Dataset:
    """The split in tfds' own fixed order, images not decoded."""
    undecoded = {image_key: tfds.decode.SkipDecoding()}
    # tfds would otherwise cache small sets, which are kept as arrays anyway.
    config = tfds.ReadConfig(try_autocache=False)
    return builder.as_dataset(
        split=split, decoders=undecoded, shuffle_files=False, read_config=config
    )


def _tfds_labels(builder: Any, split: str, image_key: str, label_key: str) -> np.ndarray:
    dataset = _tfds_raw(builder, split, image_key).map(lambda example: example[label_key])
    return np.concatenate([batch.numpy() for batch in dataset.batch(1024)]).astype(np.int32)


def _tfds_images(
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
        _tfds_raw(builder, split, image_key), tf.data.Dataset.from_tensor_slices(kept)
    )
    dataset = dataset.filter(lambda _, keep: keep)
    dataset = dataset.map(image_of, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    images = np.empty((len(indices), *shape), np.uint8)
    start = 0
    for batch in dataset.batch(256):
        images[start : start + len(batch)] = batch
        start += len(batch)
    return images
