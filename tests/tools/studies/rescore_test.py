"""rescore: its flags reach the library, and a line per search is printed."""

from __future__ import annotations

import pytest
from absl import app

from epnas_tf.studies import rescoring


def test_the_command_prints_a_line_per_search(run_command, monkeypatch, capsys):
    def line(folder, plan, seeds, minutes, data_dir):
        return f"{folder} {plan.epochs} {seeds} {minutes:g} {data_dir}"

    monkeypatch.setattr(rescoring, "line", line)
    values = {"epochs": 7, "seeds": 2, "minutes": 1.5, "data_dir": "data"}
    run_command("studies.rescore", work_dirs="a,b", **values)
    assert capsys.readouterr().out.splitlines()[-2:] == ["a 7 2 1.5 data", "b 7 2 1.5 data"]


def test_a_search_must_be_named(run_command):
    with pytest.raises(app.UsageError, match="--work_dirs must name at least one search"):
        run_command("studies.rescore")
