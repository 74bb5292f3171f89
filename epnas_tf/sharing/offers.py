"""What a trained child leaves to later ones: its blocks, and whose channels they read.

Example: the entry of layer2_conv2d says of its convolution's input that it is a run of the 16
channels that layer1_conv2d/conv made. A child that adds filters to layer 1 finds by it which rows
of layer 2's kernel are theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

from epnas_tf.sharing import graph, rules
from epnas_tf.sharing.graph import Node, Weights
from epnas_tf.sharing.rules import Entry, Labels, Run, Values

IMAGE = "image"
# Inputs of a skip's sum: what is added to, and what is added.
MAIN, ADDED = "main", "skip"


def offered(
    layout: Sequence[Node], weights: Weights, labels: Labels, source: str, accuracy: float
) -> list[tuple[Entry, Values]]:
    """Returns the entry and values of each block of a trained network.

    Args:
      layout: the network's layers.
      weights: their values.
      labels: what its blocks are kept under.
      source: name of its trial.
      accuracy: its validation accuracy, plain or balanced as networks are compared.
    """
    runs = runs_of(layout, labels)
    sums = [node for node in layout if node.kind == graph.ADD]
    mains = {node.block: node.inputs[0] for node in sums}
    blocks = rules.blocks_of(layout, weights)
    found: list[tuple[Entry, Values]] = []
    for block, nodes in blocks.items():
        values = {node.role: weights[node.name] for node in nodes}
        inputs = {node.role: runs[node.inputs[0]] for node in nodes if node.inputs}
        if block in mains:
            inputs[MAIN] = runs[mains[block]]
        shapes = rules.shapes_of(values)
        found.append((Entry(labels(block), source, accuracy, shapes, inputs), values))
    for node in sums:
        # A skip without a projection has no parameters, but a wider child's may need one.
        if node.block not in blocks:
            inputs = {MAIN: runs[node.inputs[0]], ADDED: runs[node.inputs[1]]}
            found.append((Entry(labels(node.block), source, accuracy, {}, inputs), {}))
    return found


def runs_of(layout: Sequence[Node], labels: Labels) -> dict[str, tuple[Run, ...]]:
    """Returns of each layer whose channels its output has: those of the first input of a sum."""
    runs: dict[str, tuple[Run, ...]] = {}
    for node in layout:
        if node.kind == graph.INPUT:
            runs[node.name] = (Run(IMAGE, node.channels),)
        elif node.kind == graph.CONCATENATE:
            runs[node.name] = tuple(run for name in node.inputs for run in runs[name])
        elif node.kind in (graph.CONV, graph.DENSE, graph.OTHER):
            runs[node.name] = (Run(rules.made_by(node, labels), node.channels),)
        else:
            runs[node.name] = runs[node.inputs[0]]
    return runs
