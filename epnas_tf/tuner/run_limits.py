"""What ends a run of a search before its last trial: trials, hours, bytes on disk."""

from __future__ import annotations

import dataclasses
import time

from epnas_tf import fields
from epnas_tf.workdir import storage


@dataclasses.dataclass
class RunLimits:
    """Limits of one run, 0 for none; a later run may have others.

    Attributes:
      max_trials: trials with a result that was not reused, over all runs.
      max_hours: hours of this run.
      max_disk: bytes of the project.
    """

    max_trials: int = 0
    max_hours: float = 0.0
    max_disk: float = 0.0

    def __post_init__(self) -> None:
        self._disk: storage.DiskUse | None = None
        self.begin()

    def begin(self) -> None:
        """Lets the run's time count from here."""
        self._begun = time.monotonic()

    def elapsed(self) -> float:
        """Returns the seconds since the run began."""
        return time.monotonic() - self._begun

    def reached(self, trials: int, folder: str) -> str:
        """Returns the limit that allows no other trial, such as "max_hours=8"; "" for none.

        Args:
          trials: how many that count have begun.
          folder: the project's.
        """
        if self.max_trials and trials >= self.max_trials:
            return self._text("max_trials")
        if self.max_hours and self.elapsed() > self.max_hours * 3600:
            return self._text("max_hours")
        if self.max_disk:
            if self._disk is None or self._disk.folder != folder:
                self._disk = storage.DiskUse(folder)
            if self._disk.bytes() > self.max_disk:
                return self._text("max_disk")
        return ""

    def _text(self, name: str) -> str:
        return f"{name}={fields.text_of(getattr(self, name))}"
