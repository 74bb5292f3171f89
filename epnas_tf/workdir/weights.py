"""Files of weights, their one writer and their one reader; and of whole models."""

from __future__ import annotations

import epnas_tf.backend

import os
import tempfile

import keras

from epnas_tf import untrusted
from epnas_tf.workdir import storage

_FILE, _MODEL = "network.weights.h5", "model.keras"  # Keras goes by the name's end


def write(network: keras.Model, path: str) -> None:
    """Writes a network's weights, atomically and to any path."""
    with tempfile.TemporaryDirectory() as folder:  # Keras writes to a local path alone
        local = os.path.join(folder, _FILE)
        network.save_weights(local)
        storage.write_atomic(path, storage.read_bytes(local))


def read_into(network: keras.Model, path: str) -> None:
    """Reads a network's weights; raises ValueError where the file is corrupt or another's."""
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, _FILE)
        storage.write_atomic(local, storage.read_bytes(path))
        with untrusted.reading(path, (ValueError, KeyError, OSError)):
            network.load_weights(local)


def write_model(model: keras.Model, path: str) -> None:
    """Writes a whole model as Keras' own file (.keras), atomically and to any path."""
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, _MODEL)
        model.save(local)
        storage.write_atomic(path, storage.read_bytes(local))
