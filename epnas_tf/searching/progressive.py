"""The progressive search: episodes of steps of branches, as a fold over finished trials.

`ask()` gives the networks of the running step, `tell()` takes results in any order and moves on
when the step is whole. The state depends on what was told and on nothing else: a search that is
told the same trials again is in the same state, to the bit. Random draws come from
(seed, purpose, episode, step, branch), so no generator is part of the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from epnas_tf import interrupts, randomness
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import initial_specs, parents
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.learner import Learner, Move
from epnas_tf.searching.proposer import Policy
from epnas_tf.searching.settings import EPISODES, STEPS, Learning, Sizes
from epnas_tf.searching.starts import Begin, Starts
from epnas_tf.searching.trials import Proposal, Result, Slot, Trial, ranked


class ProgressiveSearch:
    """Progressive search with B branches (paper, sections 3.1 and 3.2).

    Step 0, once, evaluates B starting networks, given or random. Then each step proposes a morph of
    each branch's network, and the best B of an episode start the next. Trials: B + E * T * B.

    Attributes:
      space: the networks it may visit.
      branches: B, networks per step.
      episodes: E.
      steps: T, steps per episode.
      total: number of trials of the whole search.
      history: the trials of whole steps, in order.
      step_log: what the log says of each whole step.
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
          **sizes: fields of `searching.settings.Sizes`: branches, episodes, steps, seed.

        Raises:
          SettingError: a size is not allowed, or there are more starting networks than branches.
        """
        known = Sizes(**sizes)
        self._starting = starts or Starts()
        initial_specs.checked(self._starting.initial, space, known.branches)
        self.space = space
        self.branches, self.episodes = known.branches, known.episodes or EPISODES
        self.steps = known.steps or STEPS[space.pattern]
        self.total = known.total(space.pattern)
        self.history: list[Trial] = []
        self.step_log: list[dict[str, Any]] = []
        self._learning = learning or Learning()
        self._knowledge = knowledge or Knowledge()
        self._learner = Learner(space, policy, self._learning, self._knowledge)
        self._reuse_duplicates = reuse_duplicates
        self._seed = known.seed
        self._episode, self._step = 1, 0
        self._proposals: dict[Slot, Proposal] = {}
        self._results: dict[Slot, Result] = {}
        self._current: list[Trial] = []  # of each branch: the network its next morph starts from
        self._starts: list[Trial] = []  # of each branch: the network its episode started from

    @property
    def done(self) -> bool:
        """Whether every step is finished."""
        return self._episode > self.episodes

    def slots(self) -> list[Slot]:
        """Returns the slots of the running step."""
        return [Slot(self._episode, self._step, branch) for branch in range(self.branches)]

    def ask(self) -> list[Proposal]:
        """Returns the proposals of the running step that have no result yet, in slot order."""
        if self.done:
            return []
        if len(self._proposals) < self.branches:
            drawn = self._draw_step() if self._step else self._draw_starts()
            self._proposals = {p.slot: p for p in drawn} | self._proposals
        return [self._proposals[s] for s in self.slots() if s not in self._results]

    def adopt(self, proposals: Iterable[Proposal]) -> None:
        """Takes proposals of the running step as they were logged instead of drawing them.

        Raises:
          ValueError: a proposal is not of the running step.
        """
        for proposal in proposals:
            self._check_slot(proposal.slot)
            self._proposals[proposal.slot] = proposal

    def tell(self, results: Iterable[Result]) -> None:
        """Takes results of the running step, in any order; a whole step moves the search on.

        Raises:
          ValueError: a result is not of the running step, or a slot was told another before.
        """
        results = list(results)
        for result in results:
            self._check_slot(result.slot)
        for result in results:
            if self._results.setdefault(result.slot, result) != result:
                raise ValueError(f"{result.slot.name} was told before, got {result}")
        if self._results:
            self.ask()  # a step told without being asked for still has its proposals
        if len(self._results) == self.branches:
            self._finish_step()

    def replay(self, log: Iterable[tuple[Proposal, Result | None]]) -> None:
        """Brings the search to where a log of proposals and results left it."""
        logged = {proposal.slot: (proposal, result) for proposal, result in log}
        while not self.done:
            interrupts.check()  # a long log takes a while
            here = [logged[slot] for slot in self.slots() if slot in logged]
            self.adopt(proposal for proposal, _ in here)
            results = [result for _, result in here if result is not None]
            self.tell(results)
            if len(results) < self.branches:
                return

    def best(self, count: int = 1) -> list[Trial]:
        """Returns the best trained trials so far, at most `count`, in the order of DECISIONS 8."""
        told = [Trial(self._proposals[slot], r) for slot, r in self._results.items()]
        return ranked(self.history + told)[:count]

    @property
    def offered(self) -> list[list[Spec]]:
        """Of each branch of the running step: the networks that the policy's own morphs led to."""
        return self._learner.offered

    def _check_slot(self, slot: Slot) -> None:
        if self.done or slot not in self.slots():
            raise ValueError(
                f"slot must be of episode {self._episode}, step {self._step}, got {slot.name}"
            )

    def _rng(self, purpose: str, branch: int) -> np.random.Generator:
        return randomness.generator(self._seed, purpose, self._episode, self._step, branch)

    def _draw_starts(self) -> list[Proposal]:
        begin = Begin(self.space, self._starting, self._knowledge, self._learner.expected)
        specs = begin.specs(self.branches, self._rng)
        return [Proposal(slot, spec) for slot, spec in zip(self.slots(), specs, strict=True)]

    def _draw_step(self) -> list[Proposal]:
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

    def _first_trained(self) -> dict[str, str]:
        """Returns the slot's name of each trained network's first trial."""
        first: dict[str, str] = {}
        for trial in self.history:
            if trial.trained:
                first.setdefault(trial.proposal.spec.key, trial.slot.name)
        return first

    def _finish_step(self) -> None:
        trials = [Trial(self._proposals[slot], self._results[slot]) for slot in self.slots()]
        self.history += trials
        entry = self._entry(trials)
        if self._step == 0:
            # Starting networks keep their branches; an untrained one gives way to the best.
            spare = (ranked(trials) or trials)[0]
            self._starts = [trial if trial.trained else spare for trial in trials]
            self._current = self._starts
            self._learner.start(trials)
        else:
            entry |= self._learn(trials)
        self.step_log.append(entry)
        self._step += 1
        if self._step > self.steps:
            self._episode, self._step = self._episode + 1, 1
        self._proposals, self._results = {}, {}

    def _learn(self, trials: list[Trial]) -> dict[str, Any]:
        """Moves the branches on and learns from the step; returns what the log says of it."""
        moves = [
            Move(self._parent(trial.proposal), trial.proposal.action or Morph(), trial)
            for trial in trials
        ]
        entry = self._learner.log(moves)
        self._learner.take_in(moves)
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

    def _parents(self, trials: list[Trial]) -> list[Trial]:
        """Returns the networks that the next step starts from, one per branch."""
        if self._learning.parents != "branch":
            return self._of_the_best()
        if self._step < self.steps:
            return [
                trial if trial.trained else parent
                for parent, trial in zip(self._current, trials, strict=True)
            ]
        episode = [t for t in self.history if t.slot.episode == self._episode and t.slot.step > 0]
        best = ranked(self._starts + episode) or self._starts
        self._starts = parents.spread(best, self.branches)
        return self._starts

    def _of_the_best(self) -> list[Trial]:
        best, violation = ranked(self.history) or self._starts, self._knowledge.violation
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

    def _entry(self, trials: list[Trial]) -> dict[str, Any]:
        """Returns what the log says of how a step went."""
        return {
            "episode": self._episode,
            "step": self._step,
            "mean_reward": float(np.mean([trial.result.reward for trial in trials])),
            "feasible": sum(trial.result.feasible for trial in trials),
            "trained": sum(trial.trained for trial in trials),
        }
