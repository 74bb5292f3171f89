"""How a network changes: Scale, Insert, Remove, Replace, Keep, and the Morph made of them.

A morph is a pure function of (spec, action, space): it draws nothing and mutates nothing. What is
illegal is refused with `IllegalActionError`; a search never meets it: `choices.py` offers only
what is legal. Rules: the project's DECISIONS 2 to 4 (paper, sections 3.2 and 3.3).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import MOST, Item, LayerSpec, Spec, Value, plain_value


class IllegalActionError(ValueError):
    """An action that the space or the network does not allow; names the rule and the value."""


@dataclasses.dataclass(frozen=True)
class Keep:
    """Changes nothing."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """Steps a field of every item of a part to its neighbour (`by`), or sets it (`to`).

    Attributes:
      part: the part, from 0.
      field: name of the field.
      by: +1 or -1 entries for ordered fields; at the ends of the table an item stays.
      to: the new value for unordered fields.
    """

    part: int
    field: str
    by: int = 0
    to: Value | None = None


@dataclasses.dataclass(frozen=True)
class Insert:
    """Puts a new layer after output `place` (0..L), or appends a branch (`place` is L)."""

    place: int
    item: Item


@dataclasses.dataclass(frozen=True)
class Remove:
    """Takes out the layer or branch `index`, counted from 1."""

    index: int


@dataclasses.dataclass(frozen=True)
class Replace:
    """Puts another layer or branch in the place of `index`, counted from 1.

    No policy chooses it: it is what neighbours differ by (`neighbours.py`).
    """

    index: int
    item: Item


@dataclasses.dataclass(frozen=True)
class Morph:
    """A step's whole action: scalings of different parts first, then one edit."""

    scales: tuple[Scale, ...] = ()
    edit: Insert | Remove | Replace | Keep = Keep()


Action = Keep | Scale | Insert | Remove | Replace | Morph


def apply(spec: Spec, action: Action, space: SearchSpace) -> Spec:
    """Returns the changed network; raises IllegalActionError naming the rule and the value."""
    if isinstance(action, Morph):
        parts = [scale.part for scale in action.scales]
        if parts != sorted(set(parts)):
            raise IllegalActionError(f"scalings must be of different parts in order, got {parts}")
        for scale in action.scales:
            spec = _scale(spec, scale, space)
        return apply(spec, action.edit, space)
    if isinstance(action, Scale):
        return _scale(spec, action, space)
    if isinstance(action, Insert):
        return _insert(spec, action, space)
    if isinstance(action, Remove):
        return _remove(spec, action, space)
    if isinstance(action, Replace):
        return _replace(spec, action, space)
    return spec


def legal(spec: Spec, action: Action, space: SearchSpace) -> bool:
    """Says whether `apply` would accept the action."""
    try:
        apply(spec, action, space)
    except IllegalActionError:
        return False
    return True


# Scaling


@functools.lru_cache(maxsize=64)
def scale_table(space: SearchSpace) -> tuple[Scale | None, ...]:
    """Returns what may be done to a part: None (keep), then a Scale an entry, its part 0."""
    entries: list[Scale | None] = [None]
    for field in space.fields:
        if field.scaled and field.ordered:
            entries += [Scale(0, field.name, by=1), Scale(0, field.name, by=-1)]
        elif field.scaled:
            entries += [Scale(0, field.name, to=value) for value in field.choices]
    return tuple(entries)


@functools.lru_cache(maxsize=64)
def _scalings(space: SearchSpace) -> frozenset[Scale | None]:
    return frozenset(scale_table(space))


@functools.lru_cache(maxsize=16384)  # a step scales the same few networks' items many times
def scaled_item(item: Item, index: int, scale: Scale, space: SearchSpace) -> Item:
    """Returns item `index` (from 1) after a scaling; itself where it cannot move."""
    value = item.get(scale.field)
    if value is None:
        return item
    if scale.to is not None:
        if scale.to == value:
            return item
        moved = item.replace(scale.field, scale.to)
        return item if space.problem(moved, index) else moved
    choices = space.field(scale.field).choices
    if value not in choices:
        raise IllegalActionError(f"{scale.field} must be one of {choices}, got {value!r}")
    new = choices.index(value) + scale.by
    return item.replace(scale.field, choices[new]) if 0 <= new < len(choices) else item


def _check_scale(scale: Scale, space: SearchSpace) -> None:
    if not 0 <= scale.part < space.parts:
        raise IllegalActionError(f"part must be in 0..{space.parts - 1}, got {scale.part}")
    if Scale(0, scale.field, scale.by, scale.to) not in _scalings(space):
        raise IllegalActionError(f"scaling must be an entry of the scale table, got {scale}")


def _scale(spec: Spec, scale: Scale, space: SearchSpace) -> Spec:
    _check_scale(scale, space)
    length = len(spec.items)
    items = tuple(
        scaled_item(item, index, scale, space)
        if space.part_of(index, length) == scale.part
        else item
        for index, item in enumerate(spec.items, start=1)
    )
    if items == spec.items:
        raise IllegalActionError(f"scaling must move at least one item of its part, got {scale}")
    scaled = spec.with_items(items)  # type: ignore[arg-type]
    if scale.to is not None:  # another operation may halve the map; a step cannot break a rule
        _check_halvings(scaled, space)
    return scaled


def _check_halvings(spec: Spec, space: SearchSpace) -> None:
    try:
        space.check_halvings(spec)
    except ValueError as error:
        raise IllegalActionError(str(error)) from error


# Inserting, removing and replacing


def _insert(spec: Spec, action: Insert, space: SearchSpace) -> Spec:
    length, place = len(spec.items), action.place
    if space.fixed_length:
        raise IllegalActionError(f"networks of this space have a fixed length, got {action}")
    if length >= space.max_items:
        raise IllegalActionError(
            f"a network must have at most {space.max_items} items, got {length + 1}"
        )
    least = 0 if space.pattern == "layerwise" else length
    if not least <= place <= length:
        raise IllegalActionError(f"place must be in {least}..{length}, got {place}")
    # What is there already stays right: its sources keep their distance or gain by one.
    problem = space.problem(action.item, place + 1)
    if problem:
        raise IllegalActionError(problem)
    later = tuple(_shifted(item, place) for item in spec.items[place:])
    try:
        changed = spec.with_items(spec.items[:place] + (action.item,) + later)  # type: ignore[arg-type]
    except ValueError as error:
        raise IllegalActionError(str(error)) from error
    if space.halves(action.item.op):
        _check_halvings(changed, space)
    return changed


def _shifted(item: Item, place: int) -> Item:
    """Returns a later layer with its skip's index shifted; skips keep their old source."""
    source = item.get("src2")
    if isinstance(item, LayerSpec) and isinstance(source, int) and source > place:
        return item.replace("src2", source + 1)
    return item


def _remove(spec: Spec, action: Remove, space: SearchSpace) -> Spec:
    length = len(spec.items)
    if space.fixed_length:
        raise IllegalActionError(f"networks of this space have a fixed length, got {action}")
    if length < 2:
        raise IllegalActionError(f"one layer or branch must stay, got {length}")
    if not 1 <= action.index <= length:
        raise IllegalActionError(f"index must be in 1..{length}, got {action.index}")
    items = without(spec.items, action.index)
    for index, item in enumerate(items, start=1):
        problem = space.problem(item, index)
        if problem:
            raise IllegalActionError(
                f"removing {action.index} leaves item {index} wrong: {problem}"
            )
    return spec.with_items(items)  # type: ignore[arg-type]


def _replace(spec: Spec, action: Replace, space: SearchSpace) -> Spec:
    index = action.index
    if not 1 <= index <= len(spec.items):
        raise IllegalActionError(f"index must be in 1..{len(spec.items)}, got {index}")
    problem = space.problem(action.item, index)
    if problem:
        raise IllegalActionError(problem)
    items = (*spec.items[: index - 1], action.item, *spec.items[index:])
    try:
        changed = spec.with_items(items)  # type: ignore[arg-type]
    except ValueError as error:
        raise IllegalActionError(str(error)) from error
    if space.halves(action.item.op):
        _check_halvings(changed, space)
    return changed


def without(items: tuple[Item, ...], removed: int) -> tuple[Item, ...]:
    """Returns the items without item `removed` (from 1), the sources of later ones rewired.

    What read it now reads the output before it; a layer's skip is dropped where that is the
    layer's input already.
    """
    later = []
    for new_index, item in enumerate(items[removed:], start=removed):
        later.append(_rewired(item, new_index, removed))
    return items[: removed - 1] + tuple(later)


def _rewired(item: Item, new_index: int, removed: int) -> Item:
    for name in ("src2",) if isinstance(item, LayerSpec) else ("src1", "src2"):
        source = item.get(name)
        if not isinstance(source, int) or source < removed:
            continue
        moved = source - 1
        if isinstance(item, LayerSpec) and source == removed and moved == new_index - 1:
            moved = -1
        item = item.replace(name, moved)
    return item


# Actions as plain data


def to_dict(action: Morph) -> dict[str, Any]:
    """Returns the action as plain data for the log."""
    values: dict[str, Any] = {}
    if action.scales:
        values["scale"] = [_scale_to_dict(scale) for scale in action.scales]
    if isinstance(action.edit, Insert):
        values["insert"] = {"place": action.edit.place, "item": action.edit.item.to_dict()}
    elif isinstance(action.edit, Remove):
        values["remove"] = action.edit.index
    elif isinstance(action.edit, Replace):
        values["replace"] = {"index": action.edit.index, "item": action.edit.item.to_dict()}
    return values


def _scale_to_dict(scale: Scale) -> dict[str, Any]:
    change: dict[str, Any] = {"by": scale.by} if scale.to is None else {"to": scale.to}
    return {"part": scale.part, "field": scale.field} | change


def from_dict(values: Mapping[str, Any], space: SearchSpace) -> Morph:
    """Returns the action that `to_dict` described; raises ValueError where it is none.

    Whether it is legal is not checked: that depends on the network.
    """
    try:
        scales = tuple(_scale_from_dict(**scale) for scale in values.get("scale", ()))
        return Morph(scales, _edit_from_dict(values, space))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an action: {error!r:.200} in {values!r:.200}") from error


def _scale_from_dict(part: Any, field: Any, by: Any = 0, to: Any = None) -> Scale:
    if not isinstance(field, str):
        raise ValueError(f"field must be text, got {field!r:.80}")
    new = None if to is None else plain_value("to", to)
    return Scale(_index("part", part), field, _index("by", by), new)


def _edit_from_dict(
    values: Mapping[str, Any], space: SearchSpace
) -> Insert | Remove | Replace | Keep:
    if "insert" in values:
        place = _index("place", values["insert"]["place"])
        return Insert(place, space.new_item(values["insert"]["item"]))
    if "replace" in values:
        index = _index("replace", values["replace"]["index"])
        return Replace(index, space.new_item(values["replace"]["item"]))
    return Remove(_index("remove", values["remove"])) if "remove" in values else Keep()


def _index(name: str, value: Any) -> int:
    if type(value) is not int or abs(value) > MOST:
        raise ValueError(f"{name} must be a whole number within {MOST}, got {value!r:.80}")
    return value


def describe(action: Morph | None) -> str:
    """Returns the action in words: "part 2 channels up; insert conv2d 3x3 32 relu after 4"."""
    if action is None:
        return "start"
    words = [_describe_scale(scale) for scale in action.scales]
    if isinstance(action.edit, Insert):
        words.append(f"insert {describe_item(action.edit.item)} after {action.edit.place}")
    elif isinstance(action.edit, Remove):
        words.append(f"remove {action.edit.index}")
    elif isinstance(action.edit, Replace):
        words.append(f"set {action.edit.index} to {describe_item(action.edit.item)}")
    return "; ".join(words) or "keep"


def _describe_scale(scale: Scale) -> str:
    if scale.to is not None:
        return f"part {scale.part + 1} {scale.field} = {scale.to}"
    return f"part {scale.part + 1} {scale.field} {'up' if scale.by > 0 else 'down'}"


def describe_item(item: Item) -> str:
    """Returns a layer or branch in words, such as "conv2d 3x3 32 relu +skip 1"."""
    values = item.to_dict()
    words = [str(values.pop("op"))]
    for name in ("width", "pool"):
        if name in values:
            words.append("{0}x{0}".format(values.pop(name)))
    for name in ("channels", "activation"):
        if name in values:
            words.append(str(values.pop(name)))
    if isinstance(item, LayerSpec) and "src2" in values:
        words.append(f"+skip {values.pop('src2')}")
    return " ".join(words + [f"{name}={value}" for name, value in values.items()])
