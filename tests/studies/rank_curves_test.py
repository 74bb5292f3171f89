"""Learning curves of others: what is read, and what is said of it."""

from __future__ import annotations

import json

import pytest

from epnas_tf.studies import rank_curves

# Ever ordered as in the end, the better half far above the other.
_CURVES = [[0.1 * e + 0.002 * i + 0.3 * (i >= 12) for e in range(1, 5)] for i in range(24)]


@pytest.mark.parametrize(
    ("content", "curves"),
    [
        ([[0, 1], [0.5, 0.25]], [[0.0, 1.0], [0.5, 0.25]]),
        ({"a": [1, 2]}, [[1.0, 2.0]]),
        ([], []),
    ],
)
def test_lists_and_named_lists_are_read(tmp_path, content, curves):
    (tmp_path / "curves.json").write_text(json.dumps(content), "utf-8")
    assert rank_curves.read_curves(tmp_path / "curves.json") == curves


@pytest.mark.parametrize("content", ["[0.1, 0.2]", "{", "3", '[["a"]]', "[[null]]", "null"])
def test_what_holds_no_curves_is_named(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_text(content, "utf-8")
    with pytest.raises(ValueError, match=r"bad\.json must hold a list or a dictionary of lists of"):
        rank_curves.read_curves(path)


def test_each_files_early_epochs_and_margins_are_reported(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps(_CURVES), "utf-8")
    named = {f"net{i}": curve for i, curve in enumerate(_CURVES)}
    (tmp_path / "named.json").write_text(json.dumps(named), "utf-8")
    (tmp_path / "notes.txt").write_text("none of ours", "utf-8")
    text = rank_curves.curve_report(tmp_path)
    for name in ("list", "named"):
        assert f"| {name} | 1.00 after 1 | 1.00 after 2 |" in text
        for margin in rank_curves.STOP_MARGINS:
            assert f"| {name} | {margin:g} | " in text
    row = next(line for line in text.splitlines() if line.startswith("| list | 0.1 |"))
    _, _, _, stopped, saved, top5, harmed, tenth, _ = map(str.strip, row.split("|"))
    assert 5 < float(stopped.rstrip("%")) < 50
    assert 0 < float(saved.rstrip("%")) < float(stopped.rstrip("%"))
    assert (top5, harmed, tenth) == ("0.00", "0%", "0.00 of 3")


def test_a_wider_margin_stops_fewer(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps(_CURVES), "utf-8")
    rows = [line for line in rank_curves.curve_report(tmp_path).splitlines() if "%" in line]
    shares = [float(row.split("|")[3].strip().rstrip("%")) for row in rows[-3:]]
    assert shares == sorted(shares, reverse=True)


def test_a_folder_without_curves_and_curves_that_cannot_be_ranked_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a folder of .*json, there are none"):
        rank_curves.curve_report(tmp_path)
    (tmp_path / "few.json").write_text("[[0.1, 0.2], [0.1, 0.3]]", "utf-8")
    with pytest.raises(ValueError, match=r"few\.json: a ranking needs at least 3 curves, got 2"):
        rank_curves.curve_report(tmp_path)
