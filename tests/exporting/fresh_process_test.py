"""The process that runs a file has no epnas_tf, and the file's own numbers come back."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from epnas_tf.exporting import fresh_process
from epnas_tf.exporting.fresh_process import ReloadError


@keras.saving.register_keras_serializable(package="tests")
class Doubling(keras.layers.Layer):
    """A layer that only who imports this module knows."""

    def call(self, inputs):
        return 2 * inputs


def test_a_file_that_needs_another_programs_layer_does_not_load(tmp_path, monkeypatch):
    monkeypatch.setattr(fresh_process, "TIMED_SECONDS", 0.0)
    pixels = keras.Input((4, 4, 3))
    path = str(tmp_path / "model.keras")
    keras.Model(pixels, keras.layers.Flatten()(Doubling()(pixels))).save(path)
    images = np.ones((2, 4, 4, 3), np.float32)
    with pytest.raises(ReloadError, match=r"(?s)without epnas_tf \(exit code 1\).*Doubling"):
        fresh_process.run("keras", path, images, one_at_a_time=False)
