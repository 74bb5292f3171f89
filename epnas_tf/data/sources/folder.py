"""Images from a folder that holds a directory per class, or splits that do."""

from __future__ import annotations

import concurrent.futures
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from epnas_tf.data import arrays, copies, image_file, image_folder
from epnas_tf.data.arrays import Split
from epnas_tf.data.decoding import UnreadableImageError
from epnas_tf.data.image_folder import Files, Folder
from epnas_tf.data.labels import Classes
from epnas_tf.data.sources.common import DEFAULT_SIZE, Raw, Request

# Files named one by one in the warning about those that were skipped.
_MAX_NAMED = 20


def load(path: str, request: Request) -> Raw:
    """Returns the images of a folder, resized; the order of classes is that of their names.

    Without folders of splits (`image_folder`), images are split 60/20/20; with them, 20% of `train`
    are held out where there is no validation. Files that cannot be decoded are named on stderr and
    skipped, as if they were not there. Where every image is grey, so are the arrays.

    Raises:
      ValueError: the folder is missing, is not laid out as it must be, or holds a class or split
        without an image that can be read.
    """
    root = Path(path)
    if not path or not root.is_dir():
        raise ValueError(f"folder:PATH must name a directory, {path!r} does not exist")
    folder = image_folder.found_in(root)
    size = request.image_size or DEFAULT_SIZE
    count = sum(len(files.paths) for files in folder.splits.values())
    arrays.check_memory(path, count * size * size * 3)
    reader = _Reader(size)
    splits, notes = _splits(folder, request, reader)
    reader.warn()
    grey = all(reader.images[path].shape[2] == 1 for files in splits for path in files.paths)
    stacked = [reader.stacked(files, 1 if grey else 3) for files in splits]
    return Raw(
        stacked[0],
        stacked[1],
        stacked[2] if len(stacked) > 2 else None,
        Classes(folder.classes),
        notes=(*folder.notes, *reader.notes(), *notes, *_of_one_colour(stacked)),
    )


class _Reader:
    """Decodes files, each once.

    Attributes:
      images: uint8 [size, size, 1 or 3] of each file that could be read.
      reasons: why each other one could not.
    """

    def __init__(self, size: int):
        self.images: dict[Path, np.ndarray] = {}
        self.reasons: dict[Path, str] = {}
        self._size = size
        self._read_in_all = 0

    def failed(self, paths: Sequence[Path]) -> set[Path]:
        """Reads files and returns those that cannot be."""
        new = [path for path in paths if path not in self.images and path not in self.reasons]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for path, found in zip(new, pool.map(self._read, new), strict=True):
                if isinstance(found, str):
                    self.reasons[path] = found
                else:
                    self.images[path] = found
                    self._read_in_all += 1
        return {path for path in paths if path in self.reasons}

    def _read(self, path: Path) -> np.ndarray | str:
        """Returns the resized image, or why the file is none that can be taken."""
        try:
            return image_file.read(path, (self._size, self._size))
        except (UnreadableImageError, OSError) as error:
            return str(error)

    def stacked(self, files: Files, channels: int) -> Split:
        """Returns files as arrays; each image is let go once it is copied."""
        stack = np.empty((len(files.paths), self._size, self._size, channels), np.uint8)
        for row, path in zip(stack, files.paths, strict=True):
            row[...] = self.images.pop(path)
        return Split(stack, files.labels)

    def check_classes(self, readable: Files, every: Files, classes: Sequence[str]) -> None:
        """Raises ValueError for a class of which no file could be read; its labels would shift."""
        for label in np.setdiff1d(every.labels, readable.labels):
            lost = every.take(np.flatnonzero(every.labels == label)).paths
            first = next(path for path in lost if path in self.reasons)
            raise ValueError(
                f"images of class {classes[label]} must be readable, none of {len(lost)} files is: "
                f"{first}: {self.reasons[first]}"
            )

    def notes(self) -> tuple[str, ...]:
        """Says how many files were skipped."""
        skipped, every = len(self.reasons), len(self.reasons) + self._read_in_all
        return (f"{skipped} of {every} files were skipped, as said above",) if skipped else ()

    def warn(self) -> None:
        """Names what was skipped on stderr."""
        skipped = [f"{path}: {reason}" for path, reason in sorted(self.reasons.items())]
        for line in skipped[:_MAX_NAMED]:
            print(f"warning: skipped {line}", file=sys.stderr)
        if len(skipped) > _MAX_NAMED:
            print(f"warning: and {len(skipped) - _MAX_NAMED} more", file=sys.stderr)


def _splits(
    folder: Folder, request: Request, reader: _Reader
) -> tuple[list[Files], tuple[str, ...]]:
    """Returns the files of the two or three splits, all of them read, and what to say of copies."""
    found = image_folder.digests_of(folder.splits.values())
    digests = dict(zip(folder.splits, found, strict=True))
    splits, within = _chosen(folder, digests["train"], request, reader)
    left_out = {}
    for title, indices in copies.without(digests).items():
        files = folder.splits[title]
        own = files.take(indices)
        left_out[title] = len(files.paths) - len(own.paths)
        readable = own.without(reader.failed(own.paths))
        reader.check_classes(readable, own, folder.classes)
        splits.append(readable)
    return splits, tuple(filter(None, [copies.report(left_out, within)]))


def _held_out_of(folder: Folder) -> tuple[float, ...]:
    """Returns the shares of the training split that become those that are not given."""
    if not folder.is_split:
        return (0.2, 0.2)
    return () if "validation" in folder.splits else (0.2,)


def _chosen(
    folder: Folder, digests: np.ndarray, request: Request, reader: _Reader
) -> tuple[list[Files], int]:
    """Returns the training split and those held out of it, and the number of copies in them.

    A file that cannot be read holds no place: the choice is made again without it, so that one that
    comes or goes changes nothing (a system's own, for instance).
    """
    files = every = folder.splits["train"]
    digest_of = dict(zip(every.paths, digests, strict=True))
    shares = _held_out_of(folder)
    while True:
        own = np.array([digest_of[path] for path in files.paths], np.uint64)
        found = copies.among(own, files.labels)
        chosen = request.choose(files.labels, *shares, copies=found, names=folder.classes)
        splits = [files.take(indices) for indices in chosen]
        failed = reader.failed([path for split in splits for path in split.paths])
        if not failed:
            return splits, found.count
        files = files.without(failed)
        reader.check_classes(files, every, folder.classes)


def _of_one_colour(splits: Sequence[Split]) -> tuple[str, ...]:
    """Says how many images show nothing: of one colour, as a lost or transparent drawing is."""
    count = sum(
        int((split.images.max((1, 2)) == split.images.min((1, 2))).all(1).sum()) for split in splits
    )
    if not count:
        return ()
    of = sum(map(len, splits))
    return (f"{count} of {of} images are of a single colour: do they show anything?",)
