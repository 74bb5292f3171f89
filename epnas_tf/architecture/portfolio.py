"""The networks that anybody would try first, written in the space: a search never begins below.

A family is a row of `LAYERWISE` or `CELLS`: which operations, and how they are wired. Its members
are of many depths and widths, all from values of the space's own tables; the first is the deepest
and widest that keeps all limits (DECISIONS 87).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.cost import branch_channels, branch_operations, output_branches
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.ops import OPS
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import CellSpec, Item, LayerSpec, Spec, Value

# What a network may cost where FLOPs have no limit: few parameters alone may take hours to train.
UNLIMITED = Constraint("flops", upper=100e6)
# Most convolutions of a stage, the stem among them: more of them train slowly without skips.
DEEPEST = 3
# Width of convolutions and poolings, in pixels, where the table has it. Poolings whose windows
# overlap won 1 to 2 points of accuracy in every hand-made network tried (docs/RESULTS.md).
WIDTH = 3
# What follows convolutions, where the table has it: it won 0.5 to 1.8 points over relu in six of
# six networks.
ACTIVATION = "swish"

Channels = tuple[int, ...]

_LAYER_FIELDS = {"op", "width", "pool", "channels", "activation", "src2"}
_BRANCH_FIELDS = {"op", "width", "pool", "channels", "src1", "src2", "propagate"}


@dataclasses.dataclass(frozen=True)
class Layerwise:
    """A family of networks whose stages of convolutions end in a pooling.

    Attributes:
      op: what its convolutions are.
      skips: whether a stage's convolutions are bridged: in pairs, a single one alone.
      pooled: how often the stem's output is pooled before the first convolution, at least.
    """

    op: str
    skips: bool = False
    pooled: int = 0


@dataclasses.dataclass(frozen=True)
class Cell:
    """A family of cells in which a block of branches is repeated.

    Attributes:
      block: (operation, width, first source, second source) of each branch; sources count back
        from the branch, so that 1 is the one before; INPUT is the cell's input, as is what would
        lie before it; None stands for no second source.
      whole: whether every branch is part of the output, not the last alone.
    """

    block: tuple[tuple[str, int, int, int | None], ...]
    whole: bool = False


INPUT = 0

# The order in which the families' members are taken, turn by turn.
LAYERWISE = (
    Layerwise("conv2d"),
    Layerwise("conv2d", skips=True),
    Layerwise("dep_sep_conv2d"),
    Layerwise("conv2d", skips=True, pooled=1),
)
CELLS = (
    Cell((("conv-none", WIDTH, 1, None),)),
    Cell((("conv-conv", WIDTH, 1, INPUT),)),
    Cell((("conv-maxpool", WIDTH, 1, INPUT), ("conv-none", WIDTH, 1, None)), whole=True),
    Cell((("conv-none", 1, 1, None), ("1x7-7x1-none", WIDTH, 1, None))),
    Cell((("conv-none", WIDTH, 1, None),), whole=True),
)


def portfolio(space: SearchSpace, budget: Budget, most: int) -> list[Spec]:
    """Returns at most so many distinct networks of the space within the limits, in a fixed order.

    First comes one of each family, then their next ones in turn: of other channels than those
    before, at least half as deep as the first. What needs an operation that the space lacks is
    left out, and so are families of which no member keeps the limits; for a user's own space there
    is nothing.

    Args:
      space: where the networks lie.
      budget: the limits; UNLIMITED is added where there is none on FLOPs.
      most: how many networks to return.
    """
    return Portfolio(space, budget).specs(most)


class Portfolio:
    """The networks of `portfolio`, chosen again and again under other ceilings on their time."""

    def __init__(self, space: SearchSpace, budget: Budget):
        """Lists nothing yet; see `portfolio` for the arguments."""
        if not any(constraint.metric == UNLIMITED.metric for constraint in budget.constraints):
            budget = dataclasses.replace(budget, constraints=(*budget.constraints, UNLIMITED))
        members: list[Iterator[_Member]] = []
        if covers(space):
            members = _all_layerwise(space) if space.pattern == "layerwise" else _all_cells(space)
        self._families = [_Kept(family, budget) for family in members]

    def specs(self, most: int, minutes: float = math.inf) -> list[Spec]:
        """Returns at most so many networks, each trained in so many minutes as estimated."""
        turns = itertools.zip_longest(*(_spread(family, minutes) for family in self._families))
        found: dict[Spec, None] = {}
        for spec in itertools.chain.from_iterable(turns):
            if len(found) == most:
                break
            if spec is not None:
                found.setdefault(spec)
        return list(found)


def covers(space: SearchSpace) -> bool:
    """Says whether a space is of the package's operations and fields, not a user's own."""
    names = _LAYER_FIELDS if space.pattern == "layerwise" else _BRANCH_FIELDS
    own = {field.name for field in space.fields}
    return own == names and space.ops == OPS and not space.fixed_length


@dataclasses.dataclass(frozen=True)
class _Member:
    """A member of a family: its channels, its depth (comparable within the family), itself."""

    channels: Channels
    depth: int
    spec: Spec


class _Kept:
    """The members of a family that keep the limits, with their minutes; each is counted once."""

    def __init__(self, members: Iterator[_Member], budget: Budget):
        self._rest, self._budget = members, budget
        self._known: list[tuple[_Member, float]] = []

    def __iter__(self) -> Iterator[tuple[_Member, float]]:
        yield from self._known
        for member in self._rest:
            if self._budget.violation(member.spec) == 0:
                minutes = self._budget.minutes(self._budget.cost(member.spec))
                self._known.append((member, minutes))
                yield self._known[-1]


def _spread(members: Iterable[tuple[_Member, float]], most: float) -> Iterator[Spec]:
    """Yields members of at most so many minutes: each of other channels, none much shallower."""
    seen: set[Channels] = set()
    least = 0.0
    for member, minutes in members:
        if member.channels in seen or member.depth < least:
            continue
        if minutes <= most:
            least = least or member.depth / 2
            seen.add(member.channels)
            yield member.spec


# Layer by layer


@dataclasses.dataclass(frozen=True)
class _Shape:
    """What a layerwise network looks like, apart from its operations.

    Attributes:
      convolutions: of each stage, without the stem.
      channels: of each stage's maps.
      closed: whether the last stage ends in a pooling too.
      first: the first stage with convolutions; those before it only pool the stem's output.
    """

    convolutions: tuple[int, ...]
    channels: Channels
    closed: bool
    first: int

    @property
    def length(self) -> int:
        """Number of layers."""
        return sum(self.convolutions) + len(self.channels) - (not self.closed)

    @property
    def depth(self) -> int:
        """Number of convolutions, the stem among them where it belongs to a stage of them."""
        return sum(self.convolutions) + (self.first == 0)

    def rank(self, space: SearchSpace) -> tuple[float, ...]:
        """Returns what shapes are ordered by: no thread comes before a network that grows.

        That is no narrower than the stem; in how many places the channels grow (or would, had the
        table more); whether all poolings are there; then the depth; then the sum of the stages'
        channels; of equal ones the more stages with convolutions, and the later ones longer.
        """
        steps = list(itertools.pairwise(self.channels))
        growths = sum(after > before for before, after in steps)
        growths += steps[-1:] == [(space.field("channels").choices[-1],) * 2]
        late = sum(index * count for index, count in enumerate(self.convolutions))
        narrow = self.channels[self.first] < space.stem_filters
        width = sum(self.channels)
        return (-narrow, growths, self.closed, self.depth, width, -self.first, late)


def _all_layerwise(space: SearchSpace) -> list[Iterator[_Member]]:
    """Returns the members of each family, deepest and then widest first."""
    ops = space.field("op").choices
    pooling = next((op for op in ("max_pool", "avg_pool") if op in ops), "")
    shapes = list(_shapes(space, (space.max_halvings or 0) if pooling else 0))
    shapes.sort(key=lambda shape: shape.rank(space), reverse=True)
    families = (f for f in LAYERWISE if f.op in ops and (space.skips or not f.skips))
    return [_layerwise(family, shapes, space, pooling) for family in families]


def _layerwise(
    family: Layerwise, shapes: Iterable[_Shape], space: SearchSpace, pooling: str
) -> Iterator[_Member]:
    for shape in shapes:
        if shape.first < family.pooled:
            continue
        layers = _layers(family, shape, space, pooling)
        if not family.skips or any(layer.get("src2") != -1 for layer in layers):
            yield _Member(shape.channels, shape.depth, space.new_spec(layers))


def _shapes(space: SearchSpace, halvings: int) -> Iterator[_Shape]:
    for stages in range(1, max(1, halvings) + 1):
        for first in range(stages):
            widths = _channels(_numbers(space, "channels"), stages - first)
            for levels, own in itertools.product(_levels(stages - first), widths):
                # The stem is the first convolution of the first stage.
                counts = (0,) * first + (levels[0] - (first == 0),) + levels[1:]
                channels = (space.stem_filters,) * first + own
                for closed in (False, True)[: 1 + (stages <= halvings)]:
                    shape = _Shape(counts, channels, closed, first)
                    if sum(counts) and shape.length <= space.max_items:
                        yield shape


def _levels(stages: int) -> list[tuple[int, ...]]:
    """Returns how many convolutions stages may have: alike, or the first or last ones one more."""
    found: dict[tuple[int, ...], None] = {}
    for least in range(1, DEEPEST + 1):
        for more in range(stages if least < DEEPEST else 1):
            level = (least,) * (stages - more) + (least + 1,) * more
            found |= {level: None, level[::-1]: None}
    return list(found)


def _channels(table: Sequence[int], stages: int) -> list[Channels]:
    """Returns the channels that stages may have: doubled from one to the next, up to a most."""
    found: dict[Channels, None] = {}
    for start, most in itertools.combinations_with_replacement(table, 2):
        aims = [min(start * 2**stage, most) for stage in range(stages)]
        found[tuple(max(size for size in table if size <= aim) for aim in aims)] = None
    return list(found)


def _layers(family: Layerwise, shape: _Shape, space: SearchSpace, pooling: str) -> list[Item]:
    layers: list[Item] = []
    before = space.stem_filters
    activation = _first(space, "activation", ACTIVATION)
    for stage, (count, channels) in enumerate(zip(shape.convolutions, shape.channels, strict=True)):
        bridges = _bridges(count, before != channels) if family.skips else [0] * count
        for bridge in bridges:
            source = len(layers) + 1 - bridge if bridge else -1
            width = _nearest(space, "width", WIDTH)
            layers.append(LayerSpec(family.op, width, None, channels, activation, source))
        if stage < len(shape.channels) - 1 or shape.closed:
            layers.append(LayerSpec(pooling, pool=_nearest(space, "pool", WIDTH)))
        before = channels if count else before
    return layers


def _bridges(count: int, changes: bool) -> list[int]:
    """Returns how many layers each convolution's skip spans, 0 for none.

    Args:
      count: of a stage's convolutions.
      changes: whether the first changes the channels, so that nothing can bridge it for free.
    """
    spans = [0] * (changes and count > 0)
    while count - len(spans) >= 2:
        spans += [0, 2]
    return spans + [1] * (count - len(spans))


# Cells


def _all_cells(space: SearchSpace) -> list[Iterator[_Member]]:
    """Returns the members of each family, deepest and then widest first."""
    ops = set(space.field("op").choices)
    families = (family for family in CELLS if {op for op, *_ in family.block} <= ops)
    return [_cells(family, space) for family in families]


def _cells(family: Cell, space: SearchSpace) -> Iterator[_Member]:
    """Yields the members of a family; those whose output is narrower than the stem's come last."""
    most = min(max(1, DEEPEST // space.cells_per_stage), space.max_items // len(family.block))
    members = []
    for repeats, channels in itertools.product(range(1, most + 1), _numbers(space, "channels")):
        spec = space.new_spec(_branches(family, repeats, channels, space))
        narrow = _output_channels(spec) < space.stem_filters
        members.append(((-narrow, repeats, channels), _Member((channels,), repeats, spec)))
    for _, member in sorted(members, key=lambda found: found[0], reverse=True):
        yield member


def _output_channels(spec: Spec) -> int:
    """Returns the channels of a cell's output in the first stage."""
    assert isinstance(spec, CellSpec), spec
    outputs = [spec.branches[index - 1] for index in output_branches(spec)]
    return sum(branch_channels(spec, b, 0) * len(branch_operations(b)) for b in outputs)


def _branches(family: Cell, repeats: int, channels: int, space: SearchSpace) -> list[Item]:
    branches: list[Item] = []
    for place, (op, width, *back) in enumerate(family.block * repeats, start=1):
        sources = [max(0, place - span) if span else INPUT for span in back if span is not None]
        last = place == repeats * len(family.block)
        values: dict[str, Value] = {
            "width": _nearest(space, "width", width),
            "pool": _nearest(space, "pool", WIDTH),
            "channels": channels,
            "propagate": int(family.whole or last),
            **dict(zip(("src1", "src2"), sources, strict=False)),
        }
        own = {name: values[name] for name in space.fields_of(op)}
        branches.append(space.new_item({"op": op, **own}))
    return branches


def _numbers(space: SearchSpace, name: str) -> list[int]:
    return [int(value) for value in space.field(name).choices]


def _nearest(space: SearchSpace, name: str, aim: int) -> int:
    return min(_numbers(space, name), key=lambda value: (abs(value - aim), -value))


def _first(space: SearchSpace, name: str, wanted: str) -> str:
    choices = [str(value) for value in space.field(name).choices]
    return wanted if wanted in choices else choices[0]
