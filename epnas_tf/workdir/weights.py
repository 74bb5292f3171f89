"""Files of weights, their one writer and their one reader; and of whole models."""

from __future__ import annotations

import epnas_tf.backend

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator

import keras

from epnas_tf import untrusted
from epnas_tf.workdir import storage

_FILE, _MODEL = "network.weights.h5", "model.keras"  # Keras goes by the name's end


def write(network: keras.Model, path: str) -> None:
    """Writes a network's weights, atomically and to any path."""
    _write(network.save_weights, _FILE, path)


def read_into(network: keras.Model, path: str) -> None:
    """Reads a network's weights; raises ValueError where the file is corrupt or another's."""
    with _local(path, _FILE) as local, untrusted.reading(path, (ValueError, KeyError, OSError)):
        network.load_weights(local)


def write_model(model: keras.Model, path: str) -> None:
    """Writes a whole model as Keras' own file (.keras), atomically and to any path."""
    _write(model.save, _MODEL, path)


def read_model(path: str) -> keras.Model:
    """Returns the model in a file that `write_model` wrote, not compiled."""
    with _local(path, _MODEL) as local:
        return keras.models.load_model(local, compile=False)


def _write(save: Callable[[str], object], name: str, path: str) -> None:
    """Lets Keras, which writes to a local path alone, write a file of any path, atomically."""
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, name)
        save(local)
        storage.write_atomic(path, storage.read_bytes(local))


@contextlib.contextmanager
def _local(path: str, name: str) -> Iterator[str]:
    """Gives a copy of a file, of any path, that Keras can read."""
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, name)
        storage.write_atomic(local, storage.read_bytes(path))
        yield local
