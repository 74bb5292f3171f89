"""Random starting networks from the same action space, within the limits where that can be had."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from epnas_tf.architecture import choices, morph
from epnas_tf.architecture.choices import Choice
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec

MAX_TRIES = 200


def uniform_pick(rng: np.random.Generator) -> Callable[[Choice], int]:
    """Returns a pick that takes each legal option with the same probability."""

    def pick(choice: Choice) -> int:
        legal = [index for index, allowed in enumerate(choice.mask) if allowed]
        return legal[int(rng.random() * len(legal))]

    return pick


def random_spec(space: SearchSpace, rng: np.random.Generator, max_items: int | None = None) -> Spec:
    """Returns a random network of the space.

    Its length is drawn first, uniform in 1..max_items; then layers are inserted at random places
    (branches are appended), each with uniform legal fields.

    Args:
      space: where the network lies.
      rng: the source of randomness.
      max_items: most layers or branches, at most the space's own (the default).
    """
    most = min(max_items or space.max_items, space.max_items)
    length = space.max_items if space.fixed_length else 1 + int(rng.random() * most)
    pick = uniform_pick(rng)
    spec = space.new_spec([choices.run(choices.walk_item(None, 0, space), pick)])
    while len(spec.items) < length:
        place = len(spec.items)
        if space.fixed_length:
            item = choices.run(choices.walk_item(spec, place, space), pick)
            spec = spec.with_items(spec.items + (item,))  # type: ignore[arg-type]
        elif choices.decision_mask(spec, space)[0]:
            edit = choices.run(choices.walk_insert(spec, space), pick)
            spec = morph.apply(spec, edit, space)
        else:
            break
    return spec


def starting_spec(
    space: SearchSpace,
    rng: np.random.Generator,
    violation: Callable[[Spec], float] = lambda spec: 0.0,
    taken: frozenset[str] = frozenset(),
) -> Spec:
    """Returns a random network within the limits, or the least violating of MAX_TRIES.

    Args:
      space: where the network lies.
      rng: the source of randomness.
      violation: how far a network is outside the limits, 0 within (DECISIONS 15).
      taken: keys of networks to avoid, so that starting networks differ where they can.
    """
    best, least = None, float("inf")
    for _ in range(MAX_TRIES):
        spec = random_spec(space, rng)
        distance = violation(spec) + (1e-9 if spec.key in taken else 0.0)
        if distance < least:
            best, least = spec, distance
        if least == 0:
            break
    assert best is not None
    return best
