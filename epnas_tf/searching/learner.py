"""The policy and the predictor at work: what is proposed for a step, what is learnt from it.

Once the predictor's skill is above a bound, the policy proposes many morphs per branch and Thompson
sampling picks the one to train, and between steps the policy is trained by REINFORCE on imagined
morphs whose rewards are predicted (the idea of DyNA-PPO, Angermueller et al., ICLR 2020).

Picked actions are not the policy's own draws (they are off-policy), so that no gradient is taken of
them: from a screened step the policy learns through the predictor alone. Actions of a step that was
not screened are the policy's own, and REINFORCE learns from their rewards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from epnas_tf.architecture import morph
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import returns
from epnas_tf.searching.predictor import Predictor
from epnas_tf.searching.returns import Baseline
from epnas_tf.searching.settings import Learning
from epnas_tf.searching.trials import Trial

Rng = Callable[[str, int], np.random.Generator]
# Standard deviations that an imagined reward lies above the prediction.
OPTIMISM = 1.0


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


@dataclasses.dataclass(frozen=True)
class Move:
    """A trained change: the parent's trial, the action taken, the child's trial."""

    parent: Trial
    action: Morph
    child: Trial

    @property
    def reward(self) -> float:
        """The child's reward."""
        return self.child.result.reward


class Learner:
    """Proposes the morphs of a step and learns from what became of them."""

    def __init__(self, space: SearchSpace, policy: Policy, learning: Learning):
        self._space = space
        self._policy = policy
        learns = getattr(policy, "learns", True)  # a user's own policy may be older than the word
        self._learning = learning if learns else learning.without_updates()
        self._predictor = Predictor(space) if self._learning.predicts else None
        self._known: dict[str, tuple[Spec, float]] = {}
        self._best_moves: list[Move] = []
        self._moves: list[list[Move]] = []  # of the episode, a list a step
        self._baseline = Baseline()
        self.exhausted: set[str] = set()  # networks of which all proposals were known
        self.offered: list[list[Spec]] = []

    @property
    def trusted(self) -> bool:
        """Whether the predictor is good enough to be listened to."""
        predictor = self._predictor
        return (
            predictor is not None
            and predictor.fitted
            and predictor.skill >= self._learning.predictor_skill
        )

    @property
    def _screened(self) -> bool:
        """Whether the running step's proposals are screened; it holds until the step is learnt."""
        return self._learning.screen > 1 and self.trusted

    # Proposing

    def propose(self, specs: Sequence[Spec], rng: Rng) -> list[Morph]:
        """Returns a morph for each branch's network, the one picked of those on offer.

        Args:
          specs: the branches' networks.
          rng: (purpose, number) -> generator of the running step.
        """
        count = self._learning.screen if self._screened else 1
        actions = self._drawn(specs, count, lambda i: rng("action", i))
        children = self._children(specs, actions)
        self.offered = children
        if not self._screened:
            return [own[0] for own in actions]
        picked = self._picked(children, rng("screen", 0))
        return [own[index] for own, index in zip(actions, picked, strict=True)]

    def _drawn(
        self, specs: Sequence[Spec], count: int, rng: Callable[[int], np.random.Generator]
    ) -> list[list[Morph]]:
        """Returns `count` morphs of each network."""
        repeated = [spec for spec in specs for _ in range(count)]
        # A network's morphs come from one generator: each is drawn where the last one ended.
        generators = [g for g in map(rng, range(len(specs))) for _ in range(count)]
        flat = self._policy.propose(repeated, generators)
        return [flat[i * count : (i + 1) * count] for i in range(len(specs))]

    def _children(
        self, specs: Sequence[Spec], actions: Sequence[Sequence[Morph]]
    ) -> list[list[Spec]]:
        return [
            [morph.apply(spec, action, self._space) for action in own]
            for spec, own in zip(specs, actions, strict=True)
        ]

    def _picked(self, children: Sequence[Sequence[Spec]], rng: np.random.Generator) -> list[int]:
        """Returns of each branch the child with the highest draw among those not yet known.

        Each branch has a draw of its own of all rewards (Thompson sampling); where a branch offers
        nothing new, its first proposal is taken.
        """
        assert self._predictor is not None
        fresh = {
            child.key: child for own in children for child in own if child.key not in self._known
        }
        if not fresh:
            return [0] * len(children)
        draws = self._predictor.sample(list(fresh.values()), len(children), rng)
        column = {key: i for i, key in enumerate(fresh)}
        taken: set[str] = set()
        picked = []
        for own, draw in zip(children, draws, strict=True):
            new = [i for i, c in enumerate(own) if c.key in column and c.key not in taken]
            best = max(new, key=lambda i: draw[column[own[i].key]], default=0)
            taken.add(own[best].key)
            picked.append(best)
        return picked

    # Learning

    def start(self, trials: Sequence[Trial]) -> None:
        """Takes in the starting networks."""
        self._remember(trials)

    def take_in(self, moves: Sequence[Move]) -> None:
        """Learns from a finished step: what was trained, a move a branch."""
        if self._screened:
            # The picked child is new wherever one was on offer.
            repeats = [move for move in moves if move.child.proposal.spec.key in self._known]
            self.exhausted |= {move.parent.proposal.spec.key for move in repeats}
        else:
            self._moves.append(list(moves))
            if self._learning.policy_update == "step":
                self._update(self._moves[-1:])
        self._remember([move.child for move in moves])
        self._replay(moves)

    def imagine(self, specs: Sequence[Spec], rng: Rng) -> None:
        """Trains the policy in the predictor's imagined environment, while that is trusted.

        Args:
          specs: the networks of the next step.
          rng: (purpose, number) -> generator of the finished step.
        """
        if self.trusted:
            for number in range(self._learning.imagined_updates):
                self._imagine(specs, number, rng)

    def finish_episode(self) -> None:
        """Learns from a finished episode, where that is the time to learn."""
        if self._learning.policy_update == "episode" and self._moves:
            self._update(self._moves)
        self._moves = []

    def _update(self, moves: Sequence[Sequence[Move]]) -> None:
        flat = [move for step in moves for move in step]
        specs = [move.parent.proposal.spec for move in flat]
        self._policy.update(specs, [move.action for move in flat], self._advantages(moves).ravel())

    def _advantages(self, moves: Sequence[Sequence[Move]]) -> np.ndarray:
        """Returns the normalised advantages [steps, branches]."""
        rewards = np.asarray([[move.reward for move in step] for step in moves], np.float64)
        if self._learning.policy_baseline == "moving_average":
            advantages, self._baseline = returns.advantages(rewards, self._baseline)
            return advantages
        if self._learning.policy_baseline == "parent":
            parents = [[move.parent.result.reward for move in step] for step in moves]
            return returns.normalised(rewards - np.asarray(parents))
        if self._learning.policy_baseline == "critic" and self.trusted:
            return returns.normalised(rewards - self._expected(moves))
        return returns.normalised(rewards - rewards.mean(axis=1, keepdims=True))

    def _expected(self, moves: Sequence[Sequence[Move]]) -> np.ndarray:
        """Returns the critic's rewards [steps, branches]: what is predicted of the parents."""
        assert self._predictor is not None
        parents = [move.parent.proposal.spec for step in moves for move in step]
        return self._predictor.rewards(parents).reshape(len(moves), -1)

    def _remember(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            if trial.trained:
                spec = trial.proposal.spec
                self._known.setdefault(spec.key, (spec, trial.result.reward))
        if self._predictor is not None:
            specs, rewards = zip(*self._known.values(), strict=True) if self._known else ((), ())
            self._predictor.fit(specs, rewards)

    def _replay(self, moves: Sequence[Move]) -> None:
        """Raises the probability of the best changes so far (priority queue training)."""
        if not self._learning.replay:
            return
        better = [m for m in moves if m.child.trained and m.reward > m.parent.result.reward]
        ordered = sorted(self._best_moves + better, key=lambda m: (-m.reward, m.child.slot))
        self._best_moves = ordered[: self._learning.replay]
        if self._best_moves:
            specs = [move.parent.proposal.spec for move in self._best_moves]
            actions = [move.action for move in self._best_moves]
            self._policy.update(specs, actions, np.full(len(specs), 1.0 / len(specs)))

    def _imagine(self, specs: Sequence[Spec], number: int, rng: Rng) -> None:
        """Trains the policy once on imagined morphs: REINFORCE with predicted rewards.

        The baseline is the mean of the same network's morphs, which needs no critic of its own.
        """
        assert self._predictor is not None
        count = self._learning.imagined_batch
        actions = self._drawn(specs, count, lambda i: rng("imagine", number * len(specs) + i))
        children = self._children(specs, actions)
        flat = [child for own in children for child in own]
        mean, deviation = self._predictor.predict(flat)
        # Optimistic, as the draws that pick among proposals are; what is known is worth nothing.
        rewards = mean + OPTIMISM * deviation
        rewards[[child.key in self._known for child in flat]] = rewards.min()
        rewards = rewards.reshape(len(specs), count)
        advantages = returns.normalised(rewards - rewards.mean(axis=1, keepdims=True))
        repeated = [spec for spec in specs for _ in range(count)]
        self._policy.update(repeated, [a for own in actions for a in own], advantages.ravel())

    # What a person reads

    def log(self, moves: Sequence[Move]) -> dict[str, Any]:
        """Returns what the log says of a step."""
        count = self._learning.screen if self._screened else 1
        entry: dict[str, Any] = {"offered": count * len(moves), "screened": self._screened}
        if self._predictor is not None:
            entry["skill"] = round(self._predictor.skill, 6)
        if self._learning.policy_baseline == "moving_average":
            means = self._baseline.means
            # An index of the step within the episode, where there is one update per episode.
            entry["baseline"] = None if means is None else means[len(self._moves) % len(means)]
        specs = [move.parent.proposal.spec for move in moves]
        return entry | self._policy.statistics(specs, [move.action for move in moves])
