"""An export from end to end: files that agree, described, delivered whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.exporting import card, export_json, folder, fresh_process, versions
from epnas_tf.exporting.checks import DisagreementError
from epnas_tf.exporting.result import Export
from epnas_tf.exporting.settings import FORMATS, FileSettings
from epnas_tf.fields import SettingError
from epnas_tf.workdir import storage
from tests.exporting import networks

_FILES = ("model.keras", "saved_model", "model_float32.tflite", "model_float16.tflite")


@pytest.fixture(name="quick", scope="module", autouse=True)
def _quick():
    """Times for the 30 runs alone that are the least."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh_process, "TIMED_SECONDS", 0.0)
        yield


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("export") / "there" / "e01s02b3"


@pytest.fixture(name="export", scope="module")
def _export(place, quick) -> Export:
    """The network in every usual format."""
    settings = FileSettings(formats=tuple(reversed(FileSettings().formats)))
    return _write(place, settings)


def _write(place: pathlib.Path, settings: FileSettings) -> Export:
    model, images = networks.model(), networks.images()
    return folder.write(model, networks.source(), images, settings, str(place))


def test_each_file_is_there_and_as_large_as_said(export, place):
    assert [file.format for file in export.files] == [name for name in FORMATS if name != "onnx"]
    assert tuple(file.path for file in export.files) == (*_FILES, "model_int8.tflite")
    for file in export.files:
        path = place / file.path
        parts = [part for part in path.rglob("*") if part.is_file()] if path.is_dir() else [path]
        assert file.bytes == sum(part.stat().st_size for part in parts) > 1000


def test_files_of_floats_agree_with_the_network(export):
    by_format = {file.format: file for file in export.files}
    for name in ("keras", "saved_model", "litert"):
        assert by_format[name].difference <= 1e-5
        assert by_format[name].accuracy == export.accuracy
    assert 1e-7 < by_format["litert_float16"].difference < 5e-3
    assert 1e-5 < by_format["litert_int8"].difference < 0.1


def test_the_accuracy_is_that_of_the_network(export):
    images = networks.images()
    predicted = networks.model().predict(images.evaluation, verbose=0).argmax(axis=1)
    assert export.accuracy == np.mean(predicted == images.labels)
    assert (export.images, export.measured_on) == (20, "test")


def test_each_is_timed_and_says_what_ran_it(export):
    for file in export.files:
        assert 0 < file.latency.median <= file.latency.p95 < 10
    ran = {file.format: file.runtime.split(" ")[0] for file in export.files}
    assert (ran["keras"], ran["saved_model"]) == ("keras", "tensorflow")
    assert ran["litert"] in ("ai-edge-litert", "tensorflow.lite")


def test_what_takes_one_size_takes_bytes(export):
    taken = {file.format: (file.dtype, file.shape) for file in export.files}
    assert taken["keras"] == taken["saved_model"] == ("float32", (None, None, None, 3))
    assert taken["litert"] == taken["litert_int8"] == ("uint8", (1, 8, 6, 3))


def test_what_computes_with_floats_in_the_file_of_integers_is_named(export):
    by_format = {file.format: file for file in export.files}
    left = by_format["litert_int8"].float_operations
    assert left == ("ELU of layer4_conv2d_elu", "ELU of layer6_conv2d_selu")
    assert by_format["litert"].float_operations == ()


def test_the_classes_stand_beside_the_files_and_in_the_saved_model(export, place):
    names = "ant\nbee\ncow\n"
    assert (place / "labels.txt").read_text() == names
    loaded = tf.saved_model.load(str(place / "saved_model"))
    assert pathlib.Path(loaded.labels.asset_path.numpy().decode()).read_text() == names
    served = loaded.serve(tf.zeros([2, 50, 30, 3]))  # of any size
    assert served.shape == (2, 3) and np.allclose(tf.reduce_sum(served, axis=1), 1)


def test_the_description_reads_back(export, place):
    assert export_json.read(str(place)) == export


def test_the_card_tells_of_the_network_and_its_files(export, place):
    text = (place / "model_card.md").read_text()
    assert text == card.text(export, networks.source(), versions.known())
    for words in ("ant, bee, cow", "insects", "at most 20k", networks.SPEC.to_json(), *_FILES):
        assert words in text
    assert f"{export.accuracy:.4f} of 20 test images" in text
    assert "epnas_search --dataset=insects" in text and f"tensorflow {tf.__version__}" in text


# --- delivery: what is written does not matter ----------------------------------------------------


@pytest.fixture(name="stub")
def _stub(monkeypatch, export) -> None:
    """Writes a word for each file, which nothing runs."""
    known = {file.format: file for file in export.files}

    def write(name, network, trained, draft):
        del network, trained
        path = pathlib.Path(draft) / known[name].path
        if name == "saved_model":
            path.mkdir()
            path /= "saved_model.pb"
        path.write_text("new")
        return known[name]

    monkeypatch.setattr(folder.files, "write", write)


def _names(place: pathlib.Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


_ABOUT = {"labels.txt", "model_card.md", "export.json"}


@pytest.mark.usefixtures("stub")
def test_another_export_takes_its_place(tmp_path):
    _write(tmp_path, FileSettings())
    (tmp_path / "notes.txt").write_text("mine")
    found = _write(tmp_path, FileSettings(formats=("litert",)))
    assert export_json.read(str(tmp_path)) == found
    assert _names(tmp_path) == {"model_float32.tflite", "notes.txt"} | _ABOUT
    _write(tmp_path, FileSettings(formats=("saved_model",)))
    assert _names(tmp_path) == {"saved_model/saved_model.pb", "notes.txt"} | _ABOUT


@pytest.mark.usefixtures("stub")
def test_files_that_no_export_wrote_stay(tmp_path):
    (tmp_path / "model.keras").write_text("somebody's own")
    with pytest.raises(ValueError, match="must not hold model.keras, which no export wrote"):
        _write(tmp_path, FileSettings(formats=("litert",)))
    assert (tmp_path / "model.keras").read_text() == "somebody's own"
    assert _names(tmp_path) == {"model.keras"}


@pytest.mark.usefixtures("stub")
def test_an_export_that_was_cut_short_says_so_and_is_done_again(tmp_path):
    _write(tmp_path, FileSettings())
    (tmp_path / "export.json").write_text(export_json.UNFINISHED)
    (tmp_path / "model.keras").unlink()
    with pytest.raises(ValueError, match="the same command does it again"):
        export_json.read(str(tmp_path))
    _write(tmp_path, FileSettings(formats=("litert",)))
    assert len(export_json.read(str(tmp_path)).files) == 1


@pytest.mark.usefixtures("stub")
def test_while_files_take_their_places_no_export_is_whole(tmp_path, monkeypatch):
    seen = []
    write = storage.write_atomic

    def watched(path, data):
        write(path, data)
        if str(path).startswith(str(tmp_path)):
            about = json.loads((tmp_path / "export.json").read_text())
            seen.append((pathlib.Path(path).name, "unfinished" in about))

    monkeypatch.setattr(storage, "write_atomic", watched)
    _write(tmp_path, FileSettings(formats=("litert",)))
    assert seen[-1] == ("export.json", False)
    assert all(unfinished for _, unfinished in seen[:-1]) and len(seen) == 5


def test_what_fails_leaves_the_folder_as_it_was(tmp_path, monkeypatch):
    def fail(*_):
        raise DisagreementError("differs")

    monkeypatch.setattr(folder.files, "write", fail)
    with pytest.raises(DisagreementError):
        _write(tmp_path / "none", FileSettings())
    assert not (tmp_path / "none").exists()


def test_a_class_name_of_two_lines_is_one_line_of_labels(tmp_path, stub):
    del stub
    source = dataclasses.replace(networks.source(), class_names=("a\nb", "c", "d e"))
    settings = FileSettings(formats=("litert",))
    folder.write(networks.model(), source, networks.images(), settings, str(tmp_path))
    assert (tmp_path / "labels.txt").read_text() == "a b\nc\nd e\n"


def test_a_format_without_its_extra_is_refused_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"without tf2onnx: pip install epnas_tf\[onnx\]"):
        _write(tmp_path / "none", FileSettings(formats=("onnx",)))


# --- other formats and pixels ---------------------------------------------------------------------


def test_onnx_takes_bytes_and_agrees(tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    (file,) = _write(tmp_path, FileSettings(formats=("onnx",))).files
    assert (file.path, file.dtype, file.shape) == ("model.onnx", "uint8", (None, 8, 6, 3))
    assert file.difference <= 1e-5


def test_images_that_are_no_bytes_go_in_as_floats(tmp_path):
    settings = FileSettings(formats=("litert_int8",))
    model, source = networks.model(1.0), networks.source(1.0)
    export = folder.write(model, source, networks.images(1.0), settings, str(tmp_path))
    assert export.files[0].dtype == "float32" and export.files[0].difference < 0.1
