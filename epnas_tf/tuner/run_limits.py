"""What ends a run of a search before its last trial: trials, hours, bytes on disk."""

from __future__ import annotations

import dataclasses
import time

from epnas_tf import fields
from epnas_tf.fields import MAY_CHANGE, OF_ONE_RUN, Settings, setting
from epnas_tf.workdir import layout, storage

# Hours of a search of which nobody says how long it may take.
DEFAULT_HOURS = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunLimits(Settings):
    """Limits of one run; a later run may have others."""

    max_trials: int = setting(
        0,
        "stop after this many trials, reused ones apart (0: no limit)",
        least=0,
        common=True,
        resume=OF_ONE_RUN,
    )
    max_hours: float = setting(
        -1.0,
        "stop after this many hours, and plan for them (0: no limit; -1: an hour, or no limit "
        "where --episodes or --max_trials says how long)",
        least=-1,
        auto=True,
        common=True,
        resume=OF_ONE_RUN,
    )
    max_disk: float | None = setting(
        2e9,
        "stop when work_dir holds more bytes; shared parameters take half of it at most "
        "(none: no limit)",
        above=0,
        resume=MAY_CHANGE,
    )
    finish: bool = setting(
        False,
        "try no further networks with the search in work_dir: measure its best ones again "
        "(--finalists), then end",
        resume=OF_ONE_RUN,
    )


class RunWatch:
    """Tells when a run has reached one of its limits."""

    def __init__(self, limits: RunLimits):
        self._limits = limits
        self._disk: storage.DiskUse | None = None
        self.begin()

    def begin(self) -> None:
        """Lets the run's time count from here."""
        self._begun = time.monotonic()

    def elapsed(self) -> float:
        """Returns the seconds since the run began."""
        return time.monotonic() - self._begun

    @property
    def seconds(self) -> float:
        """The seconds that the run may take, 0 for any number."""
        return max(0.0, self._limits.max_hours) * 3600

    @property
    def time_is_up(self) -> bool:
        """Whether the run has taken the time that it may take."""
        return bool(self.seconds) and self.elapsed() > self.seconds

    def reached(self, trials: int, folder: str, kept_back: float = 0.0) -> str:
        """Returns the limit that allows no other network, such as "max_hours=8"; "" for none.

        Args:
          trials: how many that count have begun.
          folder: the project's.
          kept_back: seconds of the run that are for something else.
        """
        limits = self._limits
        if limits.finish:
            return self._text("finish")
        if limits.max_trials and trials >= limits.max_trials:
            return self._text("max_trials")
        return self.spent(folder, kept_back)

    def spent(self, folder: str, kept_back: float = 0.0) -> str:
        """Returns which of time and disk is spent, as `reached` does."""
        limits = self._limits
        if self.seconds and self.elapsed() + kept_back > self.seconds:
            return self._text("max_hours")
        if limits.max_disk is not None:
            if self._disk is None or self._disk.folder != folder:
                self._disk = storage.DiskUse(folder, without=layout.FINAL)
            if self._disk.bytes() > limits.max_disk:
                return self._text("max_disk")
        return ""

    def _text(self, name: str) -> str:
        return f"{name}={fields.text_of(getattr(self._limits, name))}"
