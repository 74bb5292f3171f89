"""What a policy proposes for a step, and which of the candidates are picked.

While the predictor is trusted, the policy's proposals and the single changes of the parents are
candidates for every place, and Thompson sampling picks. Otherwise each branch takes the policy's
own proposal. While few networks are known, single changes alone are on offer. All keep the limits,
where these are to be kept (`candidates.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import candidates
from epnas_tf.searching.candidates import Candidate, Choice
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.predictor import Predictor
from epnas_tf.searching.settings import Learning

Rng = Callable[[str, int], np.random.Generator]
# Proposals of a policy that may be refused before a neighbour stands in for them.
REFUSALS = 16
# What a known network is refused by: nothing within the limits is worse than one outside.
STALE = 1e-9


class Policy(Protocol):
    """What chooses the morphs.

    Attributes:
      learns: whether `update` changes what is proposed; if not, nothing is imagined for it. A
        policy that does not say so learns.
    """

    learns: bool

    def propose(self, specs: Sequence[Spec], rngs: Sequence[np.random.Generator]) -> list[Morph]:
        """Returns a morph for each network, drawn with that network's generator."""

    def update(
        self, specs: Sequence[Spec], actions: Sequence[Morph], advantages: np.ndarray
    ) -> None:
        """Learns from actions taken on networks and how much better they did than expected."""

    def statistics(self, specs: Sequence[Spec], actions: Sequence[Morph]) -> dict[str, Any]:
        """Returns figures about the policy's choices for the log."""


_Found = tuple[float, Candidate]  # why it is refused, 0 if it is not, and what it is


class Proposer:
    """Makes the candidates of a step and picks among them.

    Attributes:
      offered: of each branch of the last step: the networks that the policy's own morphs led to.
    """

    def __init__(
        self, space: SearchSpace, policy: Policy, learning: Learning, knowledge: Knowledge
    ):
        self._space, self._policy = space, policy
        self._learning, self._knowledge = learning, knowledge
        self.offered: list[list[Spec]] = []

    def drawn(
        self, specs: Sequence[Spec], count: int, rng: Callable[[int], np.random.Generator]
    ) -> list[list[Candidate]]:
        """Returns `count` proposals of the policy for each network."""
        repeated = [spec for spec in specs for _ in range(count)]
        # A network's morphs come from one generator: each is drawn where the last one ended.
        generators = [g for g in map(rng, range(len(specs))) for _ in range(count)]
        flat = self._policy.propose(repeated, generators)
        actions = [flat[i * count : (i + 1) * count] for i in range(len(specs))]
        return candidates.of_actions(specs, actions, self._space)

    def screened(
        self,
        specs: Sequence[Spec],
        rng: Rng,
        predictor: Predictor,
        known: Callable[[Spec], bool],
        place: int,
        near_alone: bool = False,
    ) -> list[Candidate]:
        """Returns of each place the candidate with the highest draw of those it may take.

        Each place has a draw of its own of all rewards (Thompson sampling). It may change any
        parent, but where branches are the paper's: there a branch goes on from its own. Where
        nothing new is on offer, the parent is repeated: no place is worth a network that would be
        skipped or that another place takes.

        Args:
          specs: the branches' networks.
          rng: (purpose, number) -> generator of the step.
          predictor: a fitted one.
          known: whether a network was evaluated before.
          place: number of the step's first place among all of the search.
          near_alone: whether single changes alone are candidates: of a few known networks nobody
            can tell how distant ones do, and draws are widest there.
        """
        learning = self._learning
        own = self.drawn(specs, learning.screen, lambda i: rng("action", i))
        self.offered = [[candidate.spec for candidate in of_branch] for of_branch in own]
        near = candidates.of_neighbours(
            specs, self._space, learning.neighbours, lambda i: rng("neighbour", i)
        )
        outside = all(self._knowledge.violation(spec) > 0 for spec in specs)
        offered = near if near_alone else [*own, *near]
        choice = Choice(offered, self._knowledge, learning.keeps_limits, known, outside)
        repeated = [Candidate(branch, Morph(), spec) for branch, spec in enumerate(specs)]
        if not choice.candidates:
            return repeated
        changed = [candidate.spec for candidate in choice.candidates]
        draws = predictor.sample(changed, len(own), rng("screen", 0))
        picked = []
        for branch, draw in enumerate(draws):
            only = branch if learning.parents == "branch" else None
            allowed = choice.allowed(place + branch, only)
            best = int(np.argmax(np.where(allowed, draw, -np.inf)))
            picked.append(choice.take(best, only) if allowed.any() else repeated[branch])
        return picked

    def single(
        self, specs: Sequence[Spec], rng: Rng, known: Callable[[Spec], bool]
    ) -> list[Candidate]:
        """Returns a single change of each network, at random among those that are not refused.

        Refused is what breaks kept limits, is known or taken in this step; where all are, the one
        nearest to the limits is taken, and where there is none, the network is repeated.

        Args:
          specs: the branches' networks.
          rng: (purpose, number) -> generator of the running step.
          known: whether a network was evaluated before.
        """
        self.offered = [[] for _ in specs]
        best: dict[int, _Found] = {}
        for branch, spec in enumerate(specs):
            for child in self._near(branch, spec, rng("neighbour", branch)):
                best[branch] = self._better(best, child, known)
            best.setdefault(branch, (0.0, Candidate(branch, Morph(), spec)))
        return [best[branch][1] for branch in range(len(specs))]

    def unscreened(
        self, specs: Sequence[Spec], rng: Rng, known: Callable[[Spec], bool]
    ) -> list[Candidate]:
        """Returns the policy's own proposal for each network, the first that is not refused.

        Refused is what breaks kept limits and, but with `screen` 1 (the paper's rule), what is
        known or taken in this step. Where the first REFUSALS ones are, the network that is nearest
        to the limits is taken of these and the neighbours.

        Args:
          specs: the branches' networks.
          rng: (purpose, number) -> generator of the step.
          known: whether a network was evaluated before.
        """
        generators = [rng("action", branch) for branch in range(len(specs))]
        best: dict[int, _Found] = {}
        waiting = list(range(len(specs)))
        self.offered = [[] for _ in specs]
        for _ in range(REFUSALS):
            asked = [specs[branch] for branch in waiting]
            actions = self._policy.propose(asked, [generators[branch] for branch in waiting])
            for branch, action in zip(waiting, actions, strict=True):
                child = self._child(branch, specs[branch], action)
                self.offered[branch].append(child.spec)
                best[branch] = self._better(best, child, known)
            waiting = [branch for branch in waiting if best[branch][0] > 0]
            if not waiting:
                break
        for branch in waiting:
            for child in self._near(branch, specs[branch], generators[branch]):
                best[branch] = self._better(best, child, known)
        return [best[branch][1] for branch in range(len(specs))]

    def _child(self, branch: int, parent: Spec, action: Morph) -> Candidate:
        ((child,),) = candidates.of_actions([parent], [[action]], self._space)
        return dataclasses.replace(child, branch=branch)

    def _near(self, branch: int, parent: Spec, rng: np.random.Generator) -> list[Candidate]:
        most = self._learning.neighbours
        (near,) = candidates.of_neighbours([parent], self._space, most, lambda _: rng)
        return [dataclasses.replace(child, branch=branch) for child in near]

    def _better(
        self, best: Mapping[int, _Found], other: Candidate, known: Callable[[Spec], bool]
    ) -> _Found:
        """Returns what a branch proposes: the one with the smaller refusal, else the first."""
        refusal = self._knowledge.violation(other.spec) if self._learning.keeps_limits else 0.0
        taken = any(o.spec == other.spec for b, (_, o) in best.items() if b != other.branch)
        if self._learning.screen > 1 and (taken or known(other.spec)):
            refusal += STALE
        found = best.get(other.branch)
        return (refusal, other) if found is None or refusal < found[0] else found
