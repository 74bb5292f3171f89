"""Files of a JSON object a line, to which a tool adds what it has done; a kill may tear one."""

from __future__ import annotations

import json
import pathlib
from typing import Any


def read(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the lines' data but for a torn last one; nothing where there is no file."""
    return [json.loads(line) for line in _whole(path).splitlines()]


def mend(path: pathlib.Path) -> None:
    """Cuts a torn last line off, so that more lines can be added."""
    if path.exists():
        path.write_text(_whole(path), encoding="utf-8")


def _whole(path: pathlib.Path) -> str:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return text[: text.rfind("\n") + 1]
