"""A new child's warm start: a walk over its layers that decides where every channel comes from.

Channels are followed from the layer that makes them to those that read them. Where both come from
the same source, filters that were added or dropped are added or dropped in the reader and the batch
norm as well, so that growing a network leaves its function as it was. Inserted layers of a chain
start near identity, and a new projection of a skip adds nothing at first.

Example: a trial of layers conv 8, conv 4 and its child conv 16, conv 4. Layer 1 takes the 8 filters
and keeps its own initial values for 8 more, its batch norm likewise; layer 2 takes its kernel, with
zeros in the rows of the 8 that it never saw. The child computes what the trial did.

Not promised: the function of a sum that no longer needs its source's projection (it has no place),
or that adds crelu's two halves to channels in one piece (both grow, each at its own end); identity
of an inserted layer with fewer channels than its input, with another activation than relu, after
negative values, or with a skip that needs no projection; anything where sources differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from epnas_tf.sharing import channels, graph, narrowing, rules, starts
from epnas_tf.sharing import projection as projection_lib
from epnas_tf.sharing import sources as sources_lib
from epnas_tf.sharing.channels import Piece, Tensor
from epnas_tf.sharing.graph import Node, Weights
from epnas_tf.sharing.offers import IMAGE
from epnas_tf.sharing.rules import Entry, Labels, Values
from epnas_tf.sharing.sources import Sources


@dataclasses.dataclass(frozen=True)
class WarmStart:
    """What a child starts from.

    Attributes:
      weights: of every layer that has some.
      share: share of the trainable parameters that a source left, 0 to 1.
    """

    weights: Weights
    share: float


def initial_weights(
    layout: Sequence[Node],
    fresh: Weights,
    labels: Labels,
    entries: Iterable[Entry],
    load: Callable[[Entry], Values],
) -> WarmStart:
    """Returns the weights that a child starts from.

    Args:
      layout: the child's layers.
      fresh: its initial weights, which stay where it finds no source.
      labels: what its blocks are looked up by.
      entries: the dictionary.
      load: returns the values of an entry.
    """
    sources = sources_lib.choose(layout, fresh, labels, entries, load)
    walk = _Walk(layout, fresh, labels, sources)
    for node in layout:
        walk.visit(node)
    total = sum(starts.trainable(values) for values in fresh.values())
    return WarmStart(walk.weights, walk.taken / max(total, 1))


class _Walk:
    """The state of a walk: the tensors, weights and parameters taken so far."""

    def __init__(self, layout: Sequence[Node], fresh: Weights, labels: Labels, sources: Sources):
        self._labels, self._sources = labels, sources
        self._kept = narrowing.kept_filters(layout, labels, sources)
        self._projections = projection_lib.projections(layout, fresh)
        self._tensors: dict[str, Tensor] = {}
        self.weights = {node.name: fresh[node.name] for node in layout if node.name in fresh}
        self.taken = 0

    def visit(self, node: Node) -> None:
        """Starts a layer; those that it reads have been started."""
        inputs = [self._tensors[name] for name in node.inputs]
        self._tensors[node.name] = self._output(node, inputs)

    def _output(self, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        if node.block not in self._projections:
            rule = _WITHOUT_WEIGHTS.get(node.kind)
            return self._started(node, inputs) if rule is None else rule(node, inputs)
        if node.kind != graph.ADD:
            return inputs[0]  # settled with the sum: its filters follow what they are added to
        self._project(node, inputs[0])
        return channels.unknown(inputs[0].pieces)

    def _started(
        self, node: Node, inputs: Sequence[Tensor], columns: np.ndarray | None = None
    ) -> Tensor:
        """Starts a layer that may have weights; of its source it has the filters `columns`."""
        start = self._start(node, inputs, self._kept.get(node.name) if columns is None else columns)
        if start.weights:
            self.weights[node.name] = start.weights
        self.taken += start.taken
        return start.output

    def _start(
        self, node: Node, inputs: Sequence[Tensor], columns: np.ndarray | None
    ) -> starts.Start:
        own, made = self.weights.get(node.name, {}), rules.made_by(node, self._labels)
        source = self._sources.of(node, own)
        if node.kind == graph.OTHER:
            return starts.other(node, own, source, made)
        read = inputs[0]
        if node.kind == graph.BATCH_NORM:
            if source is None:
                return starts.new_batch_norm(own, read)
            return starts.batch_norm(node, own, read, source)
        if node.kind == graph.DEPTHWISE:
            if source is None:
                return starts.new_depthwise(node, own, read)
            return starts.depthwise(node, own, read, source)
        if source is None:
            return starts.new_filters(node, own, read, made)
        assert columns is not None, node
        return starts.filters(node, own, read, source, columns, made)

    def _project(self, node: Node, main: Tensor) -> None:
        """Settles a sum's projection."""
        projection, entry = self._projections[node.block], self._sources.entries.get(node.block)
        conv, norm = projection.conv, projection.norm
        read = self._tensors[conv.inputs[0]]
        if entry is not None:
            size = self._sources.kernel(conv).shape[-1]
            columns = projection_lib.followed(main, entry, size)
            self._started(norm, [self._started(conv, [read], columns)])
        elif self._sources.entries:
            bare = self._sources.sums.get(self._labels(node.block))
            self.weights |= projection_lib.start_new(self.weights, projection, read, main, bare)


def _image(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    del inputs
    piece = Piece(IMAGE, channels.ANYONE, np.arange(node.channels), node.channels)
    return Tensor((piece,), np.zeros(node.channels), np.ones(node.channels))


_WITHOUT_WEIGHTS: Mapping[str, Callable[[Node, Sequence[Tensor]], Tensor]] = {
    graph.INPUT: _image,
    graph.CONCATENATE: lambda _, inputs: channels.joined(inputs),
    graph.ADD: lambda _, inputs: channels.added(inputs),
    graph.SUBTRACT: lambda _, inputs: channels.negative_half(*inputs),
    graph.ACTIVATION: lambda node, inputs: channels.activated(inputs[0], node.activation),
    graph.SAME: lambda _, inputs: inputs[0],
}
