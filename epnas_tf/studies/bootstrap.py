"""Intervals by resampling: how far a figure would move if the runs were drawn again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from epnas_tf import randomness

RESAMPLES = 2_000


def _medians(values: Sequence[float] | np.ndarray, purpose: str) -> np.ndarray:
    rng = randomness.generator(0, "bootstrap", purpose)
    picks = rng.integers(len(values), size=(RESAMPLES, len(values)))
    return np.median(np.asarray(values, float)[picks], axis=1)


def interval(resampled: np.ndarray) -> tuple[float, float]:
    """Returns the 95% interval of a figure's resamples, nan where no resample has one."""
    resampled = resampled[~np.isnan(resampled)]
    if not len(resampled):
        return math.nan, math.nan
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(low), float(high)


def median(values: Sequence[float] | np.ndarray) -> dict[str, Any]:
    """Returns the median and its bootstrapped 95% interval."""
    return {"median": float(np.median(values)), "interval": list(interval(_medians(values, "a")))}


def difference(
    a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray, paired: bool = False
) -> dict[str, float | list[float]]:
    """Returns how far the median of `a` lies above that of `b`, and its bootstrapped 95% interval.

    Args:
      a: queries of one method's runs.
      b: those of another's.
      paired: whether runs at the same place share a seed, and are drawn together.

    Raises:
      ValueError: they are paired, and not as many.
    """
    if paired and len(a) != len(b):
        raise ValueError(f"paired runs must be as many, got {len(a)} and {len(b)}")
    others = _medians(b, "a" if paired else "b")  # one purpose, one draw of places
    return {
        "difference": float(np.median(a) - np.median(b)),
        "interval": list(interval(_medians(a, "a") - others)),
    }
