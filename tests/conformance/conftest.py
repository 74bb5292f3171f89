"""Whether a graph could run on a TPU, told without one: a fixture that the tests share.

XLA on the CPU refuses dynamic shapes and host calls, and the ops named here are what it lets pass
and a TPU does not (KERAS_TUNER section 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tensorflow.core.framework import graph_pb2, node_def_pb2, types_pb2

# Ops with results of unknown size, and those that need the host.
_FORBIDDEN = frozenset(
    {
        "EagerPyFunc",
        "NonMaxSuppressionV5",
        "Print",
        "PrintV2",
        "PyFunc",
        "PyFuncStateless",
        "StringFormat",
        "Unique",
        "UniqueV2",
        "Where",
    }
)


@pytest.fixture(name="forbidden_ops", scope="session")
def _forbidden_ops() -> Callable[[Any], list[str]]:
    """Returns the sorted types of a concrete function's ops that may not stand in a TPU's graph.

    Ops on float64 are named as `Op (float64)`. The bodies of loops and of nested functions count.
    """

    def found_in(function: Any) -> list[str]:
        found = set()
        for node in _nodes(function.graph.as_graph_def()):
            if node.op in _FORBIDDEN:
                found.add(node.op)
            if any(value.type == types_pb2.DT_DOUBLE for value in node.attr.values()):
                found.add(f"{node.op} (float64)")
        return sorted(found)

    return found_in


def _nodes(graph: graph_pb2.GraphDef) -> Iterator[node_def_pb2.NodeDef]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def
