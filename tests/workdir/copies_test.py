"""Copies of what a search reads once: whole or refused."""

from __future__ import annotations

import os

import pytest

from epnas_tf.workdir import copies, storage
from epnas_tf.workdir.layout import WorkDir

_CONTENT = [{"spec": {"op": "größe"}, "accuracy": 1 / 3}, []]


@pytest.fixture(name="work_dir")
def _work_dir(folder) -> WorkDir:
    return WorkDir(f"{folder}/search")


def test_what_was_copied_comes_back_exactly(work_dir):
    text = copies.text_of(_CONTENT)
    copies.write(work_dir, "prior", text)
    assert work_dir.copy("prior") == f"{work_dir.path}/prior.json"
    assert copies.read(work_dir, "prior", copies.digest(text)) == _CONTENT


def test_a_copy_that_is_there_is_not_written_again_and_another_is(tmp_path, monkeypatch):
    work_dir, text = WorkDir(str(tmp_path)), copies.text_of(_CONTENT)
    written = []
    real = storage.write_atomic
    monkeypatch.setattr(
        storage, "write_atomic", lambda path, data: (written.append(path), real(path, data))
    )
    copies.write(work_dir, "prior", text)
    copies.write(work_dir, "prior", text)
    assert len(written) == 1
    for broken in (b"x", b"\xff\xfe"):
        (tmp_path / "prior.json").write_bytes(broken)
        copies.write(work_dir, "prior", text)
        assert copies.read(work_dir, "prior", copies.digest(text)) == _CONTENT


def test_a_missing_copy_is_named_with_its_cure(tmp_path):
    message = r"prior\.json must be there, .*: put it back, or give prior again as it was"
    with pytest.raises(ValueError, match=message):
        copies.read(WorkDir(str(tmp_path)), "prior", "ab")


@pytest.mark.parametrize("broken", [b"", b"[1]", b"\xff\xfe", b"{" * 10**5])
def test_a_changed_copy_is_refused(tmp_path, broken):
    work_dir, text = WorkDir(str(tmp_path)), copies.text_of(_CONTENT)
    copies.write(work_dir, "initial_specs", text)
    (tmp_path / "initial_specs.json").write_bytes(broken)
    with pytest.raises(ValueError, match=r"initial_specs\.json is corrupt or not written by this"):
        copies.read(work_dir, "initial_specs", copies.digest(text))


def test_hostile_json_is_refused_though_its_hash_is_known(tmp_path):
    (tmp_path / "prior.json").write_text("[NaN]")
    with pytest.raises(ValueError, match=r"prior\.json is corrupt .*finite numbers"):
        copies.read(WorkDir(str(tmp_path)), "prior", copies.digest("[NaN]"))


def test_a_text_that_no_reader_would_take_is_not_written(monkeypatch):
    monkeypatch.setattr(storage, "MAX_TEXT_BYTES", 20)
    assert copies.text_of([1, 2]) == "[1, 2]\n"
    with pytest.raises(ValueError, match="must have at most 20 characters, got 31"):
        copies.text_of(list(range(10)))


def test_a_copy_is_whole_or_not_there(tmp_path, monkeypatch):
    def die(source, target):
        raise KeyboardInterrupt

    work_dir = WorkDir(str(tmp_path))
    monkeypatch.setattr(os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        copies.write(work_dir, "prior", copies.text_of(_CONTENT))
    assert list(tmp_path.iterdir()) == []
