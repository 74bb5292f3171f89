"""rescore: what the command prints of a search."""

from __future__ import annotations

import csv
import json

import pytest

from epnas_tf import config as config_lib
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.config import SearchConfig
from epnas_tf.studies import rescoring
from epnas_tf.workdir.layout import WorkDir


def _spec(channels: int) -> LayerwiseSpec:
    return LayerwiseSpec((LayerSpec("conv2d", 1, channels=channels, activation="relu"),), 4)


@pytest.fixture(name="work_dir")
def _work_dir(tmp_path) -> WorkDir:
    """Four trials of 30 seconds: the best is not feasible, the next comes late, one failed."""
    trials = [
        ("e01s00b0", 0.5, 1, "trained"),
        ("e01s00b1", 0.9, 0, "trained"),
        ("e01s01b0", 0.8, 1, "failed"),
        ("e01s01b1", 0.6, 1, "trained"),
    ]
    names = ("slot", "trial_id", "reward", "feasible", "status", "seconds", "overhead_seconds")
    with (tmp_path / "trials.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for number, (slot, reward, feasible, status) in enumerate(trials):
            writer.writerow([slot, f"{number:04d}", reward, feasible, status, 20, 10])
            folder = tmp_path / f"trial_{number:04d}"
            folder.mkdir()
            values = {"spec": _spec(number + 1).to_json()}
            (folder / "trial.json").write_text(json.dumps({"hyperparameters": {"values": values}}))
    config = SearchConfig(
        work_dir=str(tmp_path), dataset="digits", train_fraction=0.2, image_size=8
    )
    (tmp_path / "flags.txt").write_text(config_lib.to_flags_text(config))
    return WorkDir(str(tmp_path))


def test_the_command_prints_a_line_per_search(work_dir, monkeypatch, capsys, run_command):
    monkeypatch.setattr(rescoring, "scores", lambda *_: [(0.5, 0.25), (0.75, 0.5)])
    run_command("studies.rescore", work_dirs=work_dir.path)
    line = capsys.readouterr().out.splitlines()[-1]
    params = (3 * 3 * 4 + 2 * 4) + (4 * 4 + 2 * 4) + (4 * 10 + 10)
    flops = "0.0"
    assert line == (
        f"| {work_dir.path} | e01s01b1 | {params} | {flops} | 0.6250 (0.5000, 0.7500) "
        "| 0.3750 (0.2500, 0.5000) |"
    )
