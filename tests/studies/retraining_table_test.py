"""The table of networks trained again, from made-up rows."""

from __future__ import annotations

from epnas_tf.studies import retraining_table

_COSTS = {"params": 72_954, "flops": 19_790_080, "intensity": 12.345, "traffic_bytes": 1_603_000}


def _row(network, seed, accuracy, test):
    numbers = _COSTS | {"all_seconds": 70.4}
    return {"network": network, "seed": seed, "accuracy": accuracy, "test": test} | numbers


_ROWS = [
    _row("plain", 0, 0.62, 0.60),
    _row("plain", 1, 0.64, 0.62),
    _row("winner", 0, 0.66, 0.65),
    _row("winner", 1, 0.66, 0.65),
]
_CELLS = "| 73k | 19.8M | 12.3 | 1.6MB | 2 |"


def test_the_best_comes_first_with_the_noise_of_all():
    text = retraining_table.report(_ROWS, "--schedule=plain")
    notes, lines = text.split("\n\n")
    # 1 point is the common deviation (2 over 2 degrees of freedom), 4.303 Student's quantile.
    assert "(a standard deviation of 1.00 with 2 degrees of freedom)" in notes.replace("\n", " ")
    assert "by `--schedule=plain`" in notes
    assert "of the test images" in notes
    assert lines.splitlines() == [
        "| network | error | 95% | params | FLOPs | FLOPs/B | traffic | seeds | lowest | highest "
        "| validation | seconds |",
        "| --- |" + " ---: |" * 11,
        f"| winner | 35.00 | ±3.04 {_CELLS} 35.00 | 35.00 | 34.00 | 70 |",
        f"| plain | 39.00 | ±3.04 {_CELLS} 38.00 | 40.00 | 37.00 | 70 |",
    ]


def test_networks_are_compared_with_some_of_them():
    rows = [*_ROWS, _row("resnet8", 0, 0.6, 0.6), _row("resnet8", 1, 0.6, 0.6)]
    text = retraining_table.report(rows, "x", against=["plain", "resnet8", "untrained"])
    lines = text.splitlines()[-5:]
    assert lines[0].endswith("| seconds | against plain | against resnet8 |")
    # 0.8165 is the deviation, 3.182 the quantile of 3 degrees of freedom, and two means differ.
    assert lines[2].startswith("| winner |")
    assert lines[2].endswith("| 70 | -4.00 ±2.60 | -5.00 ±2.60 |")
    assert lines[3].endswith("| 70 |  | -1.00 ±2.60 |")
    assert lines[4].endswith("| 70 | +1.00 ±2.60 |  |")


def test_without_a_test_split_networks_are_compared_by_validation():
    rows = [row | {"test": None} for row in _ROWS]
    text = retraining_table.report(rows, "x")
    assert "of the validation images" in text
    assert text.splitlines()[-2].startswith("| winner | 34.00 |")


def test_validation_images_that_were_trained_on_say_nothing():
    rows = [row | {"accuracy": None} for row in _ROWS]
    text = retraining_table.report(rows, "x")
    assert text.splitlines()[-2].endswith("| 35.00 | 35.00 |  | 70 |")


def test_one_seed_says_nothing_of_noise():
    text = retraining_table.report(_ROWS[:1], "x", against=["plain"])
    assert "not known: none has two seeds" in text
    assert text.splitlines()[-1].startswith("| plain | 40.00 |  | 73k |")


def test_a_row_that_does_not_know_a_cost_leaves_it_open():
    rows = [{key: row[key] for key in row if key != "traffic_bytes"} for row in _ROWS]
    assert "| 12.3 |  | 2 |" in retraining_table.report(rows, "x")


def test_nothing_trained_is_said():
    assert retraining_table.report([], "x") == "Nothing has been trained by x yet.\n"
