"""The report of proxies on good networks, from made-up trainings."""

from __future__ import annotations

import pytest

from epnas_tf.studies import proxy_report
from tests.studies.search_files import network

_NETWORKS = {f"n{index}": network(index + 1) for index in range(6)}
_RECIPES = {"exact": "--epochs=2", "worse": "--epochs=1", "truth": "--epochs=30"}


def _row(index, recipe, seed, accuracy, seconds):
    return {
        "key": network(index + 1).key, "recipe": recipe, "seed": seed, "accuracy": accuracy,
        "params": 100 + index, "flops": 1000, "losses": [1 - accuracy],
        "training_accuracies": [accuracy], "all_seconds": seconds,
    }  # fmt: skip


def _rows():
    """The truth rises with the number; `worse` takes the second best for the best."""
    for index, cheap in enumerate([0, 1, 2, 3, 5, 4.5]):
        yield _row(index, "--epochs=30", 0, 0.5 + index / 100, 600)
        yield _row(index, "--epochs=2", 1000, 0.2 + index / 100, 30)
        yield _row(index, "--epochs=1", 1000, 0.1 + cheap / 100, 15)
        yield _row(index, "--epochs=7", 1000, 0.0, 1)


@pytest.fixture(name="study")
def _study():
    seeds = {"exact": 1, "worse": 1, "truth": 1}
    return proxy_report.study_of(_rows(), _NETWORKS, _RECIPES, seeds)


def _line(text, method, score="validation accuracy"):
    start = f"| {method} | {score} | "
    return next(line for line in text.splitlines() if line.startswith(start)).split(" | ")


def test_a_proxy_is_told_with_its_seconds_and_what_its_best_loses(study):
    text = proxy_report.report(study, "--epochs=30")
    assert "6 of 6 networks have their truth" in text
    assert "`--epochs=30`" in text
    exact = _line(text, "exact")
    assert exact[2:4] == ["6", "30.0"]
    assert exact[4].startswith("1.00 [")
    assert exact[5].startswith("1.00 [")
    assert exact[6].startswith("2.00 [")  # a correlation of 1 in half a minute
    assert exact[7] == "0.0 |"
    worse = _line(text, "worse")
    assert worse[3] == "15.0"
    assert worse[5].startswith("0.50 [")  # of three, the best two are the other way around
    assert worse[6].startswith("2.00 [")
    assert worse[7] == "1.0 |"


def test_losses_are_told_beside_accuracy_and_sizes_without_a_cost(study):
    text = proxy_report.report(study, "x")
    assert _line(text, "exact", "minus sum of training losses")[4].startswith("1.00 [")
    size = _line(text, "size", "parameters")
    assert (size[3], size[4][:4], size[6:]) == ("", "1.00", ["", " |"])
    assert "## layerwise alone" in text


def test_seeds_of_a_proxy_are_none_of_the_truth():
    assert list(proxy_report.seeds_of("truth", 2)) == [0, 1]
    assert list(proxy_report.seeds_of("today", 2)) == [1000, 1001]


def test_a_study_that_is_not_far_yet_says_so():
    rows = [row for row in _rows() if row["recipe"] != "--epochs=30" or row["accuracy"] < 0.515]
    seeds = {"exact": 1, "worse": 1, "truth": 1}
    study = proxy_report.study_of(rows, _NETWORKS, _RECIPES, seeds)
    text = proxy_report.report(study, "x")
    assert "2 of 6 networks have their truth" in text
    assert text.endswith("A ranking needs at least 3.\n")
