"""The files of the shared parameter dictionary: an index in JSON and one .npz per source.

A child writes what it offers before its trial ends, under a name that holds the hash of its content
(DECISIONS 19). When a step is whole, one write of the index makes the next generation of its
offers; only then is deleted what the index no longer names. Files are written once and read without
pickle.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from epnas_tf import untrusted
from epnas_tf.sharing import rules
from epnas_tf.sharing.rules import Entry, Values
from epnas_tf.workdir import storage

# Hex digits of a hash: 52 bits, which a float holds exactly, as Keras Tuner's metrics are floats.
_DIGITS = 13
_ENTRIES = "entries.json"
# A name without folders that a disk takes.
_OFFER = re.compile(rf"[\w-]{{1,40}}-[0-9a-f]{{{_DIGITS}}}\.npz", re.ASCII)
# An archive may be of a few bytes and unpack to more than any memory.
_MAX_UNPACKED = 4 * 2**30


@dataclasses.dataclass(frozen=True)
class Offer:
    """What a trained child leaves to others.

    Attributes:
      name: of its trial and attempt, such as e01s03b5-1.
      digest: hash of its file's content, as a number.
    """

    name: str
    digest: int

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{self.name}-{self.digest:0{_DIGITS}x}.npz"


@dataclasses.dataclass(frozen=True)
class _Index:
    """What index.json holds.

    Attributes:
      generation: number of steps whose offers were taken in.
      entries: by key.
      files: the file of each entry, by key.
      sizes: bytes of each file.
    """

    generation: int = 0
    entries: Mapping[str, Entry] = dataclasses.field(default_factory=dict)
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def to_text(self) -> str:
        """Returns JSON with a line per entry."""
        entries = ",\n".join(
            json.dumps({"file": self.files[key]} | entry.to_dict())
            for key, entry in self.entries.items()
        )
        head = f'"generation": {self.generation},\n"sizes": {json.dumps(self.sizes)}'
        return f'{{{head},\n"entries": [\n{entries}\n]}}\n'

    @classmethod
    def from_text(cls, text: str) -> _Index:
        values = untrusted.parse_object(text)
        entries = [(Entry.from_dict(item), str(item["file"])) for item in values["entries"]]
        for name in (*values["sizes"], *(file for _, file in entries)):
            if not _OFFER.fullmatch(name):
                raise ValueError(
                    f"a file must be named TRIAL-ATTEMPT-HASH.npz, such as "
                    f"e01s03b5-1-0123456789abc.npz, got {name!r:.80}"
                )
        return cls(
            _count(values["generation"]),
            {entry.key: entry for entry, _ in entries},
            {entry.key: file for entry, file in entries},
            {name: _count(size) for name, size in values["sizes"].items()},
        )


class ParamStore:
    """The dictionary in a folder, which may be a path with a scheme.

    Attributes:
      folder: where its files are.
    """

    def __init__(self, folder: str, max_bytes: float | None = None):
        """Opens the dictionary; nothing is written before the first offer.

        Args:
          folder: where its files are.
          max_bytes: most bytes that the dictionary keeps, the least accurate sources going first;
            None for no limit. What the running step offers comes on top until it is taken in.
        """
        self.folder = folder
        self._max_bytes = max_bytes
        self._index = _Index()
        self.reload()

    @property
    def generation(self) -> int:
        """Number of steps whose offers the dictionary holds."""
        return self._index.generation

    @property
    def entries(self) -> list[Entry]:
        """What the dictionary knows."""
        return list(self._index.entries.values())

    def reload(self) -> None:
        """Reads the index.

        Raises:
          ValueError: it is not one.
        """
        path = self._path("index.json")
        if not storage.exists(path):
            self._index = _Index()
            return
        try:
            self._index = _Index.from_text(storage.read_text(path))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"{path} is not an index of shared parameters: {error!r}") from error

    def loader(self) -> Callable[[Entry], Values]:
        """Returns a function that gives the values of entries and reads each file once.

        It keeps what it read as long as it lives. An entry without shapes has no values. It raises
        ValueError where a file is missing, corrupt or not written by this search.
        """
        return functools.partial(self._values, functools.cache(self._read_file))

    def load(self, entry: Entry) -> Values:
        """Returns the values of one entry; `loader` is for several."""
        return self.loader()(entry)

    def _values(self, read: Callable[[str], Mapping[str, np.ndarray]], entry: Entry) -> Values:
        if not entry.shapes:
            return {}
        arrays = read(self._index.files[entry.key])
        values: Values = {role: {} for role in entry.shapes}
        for role, named in entry.shapes.items():
            for name, shape in named.items():
                found = arrays.get(_member(entry.label, role, name))
                if found is None or found.shape != shape:
                    got = None if found is None else found.shape
                    raise ValueError(f"{entry.key} {role} {name} must be {shape}, got {got}")
                if found.dtype.kind not in "biuf":
                    raise ValueError(
                        f"{entry.key} {role} {name} must be numbers, got {found.dtype}"
                    )
                values[role][name] = found
        return values

    def offer(self, name: str, blocks: Iterable[tuple[Entry, Values]]) -> Offer:
        """Writes what a child offers; the dictionary stays as it is until it is committed."""
        content = _packed(blocks)
        offer = Offer(name, int(hashlib.sha256(content).hexdigest()[:_DIGITS], 16))
        storage.write_atomic(self._path(offer.file), content)
        return offer

    def holds(self, offer: Offer) -> bool:
        """Says whether an offer's file is there and whole."""
        try:
            return bool(self._content(offer.file))
        except ValueError:
            return False

    def commit(self, generation: int, offers: Sequence[Offer]) -> None:
        """Takes in a step's offers, in order, and deletes what is no longer needed.

        Does nothing where this generation was committed before.

        Raises:
          ValueError: a generation was left out, or an offer's file is missing, corrupt or not
            written by this search.
        """
        if generation <= self.generation:
            return
        if generation != self.generation + 1:
            raise ValueError(f"generation {self.generation + 1} must come next, got {generation}")
        entries, files = dict(self._index.entries), dict(self._index.files)
        sizes = dict(self._index.sizes)
        for offer in offers:
            content = self._content(offer.file)
            sizes[offer.file] = len(content)
            offered = _unpacked_entries(content, offer.file)
            after = rules.merged(entries, offered)
            files |= {e.key: offer.file for e in offered if after[e.key] is e}
            entries = after
        index = self._within_limit(_Index(generation, entries, files, sizes))
        storage.write_atomic(self._path("index.json"), index.to_text())
        self._index = index
        self._prune()

    def _prune(self) -> None:
        """Deletes all offers that the index does not name, also those that a kill left half."""
        for name in storage.names(self.folder):
            if re.search(r"\.npz(\.\w+\.tmp)?$", name) and name not in self._index.sizes:
                storage.remove(self._path(name))

    def _within_limit(self, index: _Index) -> _Index:
        """Returns the index without unused files and, above the limit, the least accurate ones."""
        used = {index.files[key] for key, entry in index.entries.items() if entry.shapes}
        sizes = {name: size for name, size in index.sizes.items() if name in used}
        best: dict[str, float] = {}
        for key, entry in index.entries.items():
            best[index.files[key]] = entry.accuracy
        for name in sorted(sizes, key=lambda name: (best[name], name)):
            if self._max_bytes is None or sum(sizes.values()) <= self._max_bytes:
                break
            del sizes[name]
        kept = {key: entry for key, entry in index.entries.items() if index.files[key] in sizes}
        return _Index(index.generation, kept, {key: index.files[key] for key in kept}, sizes)

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _content(self, file: str) -> bytes:
        path = self._path(file)
        try:
            content = storage.read_bytes(path)
        except FileNotFoundError as error:
            raise ValueError(f"{path} of the shared parameters is missing") from error
        if not file.endswith(f"-{hashlib.sha256(content).hexdigest()[:_DIGITS]}.npz"):
            raise ValueError(
                f"{path} of the shared parameters is corrupt or not written by this search: "
                f"its hash differs"
            )
        return content

    def _read_file(self, file: str) -> dict[str, np.ndarray]:
        content = self._content(file)
        try:
            with _archive(content) as archive:
                return {name: np.asarray(archive[name]) for name in archive.files}
        except untrusted.BAD_ARCHIVE as error:
            raise ValueError(f"{file} holds no shared parameters: {error!r}") from error


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise ValueError(f"it must be a whole number from 0, got {value!r:.80}")
    return value


def _member(label: str, role: str, name: str) -> str:
    return f"{label}|{role}|{name}"


def _packed(blocks: Iterable[tuple[Entry, Values]]) -> bytes:
    """Returns an .npz of all values and, as bytes of JSON, the entries."""
    arrays: dict[str, np.ndarray] = {}
    entries = []
    for entry, values in blocks:
        entries.append(entry.to_dict())
        for role, named in values.items():
            arrays |= {_member(entry.label, role, name): v for name, v in named.items()}
    arrays[_ENTRIES] = np.frombuffer(json.dumps(entries).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _archive(content: bytes) -> Any:
    """Opens an .npz; raises ValueError where it would fill the memory."""
    size = untrusted.unpacked_bytes(io.BytesIO(content))
    if size > _MAX_UNPACKED:
        raise ValueError(f"it must unpack to at most {_MAX_UNPACKED} bytes, got {size}")
    return np.load(io.BytesIO(content), allow_pickle=False)


def _unpacked_entries(content: bytes, file: str) -> list[Entry]:
    try:
        with _archive(content) as archive:
            items = untrusted.parse_json(archive[_ENTRIES].tobytes())
        return [Entry.from_dict(item) for item in items]
    except untrusted.BAD_ARCHIVE as error:
        raise ValueError(f"{file} holds no shared parameters: {error!r}") from error
