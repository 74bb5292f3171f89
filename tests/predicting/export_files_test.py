"""Which model a path means, and what stands beside it."""

from __future__ import annotations

import os

import pytest

from epnas_tf.exporting import export_json
from epnas_tf.predicting import export_files
from epnas_tf.predicting.export_files import find
from tests.predicting.colours import NAMES, describe

_MODELS = ["model.keras", "saved_model", "model_float32.tflite", "model_int8.tflite", "model.onnx"]


def _touch(folder, *names):
    for name in names:
        path = folder / name / "saved_model.pb" if name == "saved_model" else folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize("first", range(len(_MODELS)))
def test_a_folder_means_the_first_of_its_models(tmp_path, first):
    _touch(tmp_path, *reversed(_MODELS[first:]))
    assert find(tmp_path).path == tmp_path / _MODELS[first]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("any.keras", export_files.KERAS),
        ("ANY.TFLITE", export_files.LITERT),
        ("any.onnx", export_files.ONNX),
        ("saved_model", export_files.SAVED_MODEL),
    ],
)
def test_a_model_is_known_by_its_name(tmp_path, name, kind):
    _touch(tmp_path, name)
    found = find(tmp_path / name)
    assert (found.path, found.format, found.described) == (tmp_path / name, kind, None)
    assert found.names is None


@pytest.mark.parametrize("name", ["there/is/none.keras", "notes.txt", "folder", "model.keras/"])
def test_what_is_no_model_is_refused(tmp_path, name):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "model.keras").mkdir()
    with pytest.raises(ValueError, match=r"the model must be a \.keras, .*, got .*(none|exist)$"):
        find(tmp_path / name)


def test_an_export_describes_its_models(export):
    for name in ("", "model.keras", "saved_model", "model_int8.tflite"):
        found = find(export / name)
        assert found.described.class_names == NAMES
        assert found.names == NAMES


def test_names_come_from_labels_then_export_json_then_the_saved_model(tmp_path):
    _touch(tmp_path, "saved_model")
    (tmp_path / "saved_model" / "assets").mkdir()
    (tmp_path / "saved_model" / "assets" / "labels.txt").write_text("an\nasset\n")
    assert find(tmp_path).names == ("an", "asset")
    describe(tmp_path, classes=["a", "b"])
    assert find(tmp_path).names == ("an", "asset")
    (tmp_path / "labels.txt").write_text("own\nnames\n")
    assert find(tmp_path).names == ("own", "names")
    (tmp_path / "else.txt").write_text("\nsaid", encoding="utf-8")
    assert find(tmp_path, tmp_path / "else.txt").names == ("", "said")
    for file in ("labels.txt", "saved_model/assets/labels.txt"):
        os.remove(tmp_path / file)
    assert find(tmp_path).names == ("a", "b")


def test_a_name_may_hold_what_ends_lines_elsewhere(tmp_path):
    _touch(tmp_path, "model.keras")
    (tmp_path / "labels.txt").write_bytes("a\u2028b\x0cc\r\nd e\r\n".encode())
    assert find(tmp_path).names == ("a\u2028b\x0cc", "d e")


def test_a_link_to_a_model_finds_what_stands_beside_the_model(tmp_path):
    _touch(tmp_path / "export", "model.keras")
    describe(tmp_path / "export", classes=["a", "b"])
    (tmp_path / "here.keras").symlink_to(tmp_path / "export" / "model.keras")
    assert find(tmp_path / "here.keras").names == ("a", "b")


def test_labels_that_are_not_there_or_no_text_are_refused(tmp_path):
    _touch(tmp_path, "model.keras")
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        find(tmp_path, tmp_path / "none.txt")
    (tmp_path / "labels.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(ValueError, match=r"labels\.txt is corrupt"):
        find(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"input": {"shape": [8, 12], "full_scale": 1.0}},
        {"input": {"shape": [8, 0, 3], "full_scale": 1.0}},
        {"input": {"shape": [8, 12, 3], "full_scale": 0}},
        {"input": {"shape": [8, 12, 3], "full_scale": "255"}},
        {"input": None},
        {"outputs": "odds"},
        {"classes": "ab"},
    ],
)
def test_a_wrong_description_is_refused(tmp_path, changes):
    _touch(tmp_path, "model.keras")
    describe(tmp_path, **changes)
    with pytest.raises(ValueError, match=r"export\.json is corrupt"):
        find(tmp_path)


def test_an_export_that_was_cut_short_is_refused(tmp_path):
    _touch(tmp_path, "model.keras")
    (tmp_path / "export.json").write_text(export_json.UNFINISHED)
    with pytest.raises(ValueError, match="cut short"):
        find(tmp_path)


def test_a_description_of_another_format_is_refused(tmp_path):
    _touch(tmp_path, "model.keras")
    describe(tmp_path, format=2)
    with pytest.raises(ValueError, match=r"export\.json must have format 1, got 2"):
        find(tmp_path)
