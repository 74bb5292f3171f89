"""The real command in real processes: refusing bad input, and whole."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from epnas_tf import command_line
from epnas_tf import config as config_lib

try:
    from epnas_tf.tools import search
except ImportError:  # from a checkout
    from tools import search

_FLAGS = (
    *("--dataset=digits", "--train_fraction=0.2", "--layer_types=conv2d,max_pool"),
    *("--channels=4,8", "--filter_widths=1,3", "--activations=relu", "--max_layers=3"),
    *("--stem_filters=4", "--branches=2", "--episodes=2", "--steps=1", "--rungs=1"),
    *("--max_params=10k", "--machine_gflops=16", "--keep_models=2", "--seed=4"),
)


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", search.__name__, *arguments],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(name="other_search", scope="module")
def _other_search(tmp_path_factory) -> pathlib.Path:
    """A work_dir of another configuration, as it was left after its first trial."""
    folder = tmp_path_factory.mktemp("other") / "search"
    folder.mkdir()
    text = config_lib.to_flags_text(command_line.parse(["", f"--work_dir={folder}", "--seed=7"]))
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


def test_a_terminal_of_ascii_gets_a_whole_search_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    pixels, labels = np.arange(40 * 64).reshape(40, 8, 8) % 255, np.arange(40) % 2
    np.savez(tmp_path / "b\u00fccher.npz", x_train=pixels, y_train=labels)
    flags = [flag for flag in _FLAGS if not flag.startswith(("--dataset", "--train_fraction"))]
    dataset = f"--dataset=npz:{tmp_path}/b\u00fccher.npz"
    process = _start(*flags, dataset, f"--work_dir={tmp_path}/\u00fc\u2714", "--max_trials=1")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output.startswith(f"npz:{tmp_path}/b\\xfccher.npz: ")
    assert f" networks in {tmp_path}/\\xfc\\u2714\n" in output
    assert "Traceback" not in errors


def test_best_json_of_a_whole_search_is_complete(tmp_path):
    work_dir = tmp_path / "one"
    arguments = ["epnas_search", *_FLAGS, "--verbosity=0", "--max_trials=1"]
    assert search.main([*arguments, f"--work_dir={work_dir}"]) == 0
    best = json.loads((work_dir / "best.json").read_text())
    assert best["cost"]["params"] <= 10_000
    assert best["feasible"] is True
    assert 0 <= best["test_accuracy"] <= 1
