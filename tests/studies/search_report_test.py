"""The figures and tables of a study of searchers, on rows whose medians are known."""

from __future__ import annotations

import pytest

from epnas_tf.studies import search_figures, search_report, search_study


def _row(method, seed, reached, max_queries=400, **values):
    figures = dict(zip(search_study.SHARES, reached, strict=True))
    row = {"table": "kept_aside", "method": method, "seed": seed, "max_queries": max_queries}
    row |= {"reached": figures, "regret": {"50": 0.02, "100": 0.01}}
    return row | {"improvements": [[1, 0.3], [40, 0.02], [80, 0.01]]} | values


def test_runs_that_did_not_reach_a_goal_are_capped():
    rows = [_row("random", 0, (10, None, None)), _row("random", 1, (20, 300, None))]
    assert search_figures.capped(rows, "top_1%", 400).tolist() == [10, 20]
    assert search_figures.capped(rows, "top_0.1%", 400).tolist() == [400, 300]


def test_the_best_evolution_stands_for_all_of_them():
    rows = [_row("evolution_20_5", s, (9, 200, None)) for s in range(2)]
    rows += [_row("evolution_50_10", s, (30, 100, None)) for s in range(2)]
    text = search_report.report(rows, 400, tuning=False)
    assert "| evolution (best: 50/10) | 2 | 30 [30, 30] | 100 [100, 100] | >400 " in text
    assert "20/5" not in text
    assert search_figures.summarise(rows, 400)["kept_aside"]["best_evolution"] == "evolution_50_10"


def test_the_four_are_compared_where_all_are_there():
    names = {"lstm": 50, "lstm_unscreened": 150, "random_screened": 80, "random": 200}
    rows = [_row(name, s, (9, top, None)) for name, top in names.items() for s in range(3)]
    told = search_figures.summarise(rows, 400)["kept_aside"]["differences"]
    tops = {name: goals["top_0.1%"]["difference"] for name, goals in told.items()}
    assert tops == {
        "lstm - lstm_unscreened": -100,
        "random_screened - random": -120,
        "lstm - random_screened": -30,
        "lstm_unscreened - random": -50,
    }
    assert "| lstm - random_screened | +0 [+0, +0] | -30 [-30, -30] |" in search_report.report(
        rows, 400, tuning=False
    )
    rest = [row for row in rows if row["method"] != "random"]
    assert search_figures.summarise(rest, 400)["kept_aside"]["differences"] == {}
    assert "difference" not in search_report.report(rest, 400, tuning=False)


def test_proposals_are_reported_from_first_to_last():
    rows = [_row("lstm", s, (9, 50, None), proposed_reward=[0.5] * 10 + [0.7] * 20) for s in (0, 1)]
    text = search_report.report(rows, 400, tuning=False)
    assert "own proposals 0.5000 in the first 10 steps, 0.7000 in the last 10 of 30" in text


def test_the_curve_is_the_median_of_the_best_so_far():
    rows = [_row("random", 0, (1, 1, 1)), _row("random", 1, (1, 1, 1), improvements=[[1, 0.1]])]
    curve = search_report.median_curve(rows, 100)
    assert curve.shape == (100,)
    assert curve[[0, 38, 39, 99]] == pytest.approx([0.2, 0.2, 0.06, 0.055])
