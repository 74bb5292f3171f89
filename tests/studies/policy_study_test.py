"""The two searches over several seeds: what is run, and what is made of it."""

from __future__ import annotations

import os

import pytest

from epnas_tf import run
from epnas_tf.config import SearchConfig
from epnas_tf.studies import policy_study


def _trial(episode, step, accuracy, feasible):
    numbers = {"episode": episode, "step": step, "accuracy": accuracy}
    return {name: str(value) for name, value in numbers.items()} | {"feasible": str(int(feasible))}


# Step 0 is drawn at random whatever the policy: it counts for the best, not for the share.
_TRIALS = [
    _trial(1, 0, 0.25, True),
    _trial(1, 0, 0.9, False),
    *(_trial(1, 1, 0.5, True), _trial(1, 1, 0.75, False)),
    *(_trial(2, 1, 0.45, True), _trial(2, 1, 0.4, True)),
]


@pytest.fixture(name="searched")
def _searched(monkeypatch):
    """The configurations that were searched; each search finds _TRIALS."""
    asked = []
    monkeypatch.setattr(run, "search", asked.append)
    monkeypatch.setattr(policy_study, "trajectory", lambda work_dir: _TRIALS)
    return asked


def test_each_method_searches_with_each_seed_in_a_folder_of_its_own(searched, tmp_path):
    config = SearchConfig(work_dir=str(tmp_path), episodes=2, max_params=1e6)
    policy_study.compare(config)
    pairs = [(method, seed) for method in policy_study.METHODS for seed in policy_study.SEEDS]
    assert [found.seed for found in searched] == [seed for _, seed in pairs]
    folders = [os.path.relpath(found.work_dir, tmp_path) for found in searched]
    assert folders == [f"{method}_seed{seed}" for method, seed in pairs]
    assert {(found.episodes, found.max_params) for found in searched} == {(2, 1e6)}
    chosen = [(found.policy, found.screen, found.limits) for found in searched]
    count = len(policy_study.SEEDS)
    assert chosen == [("lstm", config.screen, "keep")] * count + [("random", 1, "soft")] * count


def test_shares_are_an_episodes_and_the_best_that_of_all_so_far(searched, tmp_path, capsys):
    policy_study.compare(SearchConfig(work_dir=str(tmp_path), episodes=2))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "defaults: share of children within the limits in each episode"
    count = len(policy_study.SEEDS)
    assert lines[2 : 4 + count] == [
        *(f"  seed {seed}   0.50  1.00  best 0.5000" for seed in policy_study.SEEDS),
        "  mean        0.50  1.00",
        "  best       0.500 0.500",
    ]


def test_where_nothing_keeps_the_limits_the_best_is_none(searched, tmp_path, capsys, monkeypatch):
    trials = [_trial(1, step, 0.5, False) for step in (0, 1)]
    monkeypatch.setattr(policy_study, "trajectory", lambda work_dir: trials)
    policy_study.compare(SearchConfig(work_dir=str(tmp_path), episodes=1))
    assert capsys.readouterr().out.splitlines()[-2:] == ["  mean        0.00", "  best       0.000"]
