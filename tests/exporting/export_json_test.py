"""export.json: written, read back, and refused where it is nobody's."""

from __future__ import annotations

import json
import pathlib

import pytest

from epnas_tf import untrusted
from epnas_tf.exporting import export_json
from tests.exporting import described


def _write(place: pathlib.Path, change=lambda values: None) -> str:
    values = json.loads(export_json.text(described.export()))
    change(values)
    (place / "export.json").write_text(json.dumps(values))
    return str(place)


def test_it_reads_back_as_it_was(tmp_path):
    assert export_json.read(_write(tmp_path)) == described.export(str(tmp_path))


def test_it_holds_what_another_program_needs():
    values = json.loads(export_json.text(described.export()))
    assert values["format"] == 1
    assert values["input"] == {"shape": [8, 6, 3], "full_scale": 255.0}
    assert (values["outputs"], values["classes"]) == ("probabilities", ["ant", "bee", "cow"])
    assert values["files"]["litert_int8"]["path"] == "model_int8.tflite"
    assert "folder" not in values


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.pop("classes"),
        lambda values: values.update(input=[8, 6, 3]),
        lambda values: values["input"].update(shape=[8, 6]),
        lambda values: values.update(accuracy="0.9"),
        lambda values: values["files"].update(tflite=values["files"].pop("keras")),
        lambda values: values["files"]["keras"].pop("latency"),
        lambda values: values["files"]["keras"].update(path="../../model.keras"),
        lambda values: values["files"]["keras"].update(path="/etc/passwd"),
    ],
)
def test_what_is_not_as_written_is_refused(tmp_path, change):
    folder = _write(tmp_path, change)
    with pytest.raises(ValueError, match="export.json is corrupt or not written by"):
        export_json.read(folder)


def test_no_export_and_another_format_are_said(tmp_path):
    with pytest.raises(ValueError, match="must be the folder of an export, has no export.json"):
        export_json.read(str(tmp_path))
    with pytest.raises(untrusted.FormatError, match="must have format 1, got 2"):
        export_json.read(_write(tmp_path, lambda values: values.update(format=2)))
