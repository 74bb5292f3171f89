"""The table of networks trained again, from made-up rows."""

from __future__ import annotations

from epnas_tf.studies import retraining_table


def _row(network, seed, accuracy, test):
    numbers = {"params": 72_954, "flops": 19_790_080, "all_seconds": 70.4}
    return {"network": network, "seed": seed, "accuracy": accuracy, "test": test} | numbers


_ROWS = [
    _row("plain", 0, 0.62, 0.60),
    _row("plain", 1, 0.64, 0.62),
    _row("winner", 0, 0.66, 0.65),
    _row("winner", 1, 0.66, 0.65),
]


def test_the_best_comes_first_with_the_noise_of_all():
    text = retraining_table.report(_ROWS, "--schedule=plain")
    lines = text.splitlines()
    # 0.01 is the common deviation (0.0002 over 2 degrees of freedom), 4.303 Student's quantile.
    assert "a standard deviation of 0.0100 with 2 degrees of freedom" in lines[0]
    assert "by `--schedule=plain`" in lines[0]
    assert "on the test images" in lines[0]
    assert lines[4:] == [
        "| winner | 72954 | 19.8 | 2 | 0.6500 | ±0.0304 | 0.6500 | 0.6500 | 0.6600 | 70 |",
        "| plain | 72954 | 19.8 | 2 | 0.6100 | ±0.0304 | 0.6000 | 0.6200 | 0.6300 | 70 |",
    ]


def test_networks_are_compared_with_one_of_them():
    lines = retraining_table.report(_ROWS, "x", against="plain").splitlines()
    assert lines[2].endswith("| seconds | above plain |")
    assert lines[4].endswith("| 70 | +0.0400 ±0.0430 |")
    assert lines[5].endswith("| 70 |  |")


def test_without_a_test_split_networks_are_compared_by_validation():
    rows = [row | {"test": None} for row in _ROWS]
    text = retraining_table.report(rows, "x")
    assert "on the validation images" in text
    assert text.splitlines()[4].startswith("| winner | 72954 | 19.8 | 2 | 0.6600 |")


def test_one_seed_says_nothing_of_noise():
    text = retraining_table.report(_ROWS[:1], "x")
    assert "not known: none has two seeds" in text
    assert text.splitlines()[4].startswith("| plain | 72954 | 19.8 | 1 | 0.6000 |  | 0.6000 |")


def test_nothing_trained_is_said():
    assert retraining_table.report([], "x") == "Nothing has been trained by x yet.\n"
