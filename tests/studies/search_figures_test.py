"""The figures of a study of searchers, on rows whose medians are known."""

from __future__ import annotations

import pytest

from epnas_tf.studies import search_figures, search_methods, search_study
from tests.studies.search_rows import row as _row


def test_runs_that_did_not_reach_a_goal_are_capped():
    rows = [_row("random", 0, (10, None, None)), _row("random", 1, (20, 300, None))]
    assert search_figures.capped(rows, "top_1%", 400).tolist() == [10, 20]
    assert search_figures.capped(rows, "top_0.1%", 400).tolist() == [400, 300]


def test_rows_are_grouped_in_the_order_of_tables_and_methods_by_seed():
    tables, methods = list(search_study.TABLES)[:2], list(search_methods.METHODS)[:2]
    rows = [
        _row(method, seed, (1, 1, 1), table=table)
        for seed in (1, 0)
        for table in reversed(tables)
        for method in ("unknown", *reversed(methods))
    ]
    found = search_figures.grouped(rows)
    assert list(found) == tables
    for by_method in found.values():
        assert list(by_method) == [*methods, "unknown"]
        assert [[row["seed"] for row in runs] for runs in by_method.values()] == [[0, 1]] * 3


def test_a_summary_holds_medians_and_how_many_runs_arrived():
    rows = [_row("random", s, (10 * (s + 1), None if s else 90, None)) for s in range(3)]
    found = search_figures.summary(rows, 400)
    assert found["runs"] == 3
    tops = ("top_1%", "top_0.1%", "best")
    assert [found[goal]["median"] for goal in tops] == [20, 400, 400]
    assert [found[goal]["reached"] for goal in tops] == pytest.approx([1, 1 / 3, 0])
    assert {at: regret["median"] for at, regret in found["regret"].items()} == {
        "50": 0.02,
        "100": 0.01,
    }
    assert "proposed_reward" not in found


def test_late_steps_are_the_mean_of_the_runs_that_came_so_far():
    lists = ([0.25, 0.5], [0.75], None)
    more = [{} if means is None else {"proposed_reward": means} for means in lists]
    rows = [_row("lstm", s, (9, 50, None), **values) for s, values in enumerate(more)]
    assert search_figures.summary(rows, 400)["proposed_reward"] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("tops", "best"),
    [
        ({"evolution_20_5": (200, 200, 200), "evolution_50_10": (100, 100, 400)}, "50/10"),
        # Equal medians: the mean decides, in which a run that did not arrive counts as 400.
        ({"evolution_20_5": (100, 100, None), "evolution_50_10": (100, 100, 399)}, "50/10"),
        ({"evolution_20_5": (100, 100, 399), "evolution_50_10": (100, 100, None)}, "20/5"),
    ],
)
def test_the_evolution_of_the_fewest_queries_stands_for_all(tops, best):
    methods = {
        name: [_row(name, s, (9, top, None)) for s, top in enumerate(found)]
        for name, found in tops.items()
    }
    name = f"evolution_{best.replace('/', '_')}"
    assert search_figures.best_evolution(methods, 400) == name
    others = {"random": [_row("random", 0, (1, 1, 1))]}
    told = search_figures.reported(methods | others, 400)
    assert told == {f"evolution (best: {best})": methods[name]} | others
    rows = [row for runs in methods.values() for row in runs]
    assert search_figures.summarise(rows, 400)["kept_aside"]["best_evolution"] == name


def test_without_an_evolution_none_is_the_best():
    methods = {"random": [_row("random", 0, (1, 1, 1))]}
    assert search_figures.best_evolution(methods, 400) is None
    assert search_figures.reported(methods, 400) == methods


def test_methods_are_compared_with_a_base():
    tops = {"lstm": 50, "lstm_unscreened": 150, "uniform": 40, "evolution_20_5": 90}
    rows = [_row(name, s, (9, top, None)) for name, top in tops.items() for s in range(3)]
    told = search_figures.summarise(rows, 400)["kept_aside"]["differences"]
    assert {name: goals["top_0.1%"]["difference"] for name, goals in told.items()} == {
        "evolution (best: 20/5) - lstm": 40,
        "uniform - lstm": -10,
        "lstm_unscreened - lstm": 100,
    }
    assert told["uniform - lstm"].keys() == search_study.SHARES.keys()
    told = search_figures.summarise(rows, 400, "uniform")["kept_aside"]["differences"]
    assert told["lstm - uniform"]["top_0.1%"]["difference"] == 10
    rest = [row for row in rows if row["method"] != "lstm"]
    assert search_figures.summarise(rest, 400)["kept_aside"]["differences"] == {}


def test_an_evolution_may_be_the_base():
    tops = {"evolution_20_5": 200, "evolution_50_10": 100, "random": 150}
    rows = [_row(name, s, (9, top, None)) for name, top in tops.items() for s in range(3)]
    for base, others in {
        "evolution_50_10": {"random - evolution_50_10"},
        "evolution_20_5": {"random - evolution_20_5", "evolution (best: 50/10) - evolution_20_5"},
    }.items():
        told = search_figures.summarise(rows, 400, base)["kept_aside"]["differences"]
        assert set(told) == others


def test_runs_of_the_same_seeds_are_compared_in_pairs():
    """Every run of one is 5 queries longer than its pair: there is no doubt of the difference."""
    counts = (10, 80, 33, 190, 54)
    rows = [_row("lstm", s, (9, top, None)) for s, top in enumerate(counts)]
    rows += [_row("random", s, (9, top + 5, None)) for s, top in enumerate(counts)]
    told = search_figures.summarise(rows, 400)["kept_aside"]["differences"]["random - lstm"]
    assert told["top_0.1%"] == {"difference": 5, "interval": [5, 5]}
    alone = search_figures.summarise(rows[:-1], 400)["kept_aside"]["differences"]["random - lstm"]
    assert alone["top_0.1%"]["interval"][0] < -20


def test_the_base_is_one_that_can_be_run():
    assert search_figures.BASE in search_methods.METHODS


def test_the_share_within_the_limit_is_a_median():
    rows = [_row("random", s, (9, 50, None), within=within) for s, within in enumerate((0, 0.2, 1))]
    assert search_figures.summary(rows, 400)["within"] == 0.2
    assert "within" not in search_figures.summary([_row("random", 0, (9, 50, None))], 400)
