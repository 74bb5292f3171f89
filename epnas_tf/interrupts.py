"""Ctrl-C and SIGTERM: the first ends a search between two writes, the second ends the process.

A command listens; the library only says what must not be left in the middle (`held`) and where it
would stop (`check`). In a notebook, where nobody listens, Ctrl-C is Python's KeyboardInterrupt and
takes the same way out.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """The process was asked to stop.

    Attributes:
      signum: number of the signal.
    """

    def __init__(self, signum: int):
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class _State:
    """What the main thread was asked for, and how deep in held sections it is."""

    asked: int | None = None
    held = 0
    drawing = False


def check() -> None:
    """Raises Stopped where the process was asked to stop.

    The handler raises it too, but what is raised within a destructor is lost.
    """
    if _State.asked is not None and not _State.held:
        raise Stopped(_State.asked)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Lets the body end before a signal takes effect."""
    _State.held += 1
    try:
        yield
    finally:
        _State.held -= 1
    if threading.current_thread() is threading.main_thread():
        check()


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Says, while the body runs, that the cursor stands in a line that is drawn anew.

    What a signal prints then takes the place of that line.
    """
    _State.drawing = True
    try:
        yield
    finally:
        _State.drawing = False


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Turns the first SIGINT or SIGTERM into Stopped; another one kills, as if nobody listened.

    Only the main thread may listen; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What a shell told this process to ignore, as in the background of a script, stays ignored.
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _ask) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _State.asked = None


def _ask(signum: int, _: FrameType | None) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is _ask:
            signal.signal(number, signal.SIG_DFL)
    _State.asked = signum
    # Not print: the reader of a pipe may be gone, and Python's own buffer is in use perhaps.
    with contextlib.suppress(OSError):
        clear = b"\r\x1b[K" if _State.drawing and os.isatty(2) else b""
        os.write(2, clear + b"stopping in order; a second Ctrl-C or signal kills at once\n")
    check()
