"""Work that goes on where it stopped: files of a JSON object per line; a kill may cut the last."""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Row = dict[str, Any]


def read(path: pathlib.Path) -> list[Row]:
    """Returns the lines' data but for a cut last one; nothing where there is no file."""
    return [json.loads(line) for line in _whole(path).splitlines()]


def mend(path: pathlib.Path) -> None:
    """Takes a cut last line out of the file, so that more lines can be added."""
    if path.exists():
        path.write_text(_whole(path), encoding="utf-8")


def add(path: pathlib.Path, rows: Iterable[Row]) -> None:
    """Adds a line per row, each as soon as it is there; the file is mended first."""
    mend(path)
    with path.open("a", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
            file.flush()


def of_pool(
    pool: concurrent.futures.Executor, function: Callable[..., list[Row]], units: Iterable[tuple]
) -> Iterator[Row]:
    """Yields the rows of all units of work, in the order in which they end; closes the pool.

    Args:
      pool: where they are done.
      function: returns the rows of a unit.
      units: the function's arguments, per unit.
    """
    with pool:
        running = [pool.submit(function, *unit) for unit in units]
        try:
            for future in concurrent.futures.as_completed(running):
                yield from future.result()
        finally:  # after an error the units that wait would only delay its message
            pool.shutdown(cancel_futures=True)


def _whole(path: pathlib.Path) -> str:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return text[: text.rfind("\n") + 1]
