"""A final training as a whole: from a search's folder to its files, once."""

from __future__ import annotations

import csv
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest

import epnas_tf
from epnas_tf import randomness
from epnas_tf.data import dataset
from epnas_tf.fields import ConfigError
from epnas_tf.final import found, result, training
from epnas_tf.final.run import retrain
from epnas_tf.predicting import export_files
from epnas_tf.report.units import short
from epnas_tf.workdir import best_json, storage
from epnas_tf.workdir.layout import FinalDir, WorkDir

_SHORT = {"recipe": "short", "epochs": 2, "learning_rate": 0.1}


@pytest.fixture(name="own", scope="module")
def _own(searched, tmp_path_factory) -> pathlib.Path:
    """The folder of a search in which its best network is trained to the end."""
    return pathlib.Path(shutil.copytree(searched, tmp_path_factory.mktemp("own") / "search"))


@pytest.fixture(name="trained", scope="module")
def _trained(own):
    """The result of that training."""
    return retrain(str(own), **_SHORT)


def test_the_best_network_is_trained_on_all_images_but_those_of_the_test(trained, own):
    best, digits = best_json.read(WorkDir(str(own))), dataset.load("digits")
    assert (trained.slot, trained.spec, trained.limits) == (
        *(best.slot, best.spec),
        tuple(best.constraints),
    )
    assert (trained.recipe, trained.seed, trained.epochs) == ("short", 0, 2)
    assert trained.costs == epnas_tf.cost(best.spec, (8, 8, 1), 10)
    assert (trained.measured_on, trained.images) == ("test", len(digits.test))
    assert trained.data.train_images == len(digits.train) + len(digits.validation)
    assert trained.validation_accuracy is None
    low, high = trained.interval
    assert 0.1 < low < trained.accuracy < high < 1
    assert set(trained.versions) == {"epnas_tf", "tensorflow", "keras", "numpy", "python"}
    assert trained.command == (
        f"epnas_retrain --recipe=short --epochs=2 --learning_rate=0.1 --work_dir={own}"
    )
    assert trained.folder == f"{own}/final/{best.slot}-short-0"
    assert result.read(trained.folder) == trained


def test_the_model_takes_pixels_gives_logits_and_is_plain_keras(trained):
    model = keras.models.load_model(trained.model_file)
    assert model.input_shape == (None, 8, 8, 1)
    digits = dataset.load("digits", seed=randomness.seed_of(5, "data"))
    labels = model.predict(digits.test.images.astype(np.float32), verbose=0).argmax(1)
    assert (labels == digits.test.labels).mean() == trained.accuracy
    with open(FinalDir(trained.folder).confusion, encoding="utf-8") as file:
        rows = list(csv.reader(file))
    counts = np.array([row[1:] for row in rows[1:]], int)
    assert rows[0] == ["class", *map(str, range(10))] and counts.sum() == trained.images
    assert counts[2, 3] == ((digits.test.labels == 2) & (labels == 3)).sum()
    shares = counts.diagonal() / counts.sum(axis=1)
    assert list(trained.per_class.values()) == pytest.approx(shares.tolist())


def test_the_model_is_read_with_the_names_of_its_classes(trained):
    found = export_files.find(trained.folder)
    assert (str(found.path), found.names) == (trained.model_file, tuple(map(str, range(10))))


def test_epochs_are_told_and_nothing_is_left_of_the_state(trained):
    folder = FinalDir(trained.folder)
    with open(folder.history, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    assert [row["validation_accuracy"] for row in rows] == ["", ""]
    assert trained.seconds == pytest.approx(sum(float(row["seconds"]) for row in rows), abs=0.01)
    names = ["confusion.csv", "flags.txt", "history.csv", "labels.txt", "lock", "model.keras"]
    names += ["result.json"]
    assert storage.names(trained.folder) == names


def test_the_same_once_more_reads_what_is_there(trained, own, monkeypatch, capsys):
    monkeypatch.setattr(training, "train", None)
    monkeypatch.setattr(found, "images_for", None)
    assert retrain(str(own), **_SHORT) == trained
    assert f"test accuracy {trained.accuracy:.4f} (95%: " in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"--epochs=3 \(stored: 2\)"):
        retrain(str(own), **_SHORT | {"epochs": 3})


def test_a_file_with_a_network_is_trained_anywhere_and_begun_anew(trained, tmp_path, capsys):
    path, out = tmp_path / "network.json", tmp_path / "out"
    path.write_text(trained.spec.to_json())
    said = {"spec": str(path), "dataset": "digits", "out_dir": str(out), **_SHORT}
    alone = {"train_fraction": 0.2, "train_on": "train", "epochs": 1}
    first = retrain(**said | alone)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{trained.spec.key}: {short(trained.costs.params)} parameters,")
    assert lines[1].startswith("epoch 1/1 | loss ") and ", validation 0." in lines[1]
    assert first.slot is None and first.limits == ()
    assert first.validation_accuracy is not None
    again = retrain(**said | alone, overwrite=True, verbosity=0, seed=1)
    assert again.seed == 1 and json.loads((out / "result.json").read_text())["seed"] == 1
    assert not capsys.readouterr().out.startswith("epoch")


def test_a_loss_that_is_no_number_is_said_in_the_words_of_its_flag(search):
    said = _SHORT | {"learning_rate": 1e30, "clip_norm": 0.0}
    with pytest.raises(ConfigError, match=r"--learning_rate=1e\+30: learning_rate must be lower"):
        retrain(str(search), **said)


def test_only_one_process_trains_in_a_folder(search):
    network = found.in_search(str(search), "")
    folder = WorkDir(str(search)).final_dir(f"{network.slot}-short-0")
    with storage.exclusive(folder.lock), pytest.raises(ConfigError, match="lock is held by"):
        retrain(str(search), **_SHORT)


def test_a_state_of_something_else_is_named_with_its_cure(search):
    network = found.in_search(str(search), "")
    folder = WorkDir(str(search)).final_dir(f"{network.slot}-short-0")
    storage.write_atomic(folder.state, b"torn")
    with pytest.raises(ConfigError, match=r"state\.npz: .* is corrupt .*\(--overwrite begins anew"):
        retrain(str(search), **_SHORT)
