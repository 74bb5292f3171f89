"""Classes of image files: the pixels of a search, broken files named, odds of any model."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil

import keras
import numpy as np
import pytest

import epnas_tf
from epnas_tf.data import dataset
from epnas_tf.predicting.classifier import Classifier
from epnas_tf.predicting.predictions import Prediction
from tests.predicting.colours import NAMES, describe, network, odds, of_any_size, save

_RED, _GREEN, _BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)


def _names(predictions):
    return [prediction.best.name for prediction in predictions]


@pytest.mark.parametrize(
    "name", ["", "model.keras", "saved_model", "model_float32.tflite", "model_int8.tflite"]
)
def test_every_format_names_the_classes(export, tmp_path, name):
    images = [save(tmp_path / f"{n}.png", *colour) for n, colour in enumerate((_BLUE, _RED))]
    classifier = Classifier(export / name)
    assert (classifier.names, classifier.is_named) == (NAMES, True)
    found = list(classifier.predict(images))
    assert [prediction.image for prediction in found] == [str(path) for path in images]
    assert _names(found) == ["blau", "rot"]
    expected = odds(*_BLUE)
    for guess in found[0].guesses:
        assert NAMES[guess.index] == guess.name
        assert guess.probability == pytest.approx(expected[guess.index], abs=0.02)
    odds_found = [guess.probability for guess in found[0].guesses]
    assert odds_found == sorted(odds_found, reverse=True) and sum(odds_found) == pytest.approx(
        1, abs=0.02
    )


@pytest.mark.parametrize("top", [1, 2, 99])
def test_top_classes(export, tmp_path, top):
    (found,) = Classifier(export).predict(save(tmp_path / "a.png", *_GREEN), top)
    assert [guess.name for guess in found.guesses][0] == "gr\u00fcn"
    assert len(found.guesses) == min(top, 3)


def test_the_public_names():
    assert epnas_tf.Classifier is Classifier
    assert epnas_tf.Prediction is Prediction


def test_a_network_sees_what_it_saw_in_a_search(tmp_path):
    """Photographs of any size and colour, through the search's source and through a classifier."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    for n in range(20):
        pixels = rng.integers(0, 256, (5 + n, 40 - n, 3), dtype=np.uint8)
        path = folder / "ab"[n % 2] / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(path, pixels, scale=False)
    data = dataset.load(f"folder:{folder}", image_size=8)
    searched = {
        image.tobytes()
        for split in (data.train, data.validation, data.test)
        for image in split.images
    }
    network(size=(8, 8)).save(tmp_path / "m.keras")
    classifier = Classifier(tmp_path / "m.keras")
    seen = []
    run = classifier._model.run
    watched = dataclasses.replace(classifier._model, run=lambda x: seen.extend(x) or run(x))
    classifier._model = watched
    assert len(list(classifier.predict(folder))) == 20
    assert {image.tobytes() for image in seen} == searched


def test_a_folder_stands_for_its_visible_files(export, tmp_path):
    save(tmp_path / "b" / "c" / "2.png", *_RED)
    save(tmp_path / "b" / "1.png", *_BLUE)
    save(tmp_path / "b" / ".hidden.png", *_GREEN)
    first = save(tmp_path / "z.png", *_GREEN)
    found = list(Classifier(export).predict([first, tmp_path / "b"]))
    assert _names(found) == ["gr\u00fcn", "blau", "rot"]
    assert [pathlib.Path(each.image).name for each in found] == ["z.png", "1.png", "2.png"]


def test_broken_images_are_named_and_the_rest_goes_on(export, tmp_path):
    good = save(tmp_path / "good.png", *_RED)
    torn = tmp_path / "torn.png"
    torn.write_bytes(good.read_bytes()[:40])
    (tmp_path / "empty").mkdir()
    given = [torn, good, tmp_path / "none.jpg", tmp_path / "empty", good]
    found = list(Classifier(export).predict(given))
    assert [bool(each.error) for each in found] == [True, False, True, True, False]
    assert [each.best and each.best.name for each in found] == [None, "rot", None, None, "rot"]
    assert found[0].error == "not an image that can be read"
    assert found[2].error == "No such file or directory"
    assert found[3].error == "a folder that holds no files"


def test_none_but_broken_images(export, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (found,) = Classifier(export).predict(tmp_path / "a.png")
    assert found.error and not found.guesses


def test_more_images_than_a_batch_stay_in_order(export, tmp_path):
    colours = [(_RED, _GREEN, _BLUE)[n % 3] for n in range(70)]
    for n, colour in enumerate(colours):
        save(tmp_path / f"{n:02d}.png", *colour, size=(6 + n % 5, 9))
    found = list(Classifier(export).predict(tmp_path))
    assert [each.best.index for each in found] == [colour.index(200) for colour in colours]


def test_predictions_come_before_all_images_are_read(export, tmp_path):
    good = save(tmp_path / "a.png", *_RED)

    def files():
        yield good
        raise AssertionError("read before it is needed")

    # What paths mean is settled at once, so that a missing folder is said at once.
    with pytest.raises(AssertionError):
        Classifier(export).predict(files())
    found = Classifier(export).predict([good] * 3)
    assert next(found).best.name == "rot"
    good.unlink()
    assert [each.error for each in found] == ["", ""]  # of the same batch


@pytest.mark.parametrize("level", [40, 200])
def test_a_grey_image_is_of_a_colour_and_a_coloured_one_has_a_grey(export, tmp_path, level):
    (found,) = Classifier(export).predict(save(tmp_path / "grey.png", level))
    assert [guess.probability for guess in found.guesses] == pytest.approx([1 / 3] * 3, abs=0.01)
    network(channels=1).save(tmp_path / "grey.keras")
    of_grey = Classifier(tmp_path / "grey.keras")
    images = [
        save(tmp_path / "1.png", level),
        save(tmp_path / "2.png", level, level, level),
        save(tmp_path / "3.png", 0, level, 0),
    ]
    first, second, third = (each.guesses for each in of_grey.predict(images))
    assert first == second
    luma = round(0.587 * level)
    assert third[0].probability == pytest.approx(odds(luma, 0, 0)[0], abs=1e-4)


@pytest.mark.parametrize("beside", ["json", "nothing"])
def test_logits_become_odds(logits, tmp_path, beside):
    shutil.copy(logits, tmp_path / "model.keras")
    if beside == "json":
        describe(tmp_path, outputs="logits", classes=["r", "g", "b"])
    classifier = Classifier(tmp_path)
    assert classifier.names == (("r", "g", "b") if beside == "json" else ("0", "1", "2"))
    assert classifier.is_named == (beside == "json")
    (found,) = classifier.predict(save(tmp_path / "a.png", *_BLUE))
    expected = odds(*_BLUE)
    for guess in found.guesses:
        assert guess.probability == pytest.approx(expected[guess.index], abs=1e-5)


def test_a_model_of_any_size_alone_sees_images_of_their_own(tmp_path):
    of_any_size().save(tmp_path / "m.keras")
    images = [save(tmp_path / f"{n}.png", *_RED, size=(5 + n, 20)) for n in range(3)]
    assert _names(Classifier(tmp_path / "m.keras").predict(images)) == ["0", "0", "0"]


def test_names_must_fit_the_model(export, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("red\ngreen\n")
    with pytest.raises(ValueError, match=r"labels\.txt must name the 3 classes .* got 2 names"):
        Classifier(export, labels)
    labels.write_text("red\ngreen\nblue\n")
    assert Classifier(export, labels).names == ("red", "green", "blue")


def test_outputs_that_are_not_finite_are_said(tmp_path):
    model = network()
    model.set_weights([np.full((3, 3), np.nan, np.float32)])
    model.save(tmp_path / "m.keras")
    (found,) = Classifier(tmp_path / "m.keras").predict(save(tmp_path / "a.png", *_RED))
    assert found.error == "the model's outputs for it are not finite"


def test_top_below_one_is_refused_at_once(export):
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        Classifier(export).predict([], top=0)
