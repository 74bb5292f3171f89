"""What a search reads once, as it was at its first start: the one writer and reader of the copies.

A resumed search reads the copy, so that what it was copied from may change or vanish. project.json
holds the hash of each copy and is written after it: a copy that it does not name is nobody's.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from epnas_tf import untrusted
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir


def text_of(content: Any) -> str:
    """Returns the text of a copy; raises ValueError where no reader would take so much."""
    text = json.dumps(content) + "\n"
    if len(text) > storage.MAX_TEXT_BYTES:
        most = storage.MAX_TEXT_BYTES
        raise ValueError(f"its JSON must have at most {most} characters, got {len(text)}")
    return text


def digest(text: str) -> str:
    """Returns what tells a copy from others: the SHA-256 of its text, in hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def write(work_dir: WorkDir, name: str, text: str) -> None:
    """Writes the copy of a setting, where it is not there already; the lock is held."""
    if not _is_there(work_dir, name, digest(text)):
        storage.write_atomic(work_dir.copy(name), text)


def _is_there(work_dir: WorkDir, name: str, expected: str) -> bool:
    refusals: tuple[type[Exception], ...] = (ValueError, *storage.failures(work_dir.path))
    try:
        return digest(storage.read_text(work_dir.copy(name))) == expected
    except refusals:
        return False


def read(work_dir: WorkDir, name: str, expected: str) -> Any:
    """Returns the content of a setting's copy.

    Args:
      work_dir: names of the search's files.
      name: one of `layout.COPIES`.
      expected: the hash that project.json holds of it.

    Raises:
      ValueError: the copy is missing, corrupt or not written by this search.
    """
    path = work_dir.copy(name)
    if not storage.exists(path):
        raise ValueError(
            f"{path} must be there, the search needs what it read once: put it back, or give "
            f"{name} again as it was"
        )
    with untrusted.reading(path):
        text = storage.read_text(path)
        if digest(text) != expected:
            raise ValueError(f"its hash must be {expected:.80}, got {digest(text)}")
        return untrusted.parse_json(text)
