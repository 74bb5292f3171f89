"""The policy that learns nothing: uniform over legal choices, in an otherwise equal search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epnas_tf.architecture import choices
from epnas_tf.architecture.initial import uniform_pick
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec


class RandomPolicy:
    """Proposes each legal option of each choice with the same probability."""

    learns = False

    def __init__(self, space: SearchSpace):
        self._space = space

    def propose(self, specs: Sequence[Spec], rngs: Sequence[np.random.Generator]) -> list[Morph]:
        """Returns a morph for each network, drawn with that network's generator."""
        return [
            choices.decide(spec, self._space, uniform_pick(rng))
            for spec, rng in zip(specs, rngs, strict=True)
        ]

    def update(
        self, specs: Sequence[Spec], actions: Sequence[Morph], advantages: np.ndarray
    ) -> None:
        """Does nothing: there is nothing to learn."""

    def statistics(self, specs: Sequence[Spec], actions: Sequence[Morph]) -> dict[str, float]:
        """Returns the mean entropy of a choice, in nats."""
        entropies = [
            np.log(sum(choice.mask))
            for spec, action in zip(specs, actions, strict=True)
            for choice, _ in choices.encode(spec, action, self._space)
        ]
        return {"entropy": float(np.mean(entropies))}
