"""What the dictionary has for a child: the entry that each of its blocks starts from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from epnas_tf.sharing import graph, rules
from epnas_tf.sharing.graph import Node, Weights
from epnas_tf.sharing.rules import Entry, Labels, Values


@dataclasses.dataclass(frozen=True)
class Source:
    """What a layer starts from.

    Attributes:
      entry: that of its block.
      values: the layer's own, by the name of the variable.
    """

    entry: Entry
    values: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Sources:
    """What a child starts from.

    Attributes:
      entries: by block; a block without one starts afresh.
      values: of each entry.
      sums: entries of skips without a projection, which have no values, by label.
    """

    entries: Mapping[str, Entry]
    values: Mapping[str, Values]
    sums: Mapping[str, Entry]

    def of(self, node: Node, own: Mapping[str, np.ndarray]) -> Source | None:
        """Returns what a layer starts from, None where it is to start afresh.

        Args:
          node: the layer; one without weights may stand in a block that has some.
          own: its initial weights.
        """
        entry = self.entries.get(node.block)
        if entry is None or node.role not in self.values[node.block]:
            return None
        values = self.values[node.block][node.role]
        return Source(entry, values) if _is_sound(node, values, own) else None

    def kernel(self, node: Node) -> np.ndarray:
        """Returns the kernel of a layer whose block has an entry."""
        return self.values[node.block][node.role]["kernel"]


def choose(
    layout: Sequence[Node],
    fresh: Weights,
    labels: Labels,
    entries: Iterable[Entry],
    load: Callable[[Entry], Values],
) -> Sources:
    """Returns the sources of a child's blocks; the arguments are those of a warm start."""
    known = list(entries)
    chosen: dict[str, Entry] = {}
    for block, nodes in rules.blocks_of(layout, fresh).items():
        shapes = rules.shapes_of({node.role: fresh[node.name] for node in nodes})
        entry = rules.choose(labels(block), shapes, known)
        if entry is not None:
            chosen[block] = entry
    sums = {entry.label: entry for entry in known if not entry.shapes}
    return Sources(chosen, {block: load(entry) for block, entry in chosen.items()}, sums)


def _is_sound(node: Node, values: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> bool:
    """Says whether a layer's values fit each other, which a file that was edited may break."""
    if {name: value.ndim for name, value in values.items()} != {n: v.ndim for n, v in own.items()}:
        return False
    if node.kind == graph.BATCH_NORM:
        return len({value.shape for value in values.values()}) == 1
    if node.kind not in (graph.CONV, graph.DENSE, graph.DEPTHWISE):
        return True
    kernel, depthwise = values["kernel"], node.kind == graph.DEPTHWISE
    filters = kernel.shape[-2 if depthwise else -1]
    return ("bias" not in values or len(values["bias"]) == filters) and (
        not depthwise or kernel.shape[-1] == 1
    )
