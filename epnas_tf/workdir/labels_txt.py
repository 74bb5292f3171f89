"""labels.txt: the classes of a model, one per line in the order of its outputs."""

from __future__ import annotations

from collections.abc import Iterable

NAME = "labels.txt"


def text(names: Iterable[str]) -> str:
    """Returns the file; a name's own line breaks become blanks."""
    return "".join(f"{' '.join(name.splitlines())}\n" for name in names)


def names(text: str) -> tuple[str, ...]:
    """Returns the classes; a name may hold any character but the line's end."""
    return tuple(text.removesuffix("\n").split("\n"))
