"""How well one measure ranks networks as another does: rank correlations and what is lost by them.

A search needs no accuracies, only their order: a proxy is as good as the ranks it gives. Everything
here takes plain numbers, one per network, and higher is better.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from epnas_tf.studies import bootstrap

TOP = 5
EARLY = (1 / 10, 1 / 5, 1 / 3, 1 / 2)
Values = Sequence[float] | np.ndarray

FEWEST = 3  # networks that have an order worth speaking of

_SEED = 0  # the same networks give the same intervals, in every process


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A correlation with its 95% bootstrap interval; all are nan where a side is constant."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Is for instance `0.81 [0.67, 0.90]`."""
        if math.isnan(self.value):
            return "none"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far a proxy orders networks as the truth does.

    Attributes:
      networks: how many there are.
      spearman: correlation of the ranks, those of ties averaged.
      kendall: share of pairs in the same order less that of pairs in the other (tau-b).
      top_spearman: the same over networks at or above the truth's median, ranked among themselves.
      top_kendall: as above.
      top5_recall: share of the truth's 5 best that are among the proxy's 5 best. Where ties leave
        open who belongs to the 5, it is the mean over all ways to break them.
    """

    networks: int
    spearman: Estimate
    kendall: Estimate
    top_spearman: Estimate
    top_kendall: Estimate
    top5_recall: float


def agreement(truth: Values, proxy: Values) -> Agreement:
    """Returns how well the proxy ranks the networks.

    Intervals are percentiles over networks drawn with replacement, 2,000 times from a fixed seed;
    resamples in which a side is constant have no correlation and are left out.

    Args:
      truth: the measure that counts, [networks]; infinities are ranked like other numbers.
      proxy: what is asked instead of it, [networks], in the same order.

    Raises:
      ValueError: lengths differ, there are fewer than 3 networks, or a value is nan.
    """
    a, b = _pair(truth, proxy)
    top = a >= np.median(a)
    return Agreement(
        len(a),
        *_estimates(a, b),
        *_estimates(a[top], b[top]),
        top5_recall=_recall(a, b, min(TOP, len(a))),
    )


def ranks(values: Values) -> np.ndarray:
    """Returns ranks from 1 for the lowest value, those of ties averaged: float [networks]."""
    array = np.asarray(values, float)
    return _ranks(array, np.ones((1, len(array))))[0]


def spearman(truth: Values, proxy: Values) -> float:
    """Returns Spearman's correlation alone, nan where a side is constant.

    Raises:
      ValueError: lengths differ, there are fewer than 3 networks, or a value is nan.
    """
    a, b = _pair(truth, proxy)
    return float(_spearman(a, b, np.ones((1, len(a))))[0])


def _pair(truth: Values, proxy: Values) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(truth, float), np.asarray(proxy, float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(
            f"truth and proxy must hold a number per network, got shapes {a.shape} and {b.shape}"
        )
    if len(a) < FEWEST:
        raise ValueError(f"a ranking needs at least {FEWEST} networks, got {len(a)}")
    for name, values in (("truth", a), ("proxy", b)):
        if np.isnan(values).any():
            raise ValueError(f"{name} must not be nan, got nan at {np.isnan(values).argmax()}")
    return a, b


# Resamples are counts: how often each network was drawn, float [resamples, networks]. Then all of
# them are correlated at once, and the networks as they are have counts of 1.


def _estimates(truth: np.ndarray, proxy: np.ndarray) -> tuple[Estimate, Estimate]:
    count = len(truth)
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(count, np.full(count, 1 / count), bootstrap.RESAMPLES).astype(float)
    once = np.ones((1, count))
    spearmans, kendalls = (
        Estimate(
            float(measure(truth, proxy, once)[0]), *bootstrap.interval(measure(truth, proxy, drawn))
        )
        for measure in (_spearman, _kendall)
    )
    return spearmans, kendalls


def _ranks(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Returns each network's rank in each resample, as _spearman takes it."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    of_group = np.add.reduceat(drawn[:, np.argsort(group, kind="stable")], starts, axis=1)
    return (np.cumsum(of_group, axis=1) - (of_group - 1) / 2)[:, group]


def _spearman(truth: np.ndarray, proxy: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    mean = (len(truth) + 1) / 2
    a, b = _ranks(truth, drawn) - mean, _ranks(proxy, drawn) - mean
    return _ratio((drawn * a * b).sum(1), (drawn * a * a).sum(1) * (drawn * b * b).sum(1))


def _kendall(truth: np.ndarray, proxy: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    a, b = _order(truth), _order(proxy)
    same, in_a, in_b = (((drawn @ pairs) * drawn).sum(1) for pairs in (a * b, a * a, b * b))
    return _ratio(same, in_a * in_b)


def _order(values: np.ndarray) -> np.ndarray:
    """Returns 1 where a network is above another, -1 where below, 0 at ties: [networks twice]."""
    column = values[:, None]
    return (column > values).astype(float) - (column < values)


def _ratio(covariance: np.ndarray, variances: np.ndarray) -> np.ndarray:
    nothing = np.full_like(covariance, np.nan)
    found = np.divide(covariance, np.sqrt(variances), out=nothing, where=variances > 0)
    return np.clip(found, -1, 1)


def _recall(truth: np.ndarray, proxy: np.ndarray, top: int) -> float:
    return float(_chances(truth, top) @ _chances(proxy, top)) / top


def _chances(values: np.ndarray, top: int) -> np.ndarray:
    """Returns each network's chance to be among the best `top` when ties are broken by lot."""
    last = np.sort(values)[-top]
    above, tied = values > last, values == last
    return above + tied * ((top - above.sum()) / tied.sum())


# Learning curves


def curve_agreement(curves: Sequence[Sequence[float]]) -> dict[int, float]:
    """Returns Spearman's correlation of accuracies after a few early epochs with the final ones.

    The epochs are a tenth, a fifth, a third and half of all, rounded up; equal ones appear once.

    Args:
      curves: accuracy after each epoch, a curve a network, all of one length.

    Returns:
      By the number of epochs, early to late; nan where all accuracies are the same.

    Raises:
      ValueError: there are fewer than 3 curves, lengths differ or are below 2, or a value is nan.
    """
    table = _curves(curves)
    epochs = table.shape[1]
    early = dict.fromkeys(math.ceil(epochs * share - 1e-9) for share in EARLY)
    return {epoch: spearman(table[:, -1], table[:, epoch - 1]) for epoch in early}


def _curves(curves: Sequence[Sequence[float]]) -> np.ndarray:
    if len(curves) < FEWEST:
        raise ValueError(f"a ranking needs at least {FEWEST} curves, got {len(curves)}")
    lengths = sorted({len(curve) for curve in curves})
    if len(lengths) > 1:
        raise ValueError(f"curves must be equally long, got {lengths[0]} to {lengths[-1]} epochs")
    if lengths[0] < 2:
        raise ValueError(f"curves must be at least 2 epochs long, got {lengths[0]}")
    table = np.asarray(curves, float)
    if np.isnan(table).any():
        which = int(np.isnan(table).any(axis=1).argmax())
        raise ValueError(f"accuracies must not be nan, got nan in curve {which}")
    return table


@dataclasses.dataclass(frozen=True)
class Stopping:
    """What early stopping would have done to networks trained in groups, means over shuffles.

    Attributes:
      stopped: share of the networks that it stops.
      saved: share of all epochs that are not run.
      top5: how many of the final 5 best it stops.
      top_tenth: how many of the final best tenth it stops, `tenth` being how many those are.
      tenth: see above.
      harmed: share of the shuffles in which it stops one of the 5 best.
    """

    stopped: float
    saved: float
    top5: float
    top_tenth: float
    tenth: int
    harmed: float


def stopping(
    curves: Sequence[Sequence[float]],
    stops: Callable[[Sequence[float], Sequence[Sequence[float]]], bool],
    *,
    group: int = 8,
    shuffles: int = 20,
) -> Stopping:
    """Returns what the rule would have done to these networks in random groups.

    The first group runs to its end; each later one is held against those of the one before it that
    were not stopped, as in a search.

    Args:
      curves: accuracy after each epoch, a curve a network, all of one length.
      stops: told a curve so far and the whole curves of the group before, says whether to stop.
      group: networks in a group.
      shuffles: random orders of the networks, from a fixed seed.

    Raises:
      ValueError: as `curve_agreement`.
    """
    table = _curves(curves)
    count, epochs = table.shape
    tenth = math.ceil(count / 10)
    best = np.argsort(-table[:, -1], kind="stable")
    rng = np.random.default_rng(_SEED)
    lengths = np.array(
        [_lengths(table, rng.permutation(count), stops, group) for _ in range(shuffles)]
    )
    stopped = lengths < epochs
    top5 = stopped[:, best[:TOP]].sum(1)
    return Stopping(
        stopped=float(stopped.mean()),
        saved=float(1 - lengths.mean() / epochs),
        top5=float(top5.mean()),
        top_tenth=float(stopped[:, best[:tenth]].sum(1).mean()),
        tenth=tenth,
        harmed=float((top5 > 0).mean()),
    )


def _lengths(
    table: np.ndarray,
    order: np.ndarray,
    stops: Callable[[Sequence[float], Sequence[Sequence[float]]], bool],
    group: int,
) -> np.ndarray:
    """Returns how many epochs of each network are run."""
    epochs = table.shape[1]
    lengths = np.full(len(table), epochs)
    before: list[list[float]] = []
    for start in range(0, len(order), group):
        mine = []
        for network in order[start : start + group]:
            curve = table[network].tolist()
            so_far = (length for length in range(1, epochs) if stops(curve[:length], before))
            lengths[network] = next(so_far, epochs)
            mine.append(curve[: lengths[network]])
        before = [curve for curve in mine if len(curve) == epochs]  # the search's own rule
    return lengths
