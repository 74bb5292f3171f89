"""A LiteRT file looked into: which of its operations compute with floats, what its input means."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

_FLOATS = (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16)
# They compute nothing: they stand at a file's ends, and about what computes with floats.
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


@dataclasses.dataclass(frozen=True)
class FloatOperation:
    """An operation that computes with floating-point numbers.

    Attributes:
      kind: such as CONV_2D.
      layer: name of the Keras layer that it comes from.
    """

    kind: str
    layer: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.layer}"


def float_operations(content: bytes) -> tuple[FloatOperation, ...]:
    """Returns what a file computes with floats, in the order of its operations.

    Args:
      content: of the file.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    found = []
    for graph in model.subgraphs:
        for operation in graph.operators:
            kind = flatbuffer_utils.opcode_to_name(model, operation.opcodeIndex)
            touched = [*operation.inputs, *operation.outputs]
            types = [graph.tensors[index].type for index in touched if index >= 0]
            if kind not in _CONVERSIONS and any(each in _FLOATS for each in types):
                name = graph.tensors[operation.outputs[0]].name
                found.append(FloatOperation(kind, layer_of(name.decode(errors="replace"))))
    return tuple(found)


def layer_of(tensor: str) -> str:
    """Returns the Keras layer that a tensor comes from, "outputs" where it is the file's last.

    A tensor's name is the path of its operation through models and layers, each numbered; of what
    was fused the last is the one with weights. Example: net_1/stem_relu_1/Relu;net_1/stem_conv_1/
    convolution comes from stem_conv.
    """
    path = tensor.rpartition(";")[2].split("/")
    return re.sub(r"_\d+$", "", path[-2]) if len(path) > 1 else "outputs"


def input_scale(content: bytes) -> tuple[float, int] | None:
    """Returns what a step of a file's integer input is worth, and which integer stands for 0.

    Args:
      content: of the file.

    Returns:
      None where the input stands for itself.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    (graph,) = model.subgraphs
    steps = graph.tensors[graph.inputs[0]].quantization
    if steps is None or steps.scale is None or not len(steps.scale):
        return None
    return float(np.float32(steps.scale[0])), int(steps.zeroPoint[0])
