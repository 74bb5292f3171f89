"""Where a file of integers loses: how far each operation's result is from that of floats."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import math
import tempfile
import warnings

import numpy as np
import tensorflow as tf

from epnas_tf import global_state
from epnas_tf.exporting import tflite_file, writers
from epnas_tf.exporting.writers import Network

# Images that are looked at: the operations are slow ones, and means need no more.
_MOST_IMAGES = 32


@dataclasses.dataclass(frozen=True)
class Loss:
    """What a layer loses by integers, its inputs being what they are.

    Attributes:
      layer: name of the Keras layer.
      share: root mean square of what is wrong with its result, as a share of the result's.
    """

    layer: str
    share: float


@global_state.set_aside()
def by_layer(network: Network) -> list[Loss]:
    """Returns what each layer loses, the worst first, by TensorFlow's debugger of quantisation."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each interpreter says that it will move house
        debugger, options = (
            tf.lite.experimental.QuantizationDebugger,
            tf.lite.experimental.QuantizationDebugOptions,
        )
        writers.integer_model(network).export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: writers.samples(network)
        made = debugger(converter=converter, debug_dataset=converter.representative_dataset)
        # Only a debugger of a finished file keeps what its operations read.
        compared = debugger(
            quant_debug_model_content=made.get_debug_quantized_model(),
            debug_dataset=lambda: list(writers.samples(network))[:_MOST_IMAGES],
            debug_options=options(
                layer_direct_compare_metrics={"error": _error, "signal": _signal}
            ),
        )
        compared.run()
    found: dict[str, float] = {}
    for name, measured in compared.layer_statistics.items():
        layer = tflite_file.layer_of(name.partition("/")[2].rpartition(":")[0])
        share = math.sqrt(measured["error"] / measured["signal"]) if measured["signal"] else 0.0
        found[layer] = max(share, found.get(layer, 0.0))
    return sorted((Loss(*each) for each in found.items()), key=lambda loss: -loss.share)


def _error(exact: np.ndarray, integers: np.ndarray, scale: float, zero: int) -> float:
    return float(np.mean((exact - scale * (integers.astype(np.float32) - zero)) ** 2))


def _signal(exact: np.ndarray, integers: np.ndarray, scale: float, zero: int) -> float:
    del integers, scale, zero
    return float(np.mean(exact**2))
