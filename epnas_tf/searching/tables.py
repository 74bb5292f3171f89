"""Search spaces in which the accuracy of every network is known, for studies of the search."""

from __future__ import annotations

import dataclasses
import itertools

from epnas_tf.architecture.space import SearchSpace, layerwise_space
from epnas_tf.architecture.spec import Item, Spec


def digits_space() -> SearchSpace:
    """Returns the space of tests/testdata/digits_table.json.gz: 1 to 4 layers, 1,901 networks."""
    space = layerwise_space(
        (8, 8),
        layer_types=("conv2d", "max_pool", "add"),
        filter_widths=(1, 3),
        pool_widths=(2,),
        channels=(8, 16),
        activations=("relu",),
        max_layers=4,
        parts=2,
        stem_filters=8,
    )
    return dataclasses.replace(space, skips=False)


def every_network(space: SearchSpace) -> list[Spec]:
    """Returns all networks of a layerwise space, the shorter ones first."""
    found: list[Spec] = []
    longest: list[tuple[Item, ...]] = [()]
    for _ in range(space.max_items):
        longest = [(*items, item) for items in longest for item in _items(items, space)]
        found += [space.new_spec(items) for items in longest]
    if space.fixed_length:
        return [spec for spec in found if len(spec.items) == space.max_items]
    return found


def _items(before: tuple[Item, ...], space: SearchSpace) -> list[Item]:
    """Returns the layers that may follow these."""
    index = len(before) + 1
    halvings = sum(space.halves(item.op) for item in before)
    possible = []
    for op in map(str, space.field("op").choices):
        if space.halves(op) and halvings == space.max_halvings:
            continue
        names = space.fields_of(op)
        options = [
            range(-1, index) if name == "src2" else space.field(name).choices for name in names
        ]
        for values in itertools.product(*options):
            item = space.new_item({"op": op} | dict(zip(names, values, strict=True)))
            if space.problem(item, index) is None:
                possible.append(item)
    return possible
