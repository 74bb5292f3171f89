"""What a new child inherits: a walk over its layers that decides where every channel comes from.

Channels are followed from the layer that makes them to those that read them. Where both come from
the same donor, filters that were added or dropped are added or dropped in the reader and the batch
norm as well, so that growing a network leaves its function as it was. Inserted layers of a chain
start near identity, and a new projection of a skip adds nothing at first.

Not promised: the function of a sum that no longer needs its donor's projection (it has no place),
or that adds crelu's two halves to channels in one piece (both grow, each at its own end); identity
of an inserted layer with fewer channels than its input, with another activation than relu, after
negative values, or with a skip that needs no projection; anything where donors differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from epnas_tf.modeling.layers import BATCH_NORM_EPSILON
from epnas_tf.sharing import channels, rules
from epnas_tf.sharing import graph as layout_lib
from epnas_tf.sharing.channels import Piece, Tensor
from epnas_tf.sharing.graph import Node, Weights
from epnas_tf.sharing.rules import Entry, Labels, Run, Values

IMAGE = "image"
# Of a skip's sum: what is added to, and what is added.
_MAIN, _SKIP = "main", "skip"


@dataclasses.dataclass(frozen=True)
class Inheritance:
    """What a child starts from.

    Attributes:
      weights: of every layer that has some.
      share: share of the trainable parameters that a donor left, 0 to 1.
    """

    weights: Weights
    share: float


# What a trained child offers


def offers(
    layout: Sequence[Node],
    weights: Weights,
    labels: Labels,
    donor: str,
    accuracy: float,
) -> list[tuple[Entry, Values]]:
    """Returns the entry and values of each block of a trained network."""
    runs = _runs(layout, labels)
    mains = {node.block: node.inputs[0] for node in layout if node.kind == layout_lib.ADD}
    blocks = rules.blocks_of(layout, weights)
    found: list[tuple[Entry, Values]] = []
    for block, nodes in blocks.items():
        values = {node.role: weights[node.name] for node in nodes}
        inputs = {node.role: runs[node.inputs[0]] for node in nodes if node.inputs}
        if block in mains:
            inputs[_MAIN] = runs[mains[block]]
        shapes = rules.shapes_of(values)
        found.append((Entry(labels(block), donor, accuracy, shapes, inputs), values))
    for node in layout:
        # A skip without a projection has no parameters, but a wider child's may need one.
        if node.kind == layout_lib.ADD and node.block not in blocks:
            inputs = {_MAIN: runs[node.inputs[0]], _SKIP: runs[node.inputs[1]]}
            found.append((Entry(labels(node.block), donor, accuracy, {}, inputs), {}))
    return found


def _runs(layout: Sequence[Node], labels: Labels) -> dict[str, tuple[Run, ...]]:
    """Returns of each layer whose channels its output has: those of the first input of a sum."""
    runs: dict[str, tuple[Run, ...]] = {}
    for node in layout:
        if node.kind == layout_lib.INPUT:
            runs[node.name] = (Run(IMAGE, node.channels),)
        elif node.kind == layout_lib.CONCATENATE:
            runs[node.name] = tuple(run for name in node.inputs for run in runs[name])
        elif _makes_channels(node):
            runs[node.name] = (Run(_made_by(node, labels), node.channels),)
        else:
            runs[node.name] = runs[node.inputs[0]]
    return runs


def _makes_channels(node: Node) -> bool:
    return node.kind in (layout_lib.CONV, layout_lib.DENSE, layout_lib.OTHER)


def _made_by(node: Node, labels: Labels) -> str:
    return f"{labels(node.block)}/{node.role}"


# What a new child takes


def inherit(
    layout: Sequence[Node],
    fresh: Weights,
    labels: Labels,
    entries: Iterable[Entry],
    load: Callable[[Entry], Values],
) -> Inheritance:
    """Returns the weights that a child starts from.

    Args:
      layout: the child's layers.
      fresh: its initial weights, which stay where nothing is inherited.
      labels: what its blocks are looked up by.
      entries: the dictionary.
      load: returns the values of an entry.
    """
    known = list(entries)
    chosen: dict[str, Entry] = {}
    for block, nodes in rules.blocks_of(layout, fresh).items():
        shapes = rules.shapes_of({node.role: fresh[node.name] for node in nodes})
        entry = rules.choose(labels(block), shapes, known)
        if entry is not None:
            chosen[block] = entry
    sums = {entry.label: entry for entry in known if not entry.shapes}
    walk = _Walk(layout, fresh, labels, chosen, {b: load(e) for b, e in chosen.items()}, sums)
    return walk.run()


class _Walk:
    """The state of one walk: tensors so far, weights so far."""

    def __init__(
        self,
        layout: Sequence[Node],
        fresh: Weights,
        labels: Labels,
        chosen: Mapping[str, Entry],
        values: Mapping[str, Values],
        sums: Mapping[str, Entry],
    ):
        self._layout, self._fresh, self._labels = layout, fresh, labels
        self._chosen, self._values, self._sums = chosen, values, sums
        self._blocks = rules.blocks_of(layout, fresh)
        adding = [node for node in layout if node.kind == layout_lib.ADD]
        skips = {node.block for node in adding if node.parsed.block.is_skip}
        self._projections = skips & self._blocks.keys()
        self._tensors: dict[str, Tensor] = {}
        self._weights: Weights = {}
        self._taken = 0
        self._kept = _kept_filters(layout, labels, chosen, values)

    def run(self) -> Inheritance:
        """Visits every layer in order."""
        for node in self._layout:
            inputs = [self._tensors[name] for name in node.inputs]
            if node.name in self._fresh:
                self._weights[node.name] = dict(self._fresh[node.name])
            self._tensors[node.name] = self._visit(node, inputs)
        total = sum(_trainable(values) for values in self._fresh.values())
        return Inheritance(self._weights, self._taken / max(total, 1))

    def _visit(self, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        kind = node.kind
        if node.block in self._projections and kind != layout_lib.ADD:
            return inputs[0]  # settled with the sum: its filters follow what they are added to
        if kind == layout_lib.INPUT:
            piece = Piece(IMAGE, channels.ANYONE, np.arange(node.channels), node.channels)
            return Tensor((piece,), np.zeros(node.channels), np.ones(node.channels))
        if kind == layout_lib.CONCATENATE:
            return channels.joined(inputs)
        if kind == layout_lib.ADD and node.block in self._projections:
            self._project(node, inputs[0])
            return channels.unknown(inputs[0].pieces)
        if kind == layout_lib.ADD:
            return channels.added(inputs)
        if kind == layout_lib.SUBTRACT:
            return channels.negative_half(*inputs)
        if kind == layout_lib.ACTIVATION:
            return channels.activated(inputs[0], node.activation)
        if kind == layout_lib.BATCH_NORM:
            return self._batch_norm(node, inputs[0])
        if kind == layout_lib.DEPTHWISE:
            return self._depthwise(node, inputs[0])
        if kind in (layout_lib.CONV, layout_lib.DENSE):
            return self._filters(node, inputs[0])
        if kind == layout_lib.SAME:
            return inputs[0]
        return self._other(node)

    def _donated(self, node: Node) -> tuple[Entry, dict[str, np.ndarray]] | None:
        """Returns the entry chosen for a layer's block and the layer's values in it."""
        entry = self._chosen.get(node.block)
        if entry is None or node.role not in self._values[node.block]:
            return None  # a layer without weights may stand in a block that has some
        values = self._values[node.block][node.role]
        return (entry, values) if _is_sound(node, values, self._fresh[node.name]) else None

    def _filters(self, node: Node, source: Tensor, columns: np.ndarray | None = None) -> Tensor:
        """A convolution or dense layer: reads its input's channels, makes new ones."""
        donated = self._donated(node)
        if donated is None:
            return self._fresh_filters(node, source)
        entry, values = donated
        own, kernel = self._fresh[node.name], values["kernel"]
        rows, _ = channels.aligned(source, entry, node.role, kernel.shape[-2])
        columns = self._kept[node.name] if columns is None else columns
        at = (0, 0)
        if kernel.ndim == 4:
            at = rules.offsets(node, own["kernel"].shape, kernel.shape)
        fitted = rules.fit_kernel(own["kernel"], kernel, rows, columns, at)
        self._weights[node.name]["kernel"] = fitted
        area = _overlap(own["kernel"].shape, kernel.shape, at)
        self._taken += area * int((rows >= 0).sum()) * int((columns >= 0).sum())
        if "bias" in own:
            bias = rules.gathered(values["bias"], columns, 0, own["bias"])
            self._weights[node.name]["bias"] = bias
            self._taken += int((columns >= 0).sum())
        made = _made_by(node, self._labels)
        return channels.unknown((Piece(made, entry.donor, columns, kernel.shape[-1]),))

    def _fresh_filters(self, node: Node, source: Tensor) -> Tensor:
        own = self._fresh[node.name]["kernel"]
        made = _made_by(node, self._labels)
        new = Piece(made, "", np.full(node.channels, -1), 0)
        if not self._may_be_identity(node, source):
            return channels.unknown((new,))
        count = min(own.shape[-2:])
        kernel = own.copy()
        kernel[..., :count] = 0
        middle = tuple((width - 1) // 2 for width in own.shape[:2])
        for channel in range(count):
            kernel[(*middle, channel, channel)] = 1
        self._weights[node.name]["kernel"] = kernel
        more = node.channels - count
        pieces = channels.first(source.pieces, count)
        if more:
            pieces += (dataclasses.replace(new, index=new.index[count:]),)
        known = [np.append(v[:count], np.full(more, np.nan)) for v in (source.mean, source.std)]
        return Tensor(pieces, known[0], known[1])

    def _may_be_identity(self, node: Node, source: Tensor) -> bool:
        inherited = any(piece.inherited for piece in source.pieces)
        return (
            inherited
            and node.kind in (layout_lib.CONV, layout_lib.DEPTHWISE)
            and node.strides == (1, 1)
            and node.parsed.block.in_chain
        )

    def _depthwise(self, node: Node, source: Tensor) -> Tensor:
        """A filter a channel: its channels are its input's."""
        own = self._fresh[node.name]["kernel"]
        donated = self._donated(node)
        if donated is None:
            if not self._may_be_identity(node, source):
                return channels.unknown(source.pieces)
            kernel = np.zeros_like(own)
            kernel[(own.shape[0] - 1) // 2, (own.shape[1] - 1) // 2] = 1
            self._weights[node.name]["kernel"] = kernel
            return source
        entry, values = donated
        rows, pieces = channels.aligned(source, entry, node.role, values["kernel"].shape[2])
        at = rules.offsets(node, own.shape, values["kernel"].shape)
        body = rules.placed(own, values["kernel"], at)
        self._weights[node.name]["kernel"] = rules.gathered(body, rows, 2, own)
        self._taken += _overlap(own.shape, values["kernel"].shape, at) * int((rows >= 0).sum())
        if "bias" in values:
            bias = rules.gathered(values["bias"], rows, 0, self._fresh[node.name]["bias"])
            self._weights[node.name]["bias"] = bias
            self._taken += int((rows >= 0).sum())
        return channels.unknown(pieces)

    def _batch_norm(self, node: Node, source: Tensor) -> Tensor:
        """Batch norm: its channels are its input's, its statistics travel with them."""
        own = self._weights[node.name]
        donated = self._donated(node)
        if donated is None:
            self._start_batch_norm(source, own)
            pieces = source.pieces
        else:
            entry, values = donated
            rows, pieces = channels.aligned(
                source, entry, node.role, len(next(iter(values.values())))
            )
            for name, fresh in self._fresh[node.name].items():
                own[name] = rules.gathered(values[name], rows, 0, fresh)
                if not name.startswith("moving"):
                    self._taken += int((rows >= 0).sum())
        zeros = np.zeros(node.channels)
        return Tensor(pieces, own.get("beta", zeros) + 0.0, np.abs(own.get("gamma", zeros + 1)))

    def _start_batch_norm(self, source: Tensor, own: dict[str, np.ndarray]) -> None:
        """Lets a new batch norm pass on what it gets, where that is inherited and known."""
        inherited = [np.full(len(piece.index), piece.inherited) for piece in source.pieces]
        known = np.isfinite(source.mean) & np.concatenate(inherited)
        # A channel that is always 0 has no deviation to divide by.
        variance = np.maximum(np.square(source.std) - BATCH_NORM_EPSILON, 0)
        moments = {
            "gamma": np.sqrt(variance + BATCH_NORM_EPSILON),
            "beta": source.mean,
            "moving_mean": source.mean,
            "moving_variance": variance,
        }
        for name in own.keys() & moments.keys():
            own[name] = np.where(known, moments[name], own[name]).astype(own[name].dtype)

    def _project(self, node: Node, main: Tensor) -> None:
        """Settles a sum's projection, whose filters follow the channels that they are added to."""
        conv, norm = self._blocks[node.block]
        entry = self._chosen.get(node.block)
        source = self._tensors[conv.inputs[0]]
        if entry is None:
            self._start_projection(node, conv, norm, main)
            return
        filters = self._values[node.block][conv.role]["kernel"].shape[-1]
        columns = channels.by_maker(main, entry.made_of(_MAIN, filters), entry.donor)
        followed = columns if (columns >= 0).any() else None
        self._batch_norm(norm, self._filters(conv, source, followed))

    def _start_projection(self, node: Node, conv: Node, norm: Node, main: Tensor) -> None:
        """Starts a new projection: as the skip that the donor had without one, or silent."""
        if not self._chosen:
            return
        source, known = self._tensors[conv.inputs[0]], self._sums.get(self._labels(node.block))
        own, kernel = self._weights[norm.name], self._weights[conv.name]["kernel"]
        pairs = np.zeros(kernel.shape[-2:], bool)
        if known is not None and conv.strides == (1, 1):
            added, to = (known.inputs.get(name, ()) for name in (_SKIP, _MAIN))
            rows = channels.by_maker(source, added, known.donor)
            columns = channels.by_maker(main, to, known.donor)
            pairs = (rows[:, None] == columns) & (rows >= 0)[:, None]
            self._weights[conv.name]["kernel"] = np.where(pairs.any(0), pairs, kernel)
        paired = pairs.any(0)
        own["gamma"] = paired.astype(own["gamma"].dtype)
        own["moving_variance"] = np.where(
            paired, 1 - BATCH_NORM_EPSILON, own["moving_variance"]
        ).astype(own["gamma"].dtype)

    def _other(self, node: Node) -> Tensor:
        """A layer that no rule is about: what it holds is inherited as it is or not at all."""
        donated = self._donated(node)
        made = _made_by(node, self._labels)
        piece = Piece(made, "", np.full(node.channels, -1), 0)
        if donated is not None:
            entry, values = donated
            own = self._fresh[node.name]
            if {n: v.shape for n, v in own.items()} == {n: v.shape for n, v in values.items()}:
                self._weights[node.name] = dict(values)
                self._taken += _trainable(values)
                piece = Piece(made, entry.donor, np.arange(node.channels), node.channels)
        return channels.unknown((piece,))


def _is_sound(node: Node, values: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> bool:
    """Says whether a layer's values fit each other, which a file that was edited may break."""
    if {name: value.ndim for name, value in values.items()} != {n: v.ndim for n, v in own.items()}:
        return False
    if node.kind == layout_lib.BATCH_NORM:
        return len({value.shape for value in values.values()}) == 1
    if node.kind not in (layout_lib.CONV, layout_lib.DENSE, layout_lib.DEPTHWISE):
        return True
    kernel, depthwise = values["kernel"], node.kind == layout_lib.DEPTHWISE
    filters = kernel.shape[-2 if depthwise else -1]
    return ("bias" not in values or len(values["bias"]) == filters) and (
        not depthwise or kernel.shape[-1] == 1
    )


def _trainable(values: Mapping[str, np.ndarray]) -> int:
    return sum(int(v.size) for name, v in values.items() if not name.startswith("moving"))


def _overlap(own: Sequence[int], donor: Sequence[int], at: Sequence[int]) -> int:
    """Returns how many pixels of a donor's kernel are inside the child's; 1 for a dense layer."""
    if len(own) < 4:
        return 1
    area = 1
    for new, old, offset in zip(own[:2], donor[:2], at, strict=True):
        area *= max(min(offset + old, new) - max(offset, 0), 0)
    return area


def _kept_filters(
    layout: Sequence[Node],
    labels: Labels,
    chosen: Mapping[str, Entry],
    values: Mapping[str, Values],
) -> dict[str, np.ndarray]:
    """Returns of each inheriting layer the donor's filter of each of its own, -1 for new ones.

    Layers whose outputs are added to each other, from one donor, drop the same filters.
    """
    together = _added_together(layout, labels)
    makers = [
        node
        for node in layout
        if node.kind in (layout_lib.CONV, layout_lib.DENSE) and node.block in chosen
    ]

    def kernel(node: Node) -> np.ndarray:
        return values[node.block][node.role]["kernel"]

    def group(node: Node) -> tuple[str, str, int]:
        run = _made_by(node, labels)
        return together.get(run, run), chosen[node.block].donor, kernel(node).shape[-1]

    kept = {}
    for node in makers:
        size = kernel(node).shape[-1]
        if size <= node.channels:
            kept[node.name] = rules.matching(node.channels, size)
        else:
            mates = [kernel(mate) for mate in makers if group(mate) == group(node)]
            kept[node.name] = rules.strongest(mates, node.channels)
    return kept


def _added_together(layout: Sequence[Node], labels: Labels) -> dict[str, str]:
    """Returns of each run of channels the first of those that it is added to."""
    runs = _runs(layout, labels)
    first: dict[str, str] = {}
    for node in layout:
        if node.kind != layout_lib.ADD:
            continue
        ours = runs[node.inputs[0]]
        for name in node.inputs[1:]:
            if [run.size for run in runs[name]] != [run.size for run in ours]:
                continue
            for left, right in zip(ours, runs[name], strict=True):
                new = first.get(left.label, left.label)
                old = first.get(right.label, right.label)
                first = {label: new if to == old else to for label, to in first.items()}
                first[left.label] = first[right.label] = new
    return first
