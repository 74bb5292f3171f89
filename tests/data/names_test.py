"""Names of data sets: their sources, their paths, and what is a name of tfds after all."""

import os
import pathlib
import subprocess
import sys

import pytest

import epnas_tf
from epnas_tf.data.names import SOURCES, DatasetName


@pytest.mark.parametrize(
    ("text", "source", "path"),
    [
        ("digits", "digits", ""),
        ("folder:photos", "folder", "photos"),
        ("folder:C:/photos", "folder", "C:/photos"),
        ("npz:gs://bucket/a.npz", "npz", "gs://bucket/a.npz"),
        ("cifar10", "tfds", "cifar10"),
        ("cifar10:3.0.2", "tfds", "cifar10:3.0.2"),
        ("digits:2", "tfds", "digits:2"),
        ("tfds:x", "tfds", "tfds:x"),
        ("", "tfds", ""),
    ],
)
def test_a_name_is_taken_apart_and_put_together_again(text, source, path):
    name = DatasetName.parse(text)
    assert (name.source, name.path, str(name)) == (source, path, text)


@pytest.mark.parametrize(
    ("text", "absolute"),
    [
        *(("digits", "digits"), ("cifar10:3.0.2", "cifar10:3.0.2"), ("npz:a.npz", "npz:/at/a.npz")),
        *(("folder:../a", "folder:/a"), ("folder:/b/c", "folder:/b/c"), ("folder:", "folder:")),
        ("npz:gs://bucket/a.npz", "npz:gs://bucket/a.npz"),
    ],
)
def test_only_paths_are_made_absolute(monkeypatch, text, absolute):
    monkeypatch.setattr(os, "getcwd", lambda: "/at")
    assert str(DatasetName.parse(text).absolute()) == absolute


@pytest.mark.parametrize(
    ("new", "moved"),
    [
        ("folder:/b", True),
        ("folder:/a", True),
        ("npz:/a", False),
        ("digits", False),
        ("folder", False),
    ],
)
def test_files_may_have_moved_but_not_become_another_kind(new, moved):
    assert DatasetName.parse(new).may_be_moved_from(DatasetName.parse("folder:/a")) is moved
    assert not DatasetName.parse("digits").may_be_moved_from(DatasetName.parse("digits"))


@pytest.mark.parametrize(
    ("text", "path", "inside"),
    [
        ("folder:/a", "/a/search", True),
        ("folder:/a", "/a", True),
        ("folder:/a", "/ab", False),
        ("folder:/a/../a", "/a/b/../search", True),
        ("folder:", "/a", False),
        ("npz:/a", "/a/search", False),
    ],
)
def test_a_folder_of_images_holds_what_lies_in_it(text, path, inside):
    assert DatasetName.parse(text).contains(path) is inside


def test_every_source_has_its_module():
    folder = pathlib.Path(epnas_tf.__file__).parent / "data" / "sources"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "common"}
    assert modules == set(SOURCES)


def test_names_need_no_tensorflow():
    code = "import sys, epnas_tf.data.names; assert 'tensorflow' not in sys.modules"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
