"""The only ways in which a search's files are written, read, listed, locked and measured.

Paths with a scheme (gs://, ram://) go through tf.io.gfile; all others use the standard library, so
that a search on a local disk reads and writes its files without importing TensorFlow.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from typing import Any, TextIO

# Files beyond this are nobody's work: a torn or hostile one must not fill the memory.
MAX_TEXT_BYTES = 64 * 2**20


def write_atomic(path: str, data: str | bytes) -> None:
    """Writes a file so that readers and crashes see the old content or the new, never a part.

    Folders are made as needed. The data goes to a temporary name in the same folder, to the disk,
    and then takes the place of `path` in one rename.
    """
    content = data.encode() if isinstance(data, str) else data
    temporary = f"{path}.{secrets.token_hex(4)}.tmp"
    if is_remote(path):
        _replace_remote(path, temporary, content)
    else:
        _replace_local(path, temporary, content)


def read_text(path: str) -> str:
    """Returns the text of a file.

    Raises:
      OSError: there is none; TensorFlow's NotFoundError where the path has a scheme.
      ValueError: it is no UTF-8, or larger than `MAX_TEXT_BYTES`.
    """
    size = _gfile().stat(path).length if is_remote(path) else os.path.getsize(path)
    if size > MAX_TEXT_BYTES:
        raise ValueError(f"{path} must have at most {MAX_TEXT_BYTES} bytes, got {size}")
    if is_remote(path):
        with _gfile().GFile(path, "rb") as file:
            return bytes(file.read()).decode()
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_bytes(path: str) -> bytes:
    """Returns the content of a file; raises FileNotFoundError if there is none."""
    if is_remote(path):
        if not exists(path):
            raise FileNotFoundError(path)
        with _gfile().GFile(path, "rb") as file:
            return bytes(file.read())
    with open(path, "rb") as file:
        return file.read()


def exists(path: str) -> bool:
    """Says whether a file or folder of this name exists."""
    return bool(_gfile().exists(path)) if is_remote(path) else os.path.exists(path)


def names(folder: str) -> list[str]:
    """Returns the sorted names of the files and folders in a folder, none if it is missing."""
    if not exists(folder):
        return []
    found = _gfile().listdir(folder) if is_remote(folder) else os.listdir(folder)
    return sorted(name.rstrip("/") for name in found)


def remove(path: str) -> None:
    """Deletes a file."""
    _gfile().remove(path) if is_remote(path) else os.remove(path)


def remove_all(path: str) -> None:
    """Deletes a file, or a folder with all that is in it."""
    if is_remote(path):
        _gfile().rmtree(path) if _gfile().isdir(path) else _gfile().remove(path)
    elif os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def remove_folder(folder: str) -> None:
    """Deletes an empty folder."""
    if not is_remote(folder):
        os.rmdir(folder)
    elif exists(folder):  # an object store may know no empty folders
        _gfile().rmtree(folder)


@contextlib.contextmanager
def exclusive(path: str) -> Iterator[None]:
    """Holds a lock file while the body runs; object stores have no locks and are trusted.

    Raises:
      BlockingIOError: another process holds it, which the message names.
    """
    if is_remote(path):
        yield
        return
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            _lock(file)
        except BlockingIOError as error:
            file.seek(0)
            raise BlockingIOError(f"{path} is held by {file.read(200) or 'another'}") from error
        since = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def used_bytes(folder: str, without: str = "") -> int:
    """Returns the bytes of all files below a folder; what vanishes meanwhile counts nothing.

    Args:
      folder: the folder.
      without: name of a folder in it that does not count.
    """
    beside = os.path.join(folder, without, "") if without else ""
    if is_remote(folder):
        gfile = _gfile()
        files = (os.path.join(at, n) for at, _, found in gfile.walk(folder) for n in found)
        return sum(
            gfile.stat(file).length for file in files if not (beside and file.startswith(beside))
        )
    total = 0
    for at, _, found in os.walk(folder):
        if beside and os.path.join(at, "").startswith(beside):
            continue
        for name in found:
            with contextlib.suppress(FileNotFoundError):
                total += os.path.getsize(os.path.join(at, name))
    return total


class DiskUse:
    """The bytes below a folder, measured so seldom that it takes 2% of the time at most."""

    def __init__(self, folder: str, without: str = ""):
        self.folder, self._without = folder, without
        self._bytes, self._next = 0, 0.0

    def bytes(self) -> int:
        """Returns the bytes as they were lately."""
        start = time.monotonic()
        if start >= self._next:
            self._bytes = used_bytes(self.folder, self._without)
            end = time.monotonic()
            self._next = end + 50 * (end - start)
        return self._bytes


def failures(path: str) -> tuple[type[Exception], ...]:
    """Returns the errors with which a disk or an object store may refuse to read or write."""
    if not is_remote(path):
        return (OSError,)
    import tensorflow as tf

    return (OSError, tf.errors.OpError)


def _lock(file: TextIO) -> None:
    """Takes a lock that goes with the process, also when that is killed."""
    try:
        import fcntl
    except ImportError:  # not POSIX: two searches in one folder are not told apart
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _make_folder(folder: str) -> None:
    """Makes a folder that survives a power cut."""
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
        _sync_folder(os.path.dirname(folder) or ".")


def _replace_local(path: str, temporary: str, content: bytes) -> None:
    folder = os.path.dirname(path) or "."
    _make_folder(folder)
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


def is_remote(path: str) -> bool:
    """Says whether a path has a scheme, as those of object stores have."""
    return "://" in path


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile
