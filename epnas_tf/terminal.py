"""What is written for a person to read: nothing that a terminal cannot show ends a search."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

# Spellings by which a command is asked for its help, and for all of it.
HELP = frozenset({"--help", "-help", "-h"})
FULL_HELP = frozenset({"--helpfull", "-helpfull"})
ANY_HELP = HELP | FULL_HELP


def say(text: str) -> None:
    """Prints a text at once; characters that the terminal has not are written as escapes."""
    print(shown(text, sys.stdout), flush=True)


@contextlib.contextmanager
def escaping() -> Iterator[None]:
    """Lets what others print while the body runs be written as `say` writes it."""
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):  # a notebook's takes all
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        stream.reconfigure(errors=before)


def shown(text: str, stream: TextIO) -> str:
    r"""Returns a text as a stream can write it, such as "caf\xe9" where it only takes ASCII."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def is_live(stream: TextIO) -> bool:
    """Says whether a person watches a stream, and lines in it can be drawn anew."""
    watched = getattr(stream, "isatty", lambda: False)()
    return bool(watched) and os.environ.get("TERM") != "dumb"


def draws_unicode(stream: TextIO) -> bool:
    """Says whether a stream takes the blocks of which bars are drawn."""
    return shown("\u2588", stream) == "\u2588"
