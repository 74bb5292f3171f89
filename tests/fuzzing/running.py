"""Gives targets their inputs, watches time and memory, and counts what came of them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from epnas_tf.report import markdown
from tests.fuzzing.targets import Target, input_of

_MAX_SECONDS = 10.0  # an input takes a millisecond or ten
_MAX_MEMORY = 2**30
_SHOWN = 500  # bytes of a crashing input


class CrashError(Exception):
    """Something that must not happen; the message says all that is known."""


class _TooMuchError(BaseException):
    """An input that takes too long or too much memory; no reader catches it."""


@dataclasses.dataclass
class Tally:
    """What came of a target's inputs."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """Stops the body where it takes too long, and refuses what it took too much memory for."""

    def stop(*_: Any) -> None:
        raise _TooMuchError(f"it took longer than {_MAX_SECONDS:g} seconds")

    before, old = _peak_memory(), signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    if _peak_memory() > before + _MAX_MEMORY:
        raise _TooMuchError(f"it took more than {_MAX_MEMORY} bytes")


def _peak_memory() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def check(target: Target, data: bytes, source: str) -> bool:
    """Returns whether a target accepts an input.

    Raises:
      CrashError: it did what it must not; `source` says where the input is from.
    """
    try:
        with _watched():
            return target.read(data)
    except target.refusals:
        return False
    except (Exception, _TooMuchError) as error:
        shown = repr(data[:_SHOWN]) + (f"... ({len(data)} bytes)" if len(data) > _SHOWN else "")
        raise CrashError(f"{target.name}, {source}: {shown}\n{traceback.format_exc()}") from error


def fuzz(targets: Sequence[Target], inputs: int, seed: int) -> dict[str, Tally]:
    """Returns what came of so many inputs, by target; raises CrashError at the first crash."""
    total = sum(target.share for target in targets)
    tallies = {}
    for target in targets:
        tally = tallies[target.name] = Tally()
        start = time.monotonic()
        for number in range(max(len(target.seeds), round(inputs * target.share / total))):
            source = f"--seed={seed}, input {number}"
            accepted = check(target, input_of(target, seed, number), source)
            if number < len(target.seeds) and not accepted:
                raise CrashError(f"{target.name}, {source}: a valid input was refused")
            tally.accepted += accepted
            tally.refused += not accepted
        tally.seconds = time.monotonic() - start
    return tallies


def summary(tallies: dict[str, Tally]) -> str:
    """Returns a table with a row a target, and one for all."""
    named = list(tallies.items())
    every = Tally(*(sum(getattr(t, f.name) for _, t in named) for f in dataclasses.fields(Tally)))
    rows = [
        (name, *(f"{n:,}" for n in (t.accepted + t.refused, t.accepted, t.refused)), _time(t))
        for name, t in [*named, ("all", every)]
    ]
    return markdown.table(("target", "inputs", "accepted", "refused", "seconds"), rows)


def _time(tally: Tally) -> str:
    return f"{tally.seconds:.1f}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps back our warnings of corrupt trials, and NumPy's of means of nothing and old heads."""
    logger = logging.getLogger("epnas_tf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logger.setLevel(level)
