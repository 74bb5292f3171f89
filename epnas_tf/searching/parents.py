"""Which of the best networks a step starts from, one per branch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.candidates import STONE_REACH
from epnas_tf.searching.trials import Trial

# A tournament takes one in so many of the trained networks.
TOURNAMENTS = 4


def nearest_first(best: Sequence[Trial], violation: Callable[[Spec], float]) -> list[Trial]:
    """Puts what is nearer to kept limits first; within them the order stays.

    Outside, the highest softened reward may be that of a large network far away: steps from it
    would never lead within.
    """
    return sorted(best, key=lambda trial: violation(trial.proposal.spec))


def spread(best: Sequence[Trial], branches: int) -> list[Trial]:
    """Rank i goes to branch i; too few are repeated from rank 0 (DECISIONS 8)."""
    return [best[branch % len(best)] for branch in range(branches)]


def tournaments(best: Sequence[Trial], rngs: Sequence[np.random.Generator]) -> list[Trial]:
    """Each branch's network is the best of some drawn from all trained ones.

    Args:
      best: these, in order.
      rngs: a source of randomness per branch.
    """
    size = max(2, len(best) // TOURNAMENTS)
    return [best[int(rng.integers(len(best), size=size).min())] for rng in rngs]


def with_stone(
    chosen: list[Trial],
    trained: Sequence[Trial],
    violation: Callable[[Spec], float],
    value: Callable[[Trial], float],
) -> list[Trial]:
    """Puts the best stepping stone in the last branch, where it leads beyond the best network.

    A stone is a network just outside kept limits; what lies behind it may be within.

    Args:
      chosen: the parents of a step.
      trained: the networks that may be parents, the best first.
      violation: how far a network is outside the limits.
      value: what networks are compared by before limits are.
    """
    stones = [
        trial
        for trial in trained
        if not trial.result.feasible and violation(trial.proposal.spec) <= STONE_REACH
    ]
    if not stones or len(chosen) < 2 or not trained[0].result.feasible:
        return chosen
    stone = max(stones, key=value)
    return [*chosen[:-1], stone] if value(stone) > value(trained[0]) else chosen
