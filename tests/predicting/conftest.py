"""A small export as epnas_export leaves it: a network that tells red, green and blue apart."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests.predicting.colours import NAMES, SIZE, describe, network, of_any_size, of_one_size

_INTEGERS = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]}


def _write_int8(path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    # Of one colour each, black and white among them: all that a mean may be.
    colours = np.concatenate([rng.integers(0, 256, (62, 3)), [[0] * 3, [255] * 3]])
    images = np.broadcast_to(colours[:, None, None, None], (64, 1, *SIZE, 3)).astype(np.float32)
    of_one_size("float32").export(
        str(path),
        format="litert",
        verbose=False,
        target_spec=_INTEGERS,
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: ([image] for image in images),
        inference_input_type=tf.uint8,
    )


@pytest.fixture(name="export", scope="session")
def _export(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of an export in every format but ONNX; read only."""
    folder = tmp_path_factory.mktemp("export")
    of_any_size().save(folder / "model.keras")
    of_any_size().export(str(folder / "saved_model"), verbose=False)
    of_one_size("uint8").export(
        str(folder / "model_float32.tflite"),
        format="litert",
        verbose=False,
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    )
    _write_int8(folder / "model_int8.tflite")
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in NAMES), encoding="utf-8")
    describe(folder)
    return folder


@pytest.fixture(name="logits", scope="session")
def _logits(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A model of one size that gives logits, as `get_best_models()` does; nothing beside it."""
    path = tmp_path_factory.mktemp("logits") / "best.keras"
    network().save(path)
    return path
