"""A reader under test, and the inputs it is given."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

from epnas_tf import untrusted
from tests.fuzzing.changes import Mutator, changed_bytes


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader under test.

    Attributes:
      name: what --targets calls it.
      seeds: valid inputs.
      read: reads an input; returns False, or raises one of `refusals`, where it is refused.
      mutators: how its inputs are made of its seeds, besides changes of bytes.
      share: how many inputs it gets in proportion; less for slow readers.
      refusals: the documented errors.
    """

    name: str
    seeds: Sequence[bytes]
    read: Callable[[bytes], bool]
    mutators: Sequence[Mutator]
    share: int = 10
    refusals: tuple[type[Exception], ...] = (ValueError,)


def mutated(target: Target, rng: random.Random, data: bytes) -> bytes:
    """Returns an input made of a valid one, or of any other."""
    chosen = rng.choice((changed_bytes, *target.mutators, *target.mutators))
    try:
        return chosen(rng, data)
    except untrusted.BAD_ARCHIVE:
        return changed_bytes(rng, data)  # it was changed before, and is no longer of its kind


def input_of(target: Target, seed: int, number: int) -> bytes:
    """Returns a target's input of a number; the first ones are valid."""
    if number < len(target.seeds):
        return target.seeds[number]
    rng = random.Random(f"{seed} {target.name} {number}")
    data = mutated(target, rng, rng.choice(target.seeds))
    return mutated(target, rng, data) if rng.random() < 0.1 else data


def write(path: str, data: bytes) -> None:
    """Writes a file."""
    with open(path, "wb") as file:
        file.write(data)
