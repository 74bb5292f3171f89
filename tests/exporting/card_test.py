"""The model card: what it says of a network beyond what the whole export is tested for."""

from __future__ import annotations

import dataclasses
import os

from epnas_tf.exporting import card
from tests.exporting import described, networks


def _text(export=None, **changes) -> str:
    source = dataclasses.replace(networks.source(), **changes)
    return card.text(export or described.export(), source, {"keras": "3.15.1"})


def test_an_accuracy_of_validation_images_is_said_to_be_too_high():
    assert "the network was chosen by validation images" in _text().lower()
    tested = dataclasses.replace(described.export(), measured_on="test")
    assert "was chosen by" not in _text(tested)


def test_float_operations_and_warnings_are_said():
    text = _text()
    assert "`model_int8.tflite` that compute with floats: ELU of layer4_conv2d_elu." in text
    assert "**Warning**, `model_int8.tflite`: accuracy 0.8500 is 2.5 points below" in text


def test_it_shows_how_each_runtime_is_used_once():
    export = described.export()
    float16 = dataclasses.replace(export.files[1], format="litert_float16", path="other.tflite")
    text = _text(dataclasses.replace(export, files=(*export.files, float16)))
    assert text.count("```python") == 2
    assert 'keras.models.load_model("model.keras")' in text
    assert 'Interpreter("model_int8.tflite")' in text and "# uint8 [1, 8, 6, 3]" in text


def test_many_classes_are_not_all_named():
    text = _text(class_names=tuple(f"class{i}" for i in range(100)))
    assert "class19 and 80 more (labels.txt)" in text and "class20" not in text


def test_a_home_folder_is_not_told():
    home = os.path.expanduser("~")
    text = _text(dataset=f"folder:{home}/pictures", command=f"epnas_search --dataset={home}/x")
    assert home not in text and "folder:~/pictures" in text


def test_what_is_not_known_is_left_out():
    text = _text(spec="", command="", uses={}, constraints=())
    assert "```json" not in text and "trainable parameters" not in text
    assert text.endswith("Versions: keras 3.15.1.\n")
