"""The paths of a network that may be dropped while it is trained: what another way goes around.

In a network of cells a path is the output of an operation, as in NASNet and PNAS (PAPER_NOTES
section 4; their identities, which are no paths, do not exist here). In a chain it is what a skip
goes around, up to where both are added (stochastic depth, https://arxiv.org/abs/1603.09382). What
nothing goes around is no path: without it nothing of an image would reach the classifier.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from epnas_tf.modeling import names, walk
from epnas_tf.modeling.names import BRANCH, CELL

# What stands for a tensor that depends on the image.
_SIGNAL = object()


@dataclasses.dataclass(frozen=True)
class Path:
    """A path.

    Attributes:
      layer: name of the layer that it ends at.
      depth: how deep it stands, in (0, 1]: the number of its cell, or of its skip, from 1, of all.
      before: whether it is the first of what the layer is given, rather than what it returns.
    """

    layer: str
    depth: float
    before: bool = False


def find(model: keras.Model) -> tuple[Path, ...]:
    """Returns the paths of a network that `build_model` built, from image to logits."""
    ends: dict[tuple[Any, ...], keras.Layer] = {}
    cells, skips = 0, []
    for layer in model.layers:  # in the order of the graph
        name = names.parse(layer.name)
        place, operation = name.block.place, name.block.operation
        if place is None:
            continue
        if place.kind == CELL and place.number is not None:
            cells = max(cells, place.number + 1)
        if place.kind == BRANCH and operation and place.cell is not None:
            cells = max(cells, place.cell + 1)
            # An operation of several convolutions, as 1x7-7x1, ends with the last of them.
            ends[place.cell, place.number, operation.partition("_")[0]] = layer
        if name.block.is_skip and name.role == "add" and not _adds_to_itself(layer):
            skips.append(layer)
    of_cells = (
        Path(layer.name, (cell + 1) / cells)
        for (cell, *_), layer in sorted(ends.items())
        if _has_a_way_around(model, layer)
    )
    of_chain = (
        Path(layer.name, number / len(skips), before=True)
        for number, layer in enumerate(skips, start=1)
    )
    return (*of_cells, *of_chain)


def _adds_to_itself(add: keras.Layer) -> bool:
    """Whether a skip goes around nothing."""
    own, source = add.input
    return own is source


def _has_a_way_around(model: keras.Model, left_out: keras.Layer) -> bool:
    """Whether the model's output depends on its input without a layer too."""

    def signal(operation: Any, *args: Any, **kwargs: Any) -> object:
        given = keras.tree.flatten((args, kwargs))
        reached = operation is not left_out and any(value is _SIGNAL for value in given)
        return _SIGNAL if reached else False

    return walk.again(model, signal, [_SIGNAL]) is _SIGNAL
