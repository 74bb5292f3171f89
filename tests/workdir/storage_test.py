"""Writes that are whole or absent, on a disk and on ram://."""

import os
import stat
import subprocess
import sys

import pytest

from epnas_tf.workdir import storage


def test_written_text_is_read_back(folder):
    path = f"{folder}/new/deeper/file.txt"
    assert not storage.exists(path)
    storage.write_atomic(path, "first, and longer\n")
    storage.write_atomic(path, "zweite Fassung: größer\n")
    assert storage.exists(path)
    assert storage.read_text(path) == "zweite Fassung: größer\n"


def test_a_folder_is_listed_whatever_its_name(folder):
    strange = f"{folder}/run[1]*"
    assert storage.names(strange) == []
    storage.write_atomic(f"{strange}/z", "")
    storage.write_atomic(f"{strange}/a/deeper", "")
    assert storage.names(strange) == ["a", "z"]
    storage.remove(f"{strange}/z")
    assert storage.names(strange) == ["a"]


def test_a_lock_is_held_by_one_and_free_after_an_error(tmp_path):
    path = str(tmp_path / "new" / "lock")
    with pytest.raises(ZeroDivisionError), storage.exclusive(path):
        with pytest.raises(BlockingIOError), storage.exclusive(path):
            raise AssertionError("two hold it")
        raise ZeroDivisionError
    with storage.exclusive(path):
        pass
    assert storage.names(str(tmp_path / "new")) == ["lock"]


def test_a_killed_process_leaves_no_lock(tmp_path):
    path = str(tmp_path / "lock")
    code = (
        "import sys, time; from epnas_tf.workdir import storage\n"
        "with storage.exclusive(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", code, path]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        holder = f"held by process {other.pid} on "
        with pytest.raises(BlockingIOError, match=holder), storage.exclusive(path):
            raise AssertionError("two hold it")
        other.kill()
    with storage.exclusive(path):
        pass


def test_object_stores_know_no_locks():
    with storage.exclusive("ram://locks/lock"), storage.exclusive("ram://locks/lock"):
        assert not storage.exists("ram://locks/lock")


def test_bytes_are_written_as_they_are(tmp_path):
    path = tmp_path / "file.bin"
    storage.write_atomic(str(path), b"\x00\r\n\xff")
    assert path.read_bytes() == b"\x00\r\n\xff"


def test_a_bare_name_lies_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage.write_atomic("file.txt", "here")
    assert (tmp_path / "file.txt").read_text() == "here"


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    storage.write_atomic(str(path), "old")

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        storage.write_atomic(str(path), "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_files_are_readable_as_the_umask_allows(tmp_path):
    path = tmp_path / "file.txt"
    storage.write_atomic(str(path), "shared")
    plain = tmp_path / "plain.txt"
    plain.write_text("made by open()")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        storage.read_text(str(tmp_path / "absent"))


def test_a_local_disk_needs_no_tensorflow(tmp_path):
    code = (
        "import sys; from epnas_tf.workdir import storage; storage.write_atomic(sys.argv[1], 'x');"
        "assert storage.exists(sys.argv[1]); storage.read_text(sys.argv[1]);"
        "assert 'tensorflow' not in sys.modules"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "file")], env=environment, check=True
    )


def test_the_bytes_of_a_folder_are_those_of_all_its_files(folder):
    storage.write_atomic(f"{folder}/sums/a", b"12345")
    storage.write_atomic(f"{folder}/sums/inner/deep/b", b"123")
    assert storage.used_bytes(f"{folder}/sums") == 8
    assert storage.used_bytes(f"{folder}/none") == 0
    storage.write_atomic(f"{folder}/sums/inner_too", b"12")
    assert storage.used_bytes(f"{folder}/sums", without="inner") == 7


def test_disk_use_is_measured_seldom(monkeypatch):
    clock = {"now": 100.0, "measured": 0}

    def used(folder, without):
        assert (folder, without) == ("somewhere", "in it")
        clock["now"] += 2.0  # a slow disk
        clock["measured"] += 1
        return clock["measured"]

    monkeypatch.setattr(storage, "used_bytes", used)
    monkeypatch.setattr(storage.time, "monotonic", lambda: clock["now"])
    use = storage.DiskUse("somewhere", without="in it")
    assert [use.bytes(), use.bytes()] == [1, 1]
    clock["now"] += 99.0
    assert use.bytes() == 1
    clock["now"] += 1.0  # fifty times what it took
    assert use.bytes() == 2


def test_a_text_beyond_any_use_is_not_read(folder, monkeypatch):
    path = f"{folder}/long.json"
    storage.write_atomic(path, "x" * 11)
    monkeypatch.setattr(storage, "MAX_TEXT_BYTES", 10)
    with pytest.raises(ValueError, match=r"long.json must have at most 10 bytes, got 11"):
        storage.read_text(path)
