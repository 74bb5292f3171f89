"""A terminal for tests: what is written to it, and what its screen then shows."""

from __future__ import annotations

import io
import re


class Terminal(io.StringIO):
    """A stream that says that somebody watches; what `encoding` has not is refused."""

    def __init__(self, encoding: str = "utf-8"):
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:
        return self._encoding

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        text.encode(self._encoding)
        return super().write(text)

    @property
    def lines(self) -> list[str]:
        """What the screen shows."""
        return shown(self.getvalue())


def shown(text: str) -> list[str]:
    """Returns the lines of a screen after a text with carriage returns and cursor movements."""
    rows: list[list[str]] = [[]]
    row = column = 0
    for token in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.|\n", text):
        if token == "\r":
            column = 0
        elif token == "\n":
            row, column = row + 1, 0
            rows += [[]] * (row + 1 - len(rows))
        elif token == "\x1b[A":
            row = max(0, row - 1)
        elif token == "\x1b[K":
            rows[row] = rows[row][:column]
        else:
            line = rows[row] + [" "] * (column + 1 - len(rows[row]))
            rows[row] = [*line[:column], token, *line[column + 1 :]]
            column += 1
    return ["".join(line).rstrip() for line in rows]
