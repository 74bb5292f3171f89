"""history.csv: a line per epoch of a final training, and how long the others will take."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from epnas_tf import untrusted
from epnas_tf.report.forecast import duration
from epnas_tf.workdir import storage

if TYPE_CHECKING:  # for its type alone: it imports TensorFlow
    from epnas_tf.training.epochs import EpochResult

COLUMNS = ("epoch", "loss", "accuracy", "validation_accuracy", "seconds")


class History:
    """The epochs of a training so far, in its file, and the time that they took.

    Attributes:
      epochs: planned.
    """

    def __init__(self, path: str, epochs: int, clock: Callable[[], float] = time.monotonic):
        """Reads the times of earlier runs.

        Args:
          path: of the file.
          epochs: planned.
          clock: returns seconds.
        """
        self.epochs = epochs
        self._path, self._clock, self._since = path, clock, clock()
        self._seconds = _seconds_in(path)
        self._here: list[float] = []

    def add(self, epochs: Sequence[EpochResult]) -> None:
        """Writes the epochs so far; the last of them ends now."""
        now = self._clock()
        self._here.append(now - self._since)
        self._seconds[len(epochs)], self._since = self._here[-1], now
        self._write(epochs)

    @property
    def seconds(self) -> float:
        """Of all epochs whose time is known."""
        return sum(self._seconds.values())

    def line(self, epochs: Sequence[EpochResult]) -> str:
        """Returns what a person reads of the last epoch, and of the time that is left."""
        last, done = epochs[-1], len(epochs)
        validated = last.validation_accuracy
        validation = "" if validated is None else f", validation {validated:.4f}"
        accuracies = f"training {last.accuracy:.4f}{validation}"
        time_text = f"{self._seconds[done]:.1f} s, ETA {duration(self._left(done))}"
        return f"epoch {done}/{self.epochs} | loss {last.loss:.4f} | {accuracies} | {time_text}"

    def _left(self, done: int) -> float:
        """Returns about how many seconds are left; the first epoch of a run builds graphs too."""
        lately = self._here[1:] or self._here
        return (self.epochs - done) * sum(lately) / len(lately)

    def _write(self, epochs: Sequence[EpochResult]) -> None:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, epoch in enumerate(epochs, start=1):
            validated, seconds = epoch.validation_accuracy, self._seconds.get(number)
            writer.writerow(
                [
                    number,
                    repr(epoch.loss),
                    f"{epoch.accuracy:.6f}",
                    "" if validated is None else f"{validated:.6f}",
                    "" if seconds is None else f"{seconds:.3f}",
                ]
            )
        storage.write_atomic(self._path, file.getvalue())


def _seconds_in(path: str) -> dict[int, float]:
    """Returns the time of each epoch that a file knows; the rest of it is known from the state."""
    if not storage.exists(path):
        return {}
    try:
        lines = csv.DictReader(io.StringIO(storage.read_text(path)))
        return {int(line["epoch"]): float(line["seconds"]) for line in lines if line["seconds"]}
    except untrusted.NO_SUCH_DATA:
        return {}
