"""Well-known searchers to compare the progressive search with: random, evolution, local search.

Each is a generator that yields a network, is sent its reward and never ends. A network that comes
up again is yielded again: whoever evaluates may answer from memory.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from epnas_tf.architecture import choices, initial, morph
from epnas_tf.architecture.morph import Insert, Remove
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Item, Spec, Value

_T = TypeVar("_T")
Searcher = Generator[Spec, float, None]


def random_sampling(space: SearchSpace, rng: np.random.Generator) -> Searcher:
    """Yields random networks.

    Args:
      space: where they lie; their length is drawn first (`initial.random_spec`).
      rng: the source of randomness.
    """
    while True:
        yield initial.random_spec(space, rng)


def regularised_evolution(
    space: SearchSpace, rng: np.random.Generator, population: int, sample: int
) -> Searcher:
    """Yields the networks of ageing evolution (Real et al., 2018).

    First come `population` random networks. From then on the best of a random sample of the
    population is mutated, the child joins and the oldest leaves.

    Args:
      space: where the networks lie.
      rng: the source of randomness.
      population: P of the paper.
      sample: S of the paper; drawn with replacement, as in its Algorithm 1.

    Raises:
      ValueError: a size is below 1.
    """
    for name, value in (("population", population), ("sample", sample)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    living: collections.deque[tuple[Spec, float]] = collections.deque(maxlen=population)
    for _ in range(population):
        spec = initial.random_spec(space, rng)
        living.append((spec, (yield spec)))
    while True:
        drawn = [living[index] for index in rng.integers(population, size=sample)]
        child = mutate(max(drawn, key=lambda member: member[1])[0], space, rng)
        living.append((child, (yield child)))


def local_search(
    space: SearchSpace, rng: np.random.Generator, first_improvement: bool = True
) -> Searcher:
    """Yields the networks of a local search with restarts (White et al., 2020).

    The neighbours of a network come in random order. Where none is better, the search starts anew
    from a random network. Moving at the first improvement is the stronger variant: on
    NAS-Bench-201's CIFAR-10 its median is 38 networks to the best 0.1%, the other's 86 (100 seeds).

    Args:
      space: where the networks lie.
      rng: the source of randomness.
      first_improvement: move to the first better neighbour; else all are looked at and the best
        is moved to, if it is better.
    """
    while True:
        spec: Spec | None = initial.random_spec(space, rng)
        assert spec is not None
        reward = yield spec
        while spec is not None:
            better = None
            for neighbour in _shuffled(neighbours(spec, space), rng):
                found = yield neighbour
                if found > reward:
                    better, reward = neighbour, found
                    if first_improvement:
                        break
            spec = better


def _shuffled(specs: list[Spec], rng: np.random.Generator) -> list[Spec]:
    return [specs[index] for index in rng.permutation(len(specs))]


# A single change of a network


def mutate(spec: Spec, space: SearchSpace, rng: np.random.Generator) -> Spec:
    """Returns the network after a single random change.

    Of changing a field, inserting and removing, one that is possible is drawn; then, uniformly,
    which field of which item and its value, what is inserted and where, or what is removed.

    Args:
      spec: the network.
      space: where it lies.
      rng: the source of randomness.

    Raises:
      ValueError: the space allows no change of it.
    """
    changes = _changes(spec, space)
    inserts, removes, _ = choices.decision_mask(spec, space)
    kinds = ["change"] * bool(changes) + ["insert"] * inserts + ["remove"] * removes
    if not kinds:
        raise ValueError(f"a network must have at least one neighbour, got {spec.to_json()}")
    kind = _one_of(kinds, rng)
    if kind == "change":
        index, name, values = _one_of(changes, rng)
        options = _options(spec, index, name, _one_of(values, rng), space)
        drawn = {own: _one_of(legal, rng) for own, legal in options.items()}
        return _replaced(spec, index, space.new_item(drawn))
    if kind == "insert":
        insert = choices.run(choices.walk_insert(spec, space), initial.uniform_pick(rng))
        return morph.apply(spec, insert, space)
    return morph.apply(spec, Remove(_one_of(_removable(spec, space), rng)), space)


def neighbours(spec: Spec, space: SearchSpace) -> list[Spec]:
    """Returns the distinct networks that a single change makes of this one.

    One field of one item has another value, or an item is inserted or removed. With another
    operation an item keeps the fields that both have; those that only the new one has take every
    value. In a space of fixed length neighbours are mutual.

    Args:
      spec: the network.
      space: where it lies.
    """
    removed = [morph.apply(spec, Remove(index), space) for index in _removable(spec, space)]
    found = dict.fromkeys([*_changed(spec, space), *_inserted(spec, space), *removed])
    return list(found)


def _one_of(options: Sequence[_T], rng: np.random.Generator) -> _T:
    return options[int(rng.random() * len(options))]


def _changed(spec: Spec, space: SearchSpace) -> Iterator[Spec]:
    for index, name, values in _changes(spec, space):
        for value in values:
            for item in _items(_options(spec, index, name, value, space), space):
                yield _replaced(spec, index, item)


def _inserted(spec: Spec, space: SearchSpace) -> Iterator[Spec]:
    if not choices.decision_mask(spec, space)[0]:
        return
    places = [place for place, legal in enumerate(choices.place_mask(spec, space)) if legal]
    for place in places:
        ops = _legal("op", choices.op_mask(spec, place, space), space)
        for op in map(str, ops):
            for item in _items(_ops_fields(op, place, space), space):
                yield morph.apply(spec, Insert(place, item), space)


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


def _replaced(spec: Spec, index: int, item: Item) -> Spec:
    items = (*spec.items[: index - 1], item, *spec.items[index:])
    return spec.with_items(items)  # type: ignore[arg-type]
