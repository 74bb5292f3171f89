"""Ageing evolution (Real et al. 2019): children of the best of a sample; the oldest die.

Each place of a step draws a sample of its own of the networks of the last steps and changes its
best by one random change.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from epnas_tf.architecture import neighbours
from epnas_tf.searching.algorithms.rival import Rival
from epnas_tf.searching.trials import Proposal, Trial

# The population is what this many steps proposed, a sample one in so many of it: with 4 branches 20
# and 5, what found most in docs/SEARCH_STUDY.md. It is all networks until there are so many, so
# that no part of a short search is random alone and a search that is extended goes on the same.
POPULATION_STEPS = 5
SAMPLES = 4
# Random changes of a network of which the first that is new and allowed is taken.
MUTATIONS = 64

_Member = TypeVar("_Member")


def winner(
    living: Sequence[_Member],
    sample: int,
    rng: np.random.Generator,
    worth: Callable[[_Member], Any],
) -> _Member:
    """Returns the best of a sample of a population, which becomes a parent.

    Args:
      living: the population.
      sample: how many are drawn, with replacement, as in Algorithm 1 of the paper.
      rng: the source of randomness.
      worth: what members are compared by.
    """
    drawn = [living[index] for index in rng.integers(len(living), size=sample)]
    return max(drawn, key=worth)


class Evolution(Rival):
    """Ageing evolution in steps of B children."""

    def _propose(self) -> Sequence[Proposal]:
        living = self._living()
        sample = max(2, len(living) // SAMPLES)
        mothers, mutations = [], []
        for branch in range(self.branches):
            mother = winner(living, sample, self._rng("parent", branch), self.worth)
            rng = self._rng("mutation", branch)
            edits = neighbours.mutations(mother.proposal.spec, self.space, rng)
            mothers.append(mother)
            mutations.append(itertools.islice(edits, MUTATIONS))
        return self._changed(mothers, mutations)

    def _living(self) -> list[Trial]:
        """Returns the trained networks of the last steps, else all that may be parents."""
        newest = self.history[-POPULATION_STEPS * self.branches :]
        return [trial for trial in newest if trial.trained] or self._best_first(self.history)
