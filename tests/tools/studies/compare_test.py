"""compare: what is run by its flags, and what is written of it."""

from __future__ import annotations

import pytest

from epnas_tf.fields import ConfigError
from epnas_tf.studies import comparison, comparison_plot, comparison_report
from tests.studies import search_files
from tests.tools.studies.commands import command


@pytest.fixture(name="ran")
def _ran(monkeypatch):
    """The searches that were run; each leaves a trial, and the second one fails."""
    found = []

    def run(self, searches, jobs):
        assert self._command[-1].endswith("tools.search")
        for search in searches:
            found.append((search.folder.name, search.flags[:-3], self._seconds, jobs))
            search_files.write(search.folder, [search_files.row("e01s00b0", 0, 0.5)])
        return [search for search in searches if search.variant == "bad"]

    monkeypatch.setattr(comparison.Runner, "run", run)
    monkeypatch.setattr(comparison_report, "winners", lambda curves, minutes=0: {})
    monkeypatch.setattr(comparison_plot, "plot", lambda *_: None)
    return found


@pytest.fixture(name="run")
def _run(tmp_path):
    def run(*flags):
        command("compare").main(["compare", f"--output={tmp_path}", "--minutes=2", *flags])

    return run


def test_variants_are_run_and_reported(run, ran, tmp_path, capsys):
    run("--variants=a;b:--policy=random", "--branches=4", "--seeds=2", "--jobs=3", "--at=1")
    both = ("--branches=4",), ("--branches=4", "--policy=random")
    assert ran == [
        (f"{name}_seed{seed}", flags, 120, 3)
        for seed in (1000, 1001)
        for name, flags in zip("ab", both, strict=True)
    ]
    text = (tmp_path / "report.md").read_text()
    assert text in capsys.readouterr().out
    assert "| a | 2 | 1 | 1 | 0.5000 ±0.0000 | 0.5000 ±0.0000 |" in text
    assert (tmp_path / "winners_1.json").exists()
    ran.clear()
    run("--variants=a", "--report_only", "--seeds=1")
    assert ran == []


def test_a_search_that_failed_is_named_after_the_report(run, ran, tmp_path):
    with pytest.raises(ConfigError, match=r"searches failed: .*bad_seed1000\.log"):
        run("--variants=a;bad", "--seeds=1")
    assert "| a | 1 |" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize("at", ["2", "1,1", "0,1", "1.5,1", "x"])
def test_times_must_rise_to_the_budget(run, ran, at):
    with pytest.raises(ConfigError, match=f"--at={at}: "):
        run(f"--at={at}")
    assert ran == []
