"""From what is expected of networks at one rung to what is expected at the next.

A network's reward at a rung is expected to be a line of what is expected at the rung below, and
what is left is a Gaussian process of the networks' features: the autoregressive model of Kennedy
and O'Hagan (2000). Few networks rise, and these are alike; so the line begins as a shift and is
bent by what is measured, and the process comes in once there are networks enough for one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.process import Process

# How far from 1 the slope may lie, as a standard deviation, before anything is measured.
SLOPE_DEVIATION = 0.5
# Networks of a rung from which a process of what the line leaves is fitted.
MIN_POINTS = 6
# Share of what the line leaves that is believed of a network measured once, before then.
BELIEVED = 0.5

Points = Sequence[np.ndarray]


class Scale:
    """From normal scores to rewards: along the known ones, straight on beyond them.

    A predicted score is a mean, nearer to the middle than what is measured; the lines of the rungs
    above make up for that.
    """

    def __init__(self, scores: np.ndarray, rewards: np.ndarray):
        """Takes scores and rewards of the known networks, in the same order, at least two."""
        self._scores, self._rewards = np.sort(scores), np.sort(rewards)
        # A few useless networks would set the slope: beyond the best it is that of the upper half.
        half = len(scores) // 2
        spans = np.ptp(self._scores[half:]), np.ptp(self._rewards[half:])
        self._slope = spans[1] / spans[0] if spans[0] > 0 else 0.0

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Returns the rewards that scores stand for."""
        beyond = np.maximum(scores - self._scores[-1], 0.0)
        return np.interp(scores, self._scores, self._rewards) + self._slope * beyond


class Level:
    """A rung above the lowest: a line from the rung below, and what it leaves."""

    def __init__(self, below: np.ndarray, points: Points, rewards: np.ndarray):
        """Fits it.

        Args:
          below: what is expected of the measured networks at the rung below, [n], at least one.
          points: their features, groups of [n, features].
          rewards: as measured at this rung, [n].
        """
        self._slope = _slope(below, rewards)
        left = rewards - self._slope * below
        self._shift, self._deviation = float(left.mean()), float(left.std())
        self._process = None
        if len(rewards) >= MIN_POINTS and self._deviation > 0:
            self._process = Process(points, (left - self._shift) / self._deviation)

    def mean(self, below: np.ndarray, points: Points) -> np.ndarray:
        """Returns what is expected of networks that are not measured at this rung, [n]."""
        line = self._shift + self._slope * below
        if self._process is None:
            return line
        return line + self._deviation * self._process.mean(points)

    def believed(self, mean: np.ndarray, rewards: np.ndarray) -> np.ndarray:
        """Returns what is expected of the measured networks: their rewards without the luck.

        Args:
          mean: what `mean` says of them.
          rewards: as measured at this rung, [n].
        """
        return mean if self._process is not None else mean + BELIEVED * (rewards - mean)

    def sample(self, below: np.ndarray, points: Points, rng: np.random.Generator) -> np.ndarray:
        """Returns draws of networks' rewards at this rung, [draws, n], from draws below."""
        line = self._shift + self._slope * below
        if self._process is None:
            return line
        return line + self._deviation * self._process.sample(points, len(below), rng)


@dataclasses.dataclass(frozen=True)
class Lowest:
    """What is known at the lowest rung.

    Attributes:
      mean: networks -> rewards expected, [n].
      points: networks -> features, groups of [n, features].
    """

    mean: Callable[[Sequence[Spec]], np.ndarray]
    points: Callable[[Sequence[Spec]], Points]


class Levels:
    """The rungs above the lowest, as far up as networks were measured."""

    def __init__(self, lowest: Lowest, risen: Sequence[Mapping[Spec, float]]):
        """Fits each rung to the one below it.

        Args:
          lowest: what is known below.
          risen: of each rung above the lowest: rewards of the networks measured there.
        """
        self._lowest, self._risen = lowest, [known for known in risen if known]
        self._levels: list[Level] = []
        for known in self._risen:
            specs = list(known)
            rewards = np.array(list(known.values()))
            self._levels.append(Level(self.mean(specs), lowest.points(specs), rewards))

    def mean(self, specs: Sequence[Spec]) -> np.ndarray:
        """Returns what is expected of networks at the highest rung that has any, [n]."""
        points, mean = self._lowest.points(specs), self._lowest.mean(specs)
        for level, known in zip(self._levels, self._risen, strict=False):
            rewards = np.array([known.get(spec, np.nan) for spec in specs])
            mean = level.mean(mean, points)
            mean = np.where(np.isnan(rewards), mean, level.believed(mean, rewards))
        return mean

    def sample(
        self, specs: Sequence[Spec], draws: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Returns draws of networks' rewards at the highest rung that has any, [draws, n].

        Args:
          specs: networks of which none was measured.
          draws: of their rewards at the lowest rung, [draws, n].
          rng: source of randomness.
        """
        points = self._lowest.points(specs)
        for level in self._levels:
            draws = level.sample(draws, points, rng)
        return draws


def _slope(below: np.ndarray, rewards: np.ndarray) -> float:
    """Returns the likeliest slope where it is 1 by SLOPE_DEVIATION before anything is measured."""
    x, y = below - below.mean(), rewards - rewards.mean()
    noise = float(np.mean((y - x) ** 2))
    weight = noise / SLOPE_DEVIATION**2
    told = float(x @ x) + weight
    return (float(x @ y) + weight) / told if told > 0 else 1.0
