"""bench_search: the files it writes, resuming, and which seeds are reported."""

from __future__ import annotations

import json

import pytest
from absl import app


@pytest.fixture(name="command")
def _command(tmp_path, run_command):
    """Runs the command with these flags on the table kept aside and 2 seeds; returns its folder."""

    def run(**values):
        asked = {"tables": ["kept_aside"], "seeds": 2, "max_queries": 60, "workers": 1} | values
        lists = {name: ",".join(value) for name, value in asked.items() if isinstance(value, list)}
        run_command("studies.bench_search", output=tmp_path, **asked | lists)
        return tmp_path

    return run


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
        ({"base": "sorcery"}, "--base: must be of .* got 'sorcery'"),
        ({"methods": []}, "--methods: must name at least one"),
        ({"tables": ["digits"], "digits_table": "no/such/file"}, "--digits_table=no/such/file"),
    ],
)
def test_bad_flags_are_refused_before_anything_runs(command, tmp_path, asked, words):
    with pytest.raises(app.UsageError, match=words):
        command(**{"methods": ["local_search"]} | asked)
    assert list(tmp_path.iterdir()) == []
