"""A network's reward predicted from its spec: a Gaussian process with its uncertainty.

Networks are compared in three ways (`features.summary` and a function that describes a network in
numbers): item by item, as a bag of items, and by what they are as a whole: costs, paths, kernels
(`architecture.anatomy`). Rewards enter by their ranks, as normal scores, because a few useless
networks would otherwise set the scale. Skill is the rank correlation of leave-one-out predictions
with the rewards.

Earlier searches of the same space may lend a prior: the mean that the process starts from is a
share of what a process of their networks expects. The share is the one that predicts left-out
networks best, so that a misleading prior is let go.

What rose to higher rungs says how a network does there (`levels.py`); skill is of the lowest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import special, stats

from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import features
from epnas_tf.searching.levels import Levels, Lowest, Points, Scale
from epnas_tf.searching.prior import best_and_newest
from epnas_tf.searching.process import Process

# Older networks beyond this number are left out, but for the best: time grows with its cube.
MAX_POINTS = 512
MIN_POINTS = 4
# Shares of a prior's mean that are tried.
PRIOR_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
# Rank correlation among its own networks below which a prior is left alone.
PRIOR_SKILL = 0.3
# Numbers that are further from the known networks' mean, in deviations, look alike: the square of
# a larger distance would leave no digits for the small ones, and draws need all of them.
FAR = 1e3

Describe = Callable[[Spec], Sequence[float]]
Group = Sequence[tuple[Spec, float]]
_Row = tuple[np.ndarray, ...]  # a network's groups of features


class _View:
    """What networks are compared by; it remembers those that are asked after in every step."""

    def __init__(self, space: SearchSpace, describe: Describe | None):
        self._space = space
        self._describe = describe
        self._memory: dict[Spec, _Row] = {}
        self._count: int | None = None  # of numbers, once the first network is described

    def of(self, specs: Sequence[Spec]) -> list[np.ndarray]:
        """Returns the groups of features, each [networks, features]."""
        new = [spec for spec in dict.fromkeys(specs) if spec not in self._memory]
        found = self._memory | dict(zip(new, self._seen(new), strict=True))
        return [np.stack(group) for group in zip(*(found[spec] for spec in specs), strict=True)]

    def remember(self, specs: Sequence[Spec]) -> None:
        """Keeps these networks in mind, and no others."""
        new = [spec for spec in specs if spec not in self._memory]
        found = self._memory | dict(zip(new, self._seen(new), strict=True))
        self._memory = {spec: found[spec] for spec in specs}

    def _seen(self, specs: Sequence[Spec]) -> list[_Row]:
        if not specs:
            return []
        groups = list(features.summary(specs, self._space))
        if self._describe is not None:
            groups.append(np.stack([self._numbers(self._describe(spec)) for spec in specs]))
        return list(zip(*groups, strict=True))

    def _numbers(self, told: Sequence[float]) -> np.ndarray:
        """Returns a network's numbers; raises ValueError where they compare with no others."""
        numbers = np.asarray(told, np.float64)
        self._count = numbers.size if self._count is None else self._count
        if numbers.shape != (self._count,) or not np.isfinite(numbers).all():
            raise ValueError(
                f"numbers of a network must be finite and as many for each, {self._count}, "
                f"got {told!r:.200}"
            )
        return numbers


class _Model:
    """A process of some networks; numbers count in deviations of these networks' numbers."""

    def __init__(self, view: _View, specs: Sequence[Spec], scores: np.ndarray):
        self._view = view
        groups = view.of(specs)
        # Two groups come from the items, the third is numbers.
        self._scales = [_scale_of(group) for group in groups[2:]]
        self._process = Process(self._points(groups), scores)

    @property
    def left_out(self) -> np.ndarray:
        """Each known network's score as the others predict it."""
        return self._process.left_out

    def mean(self, specs: Sequence[Spec]) -> np.ndarray:
        return self._process.mean(self.points(specs))

    def predict(self, specs: Sequence[Spec]) -> tuple[np.ndarray, np.ndarray]:
        return self._process.predict(self.points(specs))

    def sample(self, specs: Sequence[Spec], draws: int, rng: np.random.Generator) -> np.ndarray:
        return self._process.sample(self.points(specs), draws, rng)

    def points(self, specs: Sequence[Spec]) -> list[np.ndarray]:
        """Returns the features of networks, as the process compares them."""
        return self._points(self._view.of(specs))

    def _points(self, groups: list[np.ndarray]) -> list[np.ndarray]:
        scaled = zip(groups[2:], self._scales, strict=True)
        return groups[:2] + [
            np.clip((group - mean) / deviation, -FAR, FAR) for group, (mean, deviation) in scaled
        ]


class Predictor:
    """Predicts normal scores of rewards; before `fit` it has no skill.

    Attributes:
      skill: rank correlation of left-out predictions with the rewards.
      prior_share: how much of the prior's mean the last fit found to help, in 0..1.
    """

    def __init__(
        self, space: SearchSpace, describe: Describe | None = None, prior: Sequence[Group] = ()
    ):
        """Makes a predictor that knows no network of its search.

        Args:
          space: where the networks lie.
          describe: what a network is, in numbers: as many for each network.
          prior: networks and rewards of earlier searches, a group per search: rewards are compared
            within a group alone.
        """
        self._view = _View(space, describe)
        self._prior = _prior_model(_View(space, describe), prior)
        self._model: _Model | None = None
        self._rewards = np.zeros(0)
        self._scale: Scale | None = None
        self._levels: Levels | None = None
        self.skill = 0.0
        self.prior_share = 0.0

    @property
    def fitted(self) -> bool:
        """Whether there were enough networks to predict others."""
        return self._model is not None

    def fit(
        self,
        specs: Sequence[Spec],
        rewards: Sequence[float],
        risen: Sequence[Mapping[Spec, float]] = (),
    ) -> None:
        """Fits all trials anew; fewer than MIN_POINTS leave the predictor without skill.

        Args:
          specs: networks, each once.
          rewards: their rewards at the lowest rung, higher is better.
          risen: of each rung above it: the rewards of the networks that were measured there.
        """
        values = np.asarray(rewards, np.float64)
        chosen = _chosen(values)
        self._levels = None
        if len(chosen) < MIN_POINTS or np.ptp(values) == 0:
            self._model, self.skill, self.prior_share = None, 0.0, 0.0
            return
        known = [specs[i] for i in chosen]
        scores = normal_scores(values[chosen])
        self._rewards = np.sort(values[chosen])
        self._view.remember(known)
        left_out = self._fit(known, scores)
        self.skill = _correlation(left_out, scores)
        self._scale = Scale(scores, values[chosen])
        if any(risen):
            self._levels = Levels(Lowest(self._lowest, self._points), risen)

    def _fit(self, known: Sequence[Spec], scores: np.ndarray) -> np.ndarray:
        """Takes the share of the prior that predicts best; returns left-out predictions."""
        expected = np.zeros(len(known)) if self._prior is None else self._prior.mean(known)
        fits = []
        for share in PRIOR_SHARES if self._prior else PRIOR_SHARES[:1]:
            model = _Model(self._view, known, scores - share * expected)
            left_out = share * expected + model.left_out
            fits.append((float(np.sum((left_out - scores) ** 2)), share, model, left_out))
        _, self.prior_share, self._model, left_out = min(fits, key=lambda fit: fit[0])
        return left_out

    def predict(self, specs: Sequence[Spec]) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and standard deviation of each network's normal score, [n] and [n]."""
        mean, deviation = self._ready().predict(specs)
        return mean + self._expected(specs), deviation

    def expected_before(self, specs: Sequence[Spec]) -> np.ndarray | None:
        """Returns what the prior alone expects of networks, [n]; None without a prior."""
        return None if self._prior is None else self._prior.mean(specs)

    def rewards(self, specs: Sequence[Spec]) -> np.ndarray:
        """Returns the networks' predicted rewards, [n]: mean scores as quantiles of all rewards."""
        shares = special.ndtr(self.predict(specs)[0])
        return np.quantile(self._rewards, shares)

    def sample(self, specs: Sequence[Spec], draws: int, rng: np.random.Generator) -> np.ndarray:
        """Returns joint draws, [draws, n], of how networks do that are not measured yet.

        For Thompson sampling: scores or, where networks rose to higher rungs, rewards there.
        """
        scores = self._ready().sample(specs, draws, rng) + self._expected(specs)
        if self._levels is None or self._scale is None:
            return scores
        return self._levels.sample(specs, self._scale(scores), rng)

    def highest(self, specs: Sequence[Spec]) -> np.ndarray:
        """Returns the rewards expected of networks at the highest rung that has any, [n]."""
        return self._lowest(specs) if self._levels is None else self._levels.mean(specs)

    def _lowest(self, specs: Sequence[Spec]) -> np.ndarray:
        assert self._scale is not None, "a fitted predictor has one"
        return self._scale(self.predict(specs)[0])

    def _points(self, specs: Sequence[Spec]) -> Points:
        return self._ready().points(specs)

    def _ready(self) -> _Model:
        if self._model is None:
            raise RuntimeError("fit() must have been given enough networks before a prediction")
        return self._model

    def _expected(self, specs: Sequence[Spec]) -> np.ndarray | float:
        """Returns the mean that the prior lends."""
        if self._prior is None or not self.prior_share:
            return 0.0
        return self.prior_share * self._prior.mean(specs)


def _prior_model(view: _View, groups: Sequence[Group]) -> _Model | None:
    """Returns a process of earlier searches' networks, None where it has no skill among them."""
    told = [group for group in groups if len({reward for _, reward in group}) > 1]
    specs = [spec for group in told for spec, _ in group]
    if len(specs) < MIN_POINTS:
        return None
    scores = np.concatenate([normal_scores(np.array([r for _, r in group])) for group in told])
    # Of too many evenly from all searches.
    chosen = np.unique(np.linspace(0, len(specs) - 1, MAX_POINTS).astype(int))
    told_specs = [specs[index] for index in chosen]
    view.remember(told_specs)
    model = _Model(view, told_specs, scores[chosen])
    return model if _correlation(model.left_out, scores[chosen]) >= PRIOR_SKILL else None


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Returns the values' ranks as quantiles of the normal distribution, mean 0, deviation 1."""
    scores = special.ndtri((stats.rankdata(values) - 0.5) / len(values))
    return (scores - scores.mean()) / scores.std()


def _chosen(values: np.ndarray) -> np.ndarray:
    """Returns the indices of the points to fit: the best half and the newest half of the most."""
    return np.array(best_and_newest(values.tolist(), MAX_POINTS), int)


def _scale_of(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and deviation of each number, so that all of them together weigh as one item.

    A number that is the same for all known networks says nothing of how far others are.
    """
    deviation = numbers.std(axis=0)
    # Not all digits of a mean are right: what is the same deviates by the rest, more if larger.
    deviation[np.ptp(numbers, axis=0) <= 1e-9 * np.abs(numbers).max(axis=0)] = np.inf
    return numbers.mean(axis=0), deviation * np.sqrt(numbers.shape[1])


def _correlation(predicted: np.ndarray, scores: np.ndarray) -> float:
    """Returns Spearman's correlation, 0 where one of them is constant."""
    if np.ptp(predicted) == 0 or np.ptp(scores) == 0:
        return 0.0
    return float(stats.spearmanr(predicted, scores).statistic)
