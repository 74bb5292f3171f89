"""How valid files are broken: changes of bytes, words, JSON values and members of archives."""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Mutator = Callable[[random.Random, bytes], bytes]

_DEEP: Any = []
for _ in range(40):
    _DEEP = [_DEEP]
# Replacements of any value in JSON.
_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2, 0.5, -0.0, 1e308, 5e-324, 2**31, 2**53, 2**63, 10**400),
    *(float("nan"), float("-inf"), "", "x", "1", "../../x", "\0", "\ud800", "e01s00b0", "x" * 9999),
    *([], [[]], [1, 2, 3], ["x"], {}, {"x": 1}, {"x": {"x": []}}, _DEEP),
)
# Insertions in any bytes, and replacements of words in any text.
_PIECES = (
    *(b"\0", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", "\N{ARABIC-INDIC DIGIT THREE}".encode()),
    *(b"", b"x", b"-1", b"0", b"1e999", b"nan", b"sNaN", b"1" * 5000, b"1e-99999999", b"../../x"),
    *(b"=", b",", b"\n", b"\r", b'"', b"\\", b"{", b"}", b"[" * 100_000, b'{"":' * 100_000),
    *(b"none", b"true", b"--help\n", b"--flagfile=x\n", b"\x1b[2J", b"x" * 200_000),
)
# Heads of arrays that hold less, or something else, than they say.
_HEADS = tuple(
    f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    for descr, shape in itertools.product(
        ("'|u1'", "'<f4'", "'<i8'", "'<c16'", "'|O'", "'<U0'", "'|V0'", "'<M8[ns]'", "'(9,9)<f8'"),
        ("()", "(0,)", "(60,)", "(60, 4, 4)", "(9999999999, 0)", "(9999999999999,)", "(-1,)"),
    )
) + (b"{'descr': " + b"(" * 9000, b"{'descr': " + b"-" * 9000 + b"1", b"{'descr':\n '", b"\0" * 99)


def changed_bytes(rng: random.Random, data: bytes) -> bytes:
    """Returns the data with up to four changes anywhere: flipped, cut, repeated, inserted."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(data))
        end = min(len(data), start + int(2 ** rng.uniform(0, 12)))
        before, inside, after = data[:start], data[start:end], data[end:]
        kind = rng.randrange(5)
        if kind == 0 and inside:
            data = before + bytes([inside[0] ^ 1 << rng.randrange(8)]) + inside[1:] + after
        elif kind == 1:
            data = before + after
        elif kind == 2:
            data = before
        elif kind == 3:
            data = before + inside * rng.randint(2, 20) + after
        else:
            data = before + rng.choice(_PIECES) + inside + after
    return data


def changed_words(rng: random.Random, data: bytes) -> bytes:
    """Returns text with a few of its words replaced; words stand between =, commas and lines."""
    words = re.split(rb"([=,\n]+)", data)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(words))
        words[place] = rng.choice(_PIECES) if rng.random() < 0.7 else rng.choice(words)
    return b"".join(words)


def changed_json(rng: random.Random, data: bytes) -> bytes:
    """Returns JSON with a few of its values and names replaced, deleted or added."""
    values = [json.loads(data)]
    for _ in range(rng.randint(1, 3)):
        _change(rng, values)
    return json.dumps(values[0]).encode()


def changed_json_line(rng: random.Random, data: bytes) -> bytes:
    """Returns lines of JSON, one of them changed as `changed_json` does."""
    lines = data.splitlines(keepends=True)
    chosen = rng.randrange(len(lines))
    lines[chosen] = changed_json(rng, lines[chosen]) + b"\n"
    return b"".join(lines)


def _change(rng: random.Random, values: list[Any]) -> None:
    """Changes one value, anywhere, in place."""
    places = list(_places(values))
    holder, name = rng.choice(places)
    old, kind = holder[name], rng.randrange(6)
    if isinstance(old, str) and old.startswith("{"):  # as the network in a trial's file
        with contextlib.suppress(ValueError):
            holder[name] = changed_json(rng, old.encode()).decode()
    elif kind == 0 and holder is not values:
        del holder[name]
    elif kind == 1:
        other, its_name = rng.choice(places)
        holder[name] = copy.deepcopy(other[its_name])
    elif kind == 2 and isinstance(old, dict):
        old[rng.choice(("", "x", "op", "extra", "__class__"))] = copy.deepcopy(rng.choice(_VALUES))
    elif kind == 2 and isinstance(old, list):
        old.extend(copy.deepcopy(old) * rng.choice((1, 1, 300)))
    else:
        holder[name] = copy.deepcopy(rng.choice(_VALUES))


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Yields where each value stands: its list or dict, and its index or name."""
    for name, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
        yield holder, name
        if isinstance(value, dict | list):
            yield from _places(value)


def changed_member(rng: random.Random, data: bytes) -> bytes:
    """Returns a whole archive of which one member was changed: no checksum gives it away."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = rng.choice(sorted(members))
    members[chosen] = _changed_array(rng, chosen, members[chosen])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((0, 8, 12, 14))) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, archive.compression)
    return buffer.getvalue()


def _changed_array(rng: random.Random, name: str, content: bytes) -> bytes:
    if rng.random() < 0.4:
        head = rng.choice(_HEADS)
        size = len(head).to_bytes(2, "little")
        return b"\x93NUMPY" + bytes([rng.choice((1, 1, 2, 9)), 0]) + size + head + content[128:]
    if "json" in name and rng.random() < 0.8:
        text = changed_json(rng, content[128:])
        buffer = io.BytesIO()
        np.save(buffer, np.frombuffer(text, np.uint8))
        return buffer.getvalue()
    return changed_bytes(rng, content)
