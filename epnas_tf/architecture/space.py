"""Which networks a search may visit: fields, choices, sizes, and the rules for a single network.

`layerwise_space()` and `module_space()` are the paper's Tables 2 and 3 as data. A user's own space
is a `SearchSpace` made by hand: any fields, ordered or not, any operations (with their own cost
rule; `modeling` takes their builders), fixed or varying length. How a network may change within a
space is in `morph.py`, and the choices that make up a change in `choices.py`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from epnas_tf.architecture.ops import BRANCHES, OPS, BranchDef, OpDef, halved
from epnas_tf.architecture.spec import (
    BranchSpec,
    CellSpec,
    Item,
    LayerSpec,
    LayerwiseSpec,
    Spec,
    Value,
    plain_value,
)

# The paper's tables. They are what a space has where nothing is said, so that an operation added to
# `ops` changes no search that does not ask for it.
LAYER_TYPES = ("conv2d", "dep_sep_conv2d", "max_pool", "avg_pool", "add")
BRANCH_TYPES = (
    *("conv-conv", "conv-maxpool", "conv-avgpool", "conv-none"),
    *("maxpool-none", "avgpool-none", "1x7-7x1-none"),
)
LAYER_ACTIVATIONS = ("relu", "crelu", "elu", "selu", "swish")
FILTER_WIDTHS = (1, 3, 5, 7)
POOL_WIDTHS = (2, 3)
LAYER_CHANNELS = (16, 32, 64, 96, 128, 256)
BRANCH_CHANNELS = (8, 12, 16, 24, 32)

SOURCES = ("src1", "src2")
# Choices of an action that are about no field of an item.
ACTION_HEADS = ("scale", "decision", "place", "remove")


@dataclasses.dataclass(frozen=True)
class Field:
    """A property of a layer or branch that the search chooses.

    Attributes:
      name: a field of the item, or a name of the space's own ("op" comes first in a space).
      choices: what it may be, in order where `ordered`. Sources have none: they are indices.
      ordered: whether scaling steps to the neighbouring choice; if not, it sets a choice.
      scaled: whether the scale table acts on it.
    """

    name: str
    choices: tuple[Value, ...] = ()
    ordered: bool = False
    scaled: bool = False

    def __post_init__(self) -> None:
        choices = tuple(plain_value(f"choices of {self.name!r}", c) for c in self.choices)
        object.__setattr__(self, "choices", choices)
        if not self.choices and self.name not in SOURCES:
            raise ValueError(f"field {self.name!r} must have at least one choice, got none")
        if len(set(self.choices)) != len(self.choices):
            raise ValueError(f"choices of {self.name!r} must differ, got {self.choices}")
        if self.ordered and list(self.choices) != sorted(self.choices):
            raise ValueError(f"choices of {self.name!r} must ascend, got {self.choices}")


@dataclasses.dataclass(frozen=True)
class SearchSpace:
    """The networks a search may visit.

    Attributes:
      pattern: "layerwise" (items are layers) or "module" (items are branches of a cell).
      fields: what is chosen for an item, in the order of choosing; the first is "op".
      max_items: most layers or branches; also their fixed number where `fixed_length`.
      parts: P; item i of L belongs to part floor((i - 1) * P / L), which is scaled as one.
      fixed_length: no insertion and no removal.
      skips: whether any layer may have a skip; if not, only an operation that needs one has it.
      ops: definitions of the layers' operations (layerwise only).
      image_size: height and width in pixels, None if no operation halves the map.
      stem_filters: channels of the stem.
      cells_per_stage: N of the stack of 3 N cells (module only).
      width_multiplier: factor on a cell's channels (module only).
      numbers: of a user's own space, what a network is in numbers (as many for each), by which the
        reward predictor compares networks besides their items; None for those of `anatomy`.
      edges: of a graph of operations (layerwise, `fixed_length`): (from node, to node) of each
        item. Node 0 is the input, the highest node the output.
    """

    pattern: Literal["layerwise", "module"]
    fields: tuple[Field, ...]
    max_items: int
    parts: int = 4
    fixed_length: bool = False
    skips: bool = True
    ops: Mapping[str, OpDef] = dataclasses.field(default_factory=lambda: OPS)
    image_size: tuple[int, int] | None = None
    stem_filters: int = 16
    cells_per_stage: int = 1
    width_multiplier: float = 1.0
    numbers: Callable[[Spec], Sequence[float]] | None = None
    edges: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        object.__setattr__(self, "edges", tuple((start, end) for start, end in self.edges))
        if self.pattern not in ("layerwise", "module"):
            raise ValueError(f"pattern must be 'layerwise' or 'module', got {self.pattern!r}")
        for name in ("max_items", "parts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        self._check_fields()
        self._check_crelu()
        self._check_possible()
        if self.edges:
            self._check_edges()

    def _check_fields(self) -> None:
        names = [field.name for field in self.fields]
        if not names or names[0] != "op":
            raise ValueError(f"the first field must be 'op', got {names}")
        if self.fields[0].ordered:
            raise ValueError(f"op must not be ordered, got {self.fields[0]}")
        taken = set(names).intersection(ACTION_HEADS)
        if taken:
            raise ValueError(f"no field may be named as one of {ACTION_HEADS}, got {sorted(taken)}")
        for op in self.field("op").choices:
            missing = set(self.fields_of(str(op))) - set(names)
            if missing:
                raise ValueError(f"op {op!r} needs the fields {sorted(missing)}")

    def _check_crelu(self) -> None:
        choices = {field.name: field.choices for field in self.fields}
        odd = [c for c in choices.get("channels", ()) if isinstance(c, int) and c % 2]
        if odd and "crelu" in choices.get("activation", ()):
            raise ValueError(f"channels must be even where crelu halves the filters, got {odd}")

    def _check_possible(self) -> None:
        ops = [str(op) for op in self.field("op").choices]
        steady = [op for op in ops if not self.halves(op)]
        most = self.max_items if self.max_halvings is None else self.max_halvings
        first = [op for op in (ops if most else steady) if not self.needs_source(op)]
        if not first or (self.fixed_length and not steady and most < self.max_items):
            raise ValueError(f"op must have a choice for every place of a network, got {ops}")

    def _check_edges(self) -> None:
        if self.pattern != "layerwise" or not self.fixed_length:
            raise ValueError("edges must be of a layerwise space of fixed length")
        if len(self.edges) != self.max_items:
            raise ValueError(f"edges must be max_items={self.max_items}, got {len(self.edges)}")
        if any(start >= end for start, end in self.edges):
            raise ValueError(f"edges must lead to a higher node, got {self.edges}")
        if min(start for start, _ in self.edges) != 0:
            raise ValueError(f"edges must begin at node 0, the input, got {self.edges}")

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        # Spaces key the tables derived from them; hashing every field each time would be slow.
        return hash((self.pattern, self.fields, self.max_items, self.parts, self.fixed_length))

    @functools.cached_property
    def _by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    def field(self, name: str) -> Field:
        """Returns a field by name; raises KeyError where there is none."""
        return self._by_name[name]

    @functools.cached_property
    def max_halvings(self) -> int | None:
        """How often a map may be halved: not below 4x4, 2x2 for images under 16 pixels."""
        return None if self.image_size is None else _halvings(min(self.image_size))

    def definition(self, op: str) -> OpDef | BranchDef:
        """Returns what is known of an operation; raises ValueError where it is unknown."""
        table: Mapping[str, OpDef | BranchDef] = (
            self.ops if self.pattern == "layerwise" else BRANCHES
        )
        if op not in table:
            raise ValueError(f"op must be one of {tuple(sorted(table))}, got {op!r}")
        return table[op]

    def fields_of(self, op: str) -> tuple[str, ...]:
        """Returns the names of the fields that apply to an operation, besides op."""
        if op not in self._fields_of:
            self._fields_of[op] = self._applying(op)
        return self._fields_of[op]

    @functools.cached_property
    def _fields_of(self) -> dict[str, tuple[str, ...]]:
        return {}

    def _applying(self, op: str) -> tuple[str, ...]:
        definition = self.definition(op)
        always: tuple[str, ...] = ("src1", "propagate") if self.pattern == "module" else ("src2",)
        applying = set(definition.fields) | set(always)
        if self.pattern == "layerwise" and not self.may_skip(op):
            applying.discard("src2")
        order = [f.name for f in self.fields if f.name in applying]
        return tuple(order + sorted(applying - set(order)))

    def halves(self, op: str) -> bool:
        """Says whether an operation halves the map."""
        return self.pattern == "layerwise" and self.ops[op].halves

    def needs_source(self, op: str) -> bool:
        """Says whether an operation must have a skip from elsewhere than its own input."""
        return self.pattern == "layerwise" and self.ops[op].needs_source

    def may_skip(self, op: str) -> bool:
        """Says whether a layer of this operation may have a skip."""
        return self.needs_source(op) or (self.skips and "src2" in self._by_name)

    def part_of(self, index: int, length: int) -> int:
        """Returns the part (from 0) of item `index` (from 1) in a network of `length` items."""
        return (index - 1) * self.parts // length

    def check_table(self, length: int) -> tuple[float, ...]:
        """Returns the distribution over the places 0..length, fixed by the number of layers.

        The paper's check table C (section 3.2), uniform: it keeps the insert LSTM from always
        appending at the end. Only layerwise networks have places.
        """
        return (1.0 / (length + 1),) * (length + 1)

    def new_item(self, values: Mapping[str, Value]) -> Item:
        """Returns a layer or branch of these values."""
        kind = LayerSpec if self.pattern == "layerwise" else BranchSpec
        return kind.from_dict(values)

    def new_spec(self, items: Sequence[Item]) -> Spec:
        """Returns a network of these layers or branches with the space's stem and stacking."""
        if self.pattern == "layerwise":
            return LayerwiseSpec(tuple(items), self.stem_filters)  # type: ignore[arg-type]
        return CellSpec(
            tuple(items),  # type: ignore[arg-type]
            self.stem_filters,
            self.cells_per_stage,
            self.width_multiplier,
        )

    def describe(self) -> dict[str, Any]:
        """Returns by name everything that two spaces can differ in but their functions."""
        names = [f.name for f in dataclasses.fields(self) if f.name != "numbers"]
        values = {name: getattr(self, name) for name in names}
        if not self.edges:
            del values["edges"]
        return values | {
            "fields": [dataclasses.asdict(field) for field in self.fields],
            "ops": sorted(self.ops),
        }

    def check(self, spec: Spec) -> None:
        """Raises ValueError, naming rule and value, where a network is not of this space."""
        if spec.pattern != self.pattern:
            raise ValueError(f"pattern must be {self.pattern!r}, got {spec.pattern!r}")
        length = len(spec.items)
        if length > self.max_items or (self.fixed_length and length != self.max_items):
            rule = "exactly" if self.fixed_length else "at most"
            raise ValueError(f"a network must have {rule} {self.max_items} items, got {length}")
        for index, item in enumerate(spec.items, start=1):
            problem = self.problem(item, index)
            if problem:
                raise ValueError(f"item {index}: {problem}")
        self.check_halvings(spec)

    def check_halvings(self, spec: Spec) -> None:
        """Raises ValueError where a network halves its maps too often."""
        count = sum(self.halves(item.op) for item in spec.items)
        if self.max_halvings is not None and count > self.max_halvings:
            raise ValueError(
                f"images of {self.image_size} may be halved {self.max_halvings} times, got {count}"
            )

    @functools.cached_property
    def _never_apply(self) -> tuple[str, ...]:
        own = ["width", "pool", "channels"] + ["activation"] * (self.pattern == "layerwise")
        return tuple(name for name in own if name not in self._by_name)

    def problem(self, item: Item, index: int) -> str | None:
        """Returns what is wrong with the item at `index` (from 1), None where nothing is."""
        if item.op not in self.field("op").choices:
            return f"op must be one of {self.field('op').choices}, got {item.op!r}"
        applying = self.fields_of(item.op)
        for field in self.fields[1:]:
            value = item.get(field.name)
            if field.name in SOURCES:
                continue
            if field.name in applying:
                if value not in field.choices:
                    return f"{field.name} must be one of {field.choices}, got {value!r}"
            elif value is not None:
                return f"{field.name} does not apply to {item.op}, got {value!r}"
        for name in self._never_apply + tuple(name for name, _ in getattr(item, "extra", ())):
            if name not in self._by_name and item.get(name) is not None:
                return f"{name} is not a field of this space, got {item.get(name)!r}"
        return self._source_problem(item, index)

    def _source_problem(self, item: Item, index: int) -> str | None:
        source = item.get("src2")
        if self.pattern == "module":
            if ("src2" in self.fields_of(item.op)) != (source is not None):
                return f"{item.op} and src2 do not fit, got src2={source!r}"
            return None
        if self.needs_source(item.op) and source in (-1, index - 1):
            return f"{item.op} must add an output other than its own input, got src2={source}"
        if source != -1 and not self.may_skip(item.op):
            return f"{item.op} has no skip in this space, got src2={source}"
        return None


def _halvings(size: int) -> int:
    least = 4 if size >= 16 else 2
    count = 0
    while halved(size) >= least and halved(size) < size:
        size = halved(size)
        count += 1
    return count


def _chosen(given: Sequence[Value], default: Sequence[Value]) -> tuple[Value, ...]:
    return tuple(given) if given else tuple(default)


def layerwise_space(
    image_size: tuple[int, int] = (32, 32),
    *,
    layer_types: Sequence[str] = (),
    filter_widths: Sequence[int] = (),
    pool_widths: Sequence[int] = (),
    channels: Sequence[int] = (),
    activations: Sequence[str] = (),
    max_layers: int = 20,
    parts: int = 4,
    stem_filters: int = 16,
) -> SearchSpace:
    """Returns the layer-by-layer space (paper, Table 2); an empty choice takes the paper's."""
    fields = (
        Field("op", _chosen(layer_types, LAYER_TYPES)),
        Field("width", _chosen(filter_widths, FILTER_WIDTHS), ordered=True, scaled=True),
        Field("pool", _chosen(pool_widths, POOL_WIDTHS), ordered=True),
        Field("channels", _chosen(channels, LAYER_CHANNELS), ordered=True, scaled=True),
        Field("activation", _chosen(activations, LAYER_ACTIVATIONS)),
        Field("src2"),
    )
    return SearchSpace(
        "layerwise",
        fields,
        max_items=max_layers,
        parts=parts,
        image_size=image_size,
        stem_filters=stem_filters,
    )


def module_space(
    *,
    branch_types: Sequence[str] = (),
    filter_widths: Sequence[int] = (),
    pool_widths: Sequence[int] = (),
    channels: Sequence[int] = (),
    max_branches: int = 6,
    parts: int = 4,
    filters: int = 16,
    cells_per_stage: int = 1,
    width_multiplier: float = 1.0,
) -> SearchSpace:
    """Returns the module space (paper, Table 3); an empty choice takes the paper's."""
    fields = (
        Field("op", _chosen(branch_types, BRANCH_TYPES)),
        Field("width", _chosen(filter_widths, FILTER_WIDTHS), ordered=True, scaled=True),
        Field("pool", _chosen(pool_widths, POOL_WIDTHS), ordered=True),
        Field("channels", _chosen(channels, BRANCH_CHANNELS), ordered=True, scaled=True),
        Field("src1"),
        Field("src2"),
        Field("propagate", (0, 1)),
    )
    return SearchSpace(
        "module",
        fields,
        max_items=max_branches,
        parts=parts,
        stem_filters=filters,
        cells_per_stage=cells_per_stage,
        width_multiplier=width_multiplier,
    )
