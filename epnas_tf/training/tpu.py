"""Whether a network could train on a TPU, told without one.

XLA on the CPU refuses dynamic shapes and host calls, and these tests of the graph name what it lets
pass and a TPU does not (KERAS_TUNER section 6).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2, types_pb2

from epnas_tf.training.schedule import Schedule
from epnas_tf.training.step import train_step_function

# Ops with results of unknown size, and those that need the host.
FORBIDDEN = frozenset(
    {
        "EagerPyFunc",
        "NonMaxSuppressionV5",
        "Print",
        "PrintV2",
        "PyFunc",
        "PyFuncStateless",
        "StringFormat",
        "Unique",
        "UniqueV2",
        "Where",
    }
)


def forbidden_ops(function: Any) -> list[str]:
    """Returns the sorted types of a concrete function's ops that may not stand in a TPU's graph.

    Ops on float64 are named as `Op (float64)`. The bodies of loops and of nested functions count.
    """
    found = set()
    for node in _nodes(function.graph.as_graph_def()):
        if node.op in FORBIDDEN:
            found.add(node.op)
        if any(value.type == types_pb2.DT_DOUBLE for value in node.attr.values()):
            found.add(f"{node.op} (float64)")
    return sorted(found)


def check_train_step(model: keras.Model, batch_size: int = 4) -> list[str]:
    """Compiles the training step of a model with XLA, runs it once, and returns `forbidden_ops`.

    The step changes the model's weights. The model has one input of known shape and ends in logits.

    Raises:
        ValueError: XLA cannot compile the step, or a shape is not static.
    """
    schedule = Schedule("tpu", epochs=1, batch_size=batch_size, learning_rate=0.01)
    step: Any = train_step_function(model, schedule, tf.distribute.get_strategy(), jit_compile=True)
    images = tf.zeros([1, batch_size, *model.input_shape[1:]])
    labels = tf.zeros([1, batch_size], tf.int32)
    function = step.get_concrete_function(images, labels, tf.constant(0.01))
    try:
        function(images, labels, tf.constant(0.01))
    except tf.errors.OpError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"XLA must be able to compile the training step: {reason}") from error
    return forbidden_ops(function)


def _nodes(graph: graph_pb2.GraphDef) -> Iterator[node_def_pb2.NodeDef]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def
