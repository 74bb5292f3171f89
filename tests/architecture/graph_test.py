"""Live edges and paths of fixed graphs: drawn by hand, and counted path by path."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.architecture import graph
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace
from epnas_tf.architecture.spec import LayerSpec

_OPS = {
    "cut": OpDef((), passes=False),
    "skip": OpDef(()),
    "one": OpDef((), kernel=1),
    "three": OpDef((), kernel=3),
    "seven": OpDef((), kernel=7),
}
# Node 3 is the output; nodes 1 and 2 are joined.
_DIAMOND = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3))
_NAMES = ("edges", "paths", "longest", "shortest", "dead", "most", "fewest", "wide", "pure")


def _space(edges, ops=tuple(_OPS)):
    return SearchSpace(
        "layerwise",
        (Field("op", ops),),
        max_items=len(edges),
        fixed_length=True,
        ops={op: _OPS[op] for op in ops},
        edges=edges,
    )


def _spec(space, ops):
    return space.new_spec([LayerSpec(op) for op in ops.split()])


def _numbers(space, spec):
    names = (*map(str, space.field("op").choices), *_NAMES)
    return dict(zip(names, graph.graph_numbers(spec, space), strict=True))


@pytest.mark.parametrize(
    ("ops", "live"),
    [
        ("one one one one one", (0, 1, 2, 3, 4)),
        ("one one one cut one", (0, 1, 2, 4)),
        ("one one one one cut", (0, 3)),  # what enters node 2 goes nowhere
        ("cut one one one one", (1, 4)),  # nothing enters node 1
        ("one cut cut one one", (0, 3)),
        ("cut one one one cut", ()),
        ("one one one cut cut", ()),
    ],
)
def test_an_edge_is_alive_on_a_path_from_input_to_output(ops, live):
    space = _space(_DIAMOND)
    assert graph.live_edges(_spec(space, ops), space) == live


def test_the_numbers_of_a_graph_drawn_by_hand():
    space = _space(_DIAMOND)
    # 0-1-3: one, skip; 0-1-2-3: one, three, seven; 0-2-3: skip, seven.
    found = _numbers(space, _spec(space, "one skip three skip seven"))
    assert found == {
        **{"cut": 0, "skip": 2, "one": 1, "three": 1, "seven": 1},
        **{"edges": 5, "paths": 3, "longest": 3, "shortest": 2, "dead": 0},
        **{"most": 3, "fewest": 1, "wide": 2, "pure": 0},
    }


def test_only_what_is_alive_counts():
    space = _space(_DIAMOND)
    found = _numbers(space, _spec(space, "skip three three skip cut"))
    assert {name: value for name, value in found.items() if value} == {
        **{"skip": 2, "edges": 2, "paths": 1, "longest": 2, "shortest": 2, "pure": 1}
    }


def test_a_dead_graph_has_nothing_but_that():
    space = _space(_DIAMOND)
    found = _numbers(space, _spec(space, "three three three cut cut"))
    assert {name for name, value in found.items() if value} == {"dead"}


def test_without_kernels_nothing_is_said_of_convolutions():
    space = _space(_DIAMOND, ("cut", "skip"))
    assert len(graph.graph_numbers(_spec(space, "skip " * 5), space)) == 2 + 5


def _paths(edges, node=0):
    """Yields every path from a node to the output as places of edges, one step after another."""
    if node == max(end for _, end in edges):
        yield ()
    for place, (start, end) in enumerate(edges):
        if start == node:
            yield from ((place, *rest) for rest in _paths(edges, end))


def _by_brute_force(ops, edges):
    everything = list(_paths(edges))
    passing = [path for path in everything if all(_OPS[ops[place]].passes for place in path)]
    live = sorted({place for path in passing for place in path})
    work = [[_OPS[ops[place]].kernel for place in path] for path in passing]
    counts = [sum(kernel is not None for kernel in kernels) for kernels in work]
    wide = [sum((kernel or 0) >= 3 for kernel in kernels) for kernels in work]
    most = max(counts, default=0)
    return {op: sum(ops[place] == op for place in live) for op in _OPS} | {
        "edges": len(live),
        "paths": len(passing),
        "longest": max(map(len, passing), default=0),
        "shortest": min(map(len, passing), default=0),
        "dead": not passing,
        "most": most,
        "fewest": min(counts, default=0),
        "wide": max((w for w, c in zip(wide, counts, strict=True) if c == most), default=0),
        "pure": 0 in counts,
    }


@pytest.mark.parametrize(
    "edges",
    [
        ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)),
        ((2, 4), (0, 3), (3, 4), (0, 2), (2, 3), (0, 4), (1, 3), (0, 1)),  # in no order
        ((0, 1), (0, 1), (1, 2), (1, 2), (0, 2)),  # several edges between two nodes
        ((0, 2), (1, 2), (0, 3), (2, 3)),  # nothing can enter node 1
    ],
)
def test_the_numbers_are_those_of_all_paths_counted_one_by_one(edges):
    space = _space(edges)
    rng = np.random.default_rng(0)
    drawn = [rng.choice(list(_OPS), len(edges)).tolist() for _ in range(300)]
    for ops in (*drawn, ["three"] * len(edges)):
        assert _numbers(space, _spec(space, " ".join(ops))) == _by_brute_force(ops, edges)


def test_a_space_without_edges_has_no_graph():
    space = SearchSpace(
        "layerwise", (Field("op", ("skip",)),), max_items=2, fixed_length=True, ops=_OPS
    )
    with pytest.raises(ValueError, match="space must state its edges, got none"):
        graph.live_edges(_spec(space, "skip skip"), space)
