"""Which files of a folder are images of which class and split; nothing is decoded here.

Hidden files and folders are none of the data, wherever they stand. `train` and its like are splits
where they hold folders of classes, else they are classes themselves (DECISIONS 66).
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from epnas_tf.data import copies

# What people call a split, in any case.
_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
_SPLIT_OF = {name: split for split, names in _SPLITS.items() for name in names}

# How names begin that a system, an editor or a shell gave: nobody's classes.
_HIDDEN = (".", "$", "@", "~", "__")


@dataclasses.dataclass(frozen=True, eq=False)
class Files:
    """Files of one split and the class of each.

    Attributes:
      paths: of the files.
      labels: int32 [n].
    """

    paths: list[Path]
    labels: np.ndarray

    def take(self, chosen: np.ndarray) -> Files:
        """Returns the files at these indices."""
        return Files([self.paths[index] for index in chosen], self.labels[chosen])

    def without(self, left_out: set[Path]) -> Files:
        """Returns the files but for some."""
        kept = [index for index, path in enumerate(self.paths) if path not in left_out]
        return self.take(np.array(kept, np.int64))


@dataclasses.dataclass(frozen=True, eq=False)
class Folder:
    """What a folder holds.

    Attributes:
      classes: names of the classes, in the order of their labels.
      splits: files by "train", "validation", "test".
      is_split: whether it holds splits, rather than classes alone that are to be split.
      notes: what a person should know, a line each.
    """

    classes: tuple[str, ...]
    splits: dict[str, Files]
    is_split: bool
    notes: tuple[str, ...]


def found_in(root: Path) -> Folder:
    """Returns what a folder holds.

    Raises:
      ValueError: it is not laid out as splits or classes; what is wrong is named.
    """
    folders = _splits_of(root)
    classes = _classes(folders["train"])
    splits = {split: _files(folder, classes) for split, folder in folders.items()}
    empty = [n for label, n in enumerate(classes) if label not in splits["train"].labels]
    if empty:
        raise ValueError(f"{folders['train'] / empty[0]} must hold images, got none")
    return Folder(classes, splits, folders["train"] != root, _notes(root, folders))


def digests_of(files: Collection[Files]) -> list[np.ndarray]:
    """Returns uint64 [n] for each split, equal where files are equal in every byte.

    Only files that share their size with another one are read.
    """
    sizes = {path: path.stat().st_size for split in files for path in split.paths}
    files_of = Counter(sizes.values())

    def digest(path: Path) -> int:
        alone = files_of[sizes[path]] == 1
        return copies.digest_of(os.fsencode(path) if alone else path.read_bytes())

    return [np.array([digest(path) for path in each.paths], np.uint64) for each in files]


def _splits_of(root: Path) -> dict[str, Path]:
    """Returns the folders of the splits; `root` itself as "train" where it holds classes."""
    folders = _folders(root)
    named = {folder: _SPLIT_OF.get(folder.name.lower()) for folder in folders}
    of_classes = [folder for folder, split in named.items() if split and _holds_classes(folder)]
    if not of_classes:
        return {"train": root}
    if "train" not in (named[folder] for folder in of_classes):
        raise ValueError(
            f"{root} holds {_names(of_classes)}, which look like splits, but no train: name one of "
            f"{', '.join(_SPLITS['train'])}, or put images right into each class"
        )
    others = [folder for folder in folders if folder not in of_classes]
    if others:
        raise ValueError(
            f"folders beside {_names(of_classes)} in {root} must be splits of classes too "
            f"({', '.join(_SPLIT_OF)}), got {_names(others)}"
        )
    splits: dict[str, Path] = {}
    for folder in of_classes:
        split = str(named[folder])
        if split in splits:
            raise ValueError(
                f"{root} must hold one {split} split, got {_names([splits[split], folder])}"
            )
        splits[split] = folder
    return {split: splits[split] for split in _SPLITS if split in splits}


def _holds_classes(folder: Path) -> bool:
    """Says whether a folder holds folders, and no image of its own."""
    return bool(_folders(folder)) and not any(_is_image(path) for path in _own_files(folder))


def _is_image(path: Path) -> bool:
    """Guesses from a name; a file that a person left beside classes is seldom called so."""
    endings = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".avif")
    return path.suffix.lower() in endings


def _names(folders: Sequence[Path]) -> str:
    return ", ".join(sorted(folder.name for folder in folders))


def _classes(root: Path) -> tuple[str, ...]:
    classes = tuple(folder.name for folder in _folders(root))
    if len(classes) < 2:
        raise ValueError(
            f"{root} must hold at least 2 directories, one per class, got {list(classes)}"
        )
    return classes


def _files(root: Path, classes: Sequence[str]) -> Files:
    """Returns every visible file of the classes' directories, in sorted order, and its class."""
    unknown = [folder.name for folder in _folders(root) if folder.name not in classes]
    if unknown:
        raise ValueError(
            f"directories of {root} must be among the classes {list(classes)}, got {unknown}"
        )
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        if (root / name).is_dir():
            paths.extend(visible_files(root / name))
        labels.extend([label] * (len(paths) - len(labels)))
    if not paths:
        raise ValueError(f"{root} must hold images, got none")
    return Files(paths, np.array(labels, np.int32))


def visible_files(folder: Path) -> list[Path]:
    """Returns the files in a folder and the folders below, hidden ones left out, in order."""
    return sorted(_all_files(folder))


def _all_files(folder: Path) -> Iterator[Path]:
    yield from _own_files(folder)
    for below in _folders(folder):
        if not below.is_symlink():  # it may lead in a circle
            yield from _all_files(below)


def _own_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not _is_hidden(path) and path.is_file()]


def _folders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not _is_hidden(path) and path.is_dir()]


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(_HIDDEN)


def _notes(root: Path, folders: dict[str, Path]) -> tuple[str, ...]:
    """Says what lies about and is none of the data; what begins with a dot hides on purpose."""
    places = {root, *folders.values()}
    loose = sum(_is_image(path) for place in places for path in _own_files(place))
    hidden = {
        path.name
        for place in places
        for path in place.iterdir()
        if _is_hidden(path) and path.is_dir() and not path.name.startswith(".")
    }
    notes = []
    if loose:
        notes.append(f"left out: {loose} images that lie beside the folders of classes")
    if hidden:
        notes.append(f"left out as folders of a system: {', '.join(sorted(hidden))}")
    return tuple(notes)
