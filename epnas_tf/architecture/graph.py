"""What is alive in a fixed graph of operations: edges and paths from its input to its output.

A space that states `edges` has an operation on each. One that passes nothing (`OpDef.passes`) cuts
every path through its edge, and what is on no path has no say in what the network computes.
"""

from __future__ import annotations

from collections.abc import Callable

from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec

WIDE = 3  # a kernel from which a convolution sees neighbours

_Edge = tuple[int, int]


def live_edges(spec: Spec, space: SearchSpace) -> tuple[int, ...]:
    """Returns the places (from 0, ascending) of the edges on a path of operations that pass.

    Args:
      spec: a network of the space.
      space: one that states its edges.
    """
    passing = [place for place, op in enumerate(_ops(spec, space)) if op.passes]
    # Sorted, so that all edges into a node come before those out of it, and backwards after them.
    from_input, to_output = {0}, {_output(space)}
    for place in sorted(passing, key=lambda place: space.edges[place]):
        start, end = space.edges[place]
        if start in from_input:
            from_input.add(end)
    for place in sorted(passing, key=lambda place: space.edges[place][::-1], reverse=True):
        start, end = space.edges[place]
        if end in to_output:
            to_output.add(start)
    return tuple(
        place
        for place in passing
        if space.edges[place][0] in from_input and space.edges[place][1] in to_output
    )


def graph_numbers(spec: Spec, space: SearchSpace) -> tuple[float, ...]:
    """Returns numbers of what is alive in a network, from which a predictor may learn.

    In this order: per operation of the space the live edges that have it; live edges; live paths;
    edges of the longest and of the shortest of these; 1 where nothing is alive. Where an operation
    of the space has a kernel, also: convolutions of the path with the most and of that with the
    fewest; kernels of at least 3x3 on the one with the most (and the most of them, where several
    have as many convolutions); 1 where a path has no convolution. What is missing counts 0.

    Args:
      spec: a network of the space.
      space: one that states its edges.
    """
    live = live_edges(spec, space)
    taken = [spec.items[place].op for place in live]
    ops = [space.ops[name] for name in taken]
    edges = [space.edges[place] for place in live]
    numbers = [taken.count(str(name)) for name in space.field("op").choices]
    lengths = [(1, 0)] * len(live)
    numbers += [len(live), _paths(edges, space)]
    numbers += [_furthest(edges, lengths, space, pick)[0] for pick in (max, min)]
    numbers.append(not live)
    if any(space.ops[str(name)].kernel for name in space.field("op").choices):
        work = [(int(bool(op.kernel)), int((op.kernel or 0) >= WIDE)) for op in ops]
        most, wide = _furthest(edges, work, space, max)
        fewest, _ = _furthest(edges, work, space, min)
        numbers += [most, fewest, wide, bool(live) and fewest == 0]
    return tuple(map(float, numbers))


def _ops(spec: Spec, space: SearchSpace) -> list[OpDef]:
    if not space.edges:
        raise ValueError("space must state its edges, got none")
    return [space.ops[item.op] for item in spec.items]


def _output(space: SearchSpace) -> int:
    return max(end for _, end in space.edges)


def _paths(edges: list[_Edge], space: SearchSpace) -> int:
    """Returns the number of paths along these edges, all of which are alive."""
    paths = {0: 1}
    for start, end in sorted(edges):
        paths[end] = paths.get(end, 0) + paths[start]
    return paths.get(_output(space), 0)


def _furthest(
    edges: list[_Edge],
    weights: list[tuple[int, int]],
    space: SearchSpace,
    pick: Callable[[tuple[int, int], tuple[int, int]], tuple[int, int]],
) -> tuple[int, int]:
    """Returns the sum of the weights of the path that `pick` prefers, zeros where there is none.

    Args:
      edges: all alive.
      weights: of each edge, compared by the first number, then by the second.
      space: of the edges.
      pick: max or min.
    """
    sums = {0: (0, 0)}
    for (start, end), weight in sorted(zip(edges, weights, strict=True)):
        reached = (sums[start][0] + weight[0], sums[start][1] + weight[1])
        sums[end] = pick(sums[end], reached) if end in sums else reached
    return sums.get(_output(space), (0, 0))
