"""Specs as index arrays: what the policy (and later the predictor) sees of a network."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Item, Spec

FAR = 8  # sources further back than this look alike


@functools.lru_cache(maxsize=64)
def factor_sizes(space: SearchSpace) -> tuple[int, ...]:
    """Returns the number of values of each factor of an item.

    A factor is a field (its choices, and one value for "does not apply"; sources are distances
    back, and one value each for "none" and "far") or, last, how often the map was halved so far.
    """
    sizes = [len(f.choices) + 1 if f.choices else FAR + 3 for f in space.fields]
    return (*sizes, (space.max_halvings or 0) + 1)


def factors(spec: Spec, space: SearchSpace) -> np.ndarray:
    """Returns the factors of each item, as indices below `factor_sizes`.

    Returns:
      int32 [items, factors].
    """
    rows = []
    halvings = 0
    most = space.max_halvings or 0
    for index, item in enumerate(spec.items, start=1):
        halvings += space.halves(item.op)
        rows.append([*_field_factors(item, index, space), min(halvings, most)])
    return np.asarray(rows, np.int32)


def _field_factors(item: Item, index: int, space: SearchSpace) -> list[int]:
    values = []
    for field in space.fields:
        value = item.get(field.name)
        if field.choices:
            values.append(0 if value is None else 1 + field.choices.index(value))
        elif not isinstance(value, int) or value < 0:
            values.append(0)
        else:
            values.append(1 + min(index - 1 - value, FAR + 1))
    return values


def multi_hot(specs: Sequence[Spec], space: SearchSpace) -> tuple[np.ndarray, np.ndarray]:
    """Returns the factors of several networks as 0/1 vectors, padded to the longest possible.

    Returns:
      float32 [networks, max_items, sum of factor sizes] and the mask bool [networks, max_items].
    """
    sizes = factor_sizes(space)
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    hot = np.zeros((len(specs), space.max_items, sum(sizes)), np.float32)
    mask = np.zeros((len(specs), space.max_items), bool)
    for row, spec in enumerate(specs):
        indices = factors(spec, space) + offsets
        np.put_along_axis(hot[row, : len(indices)], indices, 1.0, axis=1)
        mask[row, : len(indices)] = True
    return hot, mask
