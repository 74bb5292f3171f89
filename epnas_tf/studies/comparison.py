"""Searches compared on one budget of trial time: which there are, and running what is missing.

A search is a process of the real command, of one thread, pinned to a core. It is asked for as many
hours as its trials have left of the budget, again and again until they have none: what a run spends
on other things than trials does not count (DECISIONS 93).
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import pathlib
import queue
import subprocess
import threading
from collections.abc import Sequence

from epnas_tf import command_line
from epnas_tf.report.forecast import duration
from epnas_tf.studies import cores, timeline
from epnas_tf.studies.variants import Variant
from epnas_tf.terminal import say
from epnas_tf.workdir.layout import WorkDir

# Share of the budget that is not worth another run: a trial more would go beyond it by as much.
SLACK = 0.02

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}


@dataclasses.dataclass(frozen=True)
class Search:
    """One of the searches to compare.

    Attributes:
      variant: its variant's name.
      seed: its own.
      folder: its work_dir.
      flags: of the command, but for the hours.
    """

    variant: str
    seed: int
    folder: pathlib.Path
    flags: tuple[str, ...]

    @property
    def work_dir(self) -> WorkDir:
        """Its files."""
        return WorkDir(str(self.folder))

    @property
    def log(self) -> pathlib.Path:
        """What it printed."""
        return self.folder.with_name(f"{self.folder.name}.log")


def searches(
    asked: Sequence[Variant], seeds: Sequence[int], common: Sequence[str], root: pathlib.Path
) -> list[Search]:
    """Returns all searches, seed by seed: a study that is interrupted compares what there is.

    Raises:
      ConfigError: their flags are not those of a search.
    """
    found = []
    for seed in seeds:
        for variant in asked:
            folder = root / f"{variant.name}_seed{seed}"
            own = (f"--work_dir={folder}", f"--seed={seed}", "--threads_per_child=1")
            found.append(Search(variant.name, seed, folder, (*common, *variant.flags, *own)))
    for search in found:
        command_line.parse(["", *search.flags])
    return found


class Runner:
    """Runs searches side by side.

    Args:
      command: what starts a search, without its flags.
      seconds: the budget of each.
    """

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command, self._seconds = tuple(command), seconds
        self._stopped = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()

    def run(self, asked: Sequence[Search], jobs: int) -> list[Search]:
        """Runs what is missing; returns the searches that failed, whose logs say why.

        Raises:
          KeyboardInterrupt: the process was asked to stop; the same call goes on.
        """
        free: queue.Queue[int] = cores.queue(jobs, queue)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            try:
                whole = [pool.submit(self._whole, search, free) for search in asked]
                ended = [future.result() for future in whole]
            except KeyboardInterrupt:
                self._stopped.set()
                for process in tuple(self._running):
                    process.terminate()
                raise
        return [search for search, good in zip(asked, ended, strict=True) if not good]

    def _whole(self, search: Search, free: queue.Queue[int]) -> bool:
        """Runs a search until its budget is spent or it has ended by itself; False if it fails."""
        core = free.get()
        try:
            while not self._stopped.is_set():
                before = timeline.spent(search.work_dir)
                left = self._seconds - before
                if left <= SLACK * self._seconds:
                    break
                code = self._once(search, left, core)
                if self._stopped.is_set():
                    break
                if code:
                    say(f"{search.folder.name}: ended with code {code}, see {search.log}")
                    return False
                after = timeline.spent(search.work_dir)
                say(f"{search.folder.name}: {duration(after)} of trials")
                if after <= before:
                    break
        finally:
            free.put(core)
        return True

    def _once(self, search: Search, seconds: float, core: int) -> int:
        """Runs a search for so long; returns its exit code."""
        search.folder.parent.mkdir(parents=True, exist_ok=True)
        command = [*self._command, *search.flags, f"--max_hours={seconds / 3600:.6f}"]
        with search.log.open("ab") as log:
            process = subprocess.Popen(
                cores.pinned(command, core),
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | _ONE_THREAD,
                start_new_session=True,  # a terminal's Ctrl-C reaches it through us, once
            )
            self._running.add(process)
            try:
                return process.wait()
            finally:
                self._running.discard(process)
