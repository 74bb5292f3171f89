"""Which core a process of a study runs on: side by side they must not take turns on one."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Sequence
from typing import Any


def usable() -> list[int]:
    """Returns the cores that this process may use; none where the system pins no process."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def shared_out(jobs: int) -> list[int]:
    """Returns a core for each of so many processes, -1 for any; the last ones may share."""
    return list(itertools.islice(itertools.cycle(usable() or [-1]), jobs))


def queue(jobs: int, context: Any) -> Any:
    """Returns a queue that gives a core to each of so many processes.

    Args:
      jobs: how many processes ask.
      context: of multiprocessing, in which they are made.
    """
    free = context.Queue()
    for core in shared_out(jobs):
        free.put(core)
    return free


def pin(core: int) -> None:
    """Keeps this process on a core; -1 for any."""
    if core >= 0:
        os.sched_setaffinity(0, {core})


def pinned(command: Sequence[str], core: int) -> list[str]:
    """Returns a command that keeps its process on a core, as far as the system can; -1 for any."""
    taskset = shutil.which("taskset") if core >= 0 else None
    return [taskset, "-c", str(core), *command] if taskset else list(command)
