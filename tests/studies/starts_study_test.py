"""First steps with each kind of start: what is run, what goes on, and what is made of it."""

from __future__ import annotations

import os

import pytest

from epnas_tf import run
from epnas_tf.config import SearchConfig
from epnas_tf.studies import starts_study

_PAIRS = [(kind, seed) for seed in range(7, 7 + starts_study.SEEDS) for kind in starts_study.KINDS]


def _trial(step: int, params: int, accuracy: float, feasible: bool) -> dict[str, str]:
    numbers = {"step": step, "params": params, "flops": 10 * params, "accuracy": accuracy}
    return {name: str(value) for name, value in numbers.items()} | {"feasible": str(int(feasible))}


# What comes after the first step is none of the study's.
_TRIALS = [_trial(0, 2_000, 0.5, True), _trial(0, 6_000, 0.75, False), _trial(1, 9, 1.0, True)]


@pytest.fixture(name="searched")
def _searched(monkeypatch):
    """The configurations that were searched; each search finds _TRIALS."""
    asked: list[SearchConfig] = []
    monkeypatch.setattr(run, "search", asked.append)
    monkeypatch.setattr(starts_study, "trajectory", lambda work_dir: _TRIALS)
    return asked


@pytest.fixture(name="config")
def _config(tmp_path):
    return SearchConfig(work_dir=str(tmp_path / "study"), seed=7, branches=2, max_params=1e6)


def test_each_kind_trains_its_first_step_with_each_seed(searched, config):
    starts_study.compare(config)
    assert [(found.starts, found.seed) for found in searched] == _PAIRS
    assert {(found.max_trials, found.max_params) for found in searched} == {(2, 1e6)}
    folders = [os.path.relpath(found.work_dir, config.work_dir) for found in searched]
    assert folders == [f"{kind}_seed{seed}" for kind, seed in _PAIRS]


def test_an_interrupted_study_goes_on_and_ends_with_the_same_table(searched, config, monkeypatch):
    def interrupted(found: SearchConfig) -> None:
        if len(searched) == 4:
            raise KeyboardInterrupt
        searched.append(found)

    with monkeypatch.context() as patch:
        patch.setattr(run, "search", interrupted)
        with pytest.raises(KeyboardInterrupt):
            starts_study.compare(config)
    text = starts_study.compare(config)
    assert [(found.starts, found.seed) for found in searched] == _PAIRS
    assert starts_study.compare(config) == text
    assert len(searched) == len(_PAIRS)


def test_the_table_is_of_all_seeds_and_of_each(searched, config, tmp_path):
    text = starts_study.compare(config)
    assert (tmp_path / "study" / "starts.md").read_text() == text + "\n"
    lines = text.splitlines()
    assert len(lines) == 2 + len(starts_study.KINDS) + len(_PAIRS)
    figures = "4.0k (2.0 to 6.0) | 0.0 (0.0 to 0.1) | 50% | 0.625 | 0.750 |"
    assert lines[2] == f"| random | all 5 | {figures}"
    assert lines[5] == f"| random | 7 | {figures}"
    assert lines[-1] == f"| portfolio | 11 | {figures}"


def test_the_best_of_all_seeds_is_the_mean_of_their_best():
    row = {"starts": "random", "params": [1], "flops": [1], "feasible": [True]}
    rows = [row | {"seed": seed, "accuracy": [0.2, best]} for seed, best in ((1, 0.4), (2, 0.8))]
    assert list(starts_study.table(rows))[2].endswith("| 0.400 | 0.600 |")
