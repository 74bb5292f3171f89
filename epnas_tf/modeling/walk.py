"""Runs the graph of a Keras model once more, call by call: to count it, or to build on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def again(
    model: keras.Model, call: Callable[..., Any], inputs: list[keras.KerasTensor] | None = None
) -> Any:
    """Makes every call of a layer, or of a bare Keras operation, in a model's graph once more.

    Args:
      model: functional or sequential.
      call: given the layer and the arguments of a call, in the order of the graph; returns what
        stands for its outputs in later calls.
      inputs: of the model; its own if None.

    Returns:
      What stands for the model's outputs, in their structure.

    Raises:
      ValueError: the model is neither functional nor sequential.
    """
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0])
    # Keras has no public way to visit the calls of a graph, shared layers and all, without making
    # new nodes or weights; this is the one that its own clone_model uses.
    if not hasattr(model, "_run_through_graph"):
        raise ValueError(
            f"model must be functional or sequential, got {model.name!r} of class "
            f"{type(model).__name__}"
        )
    return model._run_through_graph(inputs or model.inputs, lambda layer: layer, call)
