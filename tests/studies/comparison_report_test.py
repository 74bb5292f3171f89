"""What is read of searches that are compared, from made-up trials."""

from __future__ import annotations

import math
import pathlib

import pytest

from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.studies import comparison_report, named_networks
from epnas_tf.studies.comparison import Search
from epnas_tf.workdir import best_json
from epnas_tf.workdir.best_json import Best
from tests.studies import search_files
from tests.studies.search_files import network, row


def _search(root: pathlib.Path, variant: str, seed: int, accuracies: list[float]) -> Search:
    """Returns a search of trials of 30 seconds each; its best network is the last one."""
    search = Search(variant, seed, root / f"{variant}_seed{seed}", ())
    rows = [row(f"e01s{each:02d}b0", each, found) for each, found in enumerate(accuracies)]
    work_dir = search_files.write(search.folder, rows)
    uses = dict.fromkeys(RESOURCES, 0.0)
    last = network(len(accuracies))
    best_json.write(work_dir, Best(rows[-1].slot.name, last, 0.5, 0.5, True, uses, ()))
    return search


@pytest.fixture(name="searches")
def _searches(tmp_path):
    return [
        _search(tmp_path, "epnas", 0, [0.5, 0.4, 0.7, 0.9]),
        _search(tmp_path, "random", 0, [0.4, 0.6]),
        _search(tmp_path, "epnas", 1, [0.5, 0.6]),
        _search(tmp_path, "random", 1, [0.4, 0.3]),
    ]


def test_a_curve_is_the_best_so_far_within_the_budget(searches):
    curve = comparison_report.curve_of(searches[0], 100)
    assert (curve.trials, curve.trained, curve.seconds) == (3, 3, 120)
    assert math.isnan(curve.at(29))
    assert [curve.at(time) for time in (30, 80, 90, 1000)] == [0.5, 0.5, 0.7, 0.7]


def test_a_band_is_the_mean_of_the_seeds_with_students_interval(searches):
    curves = comparison_report.curves_of(searches, 120)["epnas"]
    found = comparison_report.band(curves, [29, 30, 60, 120])
    assert math.isnan(found.mean[0])
    assert found.mean[1:].tolist() == pytest.approx([0.5, 0.55, 0.75])
    # Deviations 0, 0.0707 and 0.2121; 12.706 is the quantile of one degree of freedom.
    deviations = [0, 0.1 / math.sqrt(2), 0.3 / math.sqrt(2)]
    expected = [12.706 * each / math.sqrt(2) for each in deviations]
    assert found.margin[1:].tolist() == pytest.approx(expected, rel=1e-3)


def test_the_report_has_each_variant_pair_and_search(searches):
    curves = comparison_report.curves_of(searches, 120)
    lines = comparison_report.report(curves, [0.5, 2]).splitlines()
    assert "| variant | seeds | trials | trained | 0.5 min | 2 min |" in lines
    assert "| epnas | 2 | 3 | 3 | 0.5000 ±0.0000 | 0.7500 ±1.9059 |" in lines
    assert "| epnas - random | 2 | +0.1000 ±0.0000 | +0.2500 ±0.6353 |" in lines
    assert "| epnas_seed0 | 4 | 4 | 2.0 | 0.5000 | 0.9000 |" in lines


def test_a_single_seed_has_no_interval_and_a_time_without_a_network_no_figure(tmp_path):
    curves = comparison_report.curves_of([_search(tmp_path, "a", 0, [0.5])], 60)
    lines = comparison_report.report(curves, [0.25, 1]).splitlines()
    assert "| a | 1 | 1 | 1 |  | 0.5000 |" in lines
    assert not any("difference" in line for line in lines)


def test_a_search_that_has_not_begun_is_left_out(searches, tmp_path):
    later = Search("epnas", 2, tmp_path / "epnas_seed2", ())
    curves = comparison_report.curves_of([*searches, later], 120)
    assert {name: len(mine) for name, mine in curves.items()} == {"epnas": 2, "random": 2}


def test_winners_are_those_of_the_searches_and_of_earlier_times(searches, tmp_path):
    curves = comparison_report.curves_of(searches, 120)
    text = comparison_report.write(tmp_path, curves, [0.25, 1, 2])
    assert (tmp_path / "report.md").read_text() == text
    assert named_networks.read([tmp_path / "winners_0.25.json"]) == {}
    early = named_networks.read([tmp_path / "winners_1.json"])
    assert early == {
        "epnas_seed0": network(1),
        "epnas_seed1": network(2),
        "random_seed0": network(2),
        "random_seed1": network(1),
    }
    late = named_networks.read([tmp_path / "winners.json"])
    assert late["epnas_seed0"] == network(4)
    assert late["random_seed1"] == network(2)
