"""Images from a folder that holds a directory per class, or `train` and other splits that do."""

from __future__ import annotations

import concurrent.futures
import contextlib
import sys
import threading
from pathlib import Path

import numpy as np
import tensorflow as tf

from epnas_tf.data import arrays, image_header
from epnas_tf.data.arrays import Split
from epnas_tf.data.sources.common import DEFAULT_SIZE, Raw, Request

# Files named one by one in the warning about those that were skipped.
_MAX_NAMED = 20
# An image of more takes 0.4 GB and more while it is decoded and resized.
_MAX_PIXELS = 2**27
# Of larger images than this, one is decoded at a time.
_LARGE_PIXELS = 2**22
_one_large = threading.Lock()

# Paths of files and their labels.
_Files = tuple[list[Path], np.ndarray]


def load(path: str, request: Request) -> Raw:
    """Returns the images of a folder, resized; the order of classes is that of their names.

    Without sub-folders `train`, `validation` (or `val`) and `test`, images are split 60/20/20; with
    them, 20% of `train` are held out where there is no `validation`. Files that TensorFlow cannot
    decode, or that are of over 134 million pixels, are named on stderr and skipped. Where every
    image is grey, so are the arrays.

    Raises:
      ValueError: the folder is missing or has too few classes or images.
    """
    root = Path(path)
    if not path or not root.is_dir():
        raise ValueError(f"folder:PATH must name a directory, {path!r} does not exist")
    files = _splits(root, request)
    size = request.image_size or DEFAULT_SIZE
    arrays.check_memory(path, sum(len(paths) for paths, _ in files) * size * size * 3)
    read = [_read(paths, labels, size) for paths, labels in files]
    _warn([reason for _, _, reasons in read for reason in reasons])
    grey = all(image.shape[2] == 1 for images, _, _ in read for image in images)
    splits = [_stacked(images, labels, 1 if grey else 3) for images, labels, _ in read]
    return Raw(splits[0], splits[1], splits[2] if len(splits) > 2 else None)


def _splits(root: Path, request: Request) -> list[_Files]:
    """Returns the files of the two or three splits: training, validation, test."""
    if not (root / "train").is_dir():
        paths, labels = _training_files(root, _classes(root))
        return [_take(paths, labels, chosen) for chosen in request.choose(labels, 0.2, 0.2)]
    classes = _classes(root / "train")
    paths, labels = _training_files(root / "train", classes)
    validation = [root / name for name in ("validation", "val") if (root / name).is_dir()]
    chosen = request.choose(labels, *([] if validation else [0.2]))
    splits = [_take(paths, labels, indices) for indices in chosen]
    test = [root / "test"] if (root / "test").is_dir() else []
    return splits + [_files(folder, classes) for folder in validation[:1] + test]


def _classes(root: Path) -> list[str]:
    classes = [entry.name for entry in sorted(root.iterdir()) if _visible(entry) and entry.is_dir()]
    if len(classes) < 2:
        raise ValueError(f"{root} must hold at least 2 directories, one per class, got {classes}")
    return classes


def _training_files(root: Path, classes: list[str]) -> _Files:
    """Returns the files of a folder in which no class may be empty."""
    paths, labels = _files(root, classes)
    for label, name in enumerate(classes):
        if not (labels == label).any():
            raise ValueError(f"{root / name} must hold images, got none")
    return paths, labels


def _files(root: Path, classes: list[str]) -> _Files:
    """Returns every file of the classes' directories, in sorted order, and its class."""
    others = {entry.name for entry in root.iterdir() if _visible(entry) and entry.is_dir()}
    if not others <= set(classes):
        unknown = sorted(others - set(classes))
        raise ValueError(
            f"directories of {root} must be among the classes {classes}, got {unknown}"
        )
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = (path for path in (root / name).rglob("*") if _visible(path) and path.is_file())
        paths.extend(sorted(found))
        labels.extend([label] * (len(paths) - len(labels)))
    if not paths:
        raise ValueError(f"{root} must hold images, got none")
    return paths, np.array(labels, np.int32)


def _visible(path: Path) -> bool:
    return not path.name.startswith(".")


def _take(paths: list[Path], labels: np.ndarray, chosen: np.ndarray) -> _Files:
    return [paths[index] for index in chosen], labels[chosen]


def _read(
    paths: list[Path], labels: np.ndarray, size: int
) -> tuple[list[np.ndarray], np.ndarray, list[str]]:
    """Returns the images that can be read, their labels, and of each other file what is wrong."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda path: _decoded(path, size), paths))
    readable = np.array([not isinstance(image, str) for image in found], bool)
    images = [image for image in found if not isinstance(image, str)]
    return images, labels[readable], [reason for reason in found if isinstance(reason, str)]


def _decoded(path: Path, size: int) -> np.ndarray | str:
    """Returns uint8 [size, size, 1 or 3], or why the file is no image that can be taken."""
    try:
        content = tf.io.read_file(str(path))
        pixels = image_header.pixels(content.numpy())
        if pixels > _MAX_PIXELS:
            return f"{path}: must have at most {_MAX_PIXELS} pixels, has {pixels}"
        with _one_large if pixels > _LARGE_PIXELS else contextlib.nullcontext():
            return _resized(content, size)
    except tf.errors.OpError:
        return f"{path}: not an image that can be read"


def _resized(content: tf.Tensor, size: int) -> np.ndarray:
    image = tf.io.decode_image(content, expand_animations=False)
    # An alpha channel, the second of grey images and the fourth of colour ones, is left out.
    image = image[..., :1] if image.shape[2] <= 2 else image[..., :3]
    return arrays.resize(image, size).numpy()


def _stacked(images: list[np.ndarray], labels: np.ndarray, channels: int) -> Split:
    if not images:
        raise ValueError("every split of a folder must hold images that can be read, got none")
    stack = np.empty((len(images), *images[0].shape[:2], channels), np.uint8)
    for row, image in zip(stack, images, strict=True):
        row[...] = image
    return Split(stack, labels)


def _warn(skipped: list[str]) -> None:
    for reason in skipped[:_MAX_NAMED]:
        print(f"warning: skipped {reason}", file=sys.stderr)
    if len(skipped) > _MAX_NAMED:
        print(f"warning: and {len(skipped) - _MAX_NAMED} more", file=sys.stderr)
