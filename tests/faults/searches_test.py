"""Real searches meeting a real machine: signals, a second search, a full disk, other hash seeds."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

import epnas_tf
from epnas_tf import command_line
from epnas_tf.fields import ConfigError
from epnas_tf.report.trajectory import trajectory
from epnas_tf.training import trainer
from epnas_tf.workdir import storage

try:
    from epnas_tf.tools import search
except ImportError:  # from a checkout
    from tools import search

_FLAGS = (
    *("--dataset=digits", "--train_fraction=0.2", "--layer_types=conv2d,max_pool"),
    *("--channels=4,8", "--filter_widths=1,3", "--activations=relu", "--max_layers=3"),
    *("--stem_filters=4", "--branches=2", "--episodes=2", "--steps=1", "--epochs=2", "--rungs=2"),
    *("--max_params=10k", "--machine_gflops=16", "--keep_models=2", "--seed=4"),
    "--parameter_sharing=lineage",
)
_TRIALS = 2 + 2 * 1 * 2
# The same search up to its first episode's end, where what is tested needs no more of it.
_SHORT = "--episodes=1"
_SHORT_TRIALS = 2 + 1 * 1 * 2
# A child that trains for long enough to be stopped in the middle.
_LONG = ("--epochs=3000", "--rungs=3000", "--channels=8,16", "--branches=2", "--train_fraction=1")


def _start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", search.__name__, *_FLAGS, *arguments],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def _started(*arguments: str, **environment: str):
    process = _start(*arguments, **environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _wait_for(path: pathlib.Path, process: subprocess.Popen[str]) -> None:
    for _ in range(20_000):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"{path} did not appear in 200 s")


def _search_here(work_dir: pathlib.Path, *flags: str) -> epnas_tf.SearchResult:
    """Runs the search in this process, which has TensorFlow loaded already."""
    arguments = ["", *_FLAGS, "--verbosity=0", f"--work_dir={work_dir}", *flags]
    return epnas_tf.search(command_line.parse(arguments))


def _search_in_a_process(work_dir: pathlib.Path, *flags: str, **environment: str) -> None:
    with _started(*flags, f"--work_dir={work_dir}", **environment) as process:
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors


def _trials(work_dir: pathlib.Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(work_dir.glob("trial_*/trial.json"))]


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory) -> pathlib.Path:
    """The work_dir of a search that nothing happened to."""
    work_dir = tmp_path_factory.mktemp("whole") / "search"
    _search_here(work_dir)
    assert len(trajectory(work_dir)) == _TRIALS
    return work_dir


@pytest.fixture(name="short", scope="module")
def _short(whole) -> list[dict]:
    """What a search of _SHORT finds: more episodes only extend it, as a test below says."""
    return trajectory(whole)[:_SHORT_TRIALS]


def test_signals_stop_in_order_and_cost_no_attempt(tmp_path, capsys):
    """Both signals, and meanwhile a second search on the same work_dir."""
    work_dirs = {signal.SIGINT: tmp_path / "interrupted", signal.SIGTERM: tmp_path / "terminated"}
    flags = [*_LONG, "--max_attempts=1"]
    with contextlib.ExitStack() as stack:
        running = {
            number: stack.enter_context(_started(*flags, f"--work_dir={work_dir}"))
            for number, work_dir in work_dirs.items()
        }
        for number, work_dir in work_dirs.items():
            _wait_for(work_dir / "trial_0000" / "trial.json", running[number])
        other = ["epnas_search", *_FLAGS, *flags, f"--work_dir={tmp_path / 'terminated'}"]
        assert search.main(other) == 2
        errors = capsys.readouterr().err
        holder = f"is held by process {running[signal.SIGTERM].pid} on "
        said = [line for line in errors.splitlines() if line.startswith("epnas_search: ")]
        assert said[0].startswith(f"epnas_search: --work_dir={tmp_path / 'terminated'}: ")
        assert holder in said[0]
        for number, process in running.items():
            process.send_signal(number)
        for number, process in running.items():
            _, errors = process.communicate(timeout=200)
            assert process.returncode == 128 + number
            assert f"stopped by {number.name}; what was finished is kept in " in errors
            assert "Traceback" not in errors
    for work_dir in work_dirs.values():
        (trial,) = _trials(work_dir)
        assert (trial["status"], trial["message"]) == ("FAILED", "stopped")
        assert (work_dir / "lock").read_text() == ""


def test_a_killed_search_ends_like_one_that_was_not(tmp_path, whole):
    """Each process of it has an order of hashes of its own."""
    killed = tmp_path / "killed"
    rng = random.Random(11)
    # In the first trial, and in some later one: each attempt has a file of its own.
    for trial in (0, rng.randrange(2, 4)):
        with _started(f"--work_dir={killed}", PYTHONHASHSEED="0") as process:
            _wait_for(killed / f"trial_000{trial}" / "trial.json", process)
            time.sleep(rng.uniform(0, 0.5))
            os.kill(process.pid, signal.SIGKILL)
            assert process.wait(timeout=60) == -signal.SIGKILL
    assert not (killed / "trials.csv").exists() or len(trajectory(killed)) < _TRIALS

    with _started(f"--work_dir={killed}", PYTHONHASHSEED="1") as process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert f"{_TRIALS} networks trained" in output
    assert f"[{_TRIALS}/{_TRIALS}] e02s01b1" in output

    rows = trajectory(killed)
    assert len(rows) == _TRIALS
    assert rows == trajectory(whole)  # slots, parents, actions, specs, accuracies, rewards, costs
    for name in ("best.json", "steps.jsonl"):
        assert (killed / name).read_text() == (whole / name).read_text()
    assert len(list(killed.glob("trial_*/trial.json"))) > _TRIALS  # there were lost attempts
    kept = sorted(path.name for path in (whole / "models").iterdir())
    assert sorted(path.name for path in (killed / "models").iterdir()) == kept
    assert not list(killed.rglob("*.tmp*"))


def test_a_stopped_trial_is_begun_anew_as_often_as_it_takes(tmp_path, short, monkeypatch):
    """With --max_attempts=1 an attempt that died would be the slot's last."""
    work_dir = tmp_path / "stopped"
    real = trainer.train

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    for _ in range(3):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(trainer, "train", interrupted)
            _search_here(work_dir, _SHORT, "--max_attempts=1")
    assert trainer.train is real
    _search_here(work_dir, _SHORT, "--max_attempts=1")
    assert trajectory(work_dir) == short
    messages = [trial["message"] for trial in _trials(work_dir)]
    assert messages[:3] == ["stopped"] * 3


@pytest.mark.nightly  # the killed search above has two orders of hashes
@pytest.mark.parametrize("seed", ["1", "271828"])
def test_the_order_of_hashes_changes_nothing(tmp_path, whole, seed):
    _search_in_a_process(tmp_path / "search", PYTHONHASHSEED=seed)
    assert trajectory(tmp_path / "search") == trajectory(whole)


def test_a_deterministic_search_comes_to_its_end(tmp_path):
    """Where TensorFlow refuses what could differ it computes some sums in another way.

    The last bits of such a search are its own.
    """
    _search_in_a_process(tmp_path / "search", _SHORT, "--deterministic", PYTHONHASHSEED="0")
    assert len(trajectory(tmp_path / "search")) == _SHORT_TRIALS


def test_more_episodes_and_trials_extend_a_search(tmp_path, whole):
    extended = tmp_path / "extended"
    _search_here(extended, "--episodes=1", "--max_trials=3")
    alone = command_line.parse_to_go_on(["", f"--work_dir={extended}", "--verbosity=0"])
    epnas_tf.search(alone)  # no limit, one episode
    assert len(trajectory(extended)) == _SHORT_TRIALS
    _search_here(extended, "--episodes=2")
    assert trajectory(extended) == trajectory(whole)
    with pytest.raises(ConfigError, match=r"--episodes=1 \(stored: 2\)"):
        _search_here(extended, "--episodes=1")


def test_nothing_is_resumed_or_deleted_unless_said(tmp_path, whole):
    work_dir = tmp_path / "search"
    shutil.copytree(whole, work_dir)
    (work_dir / "notes.txt").write_text("mine")
    before = (work_dir / "trials.csv").read_text()
    with pytest.raises(ConfigError, match="--resume goes on if .*, --overwrite deletes it"):
        _search_here(work_dir, "--noresume")
    assert (work_dir / "trials.csv").read_text() == before
    result = _search_here(work_dir, "--overwrite", "--seed=5", "--max_trials=2")
    assert result.trials == len(_trials(work_dir)) == 2
    assert (work_dir / "notes.txt").read_text() == "mine"
    flags = (work_dir / "flags.txt").read_text()
    assert "--overwrite=false\n" in flags and "--seed=5\n" in flags
    # What was said once is not said for ever.
    assert _search_here(work_dir, "--seed=5", "--max_trials=3").trials == 3


def test_limits_end_a_search_with_everything_reported(tmp_path, short, capsys):
    work_dir = tmp_path / "limited"
    _search_here(work_dir, _SHORT, "--max_trials=1", "--overwrite")
    last = "the same command without --overwrite and with a larger one goes on"
    assert capsys.readouterr().out.splitlines()[-1] == f"stopped at --max_trials=1: {last}"
    cases = [("--max_trials=1", 1), ("--max_disk=1k", 1), ("--max_hours=1e-9", 1)]
    for flag, trials in cases:
        assert _search_here(work_dir, _SHORT, flag).trials == trials
        name = flag.partition("=")[0]
        last = capsys.readouterr().out.splitlines()[-1]
        assert last.startswith(f"stopped at {name}=")
        assert last.endswith(": the same command with a larger one goes on")
        assert json.loads((work_dir / "best.json").read_text())["test_accuracy"] >= 0
    _search_here(work_dir, _SHORT, "--max_disk=2G")
    assert "stopped at" not in capsys.readouterr().out
    assert trajectory(work_dir) == short


def test_a_search_in_an_object_store_is_the_same(tmp_path, short):
    """On ram://, which like all of them knows neither folders nor locks."""
    work_dir = f"ram://{tmp_path.name}/search"
    arguments = ["", *_FLAGS, _SHORT, "--verbosity=0", f"--work_dir={work_dir}"]
    first = epnas_tf.search(command_line.parse([*arguments, "--max_trials=3"]))
    assert first.trials == 3
    result = epnas_tf.search(command_line.parse(arguments))
    assert result.test_accuracy is not None
    assert trajectory(work_dir) == short
    assert storage.exists(f"{work_dir}/models/{result.best.slot}.weights.h5")
    again = epnas_tf.search(command_line.parse([*arguments, "--overwrite", "--max_trials=2"]))
    assert again.trials == 2


def test_a_clock_that_goes_backwards_changes_nothing(tmp_path, short, monkeypatch):
    now = iter(range(10**9, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    work_dir = tmp_path / "backwards"
    _search_here(work_dir, _SHORT, "--max_hours=1")
    assert trajectory(work_dir) == short
    with (work_dir / "trials.csv").open() as file:
        for row in csv.DictReader(file):
            assert float(row["seconds"]) > 0 and float(row["overhead_seconds"]) > 0


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path):
    """A file system of its own that can be filled or made read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full_loses_nothing(small_disk, short):
    work_dir = small_disk / "search"
    # The ballast leaves room for the first trials alone.
    (small_disk / "ballast").write_bytes(b"0" * 120_000)
    with pytest.raises(Exception, match="No space left on device"):
        _search_here(work_dir, _SHORT)
    for path in work_dir.glob("*/trial.json"):
        json.loads(path.read_text())
    (small_disk / "ballast").unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    _search_here(work_dir, _SHORT)
    assert trajectory(work_dir) == short
    assert not list(work_dir.rglob("*.tmp"))


def test_a_read_only_work_dir_is_named(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(ConfigError, match=r"--work_dir=.*: .*Read-only file system"):
        _search_here(small_disk / "search")
