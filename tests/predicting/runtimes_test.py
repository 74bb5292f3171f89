"""Models of every format as one kind of function; what is no classifier of images is refused."""

from __future__ import annotations

import pathlib
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.predicting import export_files, runtimes
from tests.predicting.colours import NAMES, SIZE, network, odds

_FORMATS = {
    "model.keras": export_files.KERAS,
    "saved_model": export_files.SAVED_MODEL,
    "model_float32.tflite": export_files.LITERT,
    "model_int8.tflite": export_files.LITERT,
}


@pytest.fixture(name="images", scope="module")
def _images():
    """Three images of noise about a colour each."""
    rng = np.random.default_rng(1)
    noise = rng.integers(-50, 50, (3, *SIZE, 3))
    return (100 + 100 * np.eye(3)[:, None, None] + noise).astype(np.uint8)


@pytest.mark.parametrize("name", _FORMATS)
def test_every_format_gives_the_same_odds(export, images, name):
    loaded = runtimes.load(export / name, _FORMATS[name], 255.0)
    any_size = name in ("model.keras", "saved_model")
    assert loaded.size == (None if any_size else SIZE)
    assert (loaded.channels, loaded.classes) == (3, len(NAMES))
    found = loaded.run(images)
    expected = [odds(*image.mean((0, 1))) for image in images]
    assert (found.shape, found.dtype) == ((3, 3), np.float32)
    np.testing.assert_allclose(found, expected, atol=0.02 if "int8" in name else 1e-5)
    # A batch is its images one by one.
    np.testing.assert_allclose(found[1:2], loaded.run(images[1:2]), atol=1e-6)


@pytest.mark.parametrize("full_scale", [1.0, 255.0, 65535.0])
def test_pixels_come_on_the_scale_of_the_model(tmp_path, images, full_scale):
    network(full_scale=full_scale).save(tmp_path / "m.keras")
    found = runtimes.load(tmp_path / "m.keras", export_files.KERAS, full_scale).run(images)
    np.testing.assert_allclose(found, images.mean((1, 2)) / 255 * 8, rtol=1e-5)


def test_quantised_pixels_come_on_the_scale_of_the_model(export, images):
    """An int8 file takes steps of a scale: half the scale is half the steps."""
    path = export / "model_int8.tflite"
    whole = runtimes.load(path, export_files.LITERT, 255.0)
    half = runtimes.load(path, export_files.LITERT, 127.5)
    np.testing.assert_array_equal(half.run(images), whole.run(np.rint(images / 2).astype(np.uint8)))


def test_keras_settings_of_the_user_change_nothing(export, images):
    expected = runtimes.load(export / "model.keras", export_files.KERAS, 255.0).run(images)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = runtimes.load(export / "model.keras", export_files.KERAS, 255.0).run(images)
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", [export_files.KERAS, export_files.LITERT])
def test_a_torn_file_is_refused(export, tmp_path, kind):
    name = {export_files.KERAS: "model.keras", export_files.LITERT: "model_float32.tflite"}[kind]
    content = (export / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"{name} must be a whole model"):
        runtimes.load(tmp_path / name, kind, 255.0)


def test_a_torn_saved_model_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"torn")
    with pytest.raises(ValueError, match="must be a whole model"):
        runtimes.load(tmp_path, export_files.SAVED_MODEL, 255.0)


def test_a_saved_model_without_a_signature_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(ValueError, match="must be a whole model .*serving_default"):
        runtimes.load(tmp_path, export_files.SAVED_MODEL, 255.0)


def test_a_model_that_runs_code_of_its_own_is_refused(tmp_path):
    pixels = keras.Input((*SIZE, 3))
    model = keras.Model(pixels, keras.layers.Lambda(lambda x: x[:, 0, 0])(pixels))
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="needs no custom code"):
        runtimes.load(tmp_path / "m.keras", export_files.KERAS, 255.0)


@pytest.mark.parametrize(
    ("shape", "layers", "words"),
    [
        ((8,), [keras.layers.Dense(3)], r"must take images .*, takes \[None, 8\]"),
        ((8, 8, 2), [keras.layers.GlobalMaxPooling2D()], r"takes \[None, 8, 8, 2\]"),
        ((8, 8, 3), [keras.layers.MaxPooling2D()], r"must give a number per class"),
    ],
)
def test_what_is_no_classifier_of_images_is_refused(tmp_path, shape, layers, words):
    keras.Sequential([keras.Input(shape), *layers]).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=words):
        runtimes.load(tmp_path / "m.keras", export_files.KERAS, 255.0)


def test_two_outputs_are_refused(tmp_path):
    pixels = keras.Input((*SIZE, 3))
    pooled = keras.layers.GlobalMaxPooling2D()(pixels)
    keras.Model(pixels, [pooled, pooled]).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="one input and one output"):
        runtimes.load(tmp_path / "m.keras", export_files.KERAS, 255.0)


def test_whole_numbers_that_are_no_bytes_are_refused(tmp_path):
    pixels = keras.Input((*SIZE, 3), dtype="int32")
    pooled = keras.layers.GlobalMaxPooling2D()(keras.ops.cast(pixels, "float32"))
    keras.Model(pixels, pooled).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="must take floats, bytes or quantised numbers"):
        runtimes.load(tmp_path / "m.keras", export_files.KERAS, 255.0)


def test_a_library_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(runtimes, "onnxruntime", None)
    with pytest.raises(ValueError, match="pip install onnxruntime"):
        runtimes.load(tmp_path / "m.onnx", export_files.ONNX, 255.0)


class _Session:
    """As onnxruntime's: an axis without a length has a name."""

    def __init__(self, path, providers):
        assert providers == ["CPUExecutionProvider"]
        self._dtype = "uint8" if "bytes" in str(path) else "float"

    def get_inputs(self):
        shape = ["unk__6", *SIZE, 3]
        return [types.SimpleNamespace(name="pixels", shape=shape, type=f"tensor({self._dtype})")]

    def get_outputs(self):
        return [types.SimpleNamespace(name="odds", shape=["unk__7", 3], type="tensor(float)")]

    def run(self, names, given):
        assert names == ["odds"] and given["pixels"].dtype.name.startswith(self._dtype)
        return [given["pixels"].mean((1, 2), np.float32)]


@pytest.mark.parametrize("name", ["floats.onnx", "bytes.onnx"])
def test_onnx_is_run_by_its_own_library(monkeypatch, images, name):
    monkeypatch.setattr(runtimes, "onnxruntime", types.SimpleNamespace(InferenceSession=_Session))
    loaded = runtimes.load(pathlib.Path(name), export_files.ONNX, 255.0)
    assert (loaded.size, loaded.channels, loaded.classes) == (SIZE, 3, 3)
    np.testing.assert_allclose(loaded.run(images), images.mean((1, 2)), rtol=1e-5)


def test_onnx_as_keras_writes_it(tmp_path, images):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    model = network()
    model(np.zeros((1, *SIZE, 3), np.float32))  # Keras asks for a call before
    model.export(str(tmp_path / "model.onnx"), format="onnx", verbose=False)
    loaded = runtimes.load(tmp_path / "model.onnx", export_files.ONNX, 255.0)
    np.testing.assert_allclose(loaded.run(images), images.mean((1, 2)) / 255 * 8, rtol=1e-4)
