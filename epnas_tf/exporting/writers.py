"""The formats in which a network is written, and how each is made by its library."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import importlib.util
import pathlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from epnas_tf import global_state
from epnas_tf.exporting import models, tflite_file
from epnas_tf.exporting.source import Images, Source
from epnas_tf.fields import SettingError


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A network to be written.

    Attributes:
      model: takes float32 pixels of the trained size, gives what the files are to give.
      source: what is known of it.
      images: to choose the ranges of integers by.
      labels: path of a file with a class per line, in the order of outputs.
    """

    model: keras.Model
    source: Source
    images: Images
    labels: str


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
      path: of the file or folder, within an export's.
      runtime: what runs it, a key of RUNTIMES in `reload.py`.
      write: writes a network to a path.
      any_size: whether it takes images of any height and width, as float32.
      batch: images at once, None for any number.
      exact: whether its outputs must be those of the trained network.
      of_integers: whether it is to compute with integers.
    """

    path: str
    runtime: str
    write: Callable[[Network, str], None]
    any_size: bool = False
    batch: int | None = None
    exact: bool = True
    of_integers: bool = False


def _write_keras(network: Network, path: str) -> None:
    models.of_any_size(network.model).save(path)


def _write_saved_model(network: Network, path: str) -> None:
    """Writes what Keras' own export writes, and the classes' names as an asset, which it cannot."""
    model = models.of_any_size(network.model)
    served = tf.Module()
    served.labels = tf.saved_model.Asset(network.labels)
    served.network = [variable.value for variable in model.variables]
    specs = [tf.TensorSpec(model.input_shape, model.inputs[0].dtype, name="pixels")]
    with global_state.set_aside():
        served.serve = tf.function(model, input_signature=specs, autograph=False)
        signatures = {"serving_default": served.serve, "serve": served.serve}
        tf.saved_model.save(served, path, signatures=signatures)


def _spec(model: keras.Model) -> keras.InputSpec:
    """Returns what a model takes, as Keras' exports ask for it."""
    pixels = model.inputs[0]
    return keras.InputSpec(dtype=pixels.dtype, shape=pixels.shape, name="pixels")


def _write_litert(network: Network, path: str) -> None:
    model = models.of_one_size(network.model, network.source.dtype, batch=1)
    _convert(model, path, _BUILT_IN)


def _write_float16(network: Network, path: str) -> None:
    model = models.of_one_size(network.model, network.source.dtype, batch=1)
    types = {"supported_types": [tf.float16]}
    _convert(model, path, _BUILT_IN | types, optimizations=[tf.lite.Optimize.DEFAULT])


def _write_int8(network: Network, path: str) -> None:
    """Writes weights and activations as integers, pixels in as they are, float32 out.

    Raises:
      ValueError: the converter has made something else of a pixel than its value.
    """
    of_bytes = network.source.of_bytes
    _convert(
        integer_model(network),
        path,
        {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: samples(network),
        **({"inference_input_type": tf.uint8} if of_bytes else {}),
    )
    scale = tflite_file.input_scale(pathlib.Path(path).read_bytes())
    if of_bytes and scale != (1.0, 0):
        raise ValueError(f"a step of the int8 file's input must be a pixel's value, got {scale}")


_BUILT_IN = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}


def integer_model(network: Network) -> keras.Model:
    """Returns the model that is turned into integers.

    It takes pixels as float32: the converter would leave a cast of bytes among floats.
    """
    return models.of_one_size(models.for_integers(network.model), global_state.FLOAT32, batch=1)


def samples(network: Network) -> Iterator[list[np.ndarray]]:
    """Yields the images by which ranges are chosen, one at a time, as the converter takes them.

    Of bytes one pixel is made black and one white, so that a step of the input is 1 exactly.
    """
    images = network.images.calibration.astype(np.float32)
    if network.source.of_bytes:
        images[0, 0, 0], images[0, -1, -1] = 0, 255
    return ([image[None]] for image in images)


@global_state.set_aside()
def _convert(model: keras.Model, path: str, target_spec: dict[str, Any], **settings: Any) -> None:
    """Writes a LiteRT file; its settings are those of TensorFlow's converter."""
    model.export(path, format="litert", verbose=False, target_spec=target_spec, **settings)


def check_installed(formats: Collection[str]) -> None:
    """Raises SettingError where a format needs an extra that is not installed."""
    missing = [name for name in ("tf2onnx", "onnxruntime") if not importlib.util.find_spec(name)]
    if "onnx" in formats and missing:
        raise SettingError(
            "formats", f"must leave out onnx without {missing[0]}: pip install epnas_tf[onnx]"
        )


def _write_onnx(network: Network, path: str) -> None:
    model = models.of_one_size(network.model, network.source.dtype, batch=None)
    with global_state.set_aside():
        model.export(path, format="onnx", verbose=False, input_signature=[_spec(model)])


FORMATS: Mapping[str, Format] = {
    "keras": Format("model.keras", "keras", _write_keras, any_size=True),
    "saved_model": Format("saved_model", "saved_model", _write_saved_model, any_size=True),
    "litert": Format("model_float32.tflite", "litert", _write_litert, batch=1),
    "litert_float16": Format(
        "model_float16.tflite", "litert", _write_float16, batch=1, exact=False
    ),
    "litert_int8": Format(
        "model_int8.tflite", "litert", _write_int8, batch=1, exact=False, of_integers=True
    ),
    "onnx": Format("model.onnx", "onnx", _write_onnx),
}
