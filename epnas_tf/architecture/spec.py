"""Networks as values: frozen, hashable specs with canonical JSON and a stable key.

A spec says what a network is, not how it is built or trained. Its JSON leaves out every
default, so that adding a field with a default never changes the key of an older network.
What a search space allows is checked by `space.SearchSpace.check`; here only the structure is.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import numbers
from collections.abc import Mapping
from typing import Any, TypeVar

from epnas_tf import untrusted

Value = int | str

# Bounds of what a file may ask for, far beyond any network that could be built.
MOST = 1_000_000
MOST_ITEMS = 1_000


def _integer(name: str, value: Any, least: int) -> int:
    """Returns `value` as a Python int (Keras refuses NumPy's), or raises ValueError."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or value % 1 or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r:.80}")
    if value > MOST:
        raise ValueError(f"{name} must be at most {MOST}, got {value!r:.80}")
    return int(value)


def plain_value(name: str, value: Any) -> Value:
    """Returns `value` as a Python int or str, which JSON keeps, or raises ValueError."""
    if isinstance(value, str):
        return str(value)
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if whole and abs(value) <= 2**53:
        return int(value)
    raise ValueError(f"{name} must be a whole number or text, got {value!r:.80}")


_ItemT = TypeVar("_ItemT", bound="_Item")


@dataclasses.dataclass(frozen=True)
class _Item:
    """What layers and branches share: an operation and its fields, read and changed by name."""

    op: str
    width: int | None = None
    pool: int | None = None
    channels: int | None = None

    def _clean(self, **least: int) -> None:
        """Validates text and the named integer fields in place while the object is being made."""
        for name in ("op", "activation"):
            text = getattr(self, name, None)
            if not isinstance(text, str) and (name == "op" or text is not None):
                raise ValueError(f"{name} must be text, got {text!r:.80}")
        for name, bound in least.items():
            value = getattr(self, name)
            if value is None and getattr(type(self), name) is None:
                continue  # None is the default: the field need not apply.
            if type(value) is not int or not bound <= value <= MOST:
                object.__setattr__(self, name, _integer(name, value, bound))

    def get(self, name: str) -> Value | None:
        """Returns the value of a field by name, None where it does not apply."""
        return getattr(self, name)

    def replace(self: _ItemT, name: str, value: Value) -> _ItemT:
        """Returns the item with one field changed."""
        changed: Any = {name: value}
        return dataclasses.replace(self, **changed)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields that differ from their defaults."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }


@dataclasses.dataclass(frozen=True)
class LayerSpec(_Item):
    """A layer of a layer-by-layer network (paper, Table 2).

    Attributes:
      op: a key of `ops.OPS` or of a user-defined space.
      width: filter width of a convolution, in pixels.
      pool: pooling width, in pixels.
      channels: output channels, also with crelu (which then has half the filters).
      activation: relu, crelu, elu, selu or swish.
      src2: index of the output that is added after the activation; 0 is the stem, -1 none.
      extra: (name, value) pairs of a user-defined space's own fields, sorted by name.
    """

    activation: str | None = None
    src2: int = -1
    extra: tuple[tuple[str, Value], ...] = ()

    def __post_init__(self) -> None:
        self._clean(width=1, pool=1, channels=1, src2=-1)
        if self.extra:
            values = {name: plain_value(name, value) for name, value in self.extra}
            clash = values.keys() & (_LAYER_FIELDS | {"extra"})
            if clash or len(values) < len(self.extra):
                raise ValueError(
                    f"names in extra must differ from each other and from the layer's own fields, "
                    f"got {[name for name, _ in self.extra]}"
                )
            object.__setattr__(self, "extra", tuple(sorted(values.items())))

    def get(self, name: str) -> Value | None:
        """Returns the value of a field by name, the space's own fields included."""
        if name in _LAYER_FIELDS:
            return getattr(self, name)
        return next((value for own, value in self.extra if own == name), None)

    def replace(self, name: str, value: Value) -> LayerSpec:
        """Returns the layer with one field changed, the space's own fields included."""
        if name in _LAYER_FIELDS:
            changed: Any = {name: value}
            return dataclasses.replace(self, **changed)
        return dataclasses.replace(self, extra=tuple({**dict(self.extra), name: value}.items()))

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields that differ from their defaults; own fields stand beside them."""
        values = super().to_dict()
        values.update(values.pop("extra", ()))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LayerSpec:
        """Returns the layer that `to_dict` described; unknown names become own fields."""
        known = {name: value for name, value in values.items() if name in _LAYER_FIELDS}
        extra = tuple((name, value) for name, value in values.items() if name not in known)
        return cls(**known, extra=extra)


_LAYER_FIELDS = frozenset(f.name for f in dataclasses.fields(LayerSpec)) - {"extra"}


@dataclasses.dataclass(frozen=True)
class BranchSpec(_Item):
    """A branch of a cell: one or two operations whose outputs are concatenated (Table 3).

    Attributes:
      op: branch type, a key of `ops.BRANCHES`, such as "conv-maxpool".
      width: filter width of its convolutions, in pixels.
      pool: width of its pooling, in pixels.
      channels: output channels of each operation at the first stage.
      src1: source of the first operation: 0 is the cell's input, k the output of branch k.
      src2: source of the second operation, None for the types with only one.
      propagate: 1 if the output is part of the cell's output.
    """

    src1: int = 0
    src2: int | None = None
    propagate: int = 1

    def __post_init__(self) -> None:
        self._clean(width=1, pool=1, channels=1, src1=0, src2=0, propagate=0)
        if self.propagate > 1:
            raise ValueError(f"propagate must be 0 or 1, got {self.propagate}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> BranchSpec:
        """Returns the branch that `to_dict` described."""
        return cls(**values)


Item = LayerSpec | BranchSpec


class _Network:
    """Identity shared by both kinds of spec; subclasses are frozen dataclasses."""

    pattern: str

    def __getstate__(self) -> dict[str, Any]:
        # Hashes of text differ between processes: no copy may carry one along.
        return {name: value for name, value in vars(self).items() if name != "_hash"}

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    def to_json(self) -> str:
        """Returns canonical JSON: sorted names, no white space, defaults left out."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @functools.cached_property
    def key(self) -> str:
        """The network's name for good: 16 hex digits of the hash of its canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class LayerwiseSpec(_Network):
    """A layer-by-layer network: a stem, a chain of layers with skips, a classifier.

    Attributes:
      layers: layer i (from 1) reads output i - 1; output 0 is the stem's.
      stem_filters: channels of the stem, a 3x3 convolution.
    """

    layers: tuple[LayerSpec, ...]
    stem_filters: int = 16

    pattern = "layerwise"

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        # Made once: specs key the tables of costs, of what is known and of what is legal.
        return hash((self.layers, self.stem_filters))

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "stem_filters", _integer("stem_filters", self.stem_filters, 1))
        _check_count("a network", "layer", self.layers)
        for index, layer in enumerate(self.layers, start=1):
            if layer.src2 >= index:
                raise ValueError(
                    f"src2 of layer {index} must be below its own index, got {layer.src2}"
                )

    @property
    def items(self) -> tuple[Item, ...]:
        """The layers, under the name that both patterns share."""
        return self.layers

    def with_items(self, items: tuple[LayerSpec, ...]) -> LayerwiseSpec:
        """Returns the network with other layers."""
        return LayerwiseSpec(items, self.stem_filters)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, defaults left out."""
        values: dict[str, Any] = {
            "pattern": self.pattern,
            "layers": [layer.to_dict() for layer in self.layers],
        }
        return values | _other_than_default(self, "stem_filters")


@dataclasses.dataclass(frozen=True)
class CellSpec(_Network):
    """A cell of branches and how it is stacked into a network.

    Attributes:
      branches: branch k (from 1) may read index 0 (the cell's input) and branches below k.
      filters: channels of the stem, a 3x3 convolution.
      cells_per_stage: N; the network has 3 N cells, those at N and 2 N reduce (as in PNAS).
      width_multiplier: factor on the channels of every branch.
    """

    branches: tuple[BranchSpec, ...]
    filters: int = 16
    cells_per_stage: int = 1
    width_multiplier: float = 1.0

    pattern = "module"

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.branches, self.filters, self.cells_per_stage, self.width_multiplier))

    def __post_init__(self) -> None:
        object.__setattr__(self, "branches", tuple(self.branches))
        object.__setattr__(self, "width_multiplier", float(self.width_multiplier))
        for name in ("filters", "cells_per_stage"):
            object.__setattr__(self, name, _integer(name, getattr(self, name), 1))
        _check_count("a cell", "branch", self.branches)
        if not 0 < self.width_multiplier <= MOST:
            raise ValueError(
                f"width_multiplier must be above 0 and at most {MOST}, got {self.width_multiplier}"
            )
        for index, branch in enumerate(self.branches, start=1):
            for name in ("src1", "src2"):
                source = branch.get(name)
                if isinstance(source, int) and source >= index:
                    raise ValueError(
                        f"{name} of branch {index} must be below its own index, got {source}"
                    )

    @property
    def items(self) -> tuple[Item, ...]:
        """The branches, under the name that both patterns share."""
        return self.branches

    def with_items(self, items: tuple[BranchSpec, ...]) -> CellSpec:
        """Returns the network with other branches."""
        return dataclasses.replace(self, branches=items)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, defaults left out."""
        values: dict[str, Any] = {
            "pattern": self.pattern,
            "branches": [branch.to_dict() for branch in self.branches],
        }
        return values | _other_than_default(self, "filters", "cells_per_stage", "width_multiplier")


Spec = LayerwiseSpec | CellSpec


def _check_count(network: str, item: str, items: tuple[Item, ...]) -> None:
    if not items:
        raise ValueError(f"{network} must have at least one {item}, got none")
    if len(items) > MOST_ITEMS:
        raise ValueError(f"{network} must be of at most {MOST_ITEMS} items, got {len(items)}")


def _other_than_default(spec: Spec, *names: str) -> dict[str, Any]:
    defaults = {field.name: field.default for field in dataclasses.fields(spec)}
    return {n: getattr(spec, n) for n in names if getattr(spec, n) != defaults[n]}


def spec_from_dict(values: Mapping[str, Any]) -> Spec:
    """Returns the network that `to_dict` described; raises ValueError where it is none."""
    rest = dict(values)
    pattern = rest.pop("pattern", None)
    try:
        if pattern == "layerwise":
            layers = tuple(LayerSpec.from_dict(layer) for layer in rest.pop("layers"))
            return LayerwiseSpec(layers, **rest)
        if pattern == "module":
            branches = tuple(BranchSpec.from_dict(branch) for branch in rest.pop("branches"))
            return CellSpec(branches, **rest)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        text = f"{error!r:.200} in {dict(values)!r:.200}"
        raise ValueError(f"not a {pattern} network: {text}") from error
    raise ValueError(f"pattern must be 'layerwise' or 'module', got {pattern!r:.80}")


def spec_from_json(text: str) -> Spec:
    """Returns the network of `to_json`'s text; raises ValueError where it is none."""
    values = untrusted.parse_json(text)
    if not isinstance(values, dict):
        raise ValueError(f"a network's JSON must be an object, got {text[:80]!r}")
    return spec_from_dict(values)
