"""Which networks a search begins with: the user's, then a portfolio, then random ones.

Where earlier searches lend a prior, the random ones are those that it expects most of.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from epnas_tf.architecture import descent, initial, portfolio
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.settings import MIXTURE, RANDOM, SearchSettings

# Random networks of which the one that earlier searches expect most of begins a branch.
LENT_DRAWS = 256


@dataclasses.dataclass(frozen=True)
class Starts:
    """The starting networks of a search, as searches take them.

    Attributes:
      initial: those of the first branches.
      near: how much of the limits a network uses, where the others are drawn near the limits; None
        where they are drawn anywhere within.
    """

    initial: Sequence[Spec] = ()
    near: Callable[[Spec], float] | None = None


def plan(
    settings: SearchSettings, own: Sequence[Spec], space: SearchSpace, budget: Budget
) -> Starts:
    """Returns a search's starting networks (DECISIONS 86).

    Args:
      settings: how many there are, and how those after the user's own are chosen.
      own: the user's own networks, which come first.
      space: where the networks lie; in a user's own space all others are drawn as for `random`.
      budget: the limits.
    """
    if settings.starts == RANDOM or not portfolio.covers(space):
        return Starts(list(own), None)
    left = settings.branches - len(own)
    most = -(-left // 2) if settings.starts == MIXTURE else left
    known = portfolio.portfolio(space, budget, most + len(own)) if most else []
    others = [spec for spec in known if spec not in own]
    return Starts([*own, *others[:most]], budget.fullness)


@dataclasses.dataclass(frozen=True)
class Begin:
    """Draws the networks of step 0.

    Attributes:
      space: where they lie.
      starts: what is given, and how the others are drawn.
      knowledge: limits, and whether earlier searches lend a prior.
      expected: what these expect of networks, [n]; None where they expect nothing.
    """

    space: SearchSpace
    starts: Starts
    knowledge: Knowledge
    expected: Callable[[Sequence[Spec]], np.ndarray | None]

    def specs(self, branches: int, rng: Callable[[str, int], np.random.Generator]) -> list[Spec]:
        """Returns a network per branch, all different where that can be had.

        Args:
          branches: how many.
          rng: (purpose, branch) -> source of randomness.
        """
        specs = list(self.starts.initial)
        for branch in range(len(specs), branches):
            taken = frozenset(spec.key for spec in specs)
            lent = self._lent(rng("lent start", branch), taken) if self.knowledge.prior else None
            specs.append(lent or self.drawn(rng("start", branch), taken))
        return specs

    def drawn(self, rng: np.random.Generator, taken: frozenset[str]) -> Spec:
        """Returns a random network, near the limits where the starts are drawn so.

        Args:
          rng: the source of randomness.
          taken: keys of networks to avoid, where another within the limits can be had.
        """
        violation, near = self.knowledge.violation, self.starts.near
        if near is None:
            return initial.starting_spec(self.space, rng, violation, taken)
        return descent.near_limits(self.space, rng, violation, near, taken)

    def _lent(self, rng: np.random.Generator, taken: frozenset[str]) -> Spec | None:
        """Returns the network of some drawn within the limits that earlier searches favour."""
        drawn = [initial.random_spec(self.space, rng) for _ in range(LENT_DRAWS)]
        within = [s for s in drawn if s.key not in taken and self.knowledge.violation(s) == 0]
        expected = self.expected(within) if within else None
        return None if expected is None else within[int(np.argmax(expected))]
