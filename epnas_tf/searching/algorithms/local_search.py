"""Local search (White et al. 2021): neighbours of one network until one is better, then of that.

A step looks at B neighbours side by side and goes to the best of them, if it is better. Where none
is left to look at, the search goes on from random networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from epnas_tf.architecture import neighbours
from epnas_tf.architecture.neighbours import Edit
from epnas_tf.searching.algorithms import Task
from epnas_tf.searching.algorithms.rival import Rival
from epnas_tf.searching.trials import Proposal, Trial

# Neighbours of a network that a step chooses among: all where there are no more.
NEIGHBOURS = 256

_Place = TypeVar("_Place")


def better(
    here: _Place, looked_at: Iterable[_Place], worth: Callable[[_Place], Any]
) -> _Place | None:
    """Returns where a local search goes on: the best neighbour looked at, if it is better.

    Args:
      here: where it is.
      looked_at: neighbours, in the order in which they were looked at.
      worth: what places are compared by.
    """
    best = max(looked_at, key=worth, default=here)
    return best if worth(best) > worth(here) else None


class LocalSearch(Rival):
    """Local search from the best starting network, in steps of B neighbours."""

    def __init__(self, task: Task):
        """Starts a search before its first step."""
        super().__init__(task)
        self._here: Trial | None = None

    def _propose(self) -> Sequence[Proposal]:
        here = self._here
        if here is None:  # nothing was trained yet
            return self._filled({})
        return self._changed([here], [self._neighbours(here)])

    def _neighbours(self, here: Trial) -> list[Edit]:
        """Returns changes of the present network, each to another one, in random order."""
        spec, rng = here.proposal.spec, self._rng("neighbours", 0)
        near = neighbours.some_changes(spec, self.space, NEIGHBOURS, rng)
        return [near[index][0] for index in rng.permutation(len(near))]

    def _learn(self, trials: Sequence[Trial]) -> dict[str, Any]:
        """Goes to a better neighbour or, where too few were left to fill a step, somewhere new."""
        trained = [trial for trial in trials if trial.trained]
        near = [trial for trial in trained if trial.proposal.parent is not None]
        new = [trial for trial in trained if trial.proposal.parent is None]
        moved = better(self._here, near, self.worth) if self._here else None
        begun = max(new, key=self.worth, default=None) if moved is None else None
        self._here = moved or begun or self._here
        return {"moved": moved is not None, "begun": begun is not None}
