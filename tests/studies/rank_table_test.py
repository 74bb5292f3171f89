"""The tables of the study of proxies, on rows whose correlations are known."""

from __future__ import annotations

import math

import pytest

from epnas_tf.studies import rank_table
from epnas_tf.studies.rank_table import Network, Study
from tests.studies import rank_rows


@pytest.fixture(name="networks")
def _networks():
    return [
        Network(f"n{i}", "layerwise" if i < 10 else "module", i % 3, 1e4 + i, 1e6 - i)
        for i in range(20)
    ]


_SEEDS = {"truth": (0, 1), "exact": (2,), "unstarted": (2,)}


def test_lines_have_the_known_correlations_and_costs(networks):
    study = Study(rank_rows.rows(networks), networks, _SEEDS)
    lines = {(line.method, line.score): line for line in rank_table.lines(study, networks)}
    values = {at: round(line.agreement.spearman.value, 9) for at, line in lines.items()}
    assert [at for at in values if at[0] in ("truth", "size")] == [
        ("truth", "one seed against the other"),
        ("size", "parameters"),
        ("size", "FLOPs"),
    ]
    assert values["truth", "one seed against the other"] == 1
    assert (values["size", "parameters"], values["size", "FLOPs"]) == (1, -1)
    assert [values["exact", score] for score in rank_table.SCORES] == [1, 1, -1]
    assert [values["reversed", score] for score in rank_table.SCORES] == [-1, -1, 1]
    assert 0 < values["exact_dictionary", rank_table.ACCURACY] < 1
    assert not any(name == "unstarted" for name, _ in lines)

    exact = lines["exact", rank_table.ACCURACY]
    assert exact.cost == pytest.approx(3 / 15)
    assert lines["reversed", rank_table.ACCURACY].cost == pytest.approx(7.5 / 15)
    assert exact.agreement.top5_recall == 1
    assert lines["reversed", rank_table.ACCURACY].agreement.top5_recall == 0
    assert exact.accuracy == pytest.approx((0.4 + 0.02 * 9.5) / 2)
    assert exact.batch_norm_gap == pytest.approx(0.01)
    assert lines["reversed", rank_table.ACCURACY].batch_norm_gap is None
    assert lines["exact", "last training accuracy"].accuracy is None


def test_missing_runs_are_left_out_and_counted(networks):
    rows = [
        row
        for row in rank_rows.rows(networks)
        if (row["key"], row["method"], row["seed"]) not in {("n0", "truth", 1), ("n1", "exact", 2)}
    ]
    study = Study(rows, networks, _SEEDS)
    assert [network.key for network in study.networks] == [f"n{i}" for i in range(1, 20)]
    lines = {(line.method, line.score): line for line in rank_table.lines(study, study.networks)}
    exact = lines["exact", rank_table.ACCURACY]
    assert (exact.agreement.networks, exact.missing) == (18, 1)
    assert lines["reversed", rank_table.ACCURACY].missing == 0
    text = rank_table.report(study)
    assert "19 of 20 networks have their truth" in text
    assert "| exact | validation accuracy | 18 | 1 | 0.200 | 1.00 [1.00, 1.00] |" in text


def test_runs_of_other_networks_do_not_count_and_the_last_of_two_does(networks):
    rows = [
        *rank_rows.rows(networks),
        rank_rows.run("stranger", "exact", 2, 0.9),
        rank_rows.run("n0", "exact", 2, 0.99),
    ]
    study = Study(rows, networks, _SEEDS)
    truth, proxy = study.pairs("exact", networks)
    assert len(truth) == 20
    assert proxy[0] == 0.99


def test_a_run_that_broke_down_comes_last(networks):
    rows = rank_rows.rows(networks)
    for row in rows:
        if row["method"] == "exact" and row["key"] == "n19":
            row |= {"losses": [math.nan], "training_accuracies": []}
    study = Study(rows, networks, _SEEDS)
    for score in ("minus sum of training losses", "last training accuracy"):
        assert study.pairs("exact", networks, rank_table.SCORES[score])[1][19] == -math.inf
    assert "| exact | minus sum of training losses | 20 | 0 |" in rank_table.report(study)


def test_patterns_stand_alone(networks):
    study = Study(rank_rows.rows(networks), networks, _SEEDS)
    _, layerwise, module = rank_table.report(study).split("alone")
    for part in (layerwise, module):
        assert "| exact | validation accuracy | 10 | 0.200 | 1.00 [1.00, 1.00] | 1.00 |" in part


def test_inherited_parameters_flatter_the_step_that_has_them(networks):
    study = Study(rank_rows.rows(networks), networks, _SEEDS)
    assert rank_table.inheritance(study, "exact") is None
    found = rank_table.inheritance(study, "exact_dictionary")
    assert found.shares == pytest.approx({0: 0.0, 1: 0.3, 2: 0.9})
    assert found.shifts[2] > 0 > found.shifts[0]
    assert sum(found.shifts[network.step] for network in networks) == pytest.approx(0)
    assert found.bias > 0.5
    assert "| exact_dictionary | 0.00 | 0.30 | 0.90 |" in rank_table.report(study)
    assert rank_table.inheritance(study, "reversed") is None


def test_the_cost_is_that_of_the_timings_where_there_are_any(networks):
    timings = [
        rank_rows.run("n3", "truth", 0, 0.5, 40.0),
        rank_rows.run("n3", "exact", 0, 0.5, 4.0),
    ]
    study = Study(rank_rows.rows(networks), networks, _SEEDS, timings)
    assert study.cost("exact", networks) == pytest.approx(0.1)
    assert math.isnan(study.cost("reversed", networks))


@pytest.mark.parametrize("done", [0, 2, 3])
def test_a_study_that_has_just_begun_is_reported(networks, done):
    keys = {network.key for network in networks[:done]}
    rows = [row for row in rank_rows.rows(networks) if row["key"] in keys]
    text = rank_table.report(Study(rows, networks, _SEEDS))
    assert f"{done} of 20 networks have their truth" in text
    assert ("needs at least 3" in text) == (done < 3)
