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
        rows.append((*_field_factors(item, index, space), min(halvings, most)))
    return np.asarray(rows, np.int32)


@functools.lru_cache(maxsize=16384)  # the networks of a step differ by an item or two
def _field_factors(item: Item, index: int, space: SearchSpace) -> tuple[int, ...]:
    values = []
    for field in space.fields:
        value = item.get(field.name)
        if field.choices:
            values.append(0 if value is None else 1 + field.choices.index(value))
        elif not isinstance(value, int) or value < 0:
            values.append(0)
        else:
            values.append(1 + min(index - 1 - value, FAR + 1))
    return tuple(values)


def multi_hot(specs: Sequence[Spec], space: SearchSpace) -> tuple[np.ndarray, np.ndarray]:
    """Returns the factors of several networks as 0/1 vectors, padded to the longest possible.

    Returns:
      float32 [networks, max_items, sum of factor sizes] and the mask bool [networks, max_items].
    """
    distinct, places = _distinct(specs)
    hot = np.zeros((len(distinct), space.max_items, sum(factor_sizes(space))), np.float32)
    mask = np.zeros((len(distinct), space.max_items), bool)
    offsets = _offsets(space)
    for row, spec in enumerate(distinct):
        indices = factors(spec, space) + offsets
        np.put_along_axis(hot[row, : len(indices)], indices, 1.0, axis=1)
        mask[row, : len(indices)] = True
    return hot[places], mask[places]


def _distinct(specs: Sequence[Spec]) -> tuple[list[Spec], list[int]]:
    """Returns each network once, and the place of every one among these: a policy asks for many."""
    places: dict[Spec, int] = {}
    found = [places.setdefault(spec, len(places)) for spec in specs]
    return list(places), found


@functools.lru_cache(maxsize=64)
def _offsets(space: SearchSpace) -> np.ndarray:
    """Returns where each factor's values begin among those of all factors."""
    return np.cumsum([0, *factor_sizes(space)[:-1]])


def parts(specs: Sequence[Spec], space: SearchSpace) -> np.ndarray:
    """Returns what each part of several networks holds: its items' factors, and which it is.

    Returns:
      float32 [networks, parts, sum of factor sizes + parts]: the mean of the items' 0/1 vectors and
      the part as a 0/1 vector.
    """
    distinct, places = _distinct(specs)
    hot, _ = multi_hot(distinct, space)
    held = np.zeros((len(distinct), space.parts, hot.shape[2] + space.parts), np.float32)
    held[:, :, hot.shape[2] :] = np.eye(space.parts)
    for row, spec in enumerate(distinct):
        length = len(spec.items)
        members = np.asarray([space.part_of(i, length) for i in range(1, length + 1)])
        for part in range(space.parts):
            if (members == part).any():
                held[row, part, : hot.shape[2]] = hot[row, :length][members == part].mean(axis=0)
    return held[places]


@functools.lru_cache(maxsize=64)
def _codes(space: SearchSpace) -> np.ndarray:
    """Returns a vector for every value of each factor, [values, width]; distances are what counts.

    Two values of an unordered field are 1 apart (squared, before the factors share the 1 of an
    item), those of an ordered one up to 0.5, as their places in the table; what does not apply is 1
    to 1.5 away from every value.
    """
    sizes = factor_sizes(space)
    codes = np.zeros((sum(sizes), sum(sizes)))
    for first, size, field in zip(_offsets(space), sizes, (*space.fields, None), strict=True):
        ordered = field is None or field.ordered or not field.choices
        if ordered and size > 2:
            steps = np.tri(size - 1, size - 2, -1) / np.sqrt(2 * (size - 2))
            code = np.zeros((size, size))
            code[1:, 1:-1] = steps
            code[0, 0] = np.sqrt(0.5)
            code[1:, -1] = np.sqrt(0.5)
        else:
            code = np.eye(size) * np.sqrt(0.5)
        own = slice(first, first + size)
        codes[own, own] = code / np.sqrt(len(sizes))
    return codes


def summary(specs: Sequence[Spec], space: SearchSpace) -> tuple[np.ndarray, np.ndarray]:
    """Returns what the reward predictor compares of networks.

    Returns:
      The items in order, counted from the front and from the back, float64 [networks, ...]: an
      item that differs in everything adds 1 to the squared distance (1.5 at most). The items as a
      bag with pairs of neighbouring operations, float64 [networks, ...].
    """
    hot, mask = multi_hot(specs, space)
    most = space.max_items
    lengths = mask.sum(axis=1)
    items = hot.astype(np.float64) @ _codes(space)
    no_item = np.where(mask, 0.0, np.sqrt(0.5))[..., np.newaxis]
    front = np.concatenate([items, no_item], axis=2)
    from_back = (np.arange(most) + lengths[:, np.newaxis]) % most
    back = np.take_along_axis(front, from_back[..., np.newaxis], axis=1)
    sequence = np.concatenate([front, back], axis=1).reshape(len(specs), -1) * np.sqrt(0.5)
    operations = hot[..., : factor_sizes(space)[0]].astype(np.float64)
    pairs = 0.5 * operations[:, :-1].transpose(0, 2, 1) @ operations[:, 1:]
    bag = [items.sum(axis=1), lengths[:, np.newaxis] / most, pairs.reshape(len(specs), -1)]
    return sequence, np.concatenate(bag, axis=1)
