"""The figures and tables of a study of searchers, on rows whose medians are known."""

from __future__ import annotations

import pytest

from epnas_tf.studies import search_report
from tests.studies.search_rows import row as _row


def test_the_best_evolution_stands_for_all_of_them():
    rows = [_row("evolution_20_5", s, (9, 200, None)) for s in range(2)]
    rows += [_row("evolution_50_10", s, (30, 100, None)) for s in range(2)]
    text = search_report.report(rows, 400, tuning=False)
    assert "| evolution (best: 50/10) | 2 | 30 [30, 30] | 100 [100, 100] | >400 " in text
    assert "20/5" not in text


def test_the_differences_to_the_base_are_reported():
    names = {"lstm": 50, "uniform": 80}
    rows = [_row(name, s, (9, top, None)) for name, top in names.items() for s in range(3)]
    text = search_report.report(rows, 400, tuning=False)
    assert "| uniform - lstm | +0 [+0, +0] | +30 [+30, +30] | +0 [+0, +0] |" in text
    text = search_report.report(rows, 400, tuning=False, base="uniform")
    assert "| lstm - uniform | +0 [+0, +0] | -30 [-30, -30] |" in text
    assert "difference" not in search_report.report(rows[3:], 400, tuning=False)


def test_the_share_within_the_limit_is_reported_of_limited_tables():
    limited = [
        _row(name, s, (9, 50, None), table="kept_aside_p30", within=within)
        for name, within in (("random", 0.25), ("lstm", 0.9))
        for s in range(3)
    ]
    lines = search_report.report(limited, 400, tuning=False).splitlines()
    assert "## kept_aside_p30" in lines
    (heads,) = [line for line in lines if line.startswith("| method")]
    assert heads.endswith("| regret at 100 | within |")
    assert [line.split(" | ")[-1] for line in lines if line[:5] in ("| ran", "| lst")] == [
        *("25% |", "90% |"),
        *["+0 [+0, +0] |"],  # the difference of the two
    ]
    whole = search_report.report([_row("random", 0, (9, 50, None))], 400, tuning=False)
    assert "| within |" not in whole


def test_proposals_are_reported_from_first_to_last():
    rows = [_row("lstm", s, (9, 50, None), proposed_reward=[0.5] * 10 + [0.7] * 20) for s in (0, 1)]
    text = search_report.report(rows, 400, tuning=False)
    assert "own proposals 0.5000 in the first 10 steps, 0.7000 in the last 10 of 30" in text


def test_the_curve_is_the_median_of_the_best_so_far():
    rows = [_row("random", 0, (1, 1, 1)), _row("random", 1, (1, 1, 1), improvements=[[1, 0.1]])]
    curve = search_report.median_curve(rows, 100)
    assert curve.shape == (100,)
    assert curve[[0, 38, 39, 99]] == pytest.approx([0.2, 0.2, 0.06, 0.055])
