"""Which filters of its source a layer keeps: the strongest, the same where outputs are added.

Example: layers 1 and 3 of 8 filters each are added to each other. A child of 4 channels keeps in
both the 4 filters of which the kernels of layer 1 and 3 together have the largest norms, so that
channels that were added still are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epnas_tf.sharing import graph, offers, rules
from epnas_tf.sharing.graph import Node
from epnas_tf.sharing.rules import Labels
from epnas_tf.sharing.sources import Sources


def kept_filters(layout: Sequence[Node], labels: Labels, sources: Sources) -> dict[str, np.ndarray]:
    """Returns of each layer with a source the source's filter of each of its own, -1 for new ones.

    Layers whose outputs are added to each other, from one source, drop the same filters.
    """
    together = _added_together(layout, labels)
    makers = [
        node
        for node in layout
        if node.kind in (graph.CONV, graph.DENSE) and node.block in sources.entries
    ]
    kernels = {node.name: sources.kernel(node) for node in makers}

    def group(node: Node) -> tuple[str, str, int]:
        run = rules.made_by(node, labels)
        source = sources.entries[node.block].source
        return together.get(run, run), source, kernels[node.name].shape[-1]

    kept = {}
    for node in makers:
        size = kernels[node.name].shape[-1]
        if size <= node.channels:
            kept[node.name] = rules.matching(node.channels, size)
        else:
            mates = [kernels[mate.name] for mate in makers if group(mate) == group(node)]
            kept[node.name] = rules.strongest(mates, node.channels)
    return kept


def _added_together(layout: Sequence[Node], labels: Labels) -> dict[str, str]:
    """Returns of each run of channels the first of those that it is added to."""
    runs = offers.runs_of(layout, labels)
    first: dict[str, str] = {}
    for node in layout:
        if node.kind != graph.ADD:
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
