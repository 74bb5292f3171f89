"""Every file name below a work_dir, and the only ways in which small files are written and read.

Paths with a scheme (gs://, ram://) go through tf.io.gfile; all others use the standard library, so
that a search on a local disk reads and writes its files without importing TensorFlow.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from typing import Any


@dataclasses.dataclass(frozen=True)
class WorkDir:
    """The names of a search's files, all below `path`."""

    path: str

    @property
    def flags(self) -> str:
        """The configuration, one flag a line; reloads exactly."""
        return os.path.join(self.path, "flags.txt")

    @property
    def trials_csv(self) -> str:
        """One line a finished trial, rewritten from the log."""
        return os.path.join(self.path, "trials.csv")

    @property
    def best(self) -> str:
        """The best network so far: spec, accuracy, cost."""
        return os.path.join(self.path, "best.json")

    @property
    def steps(self) -> str:
        """One JSON line a finished step: what the policy did and learnt."""
        return os.path.join(self.path, "steps.jsonl")

    @property
    def models(self) -> str:
        """The folder of the best trials' weights."""
        return os.path.join(self.path, "models")

    def model(self, slot: str) -> str:
        """The weights of the trial `slot`, for instance e01s03b5."""
        return os.path.join(self.models, f"{slot}.weights.h5")


def write_atomic(path: str, data: str | bytes) -> None:
    """Writes a file so that readers and crashes see the old content or the new, never a part.

    Folders are made as needed. The data goes to a temporary name in the same folder, to the disk,
    and then takes the place of `path` in one rename.
    """
    content = data.encode() if isinstance(data, str) else data
    temporary = f"{path}.{secrets.token_hex(4)}.tmp"
    if _is_remote(path):
        _replace_remote(path, temporary, content)
    else:
        _replace_local(path, temporary, content)


def read_text(path: str) -> str:
    """Returns the text of a file; raises OSError or TensorFlow's NotFoundError if there is none."""
    if _is_remote(path):
        with _gfile().GFile(path, "r") as file:
            return file.read()
    with open(path, encoding="utf-8") as file:
        return file.read()


def exists(path: str) -> bool:
    """Says whether a file or folder of this name exists."""
    return bool(_gfile().exists(path)) if _is_remote(path) else os.path.exists(path)


def _replace_local(path: str, temporary: str, content: bytes) -> None:
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Makes the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace_remote(path: str, temporary: str, content: bytes) -> None:
    gfile = _gfile()
    gfile.makedirs(os.path.dirname(path))
    with gfile.GFile(temporary, "wb") as file:
        file.write(content)
    gfile.rename(temporary, path, overwrite=True)


def _is_remote(path: str) -> bool:
    return "://" in path


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile
