"""Names of data sets: `digits`, `folder:PATH`, `npz:PATH`, else what tfds calls a data set."""

from __future__ import annotations

import dataclasses
import enum
import os


class Place(enum.Enum):
    """What follows the name of a source and a colon."""

    NOTHING = "no path: the name of the source is the whole name"
    FILE = "path of a file"
    FOLDER = "path of a folder of images"
    ELSEWHERE = "the whole name, which no other source knows"


# A line per source; `sources/NAME.py` has its `load`.
SOURCES = {
    "digits": Place.NOTHING,
    "folder": Place.FOLDER,
    "npz": Place.FILE,
    "tfds": Place.ELSEWHERE,
}

# How names are written, for messages and help; any other name is one of tfds.
FORMS = ", ".join(
    source if place is Place.NOTHING else f"{source}:PATH"
    for source, place in SOURCES.items()
    if place is not Place.ELSEWHERE
)


def absolute(path: str) -> str:
    """Returns a path that means the same from everywhere; one with a scheme does already."""
    return path if not path or "://" in path else os.path.abspath(path)


@dataclasses.dataclass(frozen=True)
class DatasetName:
    """The name of a data set, taken apart.

    Attributes:
      source: an entry of `SOURCES`.
      path: what the source goes by; for tfds the whole name, which may hold a colon too.
      text: the name as a person wrote it.
    """

    source: str
    path: str
    text: str

    @classmethod
    def parse(cls, text: str) -> DatasetName:
        """Returns the name that a text stands for; whatever names no other source is of tfds."""
        source, _, path = text.partition(":")
        place = SOURCES.get(source, Place.ELSEWHERE)
        if place is Place.ELSEWHERE or (place is Place.NOTHING and text != source):
            return cls("tfds", text, text)
        return cls(source, path, text)

    def __str__(self) -> str:
        return self.text

    @property
    def is_of_files(self) -> bool:
        """Whether the path is one of files of the user's, whose place may change."""
        return SOURCES[self.source] in (Place.FILE, Place.FOLDER)

    def may_be_moved_from(self, other: DatasetName) -> bool:
        """Says whether these may be the other's files in another place; content decides."""
        return self.is_of_files and self.source == other.source and bool(self.path)

    def absolute(self) -> DatasetName:
        """Returns the name by which the data are found whatever the current folder."""
        if not self.is_of_files:
            return self
        path = absolute(self.path)
        return DatasetName(self.source, path, f"{self.source}:{path}")

    def contains(self, path: str) -> bool:
        """Says whether a path is the folder of the images or lies in it."""
        if SOURCES[self.source] is not Place.FOLDER or not self.path:
            return False
        return f"{absolute(path)}/".startswith(f"{absolute(self.path)}/")
