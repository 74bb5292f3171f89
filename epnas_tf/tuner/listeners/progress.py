"""Bars for the person who watches a terminal: the search, and the child that is being trained.

Where nobody watches (a file, a pipe, a notebook, TERM=dumb) nothing is drawn, and the lines of
`console.py` are all there is.
"""

from __future__ import annotations

import contextlib
import datetime
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

from epnas_tf import interrupts, terminal
from epnas_tf.training.epochs import Updates
from epnas_tf.tuner.listeners.timing import Timing
from epnas_tf.tuner.oracle import EPNASOracle

# Drawn at most so often: small children report an epoch many times a second.
_SECONDS = 0.2


class Bar(tqdm):
    """A line with a bar that is drawn when it is told to, and leaves nothing behind."""

    monitor_interval = 0  # no thread that draws by itself

    def __init__(self, title: str, total: int):
        self.text = ""
        super().__init__(
            desc=title,
            total=total,
            file=sys.stdout,
            leave=False,
            ascii=not terminal.draws_unicode(sys.stdout),
            bar_format="{desc} |{bar:20}| {text}",
        )

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the line is made of; it stays within the window, whatever its size is by now."""
        width = shutil.get_terminal_size().columns - 1
        return super().format_dict | {"text": self.text, "ncols": width}

    def draw(self, done: int, text: str) -> None:
        """Draws the bar with so much done and a text behind it."""
        self.n, self.text = done, terminal.shown(text, sys.stdout)
        self.refresh()


Bar.set_lock(threading.RLock())  # tqdm's own is one of processes, which not every system has


class Progress:
    """Draws bars while a search runs in a terminal; otherwise it prints lines alone."""

    def __init__(self, timing: Timing):
        self._timing = timing
        self._search: Bar | None = None
        self._child: Bar | None = None
        self._oracle: EPNASOracle | None = None
        self._done, self._text = 0, ""
        self._left: float | None = None
        self._said = self._next = 0.0

    @contextlib.contextmanager
    def shown(self, oracle: EPNASOracle) -> Iterator[None]:
        """Draws while the body runs, if somebody watches; whatever ends it, the bars are gone."""
        if not terminal.is_live(sys.stdout):
            yield
            return
        with interrupts.drawing():
            try:
                self._oracle = oracle
                self._search = Bar("search", oracle.total)
                self._count(oracle)
                self._draw_search()
                yield
            finally:
                self._close_child()
                search, self._search = self._search, None
                if search is not None:
                    search.close()

    def write(self, text: str) -> None:
        """Prints a text, above the bars if there are any."""
        if self._search is None:
            terminal.say(text)
        else:
            Bar.write(terminal.shown(text, sys.stdout), file=sys.stdout)

    def child(self, name: str) -> None:
        """Begins the bar of a trial's child."""
        self._close_child()
        if self._search is not None:
            self._child = Bar(f"  {name}", 1)
            self._child.draw(0, "building")
            self._next = 0.0

    def on_updates(self, updates: Updates) -> None:
        """Shows how far the child is; the trainer calls it about once a second or epoch."""
        now = time.monotonic()
        if self._child is None or now < self._next:
            return
        self._next = now + _SECONDS
        self._child.total = updates.total
        text = f"epoch {updates.epoch + 1}/{updates.epochs}, training acc {updates.accuracy:.4f}"
        self._draw_search()
        self._child.draw(updates.done, text)

    def trial_ended(self, oracle: EPNASOracle) -> None:
        """Ends the child's bar and moves that of the search on."""
        if self._search is not None:
            self._close_child()
            self._count(oracle)
            self._draw_search()

    def _close_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def _count(self, oracle: EPNASOracle) -> None:
        """Takes what changes with a trial alone: a thousand are not sorted at each drawing."""
        self._left, self._said = self._timing.left(oracle), time.monotonic()
        self._done, total = oracle.done, oracle.total
        self._text = f"{self._done}/{total} | {best_text(oracle)}"
        if self._search is not None:
            self._search.total = total

    def _draw_search(self) -> None:
        oracle, search = self._oracle, self._search
        if oracle is None or search is None:
            return
        left = self._left
        if left is not None:  # as it was estimated last, and time has passed since
            left = max(0.0, left - (time.monotonic() - self._said))
        time_text = f"{clock(oracle.watch.elapsed())}, ETA {clock(left)}"
        search.draw(self._done, f"{self._text} | {time_text}")


def best_text(oracle: EPNASOracle) -> str:
    """Returns what is said of the best network so far."""
    best = next(iter(oracle.best()), None)
    if best is None or not best.feasible:
        return "none feasible yet"
    balanced = best.outcome.balanced_accuracy
    text = f"{best.outcome.accuracy:.4f}" if balanced is None else f"balanced {balanced:.4f}"
    return f"best {text} ({best.slot.name})"


def clock(seconds: float | None) -> str:
    """Returns a time as hours, minutes and seconds, "?" for one that nobody knows."""
    return "?" if seconds is None else str(datetime.timedelta(seconds=round(seconds)))
