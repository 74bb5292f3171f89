"""The real command in real processes: killed and resumed, and refusing bad input."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

import epnas_tf
from epnas_tf import config as config_lib
from epnas_tf.report.trajectory import trajectory

try:
    from epnas_tf.tools import search
except ImportError:  # from a checkout
    from tools import search

_FLAGS = (
    *("--dataset=digits", "--train_fraction=0.2", "--layer_types=conv2d,max_pool"),
    *("--channels=4,8", "--filter_widths=1,3", "--activations=relu", "--max_layers=3"),
    *("--stem_filters=4", "--branches=2", "--episodes=2", "--steps=1", "--epochs=1"),
    *("--max_params=10k", "--machine_gflops=16", "--keep_models=2", "--seed=4"),
)
_TRIALS = 2 + 2 * 1 * 2


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", search.__name__, *arguments],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def _started(*arguments: str):
    process = _start(*arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _wait_for(path: pathlib.Path, process: subprocess.Popen[str]) -> None:
    for _ in range(6000):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"{path} did not appear in a minute")


def test_a_killed_search_ends_like_one_that_was_not(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    arguments = ["epnas_search", *_FLAGS, "--verbosity=0"]
    epnas_tf.search(config_lib.parse([*arguments, f"--work_dir={whole}"]))

    rng = random.Random(11)
    # In the first trial, and in some later one: each attempt has a file of its own.
    for trial in (0, rng.randrange(2, 4)):
        with _started(*_FLAGS, f"--work_dir={killed}") as process:
            _wait_for(killed / f"trial_000{trial}" / "trial.json", process)
            time.sleep(rng.uniform(0, 0.5))
            os.kill(process.pid, signal.SIGKILL)
            assert process.wait(timeout=60) == -signal.SIGKILL
    assert not (killed / "trials.csv").exists() or len(trajectory(killed)) < _TRIALS

    with _started(*_FLAGS, f"--work_dir={killed}") as process:
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


@pytest.fixture(name="other_search", scope="module")
def _other_search(tmp_path_factory) -> pathlib.Path:
    """A work_dir of another configuration, as it was left after its first trial."""
    folder = tmp_path_factory.mktemp("other") / "search"
    folder.mkdir()
    text = config_lib.to_flags_text(config_lib.parse(["", f"--work_dir={folder}", "--seed=7"]))
    (folder / "flags.txt").write_text(text)
    (folder / "trials.csv").write_text("precious\n")
    return folder


def test_bad_input_is_one_line_and_exit_code_2(tmp_path, other_search):
    new = tmp_path / "new"
    cases = {
        ("--dataset=mnits",): ["--dataset=mnits"],
        ("--dataset=folder:no/such",): ["--dataset=folder:no/such"],
        ("--min_params=2M", "--max_params=1M"): ["--min_params=2M", "--max_params=1M"],
        ("--max_parms=1M",): ["max_parms"],
        ("--max_flops=lots",): ["--max_flops=lots"],
        ("--seed=8", f"--work_dir={other_search}"): ["--seed=8", str(other_search), "7"],
    }
    before = {path.name: path.read_bytes() for path in other_search.iterdir()}
    processes = [_start(f"--work_dir={new}", *arguments) for arguments in cases]
    for process, words in zip(processes, cases.values(), strict=True):
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 2, errors
        assert output == ""
        # TensorFlow's own notes of its start are not ours to silence.
        ours = [line for line in errors.splitlines() if line.startswith("epnas_search: ")]
        assert len(ours) == 1, errors
        assert errors.endswith(f"{ours[0]}\n")
        assert "Traceback" not in errors
        assert all(word in ours[0] for word in words), ours
    assert not new.exists()
    assert {path.name: path.read_bytes() for path in other_search.iterdir()} == before


def test_best_json_of_a_whole_search_is_complete(tmp_path):
    work_dir = tmp_path / "one"
    arguments = ["epnas_search", *_FLAGS, "--verbosity=0", "--max_trials=1"]
    assert search.main([*arguments, f"--work_dir={work_dir}"]) == 0
    best = json.loads((work_dir / "best.json").read_text())
    assert best["cost"]["params"] <= 10_000
    assert best["feasible"] is True
    assert 0 <= best["test_accuracy"] <= 1
