"""The networks of the study of proxies: small ones of both patterns, random and evolved."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from epnas_tf import randomness
from epnas_tf.architecture import initial, morph
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.space import SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import CellSpec, LayerwiseSpec, Spec
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.studies.rank_table import Network

STEPS = 3  # as in a search: a step of random networks, then steps of morphs of earlier ones


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A network of the study: its step (0: random, later: evolved) and what it was made from."""

    spec: Spec
    step: int
    parent: str = ""
    action: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """The network's key."""
        return self.spec.key


def spaces() -> tuple[SearchSpace, SearchSpace]:
    """Returns the spaces of the study: networks that a CPU trains for 20 epochs in a minute."""
    return (
        layerwise_space(
            (32, 32),
            channels=(8, 16, 32, 64),
            filter_widths=(1, 3, 5),
            max_layers=8,
            stem_filters=8,
        ),
        module_space(channels=(4, 8, 12, 16), filter_widths=(1, 3), max_branches=4, filters=8),
    )


def limits() -> tuple[Constraint, ...]:
    """Returns the limits: parameters within 4 times of each other, so that size tells little."""
    return (Constraint("params", 10e3, 40e3), Constraint("flops", 2e6, 8e6))


def candidates(count: int, budget: Budget) -> list[Candidate]:
    """Returns distinct networks within the limits, half of each pattern, in order of steps."""
    found: list[Candidate] = []
    for space in spaces():
        mine: list[Candidate] = []
        for index in range(count // 2):
            rng = randomness.generator(0, "rank_study", space.pattern, index)
            step = index * STEPS // (count // 2)
            known = [candidate for candidate in mine if candidate.step < step]
            mine.append(_candidate(space, budget, rng, step, known, {c.key for c in mine}))
        found += mine
    return found


def _candidate(
    space: SearchSpace,
    budget: Budget,
    rng: np.random.Generator,
    step: int,
    known: Sequence[Candidate],
    taken: set[str],
) -> Candidate:
    if not known:
        spec = initial.starting_spec(space, rng, budget.violation, frozenset(taken))
        return Candidate(spec, step)
    while True:
        parent = known[int(rng.integers(len(known)))]
        (action,) = RandomPolicy(space).propose([parent.spec], [rng])
        spec = morph.apply(parent.spec, action, space)
        if spec.key not in taken and budget.violation(spec) == 0:
            return Candidate(spec, step, parent.key, morph.to_dict(action))


def with_half_channels(spec: Spec) -> Spec:
    """Returns the network with half of its channels, the stem's as well."""
    if isinstance(spec, CellSpec):
        return dataclasses.replace(
            spec, width_multiplier=spec.width_multiplier / 2, filters=max(spec.filters // 2, 1)
        )
    items = tuple(
        item if item.channels is None else item.replace("channels", max(item.channels // 2, 2))
        for item in spec.layers
    )
    return LayerwiseSpec(items, max(spec.stem_filters // 2, 1))


def networks_of(found: Sequence[Candidate], budget: Budget) -> list[Network]:
    """Returns what the tables know of the candidates."""
    networks = []
    for candidate in found:
        pattern = "module" if isinstance(candidate.spec, CellSpec) else "layerwise"
        cost = budget.cost(candidate.spec)
        networks.append(Network(candidate.key, pattern, candidate.step, cost.params, cost.flops))
    return networks
