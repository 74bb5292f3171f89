"""Cells side by side, for a console."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], text: int = 0) -> list[str]:
    """Returns a line per row; columns are as wide as their widest cell, two spaces apart.

    Args:
      rows: of as many cells each, the heads first.
      text: how many of the first columns stand to the left; the others, numbers, to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = [str.ljust] * text + [str.rjust] * (len(widths) - text)
    return [
        "  ".join(
            side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
