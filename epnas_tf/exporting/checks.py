"""Whether a file does what the trained network does: run in a fresh process, held against it."""

from __future__ import annotations

import epnas_tf.backend

import keras
import numpy as np
import tensorflow as tf

from epnas_tf import global_state
from epnas_tf.exporting import fresh_process
from epnas_tf.exporting.fresh_process import Reloaded
from epnas_tf.exporting.result import Latency
from epnas_tf.exporting.source import Images
from epnas_tf.exporting.writers import Format

# The most by which an exact file's outputs may differ, as a share of the largest output above 1.
TOLERANCE = 1e-5
# The share of images that a file of shorter numbers may lose without a warning.
MOST_LOST = 0.01

_BATCH = 256


class DisagreementError(ValueError):
    """A file that does not do what the trained network does."""


@global_state.set_aside()
def outputs_of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Returns what the trained network gives for images, float32 [n, k], computed as files are.

    Args:
      model: takes pixels of its own size as float32.
      images: of that size, [n, h, w, c].
    """

    @tf.function(autograph=False)
    def predict(batch: tf.Tensor) -> tf.Tensor:
        return model(batch, training=False)

    with tf.device("CPU"):  # an accelerator may compute with shorter floats
        starts = range(0, len(images), _BATCH)
        batches = (images[start : start + _BATCH].astype(np.float32) for start in starts)
        return np.concatenate([predict(tf.constant(batch)).numpy() for batch in batches])


def accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of images whose largest output is their class."""
    return float((outputs.argmax(axis=1) == labels).mean())


def difference(outputs: np.ndarray, trained: np.ndarray) -> float:
    """Returns how far outputs are from the trained network's at most.

    As a share of the largest of these where it exceeds 1, as logits do: floats have so many digits,
    not so many decimals.
    """
    if outputs.shape != trained.shape:
        raise DisagreementError(f"it must give outputs {trained.shape}, gives {outputs.shape}")
    return float(np.abs(outputs - trained).max() / max(1.0, float(np.abs(trained).max())))


def latency(seconds: tuple[float, ...]) -> Latency:
    """Returns the median of single runs, and what 95% of them do not exceed."""
    median, p95 = np.percentile(seconds, (50, 95))
    return Latency(float(median), float(p95))


def reload(kind: Format, path: str, images: Images, trained: np.ndarray) -> Reloaded:
    """Returns what a file does in a fresh process.

    Args:
      kind: of file.
      path: of the file.
      images: to run it on.
      trained: what the trained network gives for them.

    Raises:
      ReloadError: it cannot be loaded or run there.
      DisagreementError: it is to be exact, and its outputs are not the trained network's.
    """
    given = images.evaluation.astype(np.float32) if kind.any_size else images.evaluation
    found = fresh_process.run(kind.runtime, path, given, one_at_a_time=kind.batch == 1)
    apart = difference(found.outputs, trained)
    if kind.exact and not apart <= TOLERANCE:  # not a number is no agreement either
        raise DisagreementError(
            f"{kind.path} must agree with the trained network within {TOLERANCE:g}, differs by "
            f"{apart:.2g} ({found.runtime})"
        )
    return found
