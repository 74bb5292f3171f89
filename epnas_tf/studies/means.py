"""Means over a few seeds, and how far they may be trusted."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import stats


@dataclasses.dataclass(frozen=True)
class Noise:
    """How much figures differ by the seed alone.

    Attributes:
      deviation: standard deviation of one figure; nan where nothing was measured twice.
      freedom: degrees of freedom that it was estimated with.
    """

    deviation: float
    freedom: int

    def margin(self, *counts: int) -> float:
        """Returns half of the 95% interval of a mean, or of the difference of two means.

        Args:
          *counts: seeds of each mean.
        """
        if self.freedom < 1:
            return math.nan
        quantile = float(stats.t.ppf(0.975, self.freedom))
        return quantile * self.deviation * math.sqrt(sum(1 / count for count in counts))


def noise(groups: Iterable[Sequence[float]]) -> Noise:
    """Returns the noise that all groups have in common: with few seeds one alone says little.

    Args:
      groups: the figures of each network, one per seed.
    """
    squares, freedom = 0.0, 0
    for values in groups:
        squares += float(np.square(np.asarray(values) - np.mean(values)).sum())
        freedom += len(values) - 1
    return Noise(math.sqrt(squares / freedom) if freedom else math.nan, freedom)
