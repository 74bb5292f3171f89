"""Predictions as JSON and as a table."""

from __future__ import annotations

import json

from epnas_tf.predicting.predictions import Guess, Prediction, table

_SEEN = Prediction("b\u00e4r.jpg", (Guess("b\u00e4r", 2, 0.912345678), Guess("cat", 0, 1e-9)))
_BROKEN = Prediction("notes.txt", error="no image")


def test_json_holds_what_a_prediction_does():
    assert json.loads(_SEEN.to_json()) == {
        "image": "b\u00e4r.jpg",
        "classes": [
            {"name": "b\u00e4r", "index": 2, "probability": 0.912346},
            {"name": "cat", "index": 0, "probability": 0.0},
        ],
    }
    assert json.loads(_BROKEN.to_json()) == {"image": "notes.txt", "error": "no image"}


def test_json_is_a_line_that_any_terminal_takes():
    name = "a\nb\udcff"  # as Python has a file's name that is no UTF-8
    line = Prediction(name, (Guess("\u2028", 0, 1.0),)).to_json()
    assert line.isascii() and len(line.splitlines()) == 1
    assert json.loads(line)["image"] == name


def test_the_best_is_the_first():
    assert _SEEN.best == _SEEN.guesses[0]
    assert _BROKEN.best is None


def test_a_table_names_an_image_once_and_leaves_out_broken_ones():
    images, names = ["b\u00e4r.jpg", "notes.txt", "x"], ["cat", "a long name", "b\u00e4r"]
    lines = list(table(iter([_SEEN, _BROKEN]), images, names))
    assert lines == [
        "image      class        probability",
        "b\u00e4r.jpg    b\u00e4r               0.9123",
        "           cat               0.0000",
    ]


def test_a_table_comes_line_by_line():
    def endless():
        while True:
            yield _SEEN

    lines = table(endless(), ["b\u00e4r.jpg"], ["b\u00e4r", "cat"])
    assert [next(lines) for _ in range(4)][3].startswith("b\u00e4r.jpg")
