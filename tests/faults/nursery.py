"""Runs a command that dies by SIGKILL at a chosen event, each time in a process of its own.

Usage: python nursery.py PLAN.json. The plan is {"command": "search", "flags": [...],
"deaths": [[event, count], ...]}; each death is a process that runs the command with these flags and
kills itself at the count-th event of this name ("" for any). A last process runs to the end. What
they did is printed as JSON: the exit code of each, negative for a signal, and the names of the last
one's events. `start` and `ended` do that for a test.

TensorFlow is imported once and the processes are forked from here before it has started.
"""

from __future__ import annotations

import collections
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from epnas_tf.searching.learner import Learner
from epnas_tf.training import epochs
from epnas_tf.tuner.assigning import Assigner
from epnas_tf.tuner.tuner import EPNASTuner
from epnas_tf.workdir import storage

try:
    from epnas_tf.tools import retrain, search
except ImportError:  # from a checkout
    from tools import retrain, search

# By command: what runs it, and the flag of the folder that it writes.
_COMMANDS = {"search": (search.main, "work_dir"), "retrain": (retrain.main, "out_dir")}


def start(
    folder: pathlib.Path, flags: Sequence[str], deaths: list, command: str = "search"
) -> subprocess.Popen[str]:
    """Starts a command that dies again and again."""
    plan = folder.with_suffix(".json")
    whole = [*flags, f"--{_COMMANDS[command][1]}={folder}"]
    plan.write_text(json.dumps({"command": command, "flags": whole, "deaths": deaths}))
    return subprocess.Popen(
        [sys.executable, __file__, str(plan)],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that its forks can be killed with it
    )


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Waits for such a search; returns what its processes did, and what they said of errors."""
    output, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    return json.loads(output) | {"errors": errors}


class Clock:
    """Counts events by name, and kills the process at one of them."""

    def __init__(self, name: str, count: int):
        self._at = (name, count)
        self.seen: list[str] = []
        self._counts: collections.Counter[str] = collections.Counter()

    def __call__(self, name: str, more: bool = False) -> None:
        """Notes an event; one that only tells `more` is none of those that "" counts."""
        self.seen.append(name)
        self._counts.update({name: 1} if more else {name: 1, "": 1})
        wanted, count = self._at
        if more and not wanted:
            return
        if wanted in (name, "") and self._counts[wanted] == count:
            os.kill(os.getpid(), signal.SIGKILL)


def _kind(path: str) -> str:
    """Returns which file of a search or a final training a path is, whatever its trial."""
    name = os.path.basename(path)
    if name == "state.npz":
        return name
    return "offer" if name.endswith(".npz") else "weights" if name.endswith(".h5") else name


def _around(owner: Any, name: str, clock: Clock, event: Callable[..., str]) -> None:
    real = getattr(owner, name)

    def noted(*args: Any, **kwargs: Any) -> Any:
        clock(f"before {event(*args)}")
        result = real(*args, **kwargs)
        clock(f"after {event(*args)}")
        return result

    setattr(owner, name, noted)


def _watch_rungs(clock: Clock) -> None:
    """Notes more of what rises: its creation, its epochs and the end of its training."""
    assign, attempt, epoch = Assigner.__call__, EPNASTuner._attempt, epochs.Epochs.__call__
    rung = 0

    def assigned(assigner: Any, proposal: Any, worker: str) -> Any:
        if proposal.slot.rung:
            clock("before creation above", more=True)
        return assign(assigner, proposal, worker)

    def attempted(tuner: Any, assignment: Any) -> Any:
        nonlocal rung
        rung = assignment.slot.rung
        result = attempt(tuner, assignment)
        if rung:
            clock("after training above", more=True)
        return result

    def epoch_ended(*args: Any, **kwargs: Any) -> Any:
        if rung:
            clock("epoch above", more=True)
        return epoch(*args, **kwargs)

    Assigner.__call__, EPNASTuner._attempt = assigned, attempted
    epochs.Epochs.__call__ = epoch_ended


def _watch(clock: Clock) -> None:
    real_replace = os.replace

    def replace(source: str, target: str) -> None:
        clock(f"within {_kind(target)}")  # written, but not under its name
        real_replace(source, target)

    os.replace = replace
    _around(storage, "write_atomic", clock, lambda path, *_: _kind(path))
    _around(storage, "remove", clock, lambda path: f"deleting {_kind(path)}")
    _around(epochs.Epochs, "__call__", clock, lambda *_: "epoch")
    _around(Learner, "take_in", clock, lambda *_: "policy update")
    _watch_rungs(clock)


def _run(command: str, flags: list[str], name: str, count: int, report: str) -> int:
    clock = Clock(name, count)
    _watch(clock)
    code = _COMMANDS[command][0]([f"epnas_{command}", *flags])
    pathlib.Path(report).write_text(json.dumps(clock.seen), encoding="utf-8")
    return code


def _forked(command: str, flags: list[str], name: str, count: int, report: str) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 99
    try:
        os.dup2(2, 1)  # stdout is for the report
        code = _run(command, flags, name, count, report)
    finally:
        os._exit(code)


def main(plan_file: str) -> None:
    """Runs a plan."""
    plan = json.loads(pathlib.Path(plan_file).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "events.json")
        deaths = [*plan["deaths"], ["never", 1]]
        run = (plan["command"], plan["flags"])
        codes = [_forked(*run, name, count, report) for name, count in deaths]
        events = json.loads(pathlib.Path(report).read_text(encoding="utf-8"))
    json.dump({"codes": codes, "events": events}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
