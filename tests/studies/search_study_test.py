"""Runs of searchers on tables: what a run says and how it ends."""

from __future__ import annotations

import json
import os

import pytest

from epnas_tf.studies import search_methods, search_study, tables


@pytest.fixture(name="aside", scope="module")
def _aside() -> tables.Table:
    return tables.kept_aside()


# Without TensorFlow, and without a prior of another table of the same space.
_METHODS = [n for n in search_methods.METHODS if n[:4] != "lstm" and not n.endswith("prior")]


@pytest.mark.parametrize("method", _METHODS)
def test_a_run_tells_what_it_found(aside, method):
    row = search_study.run(aside, method, 1000, 60)
    assert row == search_study.run(aside, method, 1000, 60)
    assert json.loads(json.dumps(row))["reached"] == row["reached"]
    assert row["queries"] <= 60
    assert row["answers"] >= row["queries"]
    regrets = [regret for _, regret in row["improvements"]]
    assert regrets == sorted(regrets, reverse=True)
    assert row["regret"].keys() == {"50"}
    assert row["regret"]["50"] == search_study.regret_at(row["improvements"], 50)
    for name, share in search_study.SHARES.items():
        least = aside.best - aside.threshold(share)
        reached = [query for query, regret in row["improvements"] if regret <= least + 1e-12]
        assert row["reached"][name] == (reached[0] if reached else None)


def test_other_seeds_are_other_runs(aside):
    rows = [search_study.run(aside, "random_sampling", seed, 50) for seed in (1000, 1001)]
    assert rows[0]["improvements"] != rows[1]["improvements"]


def test_a_run_ends_when_the_best_network_is_found(aside):
    row = search_study.run(aside, "local_search", 1000, 2_000)
    assert row["reached"]["best"] == row["queries"] < 2_000
    assert row["improvements"][-1] == (row["queries"], 0.0)
    assert row["regret"]["400"] == 0.0


def test_a_run_ends_when_it_only_repeats_itself(aside, monkeypatch):
    def stubborn(table, seed):
        spec = tables.every_network(table.space)[seed]
        return search_methods.Method(iter_forever(spec))

    def iter_forever(spec):
        while True:
            yield spec

    monkeypatch.setitem(search_methods.METHODS, "stubborn", stubborn)
    row = search_study.run(aside, "stubborn", 0, 400)
    assert (row["queries"], row["answers"]) == (1, search_study.MAX_ANSWERS)


def test_what_the_policy_proposed_is_kept_by_step(aside, monkeypatch):
    log = [{"step": 0}, {"step": 1, "proposed_reward": 0.5}, {"step": 2, "proposed_reward": 0.25}]

    def make(table, seed):
        return search_methods.Method(search_methods.METHODS["random"](table, seed).queries, log)

    monkeypatch.setitem(search_methods.METHODS, "logging", make)
    assert search_study.run(aside, "logging", 0, 20)["proposed_reward"] == [0.5, 0.25]
    assert "proposed_reward" not in search_study.run(aside, "local_search", 0, 20)


def _scripted(monkeypatch, specs):
    """Makes a method that asks for these networks one after another."""

    def make(table, seed):
        return search_methods.Method(spec for spec in specs)

    monkeypatch.setitem(search_methods.METHODS, "scripted", make)


def test_under_a_limit_only_what_keeps_it_is_found(aside, monkeypatch):
    table = aside.limited("p30")
    specs = sorted(tables.every_network(aside.space), key=aside.accuracy, reverse=True)
    within = [spec for spec in specs if table.feasible(spec)]
    beyond = [spec for spec in specs if not table.feasible(spec)]
    _scripted(monkeypatch, [*beyond[:2], within[30], beyond[2], within[0]])
    row = search_study.run(table, "scripted", 0, 50)
    assert row["queries"] == 5  # the best of all networks end no run, the best one within does
    assert row["within"] == 2 / 5
    assert row["reached"] == {"top_1%": 5, "top_0.1%": 5, "best": 5}
    # Before anything within is found, the regret is that of the worst network within.
    later = aside.accuracy(within[0]) - aside.accuracy(within[30])
    worst = aside.accuracy(within[0]) - aside.accuracy(within[-1])
    assert row["improvements"] == [(1, worst), (3, later), (5, 0.0)]


def test_under_a_limit_a_run_may_find_nothing(aside, monkeypatch):
    table = aside.limited("third")
    beyond = [spec for spec in tables.every_network(aside.space) if not table.feasible(spec)]
    _scripted(monkeypatch, beyond)
    row = search_study.run(table, "scripted", 0, 60)
    assert (row["within"], row["queries"]) == (0.0, 60)
    assert set(row["reached"].values()) == {None}
    assert row["regret"]["50"] == row["improvements"][-1][1] == table.best - table.worst


def test_only_limited_tables_have_a_share_within(aside):
    assert "within" not in search_study.run(aside, "random_sampling", 1000, 20)
    assert "within" in search_study.run(aside.limited("p30"), "random_sampling", 1000, 20)


def test_tables_are_loaded_by_name_with_their_limits():
    assert len(search_study.TABLES) == 15
    for name in ("kept_aside", "kept_aside_third", "kept_aside_p30"):
        assert search_study.load_table(name, "").name == name
    for name in ("kept_aside_half", "third", "mnist", "mnist_third"):
        with pytest.raises(ValueError, match=f"--tables must be of .* got '{name}'"):
            search_study.load_table(name, "")


def test_tables_without_a_limit_are_the_default_ones():
    asked = {"seeds": 1, "first_seed": 1000, "max_queries": 9, "digits_path": ""}
    found = search_study.tasks(None, ["local_search"], quick=False, **asked)
    assert [task.table for task in found] == list(search_study.UNLIMITED)
    found = search_study.tasks(["digits_p30"], ["local_search"], quick=False, **asked)
    assert [task.table for task in found] == ["digits_p30"]


def test_workers_start_with_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with search_study.one_thread():
        assert {os.environ[name] for name in search_study.THREAD_VARIABLES} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "OPENBLAS_NUM_THREADS" not in os.environ
