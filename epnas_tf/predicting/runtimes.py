"""Loads a model of any format as a function from images, as files hold them, to its outputs."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from epnas_tf import global_state
from epnas_tf.predicting import export_files

try:
    import ai_edge_litert.interpreter as litert
except ImportError:  # an extra; TensorFlow still has an interpreter of its own, and warns of it
    litert = tf.lite
try:
    import onnxruntime
except ImportError:  # an extra
    onnxruntime = None

_WHITE = 255


@dataclasses.dataclass(frozen=True)
class Runtime:
    """A loaded model.

    Attributes:
      size: height and width of its images; None where it takes any.
      channels: of its images, 1 or 3.
      classes: numbers that it gives for an image.
      run: returns the outputs, float32 [n, classes], of images, uint8 [n, height, width, channels].
    """

    size: tuple[int, int] | None
    channels: int
    classes: int
    run: Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """A model as its library has it.

    Attributes:
      shape: of its input: batch, height, width, channels; None where it takes any.
      dtype: of the numbers in it.
      outputs: shape of its output.
      call: runs it.
      scale: real number of a step of a quantised input; 0 where it is none.
      zero: the step that stands for 0.
    """

    shape: Sequence[Any]
    dtype: Any
    outputs: Sequence[Any]
    call: Callable[[np.ndarray], Any]
    scale: float = 0.0
    zero: int = 0


def load(path: Path, kind: str, full_scale: float) -> Runtime:
    """Returns the model of a file or folder, ready to run.

    Args:
      path: where it is.
      kind: its format, of `export_files`.
      full_scale: value of a white pixel, as the model has it; one that takes plain bytes has 255.

    Raises:
      ValueError: it cannot be loaded, needs a library that is not installed, or does not classify
        images of 1 or 3 channels.
    """
    if kind == export_files.ONNX and onnxruntime is None:
        raise ValueError(f"{path} needs a library: pip install onnxruntime")
    try:
        model = _LOADERS[kind](path)
    except Exception as error:  # a library raises whatever it likes on what is not its own
        reason = str(error).strip().partition("\n")[0]
        rule = "must be a whole model with one input and one output that needs no custom code"
        raise ValueError(f"{path} {rule}: {reason or repr(error)}") from error
    _check(path, model)
    batch, height, width, channels = model.shape
    size = None if height is None or width is None else (height, width)

    def run(images: np.ndarray) -> np.ndarray:
        numbers = _numbers(images, model, full_scale)
        pieces = [numbers] if batch is None else [one[None] for one in numbers]
        return np.concatenate([np.asarray(model.call(piece), np.float32) for piece in pieces])

    return Runtime(size, channels, model.outputs[-1], run)


def _check(path: Path, model: _Loaded) -> None:
    """Raises ValueError where a model does not classify images as files hold them."""
    if len(model.shape) != 4 or model.shape[0] not in (None, 1) or model.shape[3] not in (1, 3):
        raise ValueError(
            f"{path} must take images [height, width, 1 or 3], one or any number at once, "
            f"takes {list(model.shape)}"
        )
    if len(model.outputs) != 2 or model.outputs[1] is None:
        raise ValueError(f"{path} must give a number per class, gives {list(model.outputs)}")
    dtype = np.dtype(model.dtype)
    if dtype.kind != "f" and not model.scale and dtype != np.uint8:
        raise ValueError(f"{path} must take floats, bytes or quantised numbers, takes {dtype}")


def _numbers(images: np.ndarray, model: _Loaded, full_scale: float) -> np.ndarray:
    """Returns images, uint8, as the numbers that a model takes."""
    dtype = np.dtype(model.dtype)
    if dtype.kind == "f":
        return (images * (full_scale / _WHITE)).astype(dtype)
    if not model.scale:  # plain bytes
        return images
    steps = np.rint(images * (full_scale / _WHITE / model.scale)) + model.zero
    limits = np.iinfo(dtype)
    return np.clip(steps, limits.min, limits.max).astype(dtype)


@global_state.set_aside()
def _keras(path: Path) -> _Loaded:
    model = keras.saving.load_model(path, compile=False)
    (given,), (found,) = model.inputs, model.outputs
    call = global_state.set_aside()(lambda images: model(images, training=False))
    return _Loaded(given.shape, given.dtype, found.shape, call)


def _saved_model(path: Path) -> _Loaded:
    model = tf.saved_model.load(str(path))
    signature = model.signatures["serving_default"]
    ((name, given),) = signature.structured_input_signature[1].items()
    ((output, found),) = signature.structured_outputs.items()

    def call(images: np.ndarray) -> Any:
        assert model  # a signature alone does not keep its variables alive
        return signature(**{name: tf.constant(images)})[output]

    return _Loaded(_lengths(given.shape), given.dtype.as_numpy_dtype, _lengths(found.shape), call)


def _litert(path: Path) -> _Loaded:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        interpreter = litert.Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,), (found,) = interpreter.get_input_details(), interpreter.get_output_details()
    step, origin = found["quantization"]

    def call(images: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(given["index"], images)
        interpreter.invoke()
        outputs = interpreter.get_tensor(found["index"])
        return (outputs.astype(np.float32) - origin) * step if step else outputs

    shapes = _lengths(given["shape"]), given["dtype"], _lengths(found["shape"])
    return _Loaded(*shapes, call, *given["quantization"])


def _onnx(path: Path) -> _Loaded:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,), (found,) = session.get_inputs(), session.get_outputs()
    dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[given.type]

    def call(images: np.ndarray) -> np.ndarray:
        return session.run([found.name], {given.name: images})[0]

    return _Loaded(_lengths(given.shape), dtype, _lengths(found.shape), call)


def _lengths(shape: Sequence[Any]) -> list[int | None]:
    """Returns a shape with None for what is no number, such as the names that ONNX has there."""
    return [int(side) if isinstance(side, int | np.integer) else None for side in shape]


_LOADERS: dict[str, Callable[[Path], _Loaded]] = {
    export_files.KERAS: _keras,
    export_files.SAVED_MODEL: _saved_model,
    export_files.LITERT: _litert,
    export_files.ONNX: _onnx,
}
