"""Which networks a search begins with: the user's, then a portfolio, then random ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from epnas_tf.architecture import portfolio
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.settings import MIXTURE, RANDOM, SearchSettings


@dataclasses.dataclass(frozen=True)
class Starts:
    """The starting networks of a search, as `ProgressiveSearch` takes them.

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
