"""What another table tells of networks before a search of this one begins."""

from __future__ import annotations

import functools

from epnas_tf import randomness
from epnas_tf.architecture import initial
from epnas_tf.architecture.spec import Spec
from epnas_tf.studies import tables
from epnas_tf.studies.tables import Table

Known = list[tuple[Spec, float]]

NETWORKS = 100

# Of each dataset of NAS-Bench-201: the one that its prior is drawn from.
OTHERS = {"cifar10": "cifar100", "cifar100": "imagenet", "imagenet": "cifar10"}


def drawn(table: Table, seed: int, count: int = NETWORKS) -> Known:
    """Returns random distinct networks of a table with their accuracies.

    Args:
      table: where they lie; its limit is not asked for.
      seed: of the draw.
      count: how many, at most half of the table.

    Raises:
      ValueError: there are too many of them.
    """
    if not 0 < count <= len(table) // 2:
        raise ValueError(f"count must be from 1 to {len(table) // 2}, got {count}")
    rng = randomness.generator(seed, "prior", table.name)
    specs: dict[str, Spec] = {}
    while len(specs) < count:
        spec = initial.random_spec(table.space, rng)
        specs.setdefault(spec.key, spec)
    return [(spec, table.accuracy(spec)) for spec in specs.values()]


def permuted(prior: Known, seed: int) -> Known:
    """Returns the same networks with each other's accuracies: a prior that misleads."""
    order = randomness.generator(seed, "permuted prior").permutation(len(prior))
    return [(spec, prior[place][1]) for (spec, _), place in zip(prior, order, strict=True)]


def other_table(table: Table) -> Table:
    """Returns the table of the same space that a prior is drawn from (see `OTHERS`).

    Args:
      table: what is to be searched, with a limit or without.

    Raises:
      ValueError: there is none.
    """
    bench, _, rest = table.name.partition("_")
    dataset = rest.partition("_")[0]
    if bench != "nb201" or dataset not in OTHERS:
        raise ValueError(f"table must be of NAS-Bench-201 to have another, got {table.name}")
    return _loaded(OTHERS[dataset])


@functools.cache
def _loaded(dataset: str) -> Table:
    return tables.nas_bench_201(dataset)
