"""kill -9 before, while and after a network rises: what is resumed ends as if nothing happened."""

from __future__ import annotations

import json
import os
import signal

import pytest

import epnas_tf
from epnas_tf import command_line
from epnas_tf.report.trajectory import trajectory
from tests.faults import nursery

_FLAGS = (
    *("--dataset=digits", "--train_fraction=0.2", "--layer_types=conv2d,max_pool"),
    *("--channels=4,8", "--filter_widths=1,3", "--activations=relu", "--max_layers=3"),
    *("--stem_filters=4", "--branches=2", "--episodes=1", "--steps=2", "--rungs=1,2"),
    *(
        "--promotion_share=0.5",
        "--finalists=0",
        "--max_params=10k",
        "--machine_gflops=16",
        "--keep_models=2",
    ),
    *("--seed=4", "--parameter_sharing=lineage", "--policy=random", "--verbosity=0"),
)
_TRIALS = 2 + 1 * 2 * 2
_DEATHS = [["before creation above", 1], ["epoch above", 2], ["after training above", 2]]


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory):
    """The work_dir of a search that nothing happened to."""
    work_dir = tmp_path_factory.mktemp("whole") / "search"
    epnas_tf.search(command_line.parse(["", *_FLAGS, f"--work_dir={work_dir}"]))
    return work_dir


def test_some_networks_rise_beside_those_that_the_search_counts(whole):
    rows = trajectory(whole)
    risen = [row for row in rows if row["rung"] == "1"]
    assert len(rows) - len(risen) == _TRIALS and len(risen) > 1
    assert {row["epochs"] for row in risen} == {"2"}
    assert all(row["wave"] in "12" and row["inherited"] == "0.0000" for row in risen)
    best = json.loads((whole / "best.json").read_text())
    assert (best["rung"], best["epochs"]) == (1, 2)
    assert (whole / "models" / f"{best['slot']}.weights.h5").exists()
    assert 0 < best["test_accuracy"] <= 1


def test_a_search_with_rungs_that_is_killed_ends_like_one_that_was_not(tmp_path, whole):
    killed = tmp_path / "killed"
    process = nursery.start(killed, _FLAGS, _DEATHS)
    try:
        report = nursery.ended(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert report["codes"] == [-signal.SIGKILL] * len(_DEATHS) + [0], report["errors"]
    assert trajectory(killed) == trajectory(whole)
    for name in ("best.json", "steps.jsonl"):
        assert (killed / name).read_text() == (whole / name).read_text()
    files = [json.loads(path.read_text()) for path in killed.glob("trial_*/trial.json")]
    slots = [file["hyperparameters"]["values"]["slot"] for file in files]
    assert sum("r" in slot for slot in slots) > sum(row["rung"] == "1" for row in trajectory(whole))
    kept = sorted(path.name for path in (whole / "models").iterdir())
    assert sorted(path.name for path in (killed / "models").iterdir()) == kept
    assert not list(killed.rglob("*.tmp*"))
