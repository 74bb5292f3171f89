"""The progressive search: episodes of steps of branches, as a fold over finished trials.

`ask()` gives the networks of the running step, `tell()` takes results in any order and moves on
when the step is whole. The state depends on what was told and on nothing else: a search that is
told the same trials again is in the same state, to the bit. Random draws come from
(seed, purpose, episode, step, branch), so no generator is part of the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from epnas_tf import randomness
from epnas_tf.architecture import initial, morph
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import returns
from epnas_tf.searching.returns import Baseline
from epnas_tf.searching.trials import Proposal, Result, Slot, Trial, ranked


class Policy(Protocol):
    """What chooses the morphs."""

    def propose(self, specs: Sequence[Spec], rngs: Sequence[np.random.Generator]) -> list[Morph]:
        """Returns a morph for each network, drawn with that network's generator."""

    def update(
        self, specs: Sequence[Spec], actions: Sequence[Morph], advantages: np.ndarray
    ) -> None:
        """Learns from actions taken on networks and how much better they did than expected."""

    def statistics(self, specs: Sequence[Spec], actions: Sequence[Morph]) -> dict[str, float]:
        """Returns figures about the policy's choices for the log."""


def total_trials(branches: int, episodes: int, steps: int) -> int:
    """Returns the number of trials of a search: B + E * T * B (DECISIONS 7)."""
    return branches * (1 + episodes * steps)


class ProgressiveSearch:
    """Progressive search with B branches (paper, sections 3.1 and 3.2).

    Step 0, once, evaluates B random starting networks. Then each step proposes a morph of each
    branch's network, and the best B of an episode start the next. Trials in all: B + E * T * B.
    """

    def __init__(
        self,
        space: SearchSpace,
        policy: Policy,
        *,
        branches: int = 8,
        episodes: int = 15,
        steps: int = 10,
        seed: int = 0,
        violation: Callable[[Spec], float] = lambda spec: 0.0,
    ):
        """Starts a search before its first step.

        Args:
          space: the networks it may visit.
          policy: what chooses the morphs.
          branches: B, networks a step.
          episodes: E.
          steps: T, steps an episode.
          seed: root of all randomness.
          violation: how far a network is outside the limits, 0 within; starting networks are
            drawn to lie within.

        Raises:
          ValueError: a size is below 1.
        """
        for name, value in (("branches", branches), ("episodes", episodes), ("steps", steps)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self.space = space
        self.branches, self.episodes, self.steps = branches, episodes, steps
        self.history: list[Trial] = []
        self.step_log: list[dict[str, Any]] = []
        self._policy = policy
        self._seed = seed
        self._violation = violation
        self._episode, self._step = 1, 0
        self._proposals: dict[Slot, Proposal] = {}
        self._results: dict[Slot, Result] = {}
        self._current: list[Trial] = []  # of each branch: the network its next morph starts from
        self._starts: list[Trial] = []  # of each branch: the network its episode started from
        self._moves: list[tuple[Spec, Morph, float]] = []  # of the episode, in slot order
        self._baseline = Baseline()

    @property
    def total(self) -> int:
        """Number of trials of the whole search."""
        return total_trials(self.branches, self.episodes, self.steps)

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

    def _check_slot(self, slot: Slot) -> None:
        if self.done or slot not in self.slots():
            raise ValueError(
                f"slot must be of episode {self._episode}, step {self._step}, got {slot.name}"
            )

    def _rng(self, purpose: str, branch: int) -> np.random.Generator:
        return randomness.generator(self._seed, purpose, self._episode, self._step, branch)

    def _draw_starts(self) -> list[Proposal]:
        taken: set[str] = set()
        proposals = []
        for slot in self.slots():
            rng = self._rng("start", slot.branch)
            spec = initial.starting_spec(self.space, rng, self._violation, frozenset(taken))
            taken.add(spec.key)
            proposals.append(Proposal(slot, spec))
        return proposals

    def _draw_step(self) -> list[Proposal]:
        parents = [trial.proposal for trial in self._current]
        specs = [parent.spec for parent in parents]
        rngs = [self._rng("action", branch) for branch in range(self.branches)]
        actions = self._policy.propose(specs, rngs)
        return [
            Proposal(slot, morph.apply(parent.spec, action, self.space), parent.slot.name, action)
            for slot, parent, action in zip(self.slots(), parents, actions, strict=True)
        ]

    def _finish_step(self) -> None:
        trials = [Trial(self._proposals[slot], self._results[slot]) for slot in self.slots()]
        self.history += trials
        self._log_step(trials)
        if self._step == 0:
            # Starting networks keep their branches; an untrained one gives way to the best.
            spare = (ranked(trials) or trials)[0]
            self._starts = [trial if trial.trained else spare for trial in trials]
            self._current = self._starts
        else:
            self._advance_branches(trials)
        if self._step == self.steps:
            self._finish_episode()
            self._episode, self._step = self._episode + 1, 0
        self._step += 1
        self._proposals, self._results = {}, {}

    def _advance_branches(self, trials: list[Trial]) -> None:
        self._moves += [
            (parent.proposal.spec, trial.proposal.action or Morph(), trial.result.reward)
            for parent, trial in zip(self._current, trials, strict=True)
        ]
        self._current = [
            trial if trial.trained else parent
            for parent, trial in zip(self._current, trials, strict=True)
        ]

    def _finish_episode(self) -> None:
        """Updates the policy; rank i of the episode's best starts the next in branch i."""
        specs, actions, rewards = zip(*self._moves, strict=True)
        shaped = np.asarray(rewards, np.float64).reshape(self.steps, self.branches)
        advantages, self._baseline = returns.advantages(shaped, self._baseline)
        self._policy.update(specs, actions, advantages.ravel())
        episode = [t for t in self.history if t.slot.episode == self._episode and t.slot.step > 0]
        best = ranked(self._starts + episode) or self._starts
        self._starts = [best[branch % len(best)] for branch in range(self.branches)]
        self._current = self._starts
        self._moves = []

    def _log_step(self, trials: list[Trial]) -> None:
        """Adds a line to `step_log`: what the policy did in this step and how it went."""
        entry: dict[str, Any] = {
            "episode": self._episode,
            "step": self._step,
            "mean_reward": float(np.mean([trial.result.reward for trial in trials])),
            "feasible": sum(trial.result.feasible for trial in trials),
            "trained": sum(trial.trained for trial in trials),
        }
        if self._step > 0:
            means = self._baseline.means
            entry["baseline"] = None if means is None else means[self._step - 1]
            specs = [parent.proposal.spec for parent in self._current]
            actions = [trial.proposal.action or Morph() for trial in trials]
            entry |= self._policy.statistics(specs, actions)
        self.step_log.append(entry)
