"""The one source of randomness: numbers that depend on (seed, purpose, slot) and on nothing else.

Every random choice of a search names its root seed, its purpose ("initial", "augment", ...) and its
slot (episode, step, branch). Generators are counter-based and made afresh from these names, so no
generator is part of any state: a resumed search, another worker or a second attempt draws the same
numbers.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np


def generator(seed: int, purpose: str, *slot: int | str) -> np.random.Generator:
    """Returns the generator that belongs to these names; equal names give equal numbers."""
    key = int.from_bytes(_digest(seed, purpose, slot)[:16], "little")
    return np.random.Generator(np.random.Philox(key=key))


def seed_of(seed: int, purpose: str, *slot: int | str) -> int:
    """Returns the seed in [0, 2**31) that belongs to these names, for what takes only an integer.

    It comes from other bits than the stream of `generator`, so both may be used under one name.
    """
    return int.from_bytes(_digest(seed, purpose, slot)[16:20], "little") & 0x7FFFFFFF


def _digest(seed: int, purpose: str, slot: tuple[int | str, ...]) -> bytes:
    # JSON keeps the names apart: ("a", 12) and ("a1", 2) differ. NumPy integers become plain ones.
    names = [int(seed), purpose, *(part if isinstance(part, str) else int(part) for part in slot)]
    return hashlib.sha256(json.dumps(names).encode()).digest()
