"""A Gaussian process over groups of features, with the likeliest weight for each group.

The kernel is exp(-sum_g w_g d_g), d_g being the squared distance of two networks in a group of
features. Weights and noise are those of a grid with the highest marginal likelihood (Rasmussen and
Williams 2006, Eq. 5.8), found group by group from the grid's middle; predictions with one network
left out come without fitting anew (Eq. 5.12). scikit-learn's process would compute all distances
anew for every point of the grid: here they are computed once.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from scipy import linalg

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
NOISES = (0.01, 0.05, 0.2)
SWEEPS = 3  # over weights and noise; more of them changed nothing on the tables of the study
JITTER = 1e-6

# Of several networks, a group of features each: [networks, features].
Points = Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True)
class _Fit:
    """Weights and noise of the process, Cholesky factor, answer, variance, likelihood."""

    weights: tuple[float, ...]
    noise: float
    factor: np.ndarray
    answer: np.ndarray
    variance: float
    likelihood: float


class Process:
    """The process that knows some networks' scores.

    Attributes:
      left_out: each known network's score as the others predict it.
    """

    def __init__(self, points: Points, scores: np.ndarray):
        """Fits it.

        Args:
          points: of the known networks.
          scores: theirs, mean about 0.
        """
        self._points = points
        self._fit = _likeliest(_distances(points, points), scores)
        identity = np.eye(len(scores))
        inverse = linalg.cho_solve((self._fit.factor, True), identity, check_finite=False)
        self.left_out = scores - self._fit.answer / np.diag(inverse)

    def mean(self, points: Points) -> np.ndarray:
        """Returns the networks' expected scores, [n]."""
        return self._cross(points).T @ self._fit.answer

    def predict(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and standard deviation of each network's score, [n] and [n]."""
        mean, root = self._conditional(points)
        unexplained = np.maximum(1.0 - np.sum(root**2, axis=0), 0.0)  # the kernel's diagonal is 1
        return mean, np.sqrt(self._fit.variance * unexplained)

    def sample(self, points: Points, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Returns joint draws of the networks' scores, [draws, n]."""
        mean, root = self._conditional(points)
        prior = _kernel(_distances(points, points), self._fit.weights)
        covariance = self._fit.variance * (prior - root.T @ root)
        covariance[np.diag_indices_from(covariance)] += JITTER
        lower = linalg.cholesky(covariance, lower=True, check_finite=False)
        return mean + rng.normal(size=(draws, len(mean))) @ lower.T

    def _cross(self, points: Points) -> np.ndarray:
        return _kernel(_distances(self._points, points), self._fit.weights)

    def _conditional(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Returns the posterior mean [n] and the root of what is explained [known, n]."""
        cross = self._cross(points)
        root = linalg.solve_triangular(self._fit.factor, cross, lower=True, check_finite=False)
        return cross.T @ self._fit.answer, root


def _distances(left: Points, right: Points) -> list[np.ndarray]:
    return [_squared_distances(a, b) for a, b in zip(left, right, strict=True)]


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    products = left @ right.T
    norms = np.sum(left**2, axis=1)[:, np.newaxis] + np.sum(right**2, axis=1)
    return np.maximum(norms - 2 * products, 0.0)


def _kernel(distances: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    exponent = sum(weight * own for weight, own in zip(weights, distances, strict=True))
    return np.exp(-np.asarray(exponent))


def _likeliest(distances: Sequence[np.ndarray], scores: np.ndarray) -> _Fit:
    """Returns the fit that no change of one weight or of the noise makes likelier."""
    grids = [WEIGHTS] * len(distances) + [NOISES]

    @functools.cache
    def fitted(places: tuple[int, ...]) -> _Fit:
        *weights, noise = (grid[place] for grid, place in zip(grids, places, strict=True))
        return _fitted(distances, scores, tuple(weights), noise)

    places = tuple(len(grid) // 2 for grid in grids)
    for _ in range(SWEEPS):
        before = places
        for number, grid in enumerate(grids):
            options = [
                (*places[:number], place, *places[number + 1 :]) for place in range(len(grid))
            ]
            # Of equally likely ones the present one, so that a sweep can come to rest.
            places = max([places, *options], key=lambda own: fitted(own).likelihood)
        if places == before:
            break
    return fitted(places)


def _fitted(
    distances: Sequence[np.ndarray], scores: np.ndarray, weights: tuple[float, ...], noise: float
) -> _Fit:
    """Returns the process of these weights; its variance is the likeliest one."""
    kernel = _kernel(distances, weights)
    kernel[np.diag_indices_from(kernel)] += noise
    factor = linalg.cholesky(kernel, lower=True, check_finite=False)
    answer = linalg.cho_solve((factor, True), scores, check_finite=False)
    variance = float(scores @ answer) / len(scores)
    likelihood = -0.5 * len(scores) * np.log(variance) - float(np.log(np.diag(factor)).sum())
    return _Fit(weights, noise, factor, answer, variance, likelihood)
