"""From an episode's rewards to the advantages that REINFORCE weighs its actions with."""

from __future__ import annotations

import dataclasses

import numpy as np

MOMENTUM = 0.9
STD_FLOOR = 1e-3


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A moving average of the return for each step index; None before the first episode."""

    means: tuple[float, ...] | None = None


def returns_to_go(rewards: np.ndarray) -> np.ndarray:
    """Returns the sum of this and all later rewards, undiscounted.

    Args:
      rewards: [steps, branches].

    Returns:
      [steps, branches] (cumulative rewards as in RENA, PAPER_NOTES section 1).
    """
    return np.cumsum(rewards[::-1], axis=0)[::-1]


def advantages(rewards: np.ndarray, baseline: Baseline) -> tuple[np.ndarray, Baseline]:
    """Returns the normalised advantages of an episode and the baseline of the next.

    The return of a step index has the moving average (0.9) of earlier episodes as its baseline,
    the first episode its own mean; all are divided by their root mean square + 1e-3, which is the
    standard deviation about the baseline (DECISIONS 11). About their own mean, an episode of equal
    returns would be divided by the floor alone.

    Args:
      rewards: [steps, branches].
      baseline: that of the episodes before.

    Returns:
      [steps, branches], and the baseline with this episode in it.
    """
    returns = returns_to_go(rewards)
    means = returns.mean(axis=1)
    if baseline.means is None:
        centre, updated = means, means
    else:
        centre = np.asarray(baseline.means)
        updated = MOMENTUM * centre + (1 - MOMENTUM) * means
    centred = returns - centre[:, np.newaxis]
    return normalised(centred), Baseline(tuple(float(m) for m in updated))


def normalised(differences: np.ndarray) -> np.ndarray:
    """Returns differences from a baseline divided by their root mean square + 1e-3."""
    return differences / (np.sqrt(np.mean(differences**2)) + STD_FLOOR)
