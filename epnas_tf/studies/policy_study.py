"""The default search and uniform morphs with nothing learnt or predicted, over several seeds."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np

from epnas_tf import config as config_lib
from epnas_tf import run
from epnas_tf.report.trajectory import trajectory
from epnas_tf.searching.settings import EPISODES

# Settings that differ from those asked for, by what a search is called.
METHODS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "uniform_morphs": {
        "policy": "random",
        "screen": 1,
        "imagined_updates": 0,
        "limits": "soft",
        "starts": "random",
    },
}
SEEDS = tuple(range(1000, 1008))


def compare(asked: config_lib.SearchConfig) -> None:
    """Runs the searches and prints a table per method, as soon as it is there.

    Args:
      asked: settings that all searches share; they lie below its work_dir.
    """
    for method, changed in METHODS.items():
        studied = [_search(asked, method, changed, seed) for seed in SEEDS]
        shares = np.array([[share for share, _ in episodes] for episodes in studied])
        best = np.array([[accuracy for _, accuracy in episodes] for episodes in studied])
        print(f"\n{method}: share of children within the limits in each episode")
        for seed, row, found in zip(SEEDS, shares, best, strict=True):
            numbers = " ".join(f"{share:5.2f}" for share in row)
            print(f"  seed {seed}  {numbers}  best {found[-1]:.4f}")
        print("  mean       " + " ".join(f"{share:5.2f}" for share in shares.mean(axis=0)))
        print("  best       " + " ".join(f"{accuracy:5.3f}" for accuracy in best.mean(axis=0)))


def _search(
    asked: config_lib.SearchConfig, method: str, changed: dict[str, Any], seed: int
) -> list[tuple[float, float]]:
    """Returns (share of feasible children, best feasible accuracy so far) of each episode."""
    work_dir = os.path.join(asked.work_dir, f"{method}_seed{seed}")
    run.search(dataclasses.replace(asked, seed=seed, work_dir=work_dir, **changed))
    trials = trajectory(work_dir)
    episodes = []
    for episode in range(1, (asked.episodes or EPISODES) + 1):
        children = [t for t in trials if int(t["episode"]) == episode and int(t["step"]) > 0]
        so_far = [
            float(t["accuracy"])
            for t in trials
            if int(t["episode"]) <= episode and t["feasible"] == "1"
        ]
        share = float(np.mean([t["feasible"] == "1" for t in children]))
        episodes.append((share, max(so_far, default=0.0)))
    return episodes
