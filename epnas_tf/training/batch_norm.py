"""Batch norm as TensorFlow's fused operation, while a child is trained.

Keras' layer computes mean, variance and the normalisation one by one, and TensorFlow their
gradients; the fused operation is the same function of the same variables, and a training update of
small networks took 1.27 times less time with it (docs/RESULTS.md). Models keep Keras' own layers,
so that what is saved loads anywhere.
"""

from __future__ import annotations

import epnas_tf.backend

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

_DTYPES = ("float32", "float16", "bfloat16")


@contextlib.contextmanager
def fused(model: keras.Model) -> Iterator[None]:
    """Lets graphs that are traced within it run the model's batch norm fused, where that can be."""
    layers = [layer for layer in model.layers if _can_be_fused(layer)]
    for layer in layers:
        layer.call = functools.partial(_call, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def _can_be_fused(layer: Any) -> bool:
    """The operation knows maps of channels last, of one replica, in at most 32 bits."""
    return (
        type(layer) is keras.layers.BatchNormalization
        and not layer.synchronized
        and layer.scale
        and layer.center
        and layer.trainable
        and not getattr(layer, "renorm", False)
        and layer.axis in (-1, 3)
        and len(layer.input.shape) == 4
        and layer.variable_dtype == "float32"
        and layer.compute_dtype in _DTYPES
    )


def _call(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    """What `BatchNormalization.call` does, in one operation."""
    del mask
    if not training and layer.compute_dtype != "float32":
        # Rounded to 16 bits as the saved network rounds, or a few images count differently.
        return keras.layers.BatchNormalization.call(layer, inputs, training=False)
    scale, offset = layer.gamma.value, layer.beta.value
    if not training:
        mean, variance = layer.moving_mean.value, layer.moving_variance.value
        return _fused(layer, inputs, scale, offset, mean, variance, is_training=False)[0]
    outputs, mean, variance = _fused(layer, inputs, scale, offset, is_training=True)
    # It returns the variance of the population that the batch is a sample of, Keras the batch's.
    count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
    variance *= (count - 1) / count
    for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + value * (1 - layer.momentum))
    return outputs


def _fused(layer: Any, *tensors: Any, is_training: bool) -> Any:
    call = tf.compat.v1.nn.fused_batch_norm
    return call(*tensors, epsilon=layer.epsilon, is_training=is_training)
