"""The median rule of --stop_hopeless: who is stopped, who never is."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.training.early_stopping import StopRule, first_epoch, stops_early
from epnas_tf.training.epochs import EpochResult

_checked = settings(deadline=None, derandomize=True, max_examples=100, database=None)
_accuracies = st.floats(0, 1)
_margins = st.floats(0, 1)


def _curves(epochs: int) -> st.SearchStrategy[list[float]]:
    return st.lists(_accuracies, min_size=epochs, max_size=epochs)


@st.composite
def _cases(draw: st.DrawFn) -> tuple[list[float], list[list[float]], int]:
    planned = draw(st.integers(1, 12))
    references = draw(st.lists(_curves(planned), max_size=6))
    return draw(_curves(draw(st.integers(0, planned)))), references, planned


_REFERENCE = [[0.2, 0.5, 0.6, 0.7], [0.1, 0.4, 0.5, 0.6], [0.3, 0.6, 0.9, 0.9]]  # medians: .2 .5 .6


@pytest.mark.parametrize(
    ("curve", "stopped"),
    [
        ([], False),
        ([0.05], True),  # 0.15 below the first median, and a quarter of 4 epochs is done
        ([0.1], False),  # exactly the margin below
        ([0.05, 0.45], False),  # only the last epoch counts
        ([0.2, 0.39], True),
        ([0.2, 0.4], False),
        ([0.2, 0.5, 0.5, 0.59], True),
    ],
)
def test_a_child_far_below_the_median_is_stopped(curve: list[float], stopped: bool) -> None:
    assert stops_early(curve, _REFERENCE, margin=0.1, planned=4) is stopped


@pytest.mark.parametrize(
    ("planned", "epoch"), [(1, 1), (2, 1), (4, 1), (5, 2), (8, 2), (10, 3), (20, 5)]
)
def test_the_first_quarter_is_rounded_up(planned: int, epoch: int) -> None:
    assert first_epoch(planned) == epoch
    reference = [[1.0] * planned] * 3
    stopped = [stops_early([0.0] * done, reference, 0.5, planned) for done in range(planned + 1)]
    assert stopped == [done >= epoch for done in range(planned + 1)]


def test_too_little_to_compare_with_stops_nobody() -> None:
    assert stops_early([0.0] * 2, [[1.0] * 4] * 3, 0.1, 4)
    assert not stops_early([0.0] * 2, [[1.0] * 4] * 2, 0.1, 4)
    assert not stops_early([0.0] * 2, [], 0.1, 4)
    # One of four was itself stopped after its first epoch: up to there it still counts.
    references = [*[[1.0] * 4] * 3, [1.0]]
    assert stops_early([0.0], references, 0.1, 4)
    assert not stops_early([0.0] * 2, references, 0.1, 4)


def test_the_rule_is_the_trainers_callback() -> None:
    rule = StopRule(0.1, tuple(map(tuple, _REFERENCE)), planned=4)
    accuracies = (0.15, 0.45, 0.45, 0.6)
    answers = [rule.on_epoch(EpochResult(i, 2.0, value)) for i, value in enumerate(accuracies)]
    assert answers == [False, False, True, False]
    assert rule == StopRule(0.1, tuple(map(tuple, _REFERENCE)), planned=4)
    assert not StopRule(0.1, (), planned=4).on_epoch(EpochResult(3, 2.0, 0.0))


@_checked
@given(_cases(), _margins, _accuracies)
def test_raising_a_curve_never_stops_it(
    case: tuple[list[float], list[list[float]], int], margin: float, least: float
) -> None:
    curve, references, planned = case
    raised = [max(accuracy, least) for accuracy in curve]
    if stops_early(raised, references, margin, planned):
        assert stops_early(curve, references, margin, planned)


@_checked
@given(_cases(), _margins)
def test_nobody_at_the_median_or_above_is_stopped(
    case: tuple[list[float], list[list[float]], int], margin: float
) -> None:
    curve, references, planned = case
    if curve and references:
        median = statistics.median(reference[len(curve) - 1] for reference in references)
        curve[-1] = max(curve[-1], median)
    assert not stops_early(curve, references, margin, planned)


@_checked
@given(_cases(), _margins, _margins)
def test_a_wider_margin_stops_no_more(
    case: tuple[list[float], list[list[float]], int], one: float, other: float
) -> None:
    if stops_early(*case[:2], max(one, other), case[2]):
        assert stops_early(*case[:2], min(one, other), case[2])


@_checked
@given(_cases(), _margins)
def test_the_order_of_the_references_does_not_matter(
    case: tuple[list[float], list[list[float]], int], margin: float
) -> None:
    curve, references, planned = case
    found = stops_early(curve, references, margin, planned)
    assert stops_early(curve, references[::-1], margin, planned) is found


@pytest.mark.parametrize(
    ("curve", "references", "margin", "planned", "words"),
    [
        ([0.5], [], -0.1, 4, r"margin must be in 0\.\.1, got -0\.1"),
        ([0.5], [], float("nan"), 4, r"margin must be in 0\.\.1, got nan"),
        ([0.5], [], 0.1, 0, "planned epochs must be at least 1, got 0"),
        ([0.5] * 5, [], 0.1, 4, "the curve must have at most 4 epochs, got 5"),
        ([0.5], [[0.5] * 5], 0.1, 4, "a reference curve must have at most 4 epochs, got 5"),
        ([1.5], [], 0.1, 4, r"training accuracy must be in 0\.\.1, got 1\.5 in the curve"),
        ([0.5], [[float("nan")]], 0.1, 4, r"must be in 0\.\.1, got nan in a reference curve"),
    ],
)
def test_what_cannot_be_is_refused(
    curve: list[float], references: list[list[float]], margin: float, planned: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        stops_early(curve, references, margin, planned)


def test_an_impossible_accuracy_of_an_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"training accuracy must be in 0\.\.1, got nan"):
        StopRule(0.1, (), 4).on_epoch(EpochResult(0, 2.0, float("nan")))
