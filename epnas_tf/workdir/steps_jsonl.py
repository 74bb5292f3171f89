"""steps.jsonl: a line of JSON per whole step; its one writer and its one reader."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from epnas_tf import untrusted
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir


def write(work_dir: WorkDir, steps: Iterable[Mapping[str, Any]]) -> None:
    """Writes steps.jsonl: what the search's log says of each step."""
    lines = "".join(json.dumps(step) + "\n" for step in steps)
    storage.write_atomic(work_dir.steps, lines)


def read(work_dir: WorkDir) -> list[dict[str, Any]]:
    """Returns what steps.jsonl says of each step, nothing where no step is whole yet.

    Raises:
      ValueError: the file is corrupt or not written by this search.
    """
    if not storage.exists(work_dir.steps):
        return []
    lines = storage.read_text(work_dir.steps).splitlines()
    with untrusted.reading(work_dir.steps):
        return [untrusted.parse_object(line) for line in lines]
