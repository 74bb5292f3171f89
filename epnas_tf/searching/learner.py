"""What is learnt from a step: by the predictor, and by the policy in its imagination.

Once the predictor's skill is above a bound, the policy proposes many morphs per branch and Thompson
sampling picks the one to train, and between steps the policy is trained by REINFORCE on imagined
morphs whose rewards are predicted (the idea of DyNA-PPO, Angermueller et al., ICLR 2020).

Picked actions are not the policy's own draws (they are off-policy), so that no gradient is taken of
them: from a screened step the policy learns through the predictor alone. Actions of a step that was
not screened are the policy's own, and REINFORCE learns from their rewards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from epnas_tf.architecture.morph import Morph, Replace
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import returns
from epnas_tf.searching.candidates import Candidate
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.predictor import Predictor
from epnas_tf.searching.proposer import Policy, Proposer, Rng
from epnas_tf.searching.returns import Baseline
from epnas_tf.searching.settings import Learning
from epnas_tf.searching.trials import Trial

# Standard deviations that an imagined reward lies above the prediction.
OPTIMISM = 1.0


@dataclasses.dataclass(frozen=True)
class Move:
    """A trained change: the parent's trial, the action taken, the child's trial."""

    parent: Trial
    action: Morph
    child: Trial

    @property
    def chosen(self) -> bool:
        """Whether a policy can choose the action: no policy replaces a layer."""
        return not isinstance(self.action.edit, Replace)


class Learner:
    """Proposes the morphs of a step and learns from what became of them."""

    def __init__(
        self, space: SearchSpace, policy: Policy, learning: Learning, knowledge: Knowledge
    ):
        self._policy = policy
        learns = getattr(policy, "learns", True)  # a user's own policy may be older than the word
        self._learning = learning if learns else learning.without_updates()
        self._knowledge = knowledge
        self._proposer = Proposer(space, policy, self._learning, knowledge)
        self._predictor = None
        if self._learning.predicts:
            self._predictor = Predictor(space, knowledge.describe, knowledge.prior)
        self._seen: set[Spec] = set()  # evaluated, whatever came of it
        self._known: dict[Spec, float] = {}  # trained
        self._best_moves: list[Move] = []
        self._moves: list[list[Move]] = []  # of the episode, a list per step
        self._baseline = Baseline()
        self.exhausted: set[Spec] = set()  # networks of which all proposals were known

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

    @property
    def _near(self) -> bool:
        """Whether so few networks are known that the running step stays with single changes."""
        few = len(self._known) < self._learning.near_networks
        return few and self._learning.screen > 1 and self._learning.neighbours > 0

    def value(self, trial: Trial) -> float:
        """Returns what is learnt from a trial: with kept limits accuracy, else the reward."""
        accuracy = trial.result.accuracy
        keep = self._learning.keeps_limits and accuracy is not None
        return accuracy if keep and accuracy is not None else trial.result.reward

    # Proposing

    def expected(self, specs: Sequence[Spec]) -> np.ndarray | None:
        """Returns what earlier searches expect of networks, [n]; None where there are none."""
        return None if self._predictor is None else self._predictor.expected_before(specs)

    def highest(self, specs: Sequence[Spec]) -> np.ndarray | None:
        """Returns what networks are expected to be at the highest rung, None where nothing is."""
        known = self._predictor is not None and self._predictor.fitted
        return self._predictor.highest(specs) if known and self._predictor else None

    @property
    def offered(self) -> list[list[Spec]]:
        """Of each branch of the running step: the networks that the policy's morphs led to."""
        return self._proposer.offered

    def propose(self, specs: Sequence[Spec], rng: Rng, place: int = 0) -> list[Candidate]:
        """Returns a candidate for each place of a step.

        Args:
          specs: the branches' networks.
          rng: (purpose, number) -> generator of the running step.
          place: number of the step's first place among all of the search.
        """
        known = self._seen.__contains__
        if self._screened:
            assert self._predictor is not None
            return self._proposer.screened(specs, rng, self._predictor, known, place, self._near)
        return (self._proposer.single if self._near else self._proposer.unscreened)(
            specs, rng, known
        )

    # Learning

    def start(self, trials: Sequence[Trial]) -> None:
        """Takes in the starting networks."""
        self._remember(trials)

    def take_in(self, moves: Sequence[Move], risen: Sequence[Mapping[Spec, float]] = ()) -> None:
        """Learns from a finished step.

        Args:
          moves: what was trained, a move per branch.
          risen: of each rung above the lowest: values of all networks measured there so far.
        """
        if self._screened or self._near:
            # The child is new wherever one was on offer, and no draw of the policy's.
            repeats = [move for move in moves if move.child.proposal.spec in self._known]
            self.exhausted |= {move.parent.proposal.spec for move in repeats}
        else:
            self._moves.append(list(moves))
            if self._learning.policy_update == "step":
                self._update(self._moves[-1:])
        self._remember([move.child for move in moves], risen)
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
        own = np.array([move.chosen for move in flat])
        taken = [move for move in flat if move.chosen]
        if taken:
            specs = [move.parent.proposal.spec for move in taken]
            advantages = self._advantages(moves).ravel()[own]
            self._policy.update(specs, [move.action for move in taken], advantages)

    def _advantages(self, moves: Sequence[Sequence[Move]]) -> np.ndarray:
        """Returns the normalised advantages [steps, branches]."""
        rewards = self._values(moves, lambda move: move.child)
        if self._learning.policy_baseline == "moving_average":
            advantages, self._baseline = returns.advantages(rewards, self._baseline)
            return advantages
        if self._learning.policy_baseline == "parent":
            return returns.normalised(rewards - self._values(moves, lambda move: move.parent))
        if self._learning.policy_baseline == "critic" and self.trusted:
            return returns.normalised(rewards - self._expected(moves))
        return returns.normalised(rewards - rewards.mean(axis=1, keepdims=True))

    def _values(
        self, moves: Sequence[Sequence[Move]], trial: Callable[[Move], Trial]
    ) -> np.ndarray:
        """Returns the values of a trial of each move, [steps, branches]."""
        return np.asarray([[self.value(trial(m)) for m in step] for step in moves], np.float64)

    def _expected(self, moves: Sequence[Sequence[Move]]) -> np.ndarray:
        """Returns the critic's rewards [steps, branches]: what is predicted of the parents."""
        assert self._predictor is not None
        parents = [move.parent.proposal.spec for step in moves for move in step]
        return self._predictor.rewards(parents).reshape(len(moves), -1)

    def _remember(
        self, trials: Sequence[Trial], risen: Sequence[Mapping[Spec, float]] = ()
    ) -> None:
        for trial in trials:
            self._seen.add(trial.proposal.spec)
            if trial.trained:
                self._known.setdefault(trial.proposal.spec, self.value(trial))
        if self._predictor is not None:
            self._predictor.fit(list(self._known), list(self._known.values()), risen)

    def _replay(self, moves: Sequence[Move]) -> None:
        """Raises the probability of the best changes so far (priority queue training)."""
        if not self._learning.replay:
            return
        better = [
            move
            for move in moves
            if move.chosen
            and move.child.trained
            and self.value(move.child) > self.value(move.parent)
        ]
        ordered = sorted(
            self._best_moves + better, key=lambda m: (-self.value(m.child), m.child.slot)
        )
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
        children = self._proposer.drawn(
            specs, count, lambda i: rng("imagine", number * len(specs) + i)
        )
        flat = [candidate.spec for own in children for candidate in own]
        mean, deviation = self._predictor.predict(flat)
        # Optimistic, as the draws that pick among proposals are.
        rewards = mean + OPTIMISM * deviation
        rewards[[self._worthless(child) for child in flat]] = rewards.min()
        rewards = rewards.reshape(len(specs), count)
        advantages = returns.normalised(rewards - rewards.mean(axis=1, keepdims=True))
        repeated = [spec for spec in specs for _ in range(count)]
        actions = [candidate.action for own in children for candidate in own]
        self._policy.update(repeated, actions, advantages.ravel())

    def _worthless(self, spec: Spec) -> bool:
        """Says whether a network would not be picked: known, skipped or outside kept limits."""
        if spec in self._seen or self._knowledge.skipped(spec):
            return True
        return self._learning.keeps_limits and self._knowledge.violation(spec) > 0

    # What a person reads

    def log(self, moves: Sequence[Move]) -> dict[str, Any]:
        """Returns what the log says of a step."""
        count = self._learning.screen if self._screened else int(not self._near)
        entry: dict[str, Any] = {"offered": count * len(moves), "screened": self._screened}
        if self._predictor is not None:
            entry["skill"] = round(self._predictor.skill, 6)
        if self._learning.policy_baseline == "moving_average":
            means = self._baseline.means
            # An index of the step within the episode, where there is one update per episode.
            entry["baseline"] = None if means is None else means[len(self._moves) % len(means)]
        specs = [move.parent.proposal.spec for move in moves]
        # Of a network whose change no policy can choose its other choices are told all the same.
        actions = [move.action if move.chosen else Morph() for move in moves]
        return entry | self._policy.statistics(specs, actions)
