"""A step's action as a sequence of choices, each with the mask of what is legal.

This is the grammar of actions, and it stands once: the policy answers the choices with its logits,
the random policy with uniform draws, and a logged action is taken apart into the same choices for
its log-probability. Order (DECISIONS 3): one scaling for each part, the decision to insert, remove
or keep, then the place and the fields of what is inserted.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Generator
from typing import TypeVar

from epnas_tf.architecture import morph
from epnas_tf.architecture.morph import Insert, Keep, Morph, Remove, Scale
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Item, Spec, Value

INSERT, REMOVE, KEEP = "insert", "remove", "keep"
DECISIONS = (INSERT, REMOVE, KEEP)


@dataclasses.dataclass(frozen=True)
class Choice:
    """One choice to be made.

    Attributes:
      head: its kind: "scale", "decision", "place", "remove", or the name of a field.
      mask: which of the head's options are legal; at least one is.
      spec: the network it is about (the scaled one after the scalings), None before there is one.
      part: the part a scaling is about, -1 otherwise.
    """

    head: str
    mask: tuple[bool, ...]
    spec: Spec | None
    part: int = -1


_T = TypeVar("_T")
Walk = Generator[Choice, int, Morph]


@functools.lru_cache(maxsize=64)
def _heads(space: SearchSpace) -> dict[str, tuple[object, ...]]:
    options: dict[str, tuple[object, ...]] = {
        "scale": morph.scale_table(space),
        "decision": DECISIONS,
        "place": tuple(range(space.max_items)),
        "remove": tuple(range(1, space.max_items + 1)),
    }
    for field in space.fields:
        options[field.name] = field.choices or _source_options(field.name, space)
    return options


def _source_options(name: str, space: SearchSpace) -> tuple[int, ...]:
    first = -1 if space.pattern == "layerwise" else 0
    return tuple(range(first, space.max_items))


def heads(space: SearchSpace) -> dict[str, tuple[object, ...]]:
    """Returns every kind of choice of a space with all its options, legal or not."""
    return _heads(space)


def walk(spec: Spec, space: SearchSpace) -> Walk:
    """Yields the choices of an action on `spec`, is sent option indices, returns the action."""
    scales = []
    scaled = spec
    for part in range(space.parts):
        # An earlier part may have used up the halvings; else its scaling changes nothing here.
        mask = scale_mask(scaled if _sets_halvings(space) else spec, part, space)
        entry = morph.scale_table(space)[(yield Choice("scale", mask, spec, part))]
        if entry is not None:
            scales.append(dataclasses.replace(entry, part=part))
            scaled = morph.apply(scaled, scales[-1], space)
    decision = DECISIONS[(yield Choice("decision", decision_mask(scaled, space), scaled))]
    edit: Insert | Remove | Keep = Keep()
    if decision == INSERT:
        edit = yield from walk_insert(scaled, space)
    elif decision == REMOVE:
        edit = Remove(1 + (yield Choice("remove", remove_mask(scaled, space), scaled)))
    return Morph(tuple(scales), edit)


def walk_insert(spec: Spec, space: SearchSpace) -> Generator[Choice, int, Insert]:
    """Yields the choices of an insertion, returns it."""
    place = len(spec.items)
    if space.pattern == "layerwise":
        place = yield Choice("place", place_mask(spec, space), spec)
    item = yield from walk_item(spec, place, space)
    return Insert(place, item)


def walk_item(spec: Spec | None, place: int, space: SearchSpace) -> Generator[Choice, int, Item]:
    """Yields the choices of a new layer or branch after `place`, returns it.

    `spec` is the network it joins, None for the first item of a new network.
    """
    options = heads(space)
    op = str(options["op"][(yield Choice("op", op_mask(spec, place, space), spec))])
    values: dict[str, Value] = {"op": op}
    for name in space.fields_of(op):
        mask = field_mask(name, op, place, space)
        values[name] = options[name][(yield Choice(name, mask, spec))]  # type: ignore[assignment]
    return space.new_item(values)


def decide(spec: Spec, space: SearchSpace, pick: Callable[[Choice], int]) -> Morph:
    """Returns the action whose choices `pick` answers with the index of an option."""
    return run(walk(spec, space), pick)


def run(walking: Generator[Choice, int, _T], pick: Callable[[Choice], int]) -> _T:
    """Answers a walk's choices with `pick` and returns what the walk returns."""
    try:
        choice = next(walking)
        while True:
            choice = walking.send(pick(choice))
    except StopIteration as stop:
        return stop.value


def encode(spec: Spec, action: Morph, space: SearchSpace) -> list[tuple[Choice, int]]:
    """Takes an action apart into its choices and the options taken.

    Raises:
      IllegalActionError: an option taken is unknown or not legal where it was taken, or the
        action holds what no choice decides.
    """
    options = heads(space)
    taken: list[tuple[Choice, int]] = []

    def pick(choice: Choice) -> int:
        option = _taken(choice, action)
        index = options[choice.head].index(option) if option in options[choice.head] else None
        if index is None or not choice.mask[index]:
            raise morph.IllegalActionError(f"{choice.head} must be legal, got {option} of {action}")
        taken.append((choice, index))
        return index

    if decide(spec, space, pick) != action:
        raise morph.IllegalActionError(f"choices must make up the whole action, got {action}")
    return taken


def _taken(choice: Choice, action: Morph) -> object:
    edit = action.edit
    if choice.head == "scale":
        mine = [scale for scale in action.scales if scale.part == choice.part]
        return dataclasses.replace(mine[0], part=0) if mine else None
    if choice.head == "decision":
        return {Insert: INSERT, Remove: REMOVE, Keep: KEEP}.get(type(edit))  # none is Replace
    if isinstance(edit, Remove):
        return edit.index
    assert isinstance(edit, Insert), edit
    return edit.place if choice.head == "place" else edit.item.get(choice.head)


# Masks: which options of a head are legal, in the order of `heads(space)`


@functools.lru_cache(maxsize=64)
def _sets_halvings(space: SearchSpace) -> bool:
    """Says whether a scaling may set an operation, of which some halve the map."""
    return space.max_halvings is not None and space.field("op").scaled


@functools.lru_cache(maxsize=4096)  # a policy asks for the same network's many times
def scale_mask(spec: Spec, part: int, space: SearchSpace) -> tuple[bool, ...]:
    """An entry of the scale table is legal if at least one item of the part moves.

    What is set may also halve the map, which no set value may do too often.
    """
    length = len(spec.items)
    members = [
        (index, item)
        for index, item in enumerate(spec.items, start=1)
        if space.part_of(index, length) == part
    ]
    return tuple(
        entry is None or _moves(spec, members, part, entry, space)
        for entry in morph.scale_table(space)
    )


def _moves(
    spec: Spec, members: list[tuple[int, Item]], part: int, entry: Scale, space: SearchSpace
) -> bool:
    if entry.to is None:
        return any(_steps(item, entry, space) for _, item in members)
    if _sets_halvings(space):
        return morph.legal(spec, dataclasses.replace(entry, part=part), space)
    return any(morph.scaled_item(item, index, entry, space) != item for index, item in members)


def _steps(item: Item, entry: Scale, space: SearchSpace) -> bool:
    value = item.get(entry.field)
    choices = space.field(entry.field).choices
    return value is not None and value != (choices[-1] if entry.by > 0 else choices[0])


def decision_mask(spec: Spec, space: SearchSpace) -> tuple[bool, ...]:
    """Legal decisions, in the order insert, remove, keep."""
    if space.fixed_length:
        return (False, False, True)
    grows = len(spec.items) < space.max_items and any(place_mask(spec, space))
    return (grows, any(remove_mask(spec, space)), True)


def place_mask(spec: Spec, space: SearchSpace) -> tuple[bool, ...]:
    """A place 0..L is legal if some operation may stand there; a branch is always appended."""
    length = len(spec.items)
    if space.pattern == "module":
        return tuple(place == length for place in range(space.max_items))
    first = any(op_mask(spec, 0, space))
    later = any(op_mask(spec, 1, space))
    return tuple(
        place <= length and (later if place else first) for place in range(space.max_items)
    )


def remove_mask(spec: Spec, space: SearchSpace) -> tuple[bool, ...]:
    """Item 1..L may go if another stays and no later operation loses the source it needs."""
    length = len(spec.items)
    if length < 2:
        return (False,) * space.max_items
    return tuple(
        index <= length and not _bereaves(spec, index, space)
        for index in range(1, space.max_items + 1)
    )


def _bereaves(spec: Spec, index: int, space: SearchSpace) -> bool:
    """Says whether the next layer needs a source and would be left with only its own input."""
    if index == len(spec.items):
        return False
    follower = spec.items[index]
    return space.needs_source(follower.op) and follower.get("src2") == index - 1


def op_mask(spec: Spec | None, place: int, space: SearchSpace) -> tuple[bool, ...]:
    """Halving operations need a map to halve, additions an output besides their input."""
    halving = space.max_halvings is None or _may_halve(spec, space)
    return tuple(
        (halving or not space.halves(str(op))) and (place > 0 or not space.needs_source(str(op)))
        for op in space.field("op").choices
    )


def _may_halve(spec: Spec | None, space: SearchSpace) -> bool:
    assert space.max_halvings is not None
    items = () if spec is None else spec.items
    return sum(space.halves(item.op) for item in items) < space.max_halvings


def field_mask(name: str, op: str, place: int, space: SearchSpace) -> tuple[bool, ...]:
    """Values are always legal; a source must come before the new item (index place + 1)."""
    options = heads(space)[name]
    if name not in ("src1", "src2"):
        return (True,) * len(options)
    if space.needs_source(op):
        return tuple(0 <= source < place for source in options)  # type: ignore[operator]
    return tuple(source <= place for source in options)  # type: ignore[operator]
