"""A network that needs no training: it tells red, green and blue images apart by their mean."""

from __future__ import annotations

import json
import pathlib

import keras
import numpy as np
from PIL import Image

from epnas_tf.exporting import export_json
from epnas_tf.exporting.result import Export

# No two are in the order of their outputs by name, and one is of no alphabet.
NAMES = ("rot", "gr\u00fcn", "blau")
SIZE = (8, 12)  # not a square
_SHARPNESS = 8.0


def network(size: tuple[int, int] = SIZE, channels: int = 3, full_scale: float = 255.0):
    """Returns a Keras model of pixels that gives logits: the mean of each channel times 8."""
    pixels = keras.Input((*size, channels), name="pixels")
    shares = keras.layers.Rescaling(1 / full_scale)(pixels)
    means = keras.layers.GlobalAveragePooling2D()(shares)
    dense = keras.layers.Dense(len(NAMES), use_bias=False)
    logits = dense(means)
    dense.set_weights([_SHARPNESS * np.eye(channels, len(NAMES), dtype=np.float32)])
    return keras.Model(pixels, logits)


def of_any_size(**traits):
    """Returns that network with probabilities, of images of any height and width."""
    inner = network(**traits)
    height, width, channels = inner.input_shape[1:]
    pixels = keras.Input((None, None, channels), name="pixels")
    small = keras.layers.Resizing(height, width, antialias=True)(pixels)
    return keras.Model(pixels, keras.layers.Softmax()(inner(small)))


def of_one_size(dtype: str):
    """Returns that network with probabilities, of a single image of its size."""
    pixels = keras.Input((*SIZE, 3), 1, dtype=dtype, name="pixels")
    as_float = pixels if dtype == "float32" else keras.ops.cast(pixels, "float32")
    return keras.Model(pixels, keras.layers.Softmax()(network()(as_float)))


def odds(*means: float) -> np.ndarray:
    """Returns the probabilities of an image with these mean pixels, 0 to 255."""
    powers = np.exp(_SHARPNESS * np.array(means) / 255)
    return powers / powers.sum()


def save(path: pathlib.Path, *colour: int, size: tuple[int, int] = (20, 30)) -> pathlib.Path:
    """Writes an image of one colour, three numbers, or of one grey."""
    pixels = np.full((*size, len(colour)), colour, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels if len(colour) > 1 else pixels[..., 0]).save(path)
    return path


def describe(folder: pathlib.Path, **changes) -> None:
    """Writes export.json as an export has it, but for what is to be otherwise."""
    export = Export(
        folder=str(folder),
        name="colours",
        outputs="probabilities",
        class_names=NAMES,
        input_shape=(*SIZE, 3),
        full_scale=255.0,
        accuracy=1.0,
        images=1,
        measured_on="test",
        uses={},
        files=(),
    )
    values = json.loads(export_json.text(export)) | changes
    (folder / export_json.NAME).write_text(json.dumps(values), encoding="utf-8")
