"""Random networks, drawn as random starts are: near the limits where there are any."""

from __future__ import annotations

from collections.abc import Sequence

from epnas_tf.searching.algorithms.rival import Rival
from epnas_tf.searching.trials import Proposal


class RandomSearch(Rival):
    """Draws every network; what makes it a search is which of them rise."""

    def _propose(self) -> Sequence[Proposal]:
        return self._filled({})
