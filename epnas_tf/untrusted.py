"""Reading what others may have written: limits on the size, depth and numbers of JSON.

A work_dir may have been copied, edited, torn or made up. Whatever is in a file, reading it gives
plain data or a ValueError; what the data mean is checked by whoever asked for them.
"""

from __future__ import annotations

import contextlib
import csv
import json
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

MAX_CHARACTERS = 64 * 2**20
MAX_DEPTH = 32

# What taking data apart raises where they are not as expected.
NO_SUCH_DATA = (KeyError, TypeError, AttributeError, ValueError, OverflowError, csv.Error)

# What zipfile and NumPy raise on anything but an .npz; MemoryError for an array that only says that
# it is large, RecursionError and TokenError for a head that is no dictionary.
BAD_ARCHIVE = (
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, EOFError, OSError),
    *(RuntimeError, SyntaxError, MemoryError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(struct.error, tokenize.TokenError),
)


def unpacked_bytes(archive: str | IO[bytes]) -> int:
    """Returns how many bytes a zip file says that it unpacks to; raises one of BAD_ARCHIVE."""
    with zipfile.ZipFile(archive) as file:
        return sum(member.file_size for member in file.infolist())


def parse_json(text: str | bytes) -> Any:
    """Returns the data of a JSON text.

    Raises:
      ValueError: it is no JSON, too long, too deep, or holds a number that is not finite.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"JSON must have at most {MAX_CHARACTERS} characters, got {len(text)}")
    try:
        values = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError(f"JSON must be at most {MAX_DEPTH} levels deep, got far more") from None
    _check_depth(values)
    return values


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Returns the data of a JSON object; raises ValueError for anything else."""
    values = parse_json(text)
    if not isinstance(values, dict):
        raise ValueError(f"must be a JSON object, got {text[:80]!r}")
    return values


def number(value: Any) -> float:
    """Returns a finite number; unlike `float` it takes no text, which might be "nan"."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"it must be a finite number, got {value!r:.80}")
    return float(value)


@contextlib.contextmanager
def reading(path: str, errors: tuple[type[Exception], ...] = NO_SUCH_DATA) -> Iterator[None]:
    """Names the file in the ValueError of what the body finds wrong with it.

    A FormatError stays: it says all.
    """
    try:
        yield
    except FormatError:
        raise
    except errors as error:
        raise ValueError(
            f"{path} is corrupt or not written by this search: {error!r:.200}"
        ) from error


class FormatError(ValueError):
    """A file of another format than this version of the package reads."""


def check_format(path: str, values: Mapping[str, Any], known: int) -> None:
    """Raises FormatError where a file is of another format than the one that is known."""
    if values.get("format") != known:
        raise FormatError(
            f"{path} must have format {known}, got {values.get('format')!r:.80}: another version "
            "of epnas_tf wrote it, which can go on with it; begin anew in another folder"
        )


def _no_number(name: str) -> Any:
    raise ValueError(f"JSON must hold finite numbers, got {name}")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _check_depth(values: Any) -> None:
    level, depth = [values], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"JSON must be at most {MAX_DEPTH} levels deep")
        inner = [list(v.values()) if isinstance(v, dict) else v for v in level]
        level = [item for v in inner if isinstance(v, list) for item in v]
