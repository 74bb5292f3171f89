"""Starting networks near the limits, and the way to the limits where random ones are outside.

What a network costs is known without training, so that how far it is outside the limits can be
descended by single changes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from epnas_tf.architecture import initial, neighbours
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec

Measure = Callable[[Spec], float]

# A start is the fullest of so many networks within the limits, sought in at most so many draws.
WITHIN = 64
MAX_DRAWS = 256
# Changes that are looked at in a round of a descent, and its most rounds.
CHANGES = 64
ROUNDS = 64
# Draws that are descended from, one after the other, until one leads within the limits.
DESCENTS = 4

# What a network that is taken already counts as outside: less than any limit matters.
_TAKEN = 1e-9


def descended(
    spec: Spec,
    space: SearchSpace,
    violation: Measure,
    rng: np.random.Generator,
    taken: frozenset[str] = frozenset(),
    rounds: int = ROUNDS,
) -> Spec:
    """Returns where a network gets by single changes, each to the least violating neighbour.

    It ends within the limits, where no change that is looked at comes nearer to them, or after the
    last round.

    Args:
      spec: the network to begin with.
      space: where it lies.
      violation: how far a network is outside the limits, 0 within.
      rng: the source of randomness, for networks of more neighbours than are looked at.
      taken: keys of networks to avoid: the way goes on from such a one to another.
      rounds: most changes.
    """
    outside = _avoiding(violation, taken)
    least = outside(spec)
    for _ in range(rounds):
        if least == 0:
            break
        changed = [near for _, near in neighbours.some_changes(spec, space, CHANGES, rng)]
        distances = list(map(outside, changed))
        if min(distances, default=least) >= least:
            break
        least = min(distances)
        spec = changed[distances.index(least)]
    return spec


def near_limits(
    space: SearchSpace,
    rng: np.random.Generator,
    violation: Measure,
    fullness: Measure,
    taken: frozenset[str] = frozenset(),
) -> Spec:
    """Returns a random network near the limits: within them where that can be had (DECISIONS 87).

    It is the fullest of the first WITHIN random networks that keep the limits, as far as MAX_DRAWS
    have so many; where they have none, the least violating ones are descended from.

    Args:
      space: where the network lies.
      rng: the source of randomness.
      violation: how far a network is outside the limits, 0 within.
      fullness: how much of the limits a network uses; of equal ones the first counts, so that
        without upper limits it is the first network within the others.
      taken: keys of networks to avoid, so that starting networks differ where they can.
    """
    outside = _avoiding(violation, taken)
    within: list[Spec] = []
    rest: list[tuple[float, Spec]] = []
    for _ in range(MAX_DRAWS):
        spec = initial.random_spec(space, rng)
        distance = outside(spec)
        if distance == 0:
            within.append(spec)
        else:
            rest.append((distance, spec))
        if len(within) == WITHIN:
            break
    if within:
        return max(within, key=fullness)
    found: list[Spec] = []
    for _, spec in heapq.nsmallest(DESCENTS, rest, key=lambda drawn: drawn[0]):
        found.append(descended(spec, space, violation, rng, taken))
        if outside(found[-1]) == 0:
            break
    return min(found, key=outside)


def _avoiding(violation: Measure, taken: frozenset[str]) -> Measure:
    return lambda spec: violation(spec) + (_TAKEN if spec.key in taken else 0.0)
