"""EPNAS itself: each step changes the networks of B branches (paper, sections 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from epnas_tf import fields
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import parents
from epnas_tf.searching.algorithms import Task
from epnas_tf.searching.fold import Fold
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.learner import Learner, Move
from epnas_tf.searching.policies import POLICIES
from epnas_tf.searching.proposer import Policy
from epnas_tf.searching.rungs import Rungs
from epnas_tf.searching.settings import Learning, Sizes
from epnas_tf.searching.starts import Starts
from epnas_tf.searching.trials import Proposal, Trial, ranked


class ProgressiveSearch(Fold):
    """Progressive search with B branches.

    Step 0, once, evaluates B starting networks, given or random. Then each step proposes a morph of
    each branch's network, and the best B of an episode start the next.
    """

    def __init__(
        self,
        space: SearchSpace,
        policy: Policy,
        *,
        knowledge: Knowledge | None = None,
        learning: Learning | None = None,
        reuse_duplicates: bool = False,
        starts: Starts | None = None,
        rungs: Rungs | None = None,
        **sizes: Any,
    ):
        """Starts a search before its first step.

        Args:
          space: the networks it may visit.
          policy: what chooses the morphs.
          knowledge: what is known of networks before any is trained; nothing if None.
          learning: how the policy learns; the defaults of `Learning` if None.
          reuse_duplicates: name in a proposal the earlier trial of the same network, whose result
            may stand for it.
          starts: the starting networks; all drawn anywhere within the limits if None.
          rungs: how long networks may be trained; one rung if None.
          **sizes: fields of `searching.settings.Sizes`: branches, episodes, steps, seed.

        Raises:
          SettingError: a size is not allowed, or there are more starting networks than branches.
        """
        super().__init__(space, Sizes(**sizes), rungs, starts=starts, knowledge=knowledge)
        self._learning = learning or Learning()
        self._learner = Learner(space, policy, self._learning, self._knowledge)
        self._reuse_duplicates = reuse_duplicates
        self._current: list[Trial] = []  # of each branch: the network its next morph starts from
        self._started: list[Trial] = []  # of each branch: the network its episode started from

    @classmethod
    def of(cls, task: Task) -> ProgressiveSearch:
        """Returns the search of a task, with the policy and the learning that its settings name."""
        settings = task.settings
        return cls(
            task.space,
            POLICIES[settings.policy](task.space, settings),
            knowledge=task.knowledge,
            learning=fields.pick(settings, Learning),
            reuse_duplicates=settings.reuse_duplicates,
            starts=task.starts,
            rungs=task.rungs,
            **fields.values_of(settings, Sizes),
        )

    @property
    def offered(self) -> list[list[Spec]]:
        """Of each branch of the running step: the networks that the policy's own morphs led to."""
        return self._learner.offered

    def promising(self) -> list[Trial]:
        """Returns the networks' trials at the lowest rung, by the estimate of DECISIONS 81.

        That is what was measured at the highest rung or what the predictor expects there; without
        a predictor, what was measured, lower rungs behind higher ones.
        """
        return self._by_estimate(self.history)

    def rising(self) -> list[Trial]:
        """Returns which networks may rise: feasible ones, else what is nearest to kept limits."""
        rising = super().rising()
        if not self._learning.keeps_limits or any(trial.result.feasible for trial in rising):
            return rising
        return parents.nearest_first(rising, self._knowledge.violation)

    def _by_estimate(self, trials: Sequence[Trial]) -> list[Trial]:
        first, risen = self._as_measured(trials), self.standing.risen
        specs = [trial.proposal.spec for trial in first]
        expected = self._learner.highest(specs) if any(risen) else None
        if expected is None:
            return first
        highest = next(known for known in reversed(risen) if known)
        estimates = {
            spec: highest[spec].result.reward if spec in highest else float(mean)
            for spec, mean in zip(specs, expected, strict=True)
        }

        def key(trial: Trial) -> tuple[Any, ...]:
            feasible = trial.result.feasible
            own = estimates[trial.proposal.spec] if feasible else trial.result.reward
            return not feasible, -own, trial.slot

        return sorted(first, key=key)

    def _expected(self, specs: Sequence[Spec]) -> np.ndarray | None:
        return self._learner.expected(specs)

    def _propose(self) -> Sequence[Proposal]:
        changed = [trial.proposal for trial in self._current]
        place = len(self.history)
        picked = self._learner.propose([parent.spec for parent in changed], self._rng, place)
        trained = self._first_trained() if self._reuse_duplicates else {}
        return [
            Proposal(
                slot,
                candidate.spec,
                changed[candidate.branch].slot.name,
                candidate.action,
                trained.get(candidate.spec.key),
            )
            for slot, candidate in zip(self.slots(), picked, strict=True)
        ]

    def _learn(self, trials: Sequence[Trial]) -> dict[str, Any]:
        """Moves the branches on and learns from the step; returns what the log says of it."""
        if self._step == 0:
            # Starting networks keep their branches; an untrained one gives way to the best.
            spare = (ranked(trials) or list(trials))[0]
            self._started = [trial if trial.trained else spare for trial in trials]
            self._current = self._started
            self._learner.start(trials)
            return {}
        moves = [
            Move(self._parent(trial.proposal), trial.proposal.action or Morph(), trial)
            for trial in trials
        ]
        entry = self._learner.log(moves)
        self._learner.take_in(moves, self.standing.values(self._learner.value))
        self._current = self._parents(trials)
        self._learner.imagine([trial.proposal.spec for trial in self._current], self._rng)
        if self._step == self.steps:
            self._learner.finish_episode()
        return entry

    def _parent(self, proposal: Proposal) -> Trial:
        """Returns the trial that a proposal of the running step starts from."""
        if proposal.parent is None:  # a user's own, adopted
            return self._current[proposal.slot.branch]
        for trial in self._current:
            if trial.slot.name == proposal.parent:
                return trial
        raise ValueError(
            f"parent of {proposal.slot.name} must be among those of its step, got {proposal.parent}"
        )

    def _parents(self, trials: Sequence[Trial]) -> list[Trial]:
        """Returns the networks that the next step starts from, one per branch."""
        if self._learning.parents != "branch":
            return self._of_the_best()
        if self._step < self.steps:
            return [
                trial if trial.trained else parent
                for parent, trial in zip(self._current, trials, strict=True)
            ]
        episode = [t for t in self.history if t.slot.episode == self._episode and t.slot.step > 0]
        best = self._by_estimate(self._started + episode) or self._started
        self._started = parents.spread(best, self.branches)
        return self._started

    def _of_the_best(self) -> list[Trial]:
        best, violation = self.promising() or self._started, self._knowledge.violation
        if self._learning.keeps_limits:
            best = parents.nearest_first(best, violation)
        # What has nothing new to offer gives way: a search would go round in circles.
        exhausted = self._learner.exhausted
        fruitful = [trial for trial in best if trial.proposal.spec not in exhausted]
        if self._learning.parents == "tournament":
            rngs = [self._rng("parent", branch) for branch in range(self.branches)]
            chosen = parents.tournaments(fruitful or best, rngs)
        else:
            chosen = parents.spread(fruitful or best, self.branches)
        if not self._learning.keeps_limits:
            return chosen
        return parents.with_stone(chosen, fruitful, violation, self._learner.value)
