"""bench_search: what a run says, the files it writes, resuming, and which seeds are reported."""

from __future__ import annotations

import json

import numpy as np
import pytest
from absl import app, flags
from absl.testing import flagsaver

from epnas_tf.studies import tables

try:
    from epnas_tf.tools.studies import bench_search
except ImportError:  # from a checkout
    from tools.studies import bench_search


@pytest.fixture(name="aside", scope="module")
def _aside() -> tables.Table:
    return tables.kept_aside()


@pytest.fixture(name="command")
def _command(tmp_path):
    """Runs the command with these flags on the table kept aside and 2 seeds; returns its folder."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["bench_search"])

    def run(**values):
        asked = {"tables": ["kept_aside"], "seeds": 2, "max_queries": 60, "workers": 1} | values
        with flagsaver.flagsaver(**{"output": str(tmp_path), **asked}):
            bench_search.main(["bench_search"])
        return tmp_path

    return run


def _row(method, seed, reached, max_queries=400, **values):
    figures = dict(zip(bench_search.SHARES, reached, strict=True))
    row = {"table": "kept_aside", "method": method, "seed": seed, "max_queries": max_queries}
    row |= {"reached": figures, "regret": {"50": 0.02, "100": 0.01}}
    return row | {"improvements": [[1, 0.3], [40, 0.02], [80, 0.01]]} | values


# --- a run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [name for name in bench_search.METHODS if name[:4] != "lstm"])
def test_a_run_tells_what_it_found(aside, method):
    row = bench_search.run(aside, method, 1000, 60)
    assert row == bench_search.run(aside, method, 1000, 60)
    assert json.loads(json.dumps(row))["reached"] == row["reached"]
    assert row["queries"] <= 60
    assert row["answers"] >= row["queries"]
    regrets = [regret for _, regret in row["improvements"]]
    assert regrets == sorted(regrets, reverse=True)
    assert row["regret"].keys() == {"50"}
    assert row["regret"]["50"] == bench_search.regret_at(row["improvements"], 50)
    for name, share in bench_search.SHARES.items():
        least = aside.best - aside.threshold(share)
        reached = [query for query, regret in row["improvements"] if regret <= least + 1e-12]
        assert row["reached"][name] == (reached[0] if reached else None)


def test_other_seeds_are_other_runs(aside):
    rows = [bench_search.run(aside, "random_sampling", seed, 50) for seed in (1000, 1001)]
    assert rows[0]["improvements"] != rows[1]["improvements"]


def test_a_run_ends_when_the_best_network_is_found(aside):
    row = bench_search.run(aside, "local_search", 1000, 2_000)
    assert row["reached"]["best"] == row["queries"] < 2_000
    assert row["improvements"][-1] == (row["queries"], 0.0)
    assert row["regret"]["400"] == 0.0


def test_a_run_ends_when_it_only_repeats_itself(aside, monkeypatch):
    def stubborn(table, seed):
        spec = tables.every_network(table.space)[seed]
        return bench_search.Method(iter_forever(spec))

    def iter_forever(spec):
        while True:
            yield spec

    monkeypatch.setitem(bench_search.METHODS, "stubborn", stubborn)
    row = bench_search.run(aside, "stubborn", 0, 400)
    assert (row["queries"], row["answers"]) == (1, bench_search.MAX_ANSWERS)


def test_what_the_policy_proposed_is_kept_by_step(aside, monkeypatch):
    log = [{"step": 0}, {"step": 1, "proposed_reward": 0.5}, {"step": 2, "proposed_reward": 0.25}]

    def make(table, seed):
        return bench_search.Method(bench_search.METHODS["random"](table, seed).queries, log)

    monkeypatch.setitem(bench_search.METHODS, "logging", make)
    assert bench_search.run(aside, "logging", 0, 20)["proposed_reward"] == [0.5, 0.25]
    assert "proposed_reward" not in bench_search.run(aside, "local_search", 0, 20)


def test_the_lstm_searches_the_table_too(aside):
    row = bench_search.run(aside, "lstm", 1000, 24)
    assert row["queries"] == 24


# --- figures -------------------------------------------------------------------------------------


def test_runs_that_did_not_reach_a_goal_are_capped():
    rows = [_row("random", 0, (10, None, None)), _row("random", 1, (20, 300, None))]
    assert bench_search.capped(rows, "top_1%", 400).tolist() == [10, 20]
    assert bench_search.capped(rows, "top_0.1%", 400).tolist() == [400, 300]


def test_a_median_has_an_interval_that_narrows():
    few = bench_search.median(np.arange(10))
    many = bench_search.median(np.arange(1000) / 100)
    assert few["median"] == 4.5
    assert few["interval"][0] <= 4.5 <= few["interval"][1]
    assert np.diff(many["interval"])[0] < np.diff(few["interval"])[0]


def test_a_difference_has_its_sign_and_an_interval():
    told = bench_search.difference(np.arange(100), np.arange(100) + 50)
    assert told["difference"] == -50
    assert told["interval"][0] < -50 < told["interval"][1] < 0


def test_the_best_evolution_stands_for_all_of_them():
    rows = [_row("evolution_20_5", s, (9, 200, None)) for s in range(2)]
    rows += [_row("evolution_50_10", s, (30, 100, None)) for s in range(2)]
    text = bench_search.report(rows, 400, tuning=False)
    assert "| evolution (best: 50/10) | 2 | 30 [30, 30] | 100 [100, 100] | >400 " in text
    assert "20/5" not in text
    assert bench_search.summarise(rows, 400)["kept_aside"]["best_evolution"] == "evolution_50_10"


def test_the_four_are_compared_where_all_are_there():
    names = {"lstm": 50, "lstm_unscreened": 150, "random_screened": 80, "random": 200}
    rows = [_row(name, s, (9, top, None)) for name, top in names.items() for s in range(3)]
    told = bench_search.summarise(rows, 400)["kept_aside"]["differences"]
    tops = {name: goals["top_0.1%"]["difference"] for name, goals in told.items()}
    assert tops == {
        "lstm - lstm_unscreened": -100,
        "random_screened - random": -120,
        "lstm - random_screened": -30,
        "lstm_unscreened - random": -50,
    }
    assert "| lstm - random_screened | +0 [+0, +0] | -30 [-30, -30] |" in bench_search.report(
        rows, 400, tuning=False
    )
    rest = [row for row in rows if row["method"] != "random"]
    assert bench_search.summarise(rest, 400)["kept_aside"]["differences"] == {}
    assert "difference" not in bench_search.report(rest, 400, tuning=False)


def test_proposals_are_reported_from_first_to_last():
    rows = [_row("lstm", s, (9, 50, None), proposed_reward=[0.5] * 10 + [0.7] * 20) for s in (0, 1)]
    text = bench_search.report(rows, 400, tuning=False)
    assert "own proposals 0.5000 in the first 10 steps, 0.7000 in the last 10 of 30" in text


def test_the_curve_is_the_median_of_the_best_so_far():
    rows = [_row("random", 0, (1, 1, 1)), _row("random", 1, (1, 1, 1), improvements=[[1, 0.1]])]
    curve = bench_search.median_curve(rows, 100)
    assert curve.shape == (100,)
    assert curve[[0, 38, 39, 99]] == pytest.approx([0.2, 0.2, 0.06, 0.055])


# --- the command ---------------------------------------------------------------------------------


def test_the_command_writes_its_files_and_goes_on_where_it_stopped(command, capsys):
    pytest.importorskip("matplotlib")
    folder = command(methods=["local_search", "random"])
    rows = (folder / "results.jsonl").read_text("utf-8")
    assert "0 of 4 runs are done" in capsys.readouterr().out
    assert len(rows.splitlines()) == 4
    assert (folder / "curves.png").stat().st_size > 1_000
    results = json.loads((folder / "results.json").read_text("utf-8"))
    methods = results["tables"]["kept_aside"]["methods"]
    assert {name: methods[name]["runs"] for name in methods} == {"local_search": 2, "random": 2}
    # A line was being written as the machine went down; another method is asked for.
    lines = rows.splitlines(keepends=True)
    (folder / "results.jsonl").write_text("".join(lines[:3]) + lines[3][:20], "utf-8")
    command(methods=["local_search", "random", "random_sampling"])
    assert "3 of 6 runs are done" in capsys.readouterr().out
    again = (folder / "results.jsonl").read_text("utf-8").splitlines(keepends=True)
    assert len(again) == 6
    assert set(lines) < set(again)
    assert "| random_sampling | 2 |" in (folder / "report.md").read_text("utf-8")


def test_tuning_seeds_are_never_reported(command):
    pytest.importorskip("matplotlib")
    folder = command(methods=["local_search"], first_seed=0)
    assert {path.name for path in folder.iterdir()} == {
        *("tuning_results.jsonl", "tuning_results.json", "tuning_report.md", "tuning_curves.png")
    }
    assert "not to be reported" in (folder / "tuning_report.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"first_seed": 999}, "--first_seed: seeds must be all below 1000 .* got 999 to 1000"),
        ({"methods": ["sorcery"]}, "--methods: must be of .* got 'sorcery'"),
        ({"tables": ["mnist"]}, "--tables: must be of .* got 'mnist'"),
        ({"methods": []}, "--methods: must name at least one"),
        ({"tables": ["digits"], "digits_table": "no/such/file"}, "--digits_table=no/such/file"),
    ],
)
def test_bad_flags_are_refused_before_anything_runs(command, tmp_path, asked, words):
    with pytest.raises(app.UsageError, match=words):
        command(**{"methods": ["local_search"]} | asked)
    assert list(tmp_path.iterdir()) == []


def test_workers_start_with_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with bench_search.one_thread():
        assert {bench_search.os.environ[name] for name in bench_search.THREAD_VARIABLES} == {"1"}
    assert bench_search.os.environ["OMP_NUM_THREADS"] == "3"
    assert "OPENBLAS_NUM_THREADS" not in bench_search.os.environ
