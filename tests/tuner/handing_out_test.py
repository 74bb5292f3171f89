"""EPNASTuner.export: files of what a search has trained."""

from __future__ import annotations

import os

import numpy as np
import pytest

from epnas_tf.exporting import export_json, folder, fresh_process
from epnas_tf.fields import SettingError


@pytest.fixture(name="written")
def _written(monkeypatch):
    """What would be written, as folder.write is told."""
    calls = []

    def write(*told):
        calls.append(told)
        return "the export"

    monkeypatch.setattr(folder, "write", write)
    return calls


def test_the_best_network_becomes_files_that_do_what_it_does(searched, tmp_path, monkeypatch):
    monkeypatch.setattr(fresh_process, "TIMED_SECONDS", 0.0)
    export = searched.export(str(tmp_path), formats=("litert",), outputs="logits")
    best = searched.oracle.best()[0]
    assert export == export_json.read(str(tmp_path))
    assert (export.name, export.outputs) == (best.slot.name, "logits")
    assert export.accuracy == pytest.approx(best.outcome.accuracy)
    assert (export.measured_on, export.class_names) == ("validation", ("0", "1", "2"))
    assert export.uses == best.outcome.uses
    assert export.files[0].accuracy == export.accuracy
    assert os.path.getsize(tmp_path / "model_float32.tflite") == export.files[0].bytes


def test_a_network_is_chosen_by_its_slot(searched, data, written, tmp_path):
    second = searched.oracle.best()[1]
    assert searched.export(str(tmp_path), trial=second.slot.name) == "the export"
    model, source, images, settings, place = written[0]
    assert (source.name, place) == (second.slot.name, str(tmp_path))
    assert source.spec == second.proposal.spec.to_json()
    assert source.trained == "trained by the search itself, for 2 epochs"
    assert (images.evaluation == data.validation.images).all()
    assert settings.formats[0] == "keras"
    predicted = model.predict(images.evaluation, verbose=0).argmax(axis=1)
    assert np.mean(predicted == images.labels) == pytest.approx(second.outcome.accuracy)


def test_a_reopened_project_needs_the_images_and_knows_its_own(
    open_searched, searched, images, written, tmp_path
):
    del searched
    tuner = open_searched()
    with pytest.raises(ValueError, match="needs images .* give x and y as search"):
        tuner.export(str(tmp_path))
    x, y = images
    with pytest.raises(ValueError, match="must be those of the search in .*; they have changed"):
        tuner.export(str(tmp_path), 255 - x, y, validation_split=0.25)
    with pytest.raises(ValueError, match="must be those of the search"):
        tuner.export(str(tmp_path), x, y, validation_split=0.5)
    assert tuner.export(str(tmp_path), x, y, validation_split=0.25) == "the export"
    assert len(written[0][2].evaluation) == 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trial": "e09s09b9"}, "no network has been trained in slot e09s09b9"),
        ({"trial": "best"}, "a slot's name looks like e01s03b5, got 'best'"),
    ],
)
def test_a_network_that_is_not_there_is_an_error(searched, tmp_path, written, arguments, message):
    with pytest.raises(ValueError, match=message):
        searched.export(str(tmp_path), **arguments)
    assert not written


def test_weights_that_were_not_kept_are_an_error(searched, tmp_path):
    kept = {best.slot for best in searched.oracle.best()[:2]}
    other = next(t for t in searched.oracle.completed() if t.trained and t.slot not in kept)
    with pytest.raises(ValueError, match=f"weights of {other.slot.name} are not in .*keep_models"):
        searched.export(str(tmp_path), trial=other.slot.name)


def test_an_unknown_format_is_an_error(searched, tmp_path):
    with pytest.raises(SettingError, match="formats must be one of"):
        searched.export(str(tmp_path), formats=("tflite",))
