"""The networks that a single change makes of one: what local search and evolution look at.

A single change gives one field of one item another value, inserts an item or removes one. A morph
of a step (`morph.Morph`) may do more at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from epnas_tf.architecture import choices, initial, morph
from epnas_tf.architecture.morph import Insert, Remove, Replace
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Item, Spec, Value

_T = TypeVar("_T")
Edit = Replace | Insert | Remove


def mutation(spec: Spec, space: SearchSpace, rng: np.random.Generator) -> Edit:
    """Returns a random single change of a network.

    Of changing a field, inserting and removing, one that is possible is drawn; then, uniformly,
    which field of which item and its value, what is inserted and where, or what is removed.

    Args:
      spec: the network.
      space: where it lies.
      rng: the source of randomness.

    Raises:
      ValueError: the space allows no change of it.
    """
    for edit in mutations(spec, space, rng):
        return edit
    raise ValueError(f"a network must have at least one neighbour, got {spec.to_json()}")


def mutations(spec: Spec, space: SearchSpace, rng: np.random.Generator) -> Iterator[Edit]:
    """Yields random single changes of a network without end, none where the space allows none.

    Args:
      spec: the network.
      space: where it lies.
      rng: the source of randomness.
    """
    changes = _changes(spec, space)
    inserts, removes, _ = choices.decision_mask(spec, space)
    kinds = ["change"] * bool(changes) + ["insert"] * inserts + ["remove"] * removes
    while kinds:
        kind = _one_of(kinds, rng)
        if kind == "change":
            index, name, values = _one_of(changes, rng)
            options = _options(spec, index, name, _one_of(values, rng), space)
            drawn = {own: _one_of(legal, rng) for own, legal in options.items()}
            yield Replace(index, space.new_item(drawn))
        elif kind == "insert":
            yield choices.run(choices.walk_insert(spec, space), initial.uniform_pick(rng))
        else:
            yield Remove(_one_of(_removable(spec, space), rng))


def mutate(spec: Spec, space: SearchSpace, rng: np.random.Generator) -> Spec:
    """Returns the network after a random single change (see `mutation`)."""
    return morph.apply(spec, mutation(spec, space, rng), space)


def single_changes(spec: Spec, space: SearchSpace) -> Iterator[Edit]:
    """Yields every single change of a network in a fixed order; several may make the same network.

    One field of one item has another value, or an item is inserted or removed. With another
    operation an item keeps the fields that both have; those that only the new one has take every
    value. In a space of fixed length neighbours are mutual.

    Args:
      spec: the network.
      space: where it lies.
    """
    for index, name, values in _changes(spec, space):
        for value in values:
            for item in _items(_options(spec, index, name, value, space), space):
                yield Replace(index, item)
    yield from _insertions(spec, space)
    yield from map(Remove, _removable(spec, space))


def neighbours(spec: Spec, space: SearchSpace) -> list[Spec]:
    """Returns the distinct networks that a single change makes of this one, in a fixed order."""
    changed = (morph.apply(spec, edit, space) for edit in single_changes(spec, space))
    return list(dict.fromkeys(changed))


def some_changes(
    spec: Spec, space: SearchSpace, most: int, rng: np.random.Generator
) -> list[tuple[Edit, Spec]]:
    """Returns distinct neighbours of a network, each with a change that makes it.

    All where there are at most `most` changes, in their fixed order; else as many that are drawn,
    since the first ones would all be about the first item.

    Args:
      spec: the network.
      space: where it lies.
      most: how many changes to look at.
      rng: the source of randomness; not used where all changes are returned.
    """
    edits = list(itertools.islice(single_changes(spec, space), most + 1))
    if len(edits) > most:
        edits = list(itertools.islice(mutations(spec, space, rng), most))
    found: dict[Spec, Edit] = {}
    for edit in edits:
        found.setdefault(morph.apply(spec, edit, space), edit)
    return [(edit, changed) for changed, edit in found.items()]


def _one_of(options: Sequence[_T], rng: np.random.Generator) -> _T:
    return options[int(rng.random() * len(options))]


def _insertions(spec: Spec, space: SearchSpace) -> Iterator[Insert]:
    if not choices.decision_mask(spec, space)[0]:
        return
    places = [place for place, legal in enumerate(choices.place_mask(spec, space)) if legal]
    for place in places:
        ops = _legal("op", choices.op_mask(spec, place, space), space)
        for op in map(str, ops):
            for item in _items(_ops_fields(op, place, space), space):
                yield Insert(place, item)


def _removable(spec: Spec, space: SearchSpace) -> list[int]:
    if space.fixed_length:
        return []
    mask = choices.remove_mask(spec, space)
    return [index for index, legal in enumerate(mask, start=1) if legal]


def _changes(spec: Spec, space: SearchSpace) -> list[tuple[int, str, list[Value]]]:
    """Returns (index from 1, field, its other legal values) wherever there are such values."""
    found: list[tuple[int, str, list[Value]]] = []
    for index, item in enumerate(spec.items, start=1):
        found.append((index, "op", _other_ops(spec, index, space)))
        for name, values in _fields(item.op, index - 1, space).items():
            found.append((index, name, [value for value in values if value != item.get(name)]))
    return [change for change in found if change[2]]


def _other_ops(spec: Spec, index: int, space: SearchSpace) -> list[Value]:
    item = spec.items[index - 1]
    others = sum(space.halves(other.op) for other in spec.items) - space.halves(item.op)
    full = space.max_halvings is not None and others >= space.max_halvings
    return [
        op
        for op in map(str, space.field("op").choices)
        if op != item.op
        and not (full and space.halves(op))
        and not (index == 1 and space.needs_source(op))
    ]


def _options(
    spec: Spec, index: int, name: str, value: Value, space: SearchSpace
) -> dict[str, list[Value]]:
    """Returns, by field, what item `index` may be where its field `name` is set to `value`."""
    item = spec.items[index - 1]
    own = space.fields_of(item.op)
    if name != "op":
        return _kept(item, ("op", *own)) | {name: [value]}
    options = _ops_fields(str(value), index - 1, space)
    shared = set(own) & set(options)
    if space.needs_source(str(value)) != space.needs_source(item.op):
        shared.discard("src2")  # what one may have the other may not: drawn anew, both ways
    return options | _kept(item, sorted(shared))


def _kept(item: Item, names: Iterable[str]) -> dict[str, list[Value]]:
    values = {name: item.get(name) for name in names}
    return {name: [value] for name, value in values.items() if value is not None}


def _ops_fields(op: str, place: int, space: SearchSpace) -> dict[str, list[Value]]:
    options: dict[str, list[Value]] = {"op": [op]}
    return options | _fields(op, place, space)


def _fields(op: str, place: int, space: SearchSpace) -> dict[str, list[Value]]:
    """Returns the legal values of each field of an operation after `place`."""
    return {
        name: _legal(name, choices.field_mask(name, op, place, space), space)
        for name in space.fields_of(op)
    }


def _legal(head: str, mask: tuple[bool, ...], space: SearchSpace) -> list[Value]:
    options = choices.heads(space)[head]
    return [option for option, legal in zip(options, mask, strict=True) if legal]  # type: ignore[misc]


def _items(options: dict[str, list[Value]], space: SearchSpace) -> Iterator[Item]:
    for values in itertools.product(*options.values()):
        yield space.new_item(dict(zip(options, values, strict=True)))
