"""Searches on one budget of trial time: which there are, what is run, and for how long."""

from __future__ import annotations

import pathlib
import sys

import pytest

from epnas_tf.fields import ConfigError
from epnas_tf.studies import comparison, cores
from epnas_tf.studies import variants as variants_lib
from epnas_tf.studies.comparison import Runner, Search
from epnas_tf.studies.variants import Variant
from tests.studies import search_files


def test_each_seed_searches_with_each_variant():
    asked = [Variant("a"), Variant("b", ("--branches=4", "--policy=random"))]
    found = comparison.searches(asked, [7, 8], ["--branches=2"], pathlib.Path("root"))
    assert [each.folder.as_posix() for each in found] == [
        *("root/a_seed7", "root/b_seed7", "root/a_seed8", "root/b_seed8")
    ]
    assert found[1] == Search(
        *("b", 7, pathlib.Path("root/b_seed7")),
        ("--branches=2", "--branches=4", "--policy=random", "--work_dir=root/b_seed7", "--seed=7")
        + ("--threads_per_child=1",),
    )


def test_flags_that_are_none_are_refused_before_anything_runs():
    with pytest.raises(ConfigError, match="Unknown command line flag 'nosuch'"):
        comparison.searches([Variant("a", ("--nosuch=1",))], [0], [], pathlib.Path("root"))


class _Trials:
    """Stands for the command: each run adds trials of 30 seconds as long as there is time."""

    def __init__(self, most: int = 100, code: int = 0):
        self.most, self.code = most, code
        self.runs: list[tuple[str, float]] = []

    def __call__(self, search: Search, seconds: float, core: int) -> int:
        assert core == 5
        self.runs.append((search.folder.name, seconds))
        done = self._done(search)
        done = min(done + max(1, int(seconds // 40)), self.most)
        rows = [search_files.row(f"e01s{each:02d}b0", each, 0.5) for each in range(done)]
        search_files.write(search.folder, rows)
        return self.code

    def _done(self, search):
        return len(list(search.folder.glob("trial_*")))


@pytest.fixture(name="run")
def _run(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "usable", lambda: [5])

    def run(trials, variants="a", jobs=1):
        runner = Runner(["search"], 120)
        monkeypatch.setattr(runner, "_once", trials)
        searches = comparison.searches(variants_lib.parse("variants", variants), [0], [], tmp_path)
        return [each.folder.name for each in runner.run(searches, jobs)]

    return run


def test_a_search_is_run_until_its_trials_have_spent_the_budget(run):
    trials = _Trials()
    assert run(trials) == []
    # 3 trials of 30 seconds in 120 seconds, then one more; then nothing is left.
    assert trials.runs == [("a_seed0", 120), ("a_seed0", 30)]
    run(trials)
    assert len(trials.runs) == 2


def test_a_search_that_ends_by_itself_is_left(run):
    trials = _Trials(most=2)
    assert run(trials) == []
    assert trials.runs == [("a_seed0", 120), ("a_seed0", 60)]


def test_a_search_that_fails_does_not_end_the_others(run, capsys):
    trials = _Trials(code=1)
    assert run(trials, "a;b") == ["a_seed0", "b_seed0"]
    assert trials.runs == [("a_seed0", 120), ("b_seed0", 120)]
    assert "a_seed0: ended with code 1, see " in capsys.readouterr().out


def test_the_command_gets_flags_and_hours_and_is_logged(tmp_path):
    code = "import os, sys; print(sys.argv[1:], os.environ['OMP_NUM_THREADS']); sys.exit(3)"
    search = Search("a", 0, tmp_path / "root" / "a_seed0", ("--seed=0",))
    runner = Runner([sys.executable, "-c", code], 1)
    assert runner._once(search, 1800, -1) == 3
    assert search.log == tmp_path / "root" / "a_seed0.log"
    assert search.log.read_text() == "['--seed=0', '--max_hours=0.500000'] 1\n"


def test_who_stops_the_study_stops_its_searches(tmp_path, monkeypatch):
    runner = Runner([sys.executable, "-c", "import time; time.sleep(60)"], 10)
    searches = comparison.searches([Variant("a"), Variant("b")], [0], [], tmp_path)
    once, began = runner._once, []

    def interrupted(*asked):
        began.append(asked[0].variant)
        return once(*asked)

    def wait(future):
        while not runner._running:  # the first one has begun
            pass
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "_once", interrupted)
    monkeypatch.setattr(comparison.concurrent.futures.Future, "result", wait)
    with pytest.raises(KeyboardInterrupt):
        runner.run(searches, 1)
    assert began == ["a"]
