"""From a search's folder to files: which networks are taken, and where they go."""

from __future__ import annotations

import json
import os
import pathlib
import shutil

import numpy as np
import pytest

import epnas_tf
from epnas_tf import randomness
from epnas_tf.architecture.spec import spec_from_json
from epnas_tf.config import SearchConfig
from epnas_tf.data import dataset as data_lib
from epnas_tf.exporting import export_json, folder, fresh_process
from epnas_tf.fields import ConfigError
from epnas_tf.final import result as final_result
from tests.exporting import described
from tests.tiny_search import TINY


@pytest.fixture(name="result", scope="module")
def _result(tmp_path_factory):
    """A search of four networks, of which the best two are kept."""
    work_dir = tmp_path_factory.mktemp("handover") / "search"
    return epnas_tf.search(SearchConfig(work_dir=str(work_dir), **TINY))


@pytest.fixture(name="written")
def _written(monkeypatch):
    """What would be written, as folder.write is told."""
    calls = []

    def write(*told):
        calls.append(told)
        return described.export(told[-1])

    monkeypatch.setattr(folder, "write", write)
    return calls


@pytest.fixture(name="trained", scope="module")
def _trained(result):
    """Final trainings of an epoch, of the best network and of the second best."""
    slots = [network.slot for network in result.networks[:2]]
    options = {"recipe": "short", "epochs": 1, "verbosity": 0}
    found = {slot: epnas_tf.retrain(result.work_dir, trial=slot, **options) for slot in slots}
    away = f"{result.work_dir}-final"
    os.rename(os.path.join(result.work_dir, "final"), away)  # the search stays one without
    return {slot: os.path.join(away, os.path.basename(each.folder)) for slot, each in found.items()}


@pytest.fixture(name="with_finals")
def _with_finals(result, trained, tmp_path):
    """Returns a copy of the search, and a function that adds a final training to it."""
    work_dir = tmp_path / "copy"
    shutil.copytree(result.work_dir, work_dir)

    def add(slot: str, finished: str, name: str = "", **changes) -> pathlib.Path:
        place = work_dir / "final" / (name or f"{slot}-short-0")
        shutil.copytree(trained[slot], place)
        values = json.loads((place / "result.json").read_text()) | {"finished": finished}
        (place / "result.json").write_text(json.dumps(values | changes))
        return place

    return str(work_dir), add


def test_the_best_networks_files_are_in_the_searchs_folder(result, monkeypatch, capsys):
    monkeypatch.setattr(fresh_process, "TIMED_SECONDS", 0.0)
    (export,) = epnas_tf.export(result.work_dir, formats=("litert",))
    best = result.best
    assert export.folder == os.path.join(result.work_dir, "export", best.slot)
    assert export_json.read(export.folder) == export
    assert export.accuracy == pytest.approx(result.test_accuracy)
    assert (export.measured_on, export.files[0].accuracy) == ("test", export.accuracy)
    printed = capsys.readouterr().out
    assert f"{best.slot}: the weights that the search kept" in printed
    assert "model_float32.tflite" in printed.splitlines()[-2]
    card = pathlib.Path(export.folder, "model_card.md").read_text()
    assert "epnas_search" in card and "--dataset" not in card  # digits are the default
    assert "--max_params=10k" in card and result.work_dir not in card


def test_the_search_stays_as_it_is(result, written):
    def files():
        paths = [p for p in pathlib.Path(result.work_dir).rglob("*") if p.is_file()]
        own = [p for p in paths if "export" not in p.parts]
        return {str(path): path.read_bytes() for path in own}

    before = files()
    epnas_tf.export(result.work_dir)
    assert len(written) == 1 and files() == before


def test_a_network_can_be_named_and_its_place_too(result, written, tmp_path):
    slot = result.networks[1].slot
    epnas_tf.export(result.work_dir, trial=slot, output=str(tmp_path), outputs=None)
    _, source, _, settings, place = written[0]
    assert (source.name, place, settings.outputs) == (slot, str(tmp_path), "probabilities")
    assert spec_from_json(source.spec) == result.networks[1].spec


def test_the_best_few_have_a_folder_each(result, written, tmp_path):
    found = epnas_tf.export(result.work_dir, top=2, output=str(tmp_path))
    slots = [network.slot for network in result.networks[:2]]
    assert [told[1].name for told in written] == slots
    assert [each.folder for each in found] == [str(tmp_path / slot) for slot in slots]


def test_the_newest_final_training_is_taken(with_finals, result, written, capsys):
    work_dir, add = with_finals
    best, second = (network.slot for network in result.networks[:2])
    add(best, "2026-01-02T00:00:00+00:00")
    newest = add(second, "2026-01-03T00:00:00+00:00")
    add(best, "2026-01-01T00:00:00+00:00", name=f"{best}-short-1")
    epnas_tf.export(work_dir)
    model, source, images, _, place = written[0]
    assert (source.name, place) == (second, os.path.join(work_dir, "export", second))
    assert f"{second}: its final training in {newest}" in capsys.readouterr().out
    final = final_result.read(str(newest))
    assert "by the recipe short with seed 0, 1 epoch on 1438 images" in source.trained
    assert source.command == final.command
    assert source.uses["params"] == result.networks[1].cost.params
    # Measured on the test images, as result.json says.
    predicted = model.predict(images.evaluation, verbose=0).argmax(axis=1)
    assert np.mean(predicted == images.labels) == pytest.approx(final.accuracy)
    assert images.measured_on == final.measured_on == "test"


def test_each_of_the_best_has_its_own_final_training(with_finals, result, written, capsys):
    work_dir, add = with_finals
    best, second = (network.slot for network in result.networks[:2])
    add(second, "2026-01-03T00:00:00+00:00")
    epnas_tf.export(work_dir, top=2)
    assert [told[1].name for told in written] == [best, second]
    printed = capsys.readouterr().out
    assert f"{best}: the weights that the search kept" in printed
    assert f"{second}: its final training" in printed


def test_a_final_training_can_be_named(with_finals, result, written):
    work_dir, add = with_finals
    best = result.best.slot
    add(best, "2026-01-03T00:00:00+00:00")
    older = add(best, "2026-01-01T00:00:00+00:00", name="older", seed=5)
    epnas_tf.export(work_dir, final=str(older))
    assert "with seed 5" in written[0][1].trained


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "must have format 1, got 2"),
        ({"costs": {}}, "result.json is corrupt"),
        ({"data": {}}, "result.json is corrupt"),
    ],
)
def test_a_final_training_that_cannot_be_read_is_an_error(with_finals, result, changes, message):
    work_dir, add = with_finals
    add(result.best.slot, "2026-01-03T00:00:00+00:00", **changes)
    with pytest.raises(ConfigError, match=f"^--work_dir=.*{message}"):
        epnas_tf.export(work_dir)


def test_a_final_training_stands_for_itself(trained, result, written, tmp_path):
    place = trained[result.best.slot]  # of a work_dir that is named in its flags.txt
    (export,) = epnas_tf.export(final=place)
    assert export.folder == os.path.join(place, "export")
    epnas_tf.export(final=place, output=str(tmp_path))
    assert written[1][-1] == str(tmp_path)


def test_a_named_trial_has_its_own_final_training(with_finals, result, written, capsys):
    work_dir, add = with_finals
    best, second = (network.slot for network in result.networks[:2])
    add(best, "2026-01-03T00:00:00+00:00")
    epnas_tf.export(work_dir, trial=second)
    assert f"{second}: the weights that the search kept" in capsys.readouterr().out
    epnas_tf.export(work_dir, trial=best)
    assert f"{best}: its final training" in capsys.readouterr().out
    assert [told[1].name for told in written] == [second, best]


def test_images_of_arrays_are_given_again(with_finals, result, written):
    work_dir, add = with_finals
    add(result.best.slot, "2026-01-03T00:00:00+00:00")
    data = data_lib.load("digits", train_fraction=0.2, seed=randomness.seed_of(0, "data"))
    epnas_tf.export(work_dir, data=data)
    assert (written[0][2].evaluation == data.test.images).all()
    other = data_lib.load("digits", train_fraction=0.2, seed=9)
    with pytest.raises(ConfigError, match="must be the images of the search"):
        epnas_tf.export(work_dir, data=other)


def test_a_search_of_arrays_alone_says_where_its_networks_are_exported(result, tmp_path):
    shutil.copytree(result.work_dir, tmp_path / "copy")
    (tmp_path / "copy" / "flags.txt").unlink()
    with pytest.raises(ConfigError, match="^--work_dir=.*given in Python, where EPNASTuner.export"):
        epnas_tf.export(str(tmp_path / "copy"))


def test_a_folder_of_other_files_is_refused_in_a_line(result, written, tmp_path):
    (tmp_path / "labels.txt").write_text("mine")
    with pytest.raises(ConfigError, match="^--output=.*: .* must not hold labels.txt, which no"):
        epnas_tf.export(result.work_dir, output=str(tmp_path))
    assert not written


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trial": "e05s05b5"}, "^--trial=e05s05b5: no network has been trained in slot"),
        ({"final": "nowhere"}, "^--final=nowhere: nowhere must hold a final training"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_its_flag(result, settings, message):
    with pytest.raises(ConfigError, match=message):
        epnas_tf.export(result.work_dir, **settings)


def test_a_folder_without_a_search_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="^--work_dir=.*: must hold a search"):
        epnas_tf.export(str(tmp_path))


def test_images_that_have_changed_are_an_error(result, tmp_path):
    shutil.copytree(result.work_dir, tmp_path / "copy")
    flags = tmp_path / "copy" / "flags.txt"
    flags.write_text(flags.read_text().replace("--seed=0", "--seed=1"))
    with pytest.raises(ConfigError, match="^--work_dir=.*they have changed|another search"):
        epnas_tf.export(str(tmp_path / "copy"))
