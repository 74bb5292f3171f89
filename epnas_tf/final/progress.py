"""A bar for the person who watches a final training in a terminal, below a line per epoch."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from epnas_tf import interrupts, terminal
from epnas_tf.training.epochs import Updates
from epnas_tf.tuner.listeners.progress import Bar, clock


class Progress:
    """Draws how far a training is, if somebody watches; prints lines in any case."""

    def __init__(self, now: Callable[[], float] = time.monotonic):
        """Makes one that draws nothing yet.

        Args:
          now: returns seconds.
        """
        self._now = now
        self._bar: Bar | None = None
        self._first: tuple[int, float] | None = None

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Draws while the body runs; whatever ends it, the bar is gone."""
        if not terminal.is_live(sys.stdout):
            yield
            return
        with interrupts.drawing():
            try:
                self._bar = Bar("training", 1)
                self._bar.draw(0, "building")
                yield
            finally:
                bar, self._bar = self._bar, None
                if bar is not None:
                    bar.close()

    def on_updates(self, updates: Updates) -> None:
        """Shows how far the training is; the trainer calls it about once a second."""
        if self._bar is None:
            return
        self._first = self._first or (updates.done, self._now())
        epoch = f"epoch {updates.epoch + 1}/{updates.epochs}"
        left = clock(self._left(updates, *self._first))
        self._bar.total = updates.total
        self._bar.draw(updates.done, f"{epoch}, training acc {updates.accuracy:.4f} | ETA {left}")

    def write(self, text: str) -> None:
        """Prints a text, above the bar if there is one."""
        if self._bar is None:
            terminal.say(text)
        else:
            Bar.write(terminal.shown(text, sys.stdout), file=sys.stdout)

    def _left(self, updates: Updates, first: int, since: float) -> float | None:
        """Returns about how many seconds are left, by the updates of this run."""
        done = updates.done - first
        spent = self._now() - since
        return spent / done * (updates.total - updates.done) if done else None
