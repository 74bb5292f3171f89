"""The end of a real search: killed within it, finished later, asked to be finished in vain."""

from __future__ import annotations

import pathlib
import shutil

import pytest

import epnas_tf
from epnas_tf import command_line
from epnas_tf.config import SearchConfig
from epnas_tf.fields import ConfigError
from epnas_tf.training import trainer
from epnas_tf.workdir import best_json, trials_csv
from epnas_tf.workdir.layout import WorkDir
from tests.tiny_search import TINY

# The best start and another network, measured twice again for two epochs.
_END = {"rungs": (1, 2), "finalists": 2, "finals_share": 2.0, "threads_per_child": 1, "seed": 1}


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory) -> epnas_tf.SearchResult:
    work_dir = str(tmp_path_factory.mktemp("finals") / "whole")
    return epnas_tf.search(SearchConfig(work_dir=work_dir, **(TINY | _END)))


def _cut(whole: epnas_tf.SearchResult, folder: pathlib.Path, lost: int) -> WorkDir:
    """Returns a copy of the search as a kill before its last trials leaves it."""
    shutil.copytree(whole.work_dir, folder)
    for trial in sorted(folder.glob("trial_*"))[-lost:]:
        shutil.rmtree(trial)
    (folder / "best.json").unlink()
    return WorkDir(str(folder))


def _told(work_dir: str):
    rows = [(row.slot, row.reward, row.epochs) for row in trials_csv.read(WorkDir(work_dir))]
    return rows, best_json.read(WorkDir(work_dir))


def test_a_search_ends_with_what_its_best_network_has_over_the_best_start(whole):
    rows, best = _told(whole.work_dir)
    assert best.gain == whole.gain
    assert (whole.gain.seeds, whole.gain.basis) == (2, "seeds and images")
    assert (best.slot, best.rung) == (whole.best.slot, 1)
    again = [slot for slot, _, epochs in rows if slot.measurement and epochs == 2]
    assert len(again) == 2 * whole.gain.networks
    assert whole.gain.low < whole.gain.points < whole.gain.high
    assert whole.test_accuracy is not None


def test_a_search_that_is_over_measures_nothing_again(whole, monkeypatch):
    monkeypatch.setattr(trainer, "train", None)
    monkeypatch.setattr(trainer, "class_hits", None)
    assert epnas_tf.search(SearchConfig(work_dir=whole.work_dir, **(TINY | _END))) == whole


def test_a_search_that_was_killed_in_its_end_ends_as_one_that_was_not(whole, tmp_path):
    killed = _cut(whole, tmp_path / "killed", lost=2)
    found = epnas_tf.search(SearchConfig(work_dir=killed.path, **(TINY | _END)))
    assert found.gain == whole.gain
    assert _told(killed.path) == _told(whole.work_dir)


def test_a_stopped_search_is_finished_with_nothing_but_its_folder(whole, tmp_path, capsys):
    stopped = _cut(whole, tmp_path / "stopped", lost=1)
    command = ["epnas_search", "--finish", f"--work_dir={stopped.path}", "--episodes=2"]
    found = epnas_tf.search(command_line.parse_to_go_on(command))
    assert _told(stopped.path) == _told(whole.work_dir)
    said = capsys.readouterr().out
    assert found.gain.sentence in said
    assert "stopped at --finish=true: the same command without --finish goes on" in said
    assert "--finish=false" in pathlib.Path(stopped.flags).read_text()


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_only_a_search_can_be_finished(tmp_path, more):
    command = ["epnas_search", "--finish", "--dataset=digits", f"--work_dir={tmp_path}", *more]
    with pytest.raises(ConfigError, match=r"--finish=true: --work_dir=.* must hold a search"):
        epnas_tf.search(command_line.parse_to_go_on(command))
    assert not list(tmp_path.iterdir())
