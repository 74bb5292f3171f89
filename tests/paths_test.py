"""File names below a work_dir, and writes that are whole or absent, on a disk and on ram://."""

import os
import stat
import subprocess
import sys

import pytest

from epnas_tf import paths


@pytest.fixture(params=["disk", "ram"])
def folder(request, tmp_path):
    return str(tmp_path) if request.param == "disk" else f"ram://{tmp_path.name}"


def test_file_names():
    work = paths.WorkDir("gs://bucket/run")
    assert work.flags == "gs://bucket/run/flags.txt"
    assert work.trials_csv == "gs://bucket/run/trials.csv"
    assert work.best == "gs://bucket/run/best.json"
    assert work.steps == "gs://bucket/run/steps.jsonl"
    assert work.models == "gs://bucket/run/models"
    assert work.project == "gs://bucket/run/project.json"
    assert work.lock == "gs://bucket/run/lock"
    assert work.model("e01s03b5") == "gs://bucket/run/models/e01s03b5.weights.h5"


def test_written_text_is_read_back(folder):
    path = f"{folder}/new/deeper/file.txt"
    assert not paths.exists(path)
    paths.write_atomic(path, "first, and longer\n")
    paths.write_atomic(path, "zweite Fassung: größer\n")
    assert paths.exists(path)
    assert paths.read_text(path) == "zweite Fassung: größer\n"


def test_a_file_is_committed_under_its_name(folder):
    paths.write_atomic(f"{folder}/file.tmp", "new")
    paths.write_atomic(f"{folder}/file", "old")
    paths.commit(f"{folder}/file.tmp", f"{folder}/file")
    assert paths.read_text(f"{folder}/file") == "new"
    assert not paths.exists(f"{folder}/file.tmp")


def test_a_folder_is_listed_whatever_its_name(folder):
    strange = f"{folder}/run[1]*"
    assert paths.names(strange) == []
    paths.write_atomic(f"{strange}/z", "")
    paths.write_atomic(f"{strange}/a/deeper", "")
    assert paths.names(strange) == ["a", "z"]
    paths.remove(f"{strange}/z")
    assert paths.names(strange) == ["a"]


def test_a_lock_is_held_by_one_and_free_after_an_error(tmp_path):
    path = str(tmp_path / "new" / "lock")
    with pytest.raises(ZeroDivisionError), paths.exclusive(path):
        with pytest.raises(BlockingIOError), paths.exclusive(path):
            raise AssertionError("two hold it")
        raise ZeroDivisionError
    with paths.exclusive(path):
        pass
    assert paths.names(str(tmp_path / "new")) == ["lock"]


def test_a_killed_process_leaves_no_lock(tmp_path):
    path = str(tmp_path / "lock")
    code = (
        "import sys, time; from epnas_tf import paths\n"
        "with paths.exclusive(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", code, path]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), paths.exclusive(path):
            raise AssertionError("two hold it")
        other.kill()
    with paths.exclusive(path):
        pass


def test_object_stores_know_no_locks():
    with paths.exclusive("ram://locks/lock"), paths.exclusive("ram://locks/lock"):
        assert not paths.exists("ram://locks/lock")


def test_bytes_are_written_as_they_are(tmp_path):
    path = tmp_path / "file.bin"
    paths.write_atomic(str(path), b"\x00\r\n\xff")
    assert path.read_bytes() == b"\x00\r\n\xff"


def test_a_bare_name_lies_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths.write_atomic("file.txt", "here")
    assert (tmp_path / "file.txt").read_text() == "here"


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    paths.write_atomic(str(path), "old")

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        paths.write_atomic(str(path), "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_files_are_readable_as_the_umask_allows(tmp_path):
    path = tmp_path / "file.txt"
    paths.write_atomic(str(path), "shared")
    plain = tmp_path / "plain.txt"
    plain.write_text("made by open()")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        paths.read_text(str(tmp_path / "absent"))


def test_a_local_disk_needs_no_tensorflow(tmp_path):
    code = (
        "import sys; from epnas_tf import paths; paths.write_atomic(sys.argv[1], 'x');"
        "assert paths.exists(sys.argv[1]); paths.read_text(sys.argv[1]);"
        "assert 'tensorflow' not in sys.modules"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "file")], env=environment, check=True
    )
