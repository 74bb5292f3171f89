"""kill -9 at many moments of real searches: what is resumed ends as if nothing happened."""

from __future__ import annotations

import collections
import json
import os
import pathlib
import random
import signal

import pytest

from epnas_tf.report.trajectory import trajectory
from tests.faults import nursery

# Minutes long; tests/faults/searches_test.py kills a search twice wherever the suite runs.
pytestmark = pytest.mark.nightly

_FLAGS = (
    *("--dataset=digits", "--train_fraction=0.2", "--layer_types=conv2d,max_pool"),
    *("--channels=4,8,16", "--filter_widths=1,3", "--activations=relu", "--max_layers=4"),
    *("--stem_filters=4", "--branches=2", "--episodes=4", "--steps=3", "--epochs=2"),
    *("--parameter_sharing=dictionary", "--max_params=10k", "--machine_gflops=16"),
    *("--keep_models=2", "--seed=4", "--verbosity=0", "--threads_per_child=1"),
)
_TRIALS = 2 + 4 * 3 * 2
_MAX_ATTEMPTS = 5

# Moments drawn over all events of a search. A start has 12 of them and a trial 39 to 76, so
# that every third process gets past its first trial whatever else the machine does, and no
# slot is killed more than three times.
_RNG = random.Random(5)
_DRAWS = [["", _RNG.randrange(*((90, 130) if n % 3 == 2 else (15, 65)))] for n in range(22)]
# Each named stage of a trial's end and of a step's, and the kinds of files in between.
_STAGES = [
    # A trial's file is written when it begins, when it has metrics, and when it ends.
    *(["before trial.json", 3], ["within trial.json", 3], ["after trial.json", 3]),
    *(["before index.json", 1], ["within index.json", 1], ["after index.json", 1]),
    *(["before policy update", 1], ["after policy update", 1]),
    *(["before oracle.json", 3], ["within oracle.json", 3], ["after oracle.json", 3]),
    *(["within offer", 1], ["after offer", 1], ["after weights", 1], ["within trials.csv", 1]),
]


@pytest.fixture(name="searches", scope="module")
def _searches(tmp_path_factory):
    """Three killed searches and the same left alone, and what their processes said."""
    folder = tmp_path_factory.mktemp("killed")
    one, two = ("--rungs=2", "--policy=random"), ("--rungs=2,4", "--policy=random")
    searches = [
        {"drawn": (_DRAWS, *one), "stages": (_STAGES, one[0])},
        {"drawn_whole": ([], *one), "stages_whole": ([], one[0])},
        {"rungs": (_DRAWS, *two), "rungs_whole": ([], *two)},
    ]
    reports = {}
    for pair in searches:  # a core each
        running = {
            name: nursery.start(folder / name, [*_FLAGS, *flags], deaths)
            for name, (deaths, *flags) in pair.items()
        }
        try:
            reports |= {name: nursery.ended(process) for name, process in running.items()}
        finally:
            for process in running.values():
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
    return folder, reports


@pytest.mark.parametrize(
    ("name", "deaths"), [("drawn", _DRAWS), ("stages", _STAGES), ("rungs", _DRAWS)]
)
def test_a_search_killed_again_and_again_ends_as_one_that_was_not(searches, name, deaths):
    folder, reports = searches
    report = reports[name]
    assert report["codes"] == [-signal.SIGKILL] * len(deaths) + [0], report["errors"]
    assert "torn" not in report["errors"]  # no file was ever half written
    killed, whole = folder / name, folder / f"{name}_whole"
    rows = trajectory(whole)
    assert sum(row["rung"] == "0" for row in rows) == _TRIALS
    assert (len(rows) > _TRIALS) == (name == "rungs")
    assert trajectory(killed) == rows
    for file in ("best.json", "steps.jsonl", "flags.txt"):
        text = (whole / file).read_text().replace(str(whole), str(killed))
        assert (killed / file).read_text() == text, file
    attempts = _attempts(killed)
    assert 1 < max(attempts.values()) < _MAX_ATTEMPTS
    assert sum(attempts.values()) > len(rows)


@pytest.mark.parametrize("name", ["drawn", "stages", "rungs"])
def test_nothing_is_left_over(searches, name):
    folder, _ = searches
    killed, whole = folder / name, folder / f"{name}_whole"
    for part in ("models", "shared_params"):
        counts = [len(list((folder / part).iterdir())) for folder in (killed, whole)]
        assert counts[0] == counts[1], part
    assert not list(killed.rglob("*.tmp"))


def test_the_drawn_moments_are_of_many_kinds(searches):
    _, reports = searches
    events = reports["drawn_whole"]["events"]
    assert len(events) > 20 * _TRIALS
    assert {name for name, _ in _STAGES} <= set(reports["stages_whole"]["events"])
    assert "before epoch" in events


def _attempts(work_dir: pathlib.Path) -> collections.Counter[str]:
    """Returns how often each slot was begun."""
    files = [json.loads(path.read_text()) for path in work_dir.glob("trial_*/trial.json")]
    return collections.Counter(file["hyperparameters"]["values"]["slot"] for file in files)
