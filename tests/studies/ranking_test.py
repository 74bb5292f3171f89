"""Rank correlations with their intervals, and what learning curves and early stopping say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from epnas_tf.studies import ranking
from epnas_tf.studies.ranking import Estimate, agreement

_checked = settings(deadline=None, derandomize=True, max_examples=50, database=None)
_pairs = st.lists(
    st.tuples(st.integers(0, 6), st.floats(-1, 1) | st.integers(0, 3)), min_size=3, max_size=20
)


def _same(found: float, wanted: float) -> bool:
    return found == pytest.approx(wanted, abs=1e-12, nan_ok=True)


# --- agreement -----------------------------------------------------------------------------------


def test_agreement_of_six_networks_by_hand():
    # Of 15 pairs the proxy swaps two: (1, 2) and (5, 6). In the top half of 4, 5, 6 it swaps one.
    found = agreement([1, 2, 3, 4, 5, 6], [2, 1, 3, 4, 6, 5])
    assert found.networks == 6
    assert found.spearman.value == pytest.approx(1 - 6 * 4 / (6 * 35))
    assert found.kendall.value == pytest.approx((13 - 2) / 15)
    assert found.top_spearman.value == pytest.approx(1 - 6 * 2 / (3 * 8))
    assert found.top_kendall.value == pytest.approx((2 - 1) / 3)
    assert found.top5_recall == pytest.approx(4 / 5)


@_checked
@given(_pairs)
def test_correlations_are_scipys(pairs):
    truth, proxy = zip(*pairs, strict=True)
    ours = ranking.spearman(truth, proxy), agreement(truth, proxy).kendall.value
    if len(set(truth)) == 1 or len(set(proxy)) == 1:
        assert all(map(math.isnan, ours))
        return
    assert _same(ours[0], stats.spearmanr(truth, proxy).statistic)
    assert _same(ours[1], stats.kendalltau(truth, proxy).statistic)
    assert ranking.ranks(proxy) == pytest.approx(stats.rankdata(proxy))


def test_resamples_are_correlated_as_their_networks_are():
    rng = np.random.default_rng(3)
    truth, proxy = rng.integers(0, 9, 12).astype(float), rng.normal(size=12)
    drawn = rng.multinomial(12, np.full(12, 1 / 12), 20).astype(float)
    for measure, scipys in (
        (ranking._spearman, stats.spearmanr),
        (ranking._kendall, stats.kendalltau),
    ):
        for counts, found in zip(drawn, measure(truth, proxy, drawn), strict=True):
            a, b = (np.repeat(values, counts.astype(int)) for values in (truth, proxy))
            assert _same(found, scipys(a, b).statistic)


@_checked
@given(_pairs, st.randoms(use_true_random=False))
def test_agreement_keeps_to_what_must_hold(pairs, random):
    truth, proxy = zip(*pairs, strict=True)
    found = agreement(truth, proxy)
    for estimate in (found.spearman, found.kendall, found.top_spearman, found.top_kendall):
        if math.isnan(estimate.value):
            assert math.isnan(estimate.low)
            assert math.isnan(estimate.high)
        else:
            assert -1 <= estimate.low <= estimate.high <= 1
    assert 0 <= found.top5_recall <= 1
    # Neither another scale nor another order of the networks matters; the other sign turns it.
    assert repr(agreement([3 * value + 1 for value in truth], proxy)) == repr(found)
    turned = agreement(truth, [-value for value in proxy])
    assert _same(turned.spearman.value, -found.spearman.value)
    assert _same(turned.kendall.value, -found.kendall.value)
    mixed = agreement(*zip(*random.sample(pairs, len(pairs)), strict=True))
    for name in ("spearman", "kendall", "top_spearman", "top_kendall"):
        assert _same(getattr(mixed, name).value, getattr(found, name).value)
    assert mixed.top5_recall == pytest.approx(found.top5_recall)


def test_a_proxy_that_is_the_truth_agrees_in_everything():
    truth = np.linspace(0.3, 0.8, 40)
    found = agreement(truth, 5 * truth)
    one = Estimate(1.0, 1.0, 1.0)
    assert found == ranking.Agreement(40, one, one, one, one, 1.0)


def test_intervals_hold_the_correlation_and_narrow_with_more_networks():
    rng = np.random.default_rng(0)
    widths = []
    for count in (20, 200):
        truth = rng.normal(size=count)
        proxy = truth + rng.normal(size=count)
        found = agreement(truth, proxy)
        for estimate in (found.spearman, found.kendall):
            assert estimate.low < estimate.value < estimate.high
        widths.append(found.spearman.high - found.spearman.low)
        assert agreement(truth.tolist(), proxy.tolist()) == found
    assert widths[1] < widths[0] / 2


def test_a_constant_side_has_no_correlation_and_recall_by_lot():
    found = agreement(range(20), [0.5] * 20)
    assert str(found.spearman) == "none"
    assert math.isnan(found.top_kendall.low)
    assert found.top5_recall == pytest.approx(5 / 20)


def test_constant_resamples_are_left_out_of_the_interval():
    # One of three networks differs: 8 of 27 resamples do not hold it, 1 holds nothing else.
    found = agreement([0, 0, 1], [0, 0, 1])
    assert found.spearman == Estimate(1.0, 1.0, 1.0)


def test_the_top_half_is_at_or_above_the_median():
    # Ordered rightly below the median, wrongly above; of 7 the median itself belongs to the top.
    found = agreement([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 7, 6, 5, 4])
    assert found.top_spearman.value == -1
    assert found.spearman.value > 0


@pytest.mark.parametrize(
    ("proxy", "recall"),
    [
        ([0, 0, 0, 1, 1, 1, 1, 1], 1.0),
        ([1, 1, 1, 1, 1, 0, 0, 0], 0.4),  # 4 and 5 are found, of 4 to 8
        ([1, 0, 0, 0, 0, 0, 0, 0], 5 * (4 / 7) / 5),  # 4 of the 7 others by lot
    ],
)
def test_ties_at_the_border_of_the_top_count_by_lot(proxy, recall):
    assert agreement(range(8), proxy).top5_recall == pytest.approx(recall)


def test_a_broken_run_may_be_minus_infinity():
    assert agreement([1, 2, 3, 4], [-math.inf, -math.inf, 3, 4]).spearman.value > 0.9


@pytest.mark.parametrize(
    ("truth", "proxy", "words"),
    [
        ([1, 2, 3], [1, 2], r"a number per network, got shapes \(3,\) and \(2,\)"),
        ([1, 2], [1, 2], "at least 3 networks, got 2"),
        ([1, 2, 3], [1, math.nan, 3], "proxy must not be nan, got nan at 1"),
        ([math.nan, 2, 3], [1, 2, 3], "truth must not be nan, got nan at 0"),
    ],
)
def test_what_cannot_be_ranked_is_refused(truth, proxy, words):
    for measure in (agreement, ranking.spearman):
        with pytest.raises(ValueError, match=words):
            measure(truth, proxy)


# --- learning curves -----------------------------------------------------------------------------


def test_early_epochs_are_shares_of_all_rounded_up():
    curves = np.random.default_rng(0).random((9, 30))
    found = ranking.curve_agreement(curves)
    assert list(found) == [3, 6, 10, 15]
    for epoch, value in found.items():
        assert _same(value, stats.spearmanr(curves[:, epoch - 1], curves[:, -1]).statistic)
    assert list(ranking.curve_agreement(curves[:, :7])) == [1, 2, 3, 4]
    assert list(ranking.curve_agreement(curves[:, :2])) == [1]


@pytest.mark.parametrize(
    ("curves", "words"),
    [
        ([[0.1, 0.2]] * 2, "at least 3 curves, got 2"),
        ([[0.1, 0.2], [0.1, 0.2], [0.1]], "equally long, got 1 to 2 epochs"),
        ([[0.1]] * 3, "at least 2 epochs long, got 1"),
        ([[0.1, 0.2], [0.1, 0.2], [0.1, math.nan]], "got nan in curve 2"),
    ],
)
def test_curves_that_cannot_be_compared_are_refused(curves, words):
    with pytest.raises(ValueError, match=words):
        ranking.curve_agreement(curves)
    with pytest.raises(ValueError, match=words):
        ranking.stopping(curves, lambda curve, before: False)


def test_a_rule_that_never_stops_costs_and_saves_nothing():
    curves = np.random.default_rng(0).random((20, 4))
    found = ranking.stopping(curves, lambda curve, before: False)
    assert found == ranking.Stopping(0, 0, 0, 0, tenth=2, harmed=0)


def test_the_first_group_is_never_stopped():
    curves = np.random.default_rng(0).random((20, 4))
    found = ranking.stopping(curves, lambda curve, before: bool(before) and len(curve) == 1)
    # Of groups of 8, 8 and 4, the second is stopped whole and leaves the third nothing.
    assert found.stopped == pytest.approx(8 / 20)
    assert found.saved == pytest.approx(8 / 20 * 3 / 4)
    assert found.harmed == 1.0
    assert 0 < found.top_tenth < 2
    assert 0 < found.top5 < 5


def test_a_group_is_held_against_those_of_the_one_before_that_were_not_stopped():
    curves = np.arange(40.0).reshape(10, 4)
    seen = []

    def rule(curve, before):
        seen.append((len(curve), [len(other) for other in before]))
        return bool(before) and len(curve) == 2 and curve[0] % 8 == 0  # every second network

    ranking.stopping(curves, rule, group=4, shuffles=1)
    lengths = [before for length, before in seen if length == 1]
    assert lengths[:8] == [[]] * 4 + [[4] * 4] * 4
    assert all(set(before) == {4} and len(before) < 4 for before in lengths[8:])
    assert max(length for length, _ in seen) == 3  # after the last epoch there is nothing to stop
