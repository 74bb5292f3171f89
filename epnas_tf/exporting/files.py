"""One file of an export: written, run in a fresh process, held against the trained network."""

from __future__ import annotations

import epnas_tf.backend

import os
import pathlib

import numpy as np

from epnas_tf.exporting import checks, losses, tflite_file
from epnas_tf.exporting.result import ExportedFile
from epnas_tf.exporting.writers import FORMATS, Network
from epnas_tf.workdir import storage

# Layers that a warning names.
_MOST_NAMED = 3


def write(name: str, network: Network, trained: np.ndarray, folder: str) -> ExportedFile:
    """Writes a file of a format into a folder and returns what a fresh process found it to do.

    Args:
      name: of the format, a key of FORMATS.
      network: what is written.
      trained: what the network gives for its evaluation images.
      folder: that is to hold the file.

    Raises:
      ReloadError: another program cannot load or run it.
      DisagreementError: it is of floats and does not agree with the network.
    """
    kind, images, source = FORMATS[name], network.images, network.source
    path = os.path.join(folder, kind.path)
    kind.write(network, path)
    found = checks.reload(kind, path, images, trained)
    accuracy = checks.accuracy(found.outputs, images.labels)
    height, width, channels = source.input_shape
    return ExportedFile(
        format=name,
        path=kind.path,
        bytes=storage.used_bytes(path) if os.path.isdir(path) else os.path.getsize(path),
        dtype="float32" if kind.any_size else source.dtype,
        shape=(kind.batch, *((None, None) if kind.any_size else (height, width)), channels),
        accuracy=accuracy,
        difference=checks.difference(found.outputs, trained),
        latency=checks.latency(found.latencies),
        runtime=found.runtime,
        float_operations=_float_operations(path) if kind.of_integers else (),
        warnings=_warnings(name, network, accuracy, checks.accuracy(trained, images.labels)),
    )


def _float_operations(path: str) -> tuple[str, ...]:
    found = tflite_file.float_operations(pathlib.Path(path).read_bytes())
    return tuple(map(str, found))


def _warnings(name: str, network: Network, accuracy: float, before: float) -> tuple[str, ...]:
    """Returns what to say of a file that classifies fewer images correctly than it may."""
    if before - accuracy <= checks.MOST_LOST:
        return ()
    text = (
        f"accuracy {accuracy:.4f} is {100 * (before - accuracy):.1f} points below the "
        f"{before:.4f} of the trained network"
    )
    if not FORMATS[name].of_integers:
        return (text,)
    worst = losses.by_layer(network)[:_MOST_NAMED]
    named = ", ".join(f"{loss.layer} ({loss.share:.0%} of its signal)" for loss in worst)
    return (f"{text}; the layers that lose most: {named}",)
