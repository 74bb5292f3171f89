"""rank_study: what the command reports of a study that is done."""

from __future__ import annotations

import json

import pytest
from absl import app

from epnas_tf.architecture.budget import Budget
from epnas_tf.studies import rank_curves, rank_networks
from tests.studies import rank_rows

_COUNT = 12


@pytest.fixture(name="command")
def _command(tmp_path, run_command):
    """Runs the command on a study that is done, training nothing."""
    budget = Budget((32, 32, 3), 10, rank_networks.limits())
    found = rank_networks.candidates(_COUNT, budget)
    rows = rank_rows.rows(rank_networks.networks_of(found, budget))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "runs.jsonl").write_text(lines, "utf-8")

    def run(*leftovers, **values):
        values |= {"work_dir": tmp_path, "networks": _COUNT, "report_only": True}
        run_command("studies.rank_study", *leftovers, **values)

    return run


def test_the_command_reports_what_is_there(command, capsys):
    command()
    text = capsys.readouterr().out
    assert f"{_COUNT} of {_COUNT} networks have their truth" in text
    assert "| exact | validation accuracy | 12 | 0 | 0.200 | 1.00 [1.00, 1.00] |" in text
    assert "runs to do" not in text


def test_the_plot_is_drawn(command, tmp_path):
    pytest.importorskip("matplotlib")
    command(plot=tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").stat().st_size > 1_000


def test_curves_of_others_are_reported(command, tmp_path, capsys):
    folder = tmp_path / "curves"
    folder.mkdir()
    curves = [[0.1 * epoch + 0.01 * i for epoch in range(1, 5)] for i in range(24)]
    (folder / "list.json").write_text(json.dumps(curves), "utf-8")
    command(curves=folder)
    assert rank_curves.curve_report(folder) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "must be a folder of .*json, there are none"),
        ("[[0.1, 0.2], [0.1]]", "at least 3 curves, got 2"),
        ("[0.1, 0.2]", "must hold a list or a dictionary of lists of numbers"),
        ("{", "must hold a list or a dictionary of lists of numbers"),
    ],
)
def test_bad_curves_are_refused(command, tmp_path, content, words):
    if content is not None:
        (tmp_path / "bad.json").write_text(content, "utf-8")
    with pytest.raises(app.UsageError, match=words):
        command(curves=tmp_path)


def test_leftovers_are_refused(command):
    with pytest.raises(app.UsageError, match="'leftover' is no flag"):
        command("leftover")
