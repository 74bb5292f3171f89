"""A LiteRT file looked into: which of its operations compute with floats, what its input means."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

_FLOATS = (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16)

# At its ends a file of integers changes the type of what goes in and comes out.
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


@dataclasses.dataclass(frozen=True)
class FloatOperation:
    """An operation that reads or gives floating-point numbers.

    Attributes:
      kind: such as CONV_2D.
      output: name of what it gives, which tells the Keras layer.
    """

    kind: str
    output: str

    def __str__(self) -> str:
        return f"{self.kind} ({self.output})"


def float_operations(content: bytes) -> tuple[FloatOperation, ...]:
    """Returns what a file of integers still computes with floats, in the order of its operations.

    What turns its input into integers and its output into floats is left out.

    Args:
      content: of the file.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    found = []
    for graph in model.subgraphs:
        ends = {*graph.inputs, *graph.outputs}
        for operation in graph.operators:
            kind = flatbuffer_utils.opcode_to_name(model, operation.opcodeIndex)
            touched = [index for index in (*operation.inputs, *operation.outputs) if index >= 0]
            if kind in _CONVERSIONS and not ends.isdisjoint(touched):
                continue
            if any(graph.tensors[index].type in _FLOATS for index in touched):
                output = graph.tensors[operation.outputs[0]].name
                found.append(FloatOperation(kind, _text(output)))
    return tuple(found)


def input_scale(content: bytes) -> tuple[float, int] | None:
    """Returns what a step of the file's integer input is worth, and which stands for 0.

    Args:
      content: of the file.

    Returns:
      None where the input stands for itself.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    (graph,) = model.subgraphs
    quantised = graph.tensors[graph.inputs[0]].quantization
    if quantised is None or quantised.scale is None or not len(quantised.scale):
        return None
    return float(np.float32(quantised.scale[0])), int(quantised.zeroPoint[0])


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
