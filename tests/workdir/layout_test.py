"""The names of a search's files, and which of them are a search's to delete."""

import os

import pytest

from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import COPIES, FinalDir, WorkDir

_PROPERTIES = [name for name, value in vars(WorkDir).items() if isinstance(value, property)]
_FOLDERS = ["final", "finals", "models", "shared_params"]


def test_file_names():
    work = WorkDir("gs://bucket/run")
    assert work.flags == "gs://bucket/run/flags.txt"
    assert work.trials_csv == "gs://bucket/run/trials.csv"
    assert work.best == "gs://bucket/run/best.json"
    assert work.steps == "gs://bucket/run/steps.jsonl"
    assert work.models == "gs://bucket/run/models"
    assert work.project == "gs://bucket/run/project.json"
    assert work.lock == "gs://bucket/run/lock"
    assert work.copy("prior") == "gs://bucket/run/prior.json"
    assert work.model("e01s03b5") == "gs://bucket/run/models/e01s03b5.weights.h5"
    assert work.trial("0003") == "gs://bucket/run/trial_0003/trial.json"
    assert work.final_dir("e01s03b5-short-0").result == (
        "gs://bucket/run/final/e01s03b5-short-0/result.json"
    )
    assert work.hits("e01s03b5r2m1") == "gs://bucket/run/finals/e01s03b5r2m1.npz"


@pytest.mark.parametrize("name", [*sorted({*_PROPERTIES} - {*_FOLDERS, "lock"}), *COPIES])
def test_every_file_that_has_a_name_is_deleted_with_the_search(tmp_path, name):
    work_dir = WorkDir(str(tmp_path))
    path = work_dir.copy(name) if name in COPIES else getattr(work_dir, name)
    for written in (path, f"{path}.0a1b2c3d.tmp"):
        storage.write_atomic(written, "x")
    work_dir.sweep()
    assert os.listdir(tmp_path) == [os.path.basename(path)]
    work_dir.clear()
    assert os.listdir(tmp_path) == []


def test_a_search_is_deleted_and_nothing_else(folder):
    work_dir = WorkDir(f"{folder}/search")
    ours = [
        *("flags.txt", "project.json", "trials.csv", "best.json", "steps.jsonl", "oracle.json"),
        *("trial_0003/trial.json", "trial_0003/trial.json.0a1b2c3d.tmp", "best.json.00ff00ff.tmp"),
        *("models/e01s00b0.weights.h5", "shared_params/index.json", "shared_params/x.npz"),
        *("finals/e01s00b0r2.npz", "finals/e01s00b0r2m1.npz.0a1b2c3d.tmp"),
    ]
    theirs = ["notes.txt", "models/mine.keras", "trials/trial.json", "trial_x/trial.json"]
    theirs += ["final/e01s00b0-short-0/flags.txt", "final/e01s00b0-short-0/model.keras"]
    for name in ours + theirs:
        storage.write_atomic(f"{work_dir.path}/{name}", name)
    work_dir.clear()
    assert [n for n in ours + theirs if storage.exists(f"{work_dir.path}/{n}")] == theirs
    left = ["final", "models", "notes.txt", "trial_x", "trials"]  # folders that are empty go too
    assert storage.names(work_dir.path) == left


def test_the_lock_stays_with_who_holds_it(tmp_path):
    work_dir = WorkDir(str(tmp_path))
    with storage.exclusive(work_dir.lock):
        work_dir.sweep()
        work_dir.clear()
        assert os.listdir(tmp_path) == ["lock"]


def test_a_deletion_that_was_cut_short_leaves_no_search(tmp_path, monkeypatch):
    """Half of its trials under its old project.json would be taken for a search to go on with."""
    work_dir = WorkDir(str(tmp_path))
    for path in (work_dir.best, work_dir.flags, work_dir.project, f"{tmp_path}/trial_0/trial.json"):
        storage.write_atomic(path, "x")
    removed = []
    monkeypatch.setattr(storage, "remove", removed.append)
    work_dir.clear()
    assert removed[0] == work_dir.project
    assert len(removed) == 4


def test_what_a_kill_left_half_is_swept_away(tmp_path):
    work_dir = WorkDir(str(tmp_path))
    torn = [
        *("trials.csv.0a1b2c3d.tmp", "trial_0003/trial.json.0a1b2c3d.tmp"),
        *("models/e01s00b0.weights.h5.00ff00ff.tmp", "shared_params/index.json.12345678.tmp"),
    ]
    others = ["trials.csv", "notes.0a1b2c3d.tmp", "models/mine.tmp", "trial_0003/trial.json"]
    for name in torn + others:
        storage.write_atomic(str(tmp_path / name), "x")
    work_dir.sweep()
    assert [n for n in torn + others if (tmp_path / n).exists()] == others


def test_a_folder_on_another_disk_is_emptied_and_stays(tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "models").symlink_to(tmp_path / "large")
    storage.write_atomic(str(tmp_path / "search" / "models" / "e01s00b0.weights.h5"), "x")
    WorkDir(str(tmp_path / "search")).clear()
    assert (tmp_path / "search" / "models").is_symlink()
    assert list((tmp_path / "large").iterdir()) == []


_FINAL = [
    *("result.json", "flags.txt", "state.npz", "history.csv"),
    *("model.keras", "confusion.csv", "labels.txt"),
]


def test_a_final_training_is_deleted_and_nothing_else(folder):
    final = FinalDir(f"{folder}/final/x")
    torn, theirs = [f"{name}.0a1b2c3d.tmp" for name in _FINAL], ["notes.txt", "a.0a1b2c3d.tmp"]
    own = {value.fget(final) for value in vars(FinalDir).values() if isinstance(value, property)}
    own = {path for path in own if isinstance(path, str)} - {final.lock}
    assert own == {f"{final.path}/{name}" for name in _FINAL}
    for name in [*_FINAL, *torn, *theirs]:
        storage.write_atomic(f"{final.path}/{name}", name)
    final.sweep()
    assert storage.names(final.path) == sorted([*_FINAL, *theirs])
    final.clear()
    assert storage.names(final.path) == sorted(theirs)


def test_a_deletion_of_a_final_training_that_was_cut_short_leaves_no_result(tmp_path, monkeypatch):
    final = FinalDir(str(tmp_path))
    for name in _FINAL:
        storage.write_atomic(f"{final.path}/{name}", name)
    removed = []
    monkeypatch.setattr(storage, "remove", removed.append)
    final.clear()
    assert removed[0] == final.result and len(removed) == len(_FINAL)
