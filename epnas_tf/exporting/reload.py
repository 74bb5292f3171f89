"""Runs an exported file as another program would, and times it; a program for a fresh process.

Usage: python -P reload.py JOB.json

It is started by its path and cannot import epnas_tf: a file that needed it would not load. The job
says what to run (`runtime`, `path`, `images`: an .npy file) and where answers go (`outputs`: an
.npy file of what the network gives for each image; `answer`: JSON).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]

# Images at once where the file takes several, for outputs; it is timed on one at a time.
_BATCH = 256

# A runtime's first runs make its plans: the share of the time that goes before what is timed.
_WARM_UP = 0.15
# Runs that are timed, whatever the time.
_LEAST_RUNS, _MOST_RUNS = 30, 2000


def _keras(path: str) -> tuple[Predict, str]:
    _one_thread_of_tensorflow()
    import keras

    model = keras.models.load_model(path)
    return lambda images: np.asarray(model.predict_on_batch(images)), f"keras {keras.__version__}"


def _saved_model(path: str) -> tuple[Predict, str]:
    tf = _one_thread_of_tensorflow()
    loaded = tf.saved_model.load(path)
    serve = loaded.signatures["serving_default"]
    ((name, spec),) = serve.structured_input_signature[1].items()

    def predict(images: np.ndarray) -> np.ndarray:
        (outputs,) = serve(**{name: tf.constant(images, spec.dtype)}).values()
        return np.asarray(outputs)

    # The loaded object owns the variables: the closure keeps it.
    predict.of = loaded  # type: ignore[attr-defined]
    return predict, f"tensorflow {tf.__version__}"


def _litert(path: str) -> tuple[Predict, str]:
    interpreter, runtime = _interpreter(path)
    interpreter.allocate_tensors()
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()

    def predict(images: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(given["index"], images)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(result["index"]))

    return predict, runtime


def _interpreter(path: str) -> tuple[Any, str]:
    """Returns an interpreter of one thread: LiteRT's own package, else that within TensorFlow."""
    try:
        import ai_edge_litert
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        return tf.lite.Interpreter(path, num_threads=1), f"tensorflow.lite {tf.__version__}"
    return Interpreter(path, num_threads=1), f"ai-edge-litert {ai_edge_litert.__version__}"


def _onnx(path: str) -> tuple[Predict, str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def predict(images: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {given.name: images})[0])

    return predict, f"onnxruntime {onnxruntime.__version__}"


# By name: loads a file and returns what runs it on a batch of images, and the runtime's version.
RUNTIMES = {"keras": _keras, "saved_model": _saved_model, "litert": _litert, "onnx": _onnx}


def _one_thread_of_tensorflow() -> Any:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


def _latencies(predict: Predict, images: np.ndarray, seconds: float) -> list[float]:
    """Returns the seconds of runs on one image each, in turn, once the runtime is warm."""
    run = 0

    def timed() -> float:
        nonlocal run
        image = images[run % len(images)][None]
        run += 1
        start = time.perf_counter()
        predict(image)
        return time.perf_counter() - start

    warm = time.perf_counter() + _WARM_UP * seconds
    while time.perf_counter() < warm:
        timed()
    found: list[float] = []
    enough = time.perf_counter() + seconds
    while len(found) < _LEAST_RUNS or (time.perf_counter() < enough and len(found) < _MOST_RUNS):
        found.append(timed())
    return found


def main(job_path: str) -> None:
    """Does the job in a file."""
    with open(job_path, encoding="utf-8") as file:
        job = json.load(file)
    # None makes any later import of it an error.
    sys.modules["epnas_tf"] = None  # type: ignore[assignment]
    images = np.load(job["images"], mmap_mode="r")
    predict, runtime = RUNTIMES[job["runtime"]](job["path"])
    batch = 1 if job["one_at_a_time"] else _BATCH
    starts = range(0, len(images), batch)
    outputs = [predict(np.array(images[start : start + batch])) for start in starts]
    np.save(job["outputs"], np.concatenate(outputs))
    # What only carries pixels must not cost time that is taken for the network's.
    latencies = _latencies(predict, np.array(images[:_BATCH]), job["seconds"])
    with open(job["answer"], "w", encoding="utf-8") as file:
        json.dump({"runtime": runtime, "latencies": latencies}, file)


if __name__ == "__main__":
    main(sys.argv[1])
