"""The study of proxies goes on where it stopped."""

from __future__ import annotations

import concurrent.futures

import pytest

from epnas_tf.architecture.budget import Budget
from epnas_tf.studies import rank_networks, rank_study, rank_training, resumable
from tests.studies.pools import DirectPool

_COUNT = 12


@pytest.fixture(name="budget", scope="module")
def _budget():
    return Budget((32, 32, 3), 10, rank_networks.limits())


@pytest.fixture(name="found", scope="module")
def _found(budget):
    return rank_networks.candidates(_COUNT, budget)


@pytest.fixture(name="trained")
def _trained(monkeypatch):
    """What was trained, in order; nothing really is."""
    jobs = []

    def run(candidate, name, seed):
        jobs.append((candidate.key, name, seed))
        return {"key": candidate.key, "method": name, "seed": seed}

    monkeypatch.setattr(rank_training, "run", run)
    monkeypatch.setattr(rank_study, "start_worker", lambda *images: None)
    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", DirectPool)
    return jobs


def test_only_what_is_missing_is_trained(found, trained, tmp_path, capsys):
    path = tmp_path / "runs.jsonl"
    rank_study.train_missing(path, found, ["plain_4"], 1, ("", 0.1))
    assert trained == [(candidate.key, "plain_4", 2) for candidate in found]
    kept = path.read_text("utf-8")
    trained.clear()
    rank_study.train_missing(path, found, ["truth", "plain_4"], 1, ("", 0.1))
    assert trained == [(c.key, "truth", seed) for seed in (0, 1) for c in found]
    assert path.read_text("utf-8").startswith(kept)
    trained.clear()
    rank_study.train_missing(path, found, ["truth", "plain_4"], 1, ("", 0.1))
    assert trained == []
    assert "0 runs to do" in capsys.readouterr().out
    assert len(resumable.read(path)) == 3 * _COUNT
