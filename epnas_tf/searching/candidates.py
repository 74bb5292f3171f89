"""The networks that a step may train: gathered from its parents, and which of them are allowed.

With `--limits=keep` a place goes to a network within every limit. One place in STONE_EVERY may go
to one outside by at most STONE_REACH, a stepping stone to what lies behind it. Where neither
parents nor candidates keep the limits, the places go to the least violating ones: they come nearer.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from epnas_tf.architecture import morph, neighbours
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.knowledge import Knowledge

STONE_EVERY = 8
STONE_REACH = 0.25


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A network that may be trained.

    Attributes:
      branch: of the parent that it changes.
      action: the change.
      spec: the changed network.
    """

    branch: int
    action: Morph
    spec: Spec


def of_actions(
    parents: Sequence[Spec], actions: Sequence[Sequence[Morph]], space: SearchSpace
) -> list[list[Candidate]]:
    """Returns of each parent the networks that these actions make of it."""
    return [
        [Candidate(branch, action, morph.apply(parent, action, space)) for action in own]
        for branch, (parent, own) in enumerate(zip(parents, actions, strict=True))
    ]


def of_neighbours(
    parents: Sequence[Spec],
    space: SearchSpace,
    most: int,
    rng: Callable[[int], np.random.Generator],
) -> list[list[Candidate]]:
    """Returns of each distinct parent at most `most` single changes (`neighbours.some_changes`).

    Args:
      parents: the networks to change; of equal ones the first alone is.
      space: where they lie.
      most: how many changes of each to look at.
      rng: branch -> source of randomness, where not all changes can be looked at.
    """
    found: list[list[Candidate]] = []
    for branch, parent in enumerate(parents):
        changes = []
        if most and parent not in parents[:branch]:
            changes = neighbours.some_changes(parent, space, most, rng(branch))
        found.append([Candidate(branch, Morph((), edit), spec) for edit, spec in changes])
    return found


class Choice:
    """The candidates of a step, each network once, and what each place may take of them."""

    def __init__(
        self,
        candidates: Iterable[Iterable[Candidate]],
        knowledge: Knowledge,
        keep: bool,
        known: Callable[[Spec], bool],
        outside: bool = False,
    ):
        """Leaves out what is known already or would be skipped.

        Args:
          candidates: groups of them, in order of preference where two make the same network of
            a branch, or two branches make the same.
          knowledge: what is known of networks.
          keep: whether the limits are to be kept (`--limits=keep`).
          known: whether a network was evaluated before.
          outside: whether no parent keeps the limits, so that a step nearer to them is one.
        """
        fresh: dict[Spec, dict[int, Candidate]] = {}
        for candidate in itertools.chain.from_iterable(candidates):
            if not known(candidate.spec):
                fresh.setdefault(candidate.spec, {}).setdefault(candidate.branch, candidate)
        self._makers = [own for spec, own in fresh.items() if not knowledge.skipped(spec)]
        self.candidates = [next(iter(own.values())) for own in self._makers]
        self._keep, self._outside = keep, outside
        self._violations = np.zeros(len(self.candidates))
        if keep:
            self._violations[:] = [knowledge.violation(c.spec) for c in self.candidates]
        self._taken = np.zeros(len(self.candidates), bool)

    def allowed(self, place: int, branch: int | None = None) -> np.ndarray:
        """Returns which candidates a place may take, bool [candidates].

        Args:
          place: number of the place among all of the search.
          branch: whose parent is to be changed; None for any.
        """
        open_ = ~self._taken
        if branch is not None:
            open_ &= np.array([branch in own for own in self._makers], bool)
        if not self._keep or not open_.any():
            return open_
        reach = STONE_REACH if place % STONE_EVERY == STONE_EVERY - 1 else 0.0
        if not self._outside or (open_ & (self._violations == 0)).any():
            return open_ & (self._violations <= reach)
        return open_ & (self._violations == self._violations[open_].min())

    def take(self, index: int, branch: int | None = None) -> Candidate:
        """Returns a candidate, as a branch makes it, which no other place may take then."""
        self._taken[index] = True
        return self.candidates[index] if branch is None else self._makers[index][branch]
