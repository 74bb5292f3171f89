"""A network's reward predicted from its spec: a Gaussian process with its uncertainty.

The kernel is exp(-d^2) of weighted distances between feature vectors (`features.summary`): item by
item from the front, item by item from the back, and the items as a bag. Rewards enter by their
ranks, as normal scores, because a few useless networks would otherwise set the scale. Weights and
noise are those of a small grid with the highest marginal likelihood (Rasmussen and Williams 2006,
Eq. 5.8); skill is the rank correlation of leave-one-out predictions with the rewards (Eq. 5.12).
scikit-learn's process would compute all distances anew for every point of the grid: here they are
computed once.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from scipy import linalg, special, stats

from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import features

# Older networks beyond this number are left out, but for the best: time grows with its cube.
MAX_POINTS = 512
MIN_POINTS = 8
SCALES = (0.1, 0.2, 0.4, 0.8, 1.6)
SEQUENCE_SHARES = (0.0, 0.5, 1.0)
NOISES = (0.01, 0.05, 0.2)
JITTER = 1e-6


@dataclasses.dataclass(frozen=True)
class _Fit:
    """A fitted process: weights of the two groups of features, noise, Cholesky factor, answer."""

    weights: tuple[float, float]
    noise: float
    factor: np.ndarray
    answer: np.ndarray
    variance: float
    likelihood: float


class Predictor:
    """Predicts normal scores of rewards; before `fit` it has no skill."""

    def __init__(self, space: SearchSpace):
        self._space = space
        self._points: tuple[np.ndarray, np.ndarray] | None = None
        self._fit: _Fit | None = None
        self._rewards = np.zeros(0)
        self.skill = 0.0

    @property
    def fitted(self) -> bool:
        """Whether there were enough networks to predict others."""
        return self._fit is not None

    def fit(self, specs: Sequence[Spec], rewards: Sequence[float]) -> None:
        """Fits all trials anew; fewer than MIN_POINTS leave the predictor without skill.

        Args:
          specs: networks, each once.
          rewards: their rewards, higher is better.
        """
        values = np.asarray(rewards, np.float64)
        chosen = _chosen(values)
        if len(chosen) < MIN_POINTS or np.ptp(values) == 0:
            self._fit, self.skill = None, 0.0
            return
        scores = normal_scores(values[chosen])
        self._rewards = np.sort(values[chosen])
        self._points = features.summary([specs[i] for i in chosen], self._space)
        self._fit = _best_fit(self._distances(self._points), scores)
        self.skill = _skill(self._fit, scores)

    def predict(self, specs: Sequence[Spec]) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and standard deviation of each network's normal score, [n] and [n]."""
        mean, root = self._conditional(features.summary(specs, self._space))
        assert self._fit is not None
        unexplained = np.maximum(1.0 - np.sum(root**2, axis=0), 0.0)  # the kernel's diagonal is 1
        return mean, np.sqrt(self._fit.variance * unexplained)

    def rewards(self, specs: Sequence[Spec]) -> np.ndarray:
        """Returns the networks' predicted rewards, [n]: mean scores as quantiles of all rewards."""
        shares = special.ndtr(self.predict(specs)[0])
        return np.quantile(self._rewards, shares)

    def sample(self, specs: Sequence[Spec], draws: int, rng: np.random.Generator) -> np.ndarray:
        """Returns joint draws of the networks' scores, [draws, n] (for Thompson sampling)."""
        points = features.summary(specs, self._space)
        mean, root = self._conditional(points)
        assert self._fit is not None
        prior = _kernel(self._distances(points), self._fit.weights)
        covariance = self._fit.variance * (prior - root.T @ root)
        lower = linalg.cholesky(covariance + JITTER * np.eye(len(mean)), lower=True)
        return mean + rng.normal(size=(draws, len(mean))) @ lower.T

    def _distances(
        self,
        left: tuple[np.ndarray, np.ndarray],
        right: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        right = left if right is None else right
        sequence, bag = (_squared_distances(a, b) for a, b in zip(left, right, strict=True))
        return sequence, bag

    def _conditional(self, points: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the posterior mean [n] and the root of what is explained [known, n]."""
        if self._fit is None or self._points is None:
            raise RuntimeError("fit() must have been given enough networks before a prediction")
        cross = _kernel(self._distances(self._points, points), self._fit.weights)
        root = linalg.solve_triangular(self._fit.factor, cross, lower=True, check_finite=False)
        return cross.T @ self._fit.answer, root


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Returns the values' ranks as quantiles of the normal distribution, mean 0, deviation 1."""
    scores = special.ndtri((stats.rankdata(values) - 0.5) / len(values))
    return (scores - scores.mean()) / scores.std()


def _chosen(values: np.ndarray) -> np.ndarray:
    """Returns the indices of the points to fit: the best half and the newest half of the most."""
    if len(values) <= MAX_POINTS:
        return np.arange(len(values))
    best = np.argsort(-values, kind="stable")[: MAX_POINTS // 2]
    rest = np.setdiff1d(np.arange(len(values)), best)
    return np.sort(np.concatenate([best, rest[-(MAX_POINTS - len(best)) :]]))


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    products = left @ right.T
    norms = np.sum(left**2, axis=1)[:, np.newaxis] + np.sum(right**2, axis=1)
    return np.maximum(norms - 2 * products, 0.0)


def _kernel(distances: tuple[np.ndarray, np.ndarray], weights: tuple[float, float]) -> np.ndarray:
    return np.exp(-weights[0] * distances[0] - weights[1] * distances[1])


def _best_fit(distances: tuple[np.ndarray, np.ndarray], scores: np.ndarray) -> _Fit:
    fits = [
        _fitted(distances, scores, (scale * share, scale * (1 - share)), noise)
        for scale, share, noise in itertools.product(SCALES, SEQUENCE_SHARES, NOISES)
    ]
    return max(fits, key=lambda fit: fit.likelihood)


def _fitted(
    distances: tuple[np.ndarray, np.ndarray],
    scores: np.ndarray,
    weights: tuple[float, float],
    noise: float,
) -> _Fit:
    """Returns the process of these weights; its variance is the likeliest one."""
    kernel = _kernel(distances, weights)
    kernel[np.diag_indices_from(kernel)] += noise
    factor = linalg.cholesky(kernel, lower=True, check_finite=False)
    answer = linalg.cho_solve((factor, True), scores, check_finite=False)
    variance = float(scores @ answer) / len(scores)
    likelihood = -0.5 * len(scores) * np.log(variance) - float(np.log(np.diag(factor)).sum())
    return _Fit(weights, noise, factor, answer, variance, likelihood)


def _skill(fit: _Fit, scores: np.ndarray) -> float:
    """Returns Spearman's correlation of the leave-one-out predictions with the scores."""
    inverse = linalg.cho_solve((fit.factor, True), np.eye(len(scores)), check_finite=False)
    left_out = scores - fit.answer / np.diag(inverse)
    if np.ptp(left_out) == 0:
        return 0.0
    return float(stats.spearmanr(left_out, scores).statistic)
