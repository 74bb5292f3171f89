"""A search as a fold over finished trials: steps of B proposals, and what rises beside them.

`ask()` gives the networks of the running step, `tell()` takes results in any order and moves on
when the step is whole. The state depends on what was told and on nothing else: a search that is
told the same trials again is in the same state, to the bit. Random draws come from
(seed, purpose, episode, step, branch), so no generator is part of the state.

Who proposes is a subclass's: `progressive.py` is EPNAS itself, its rivals are in `algorithms/`.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from epnas_tf import interrupts, randomness
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import initial_specs
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.rungs import Rungs, Standing
from epnas_tf.searching.settings import EPISODES, STEPS, Sizes
from epnas_tf.searching.starts import Begin, Starts
from epnas_tf.searching.trials import Proposal, Result, Slot, Trial, ranked

# Proposals and results of a search, as they were logged.
Log = Iterable[tuple[Proposal, Result | None]]


class Fold(abc.ABC):
    """A search of E episodes of T steps of B proposals; step 0, once, holds the starting networks.

    Trials at the lowest rung: B + E * T * B.

    Attributes:
      space: the networks it may visit.
      branches: B, proposals per step.
      episodes: E.
      steps: T, steps per episode.
      total: number of trials of the whole search at the lowest rung.
      history: these trials of whole steps, in order.
      rungs: how long networks may be trained.
      standing: which networks rose, and what came of it.
      step_log: what the log says of each whole step.
    """

    def __init__(
        self,
        space: SearchSpace,
        sizes: Sizes,
        rungs: Rungs | None = None,
        *,
        starts: Starts | None = None,
        knowledge: Knowledge | None = None,
    ):
        """Starts a search before its first step.

        Args:
          space: the networks it may visit.
          sizes: how long it is, and the root of its randomness.
          rungs: how long networks may be trained; one rung if None.
          starts: the starting networks; all drawn anywhere within the limits if None.
          knowledge: what is known of networks before any is trained; nothing if None.

        Raises:
          SettingError: there are more starting networks than branches, or one is not allowed.
        """
        self._starting = starts or Starts()
        initial_specs.checked(self._starting.initial, space, sizes.branches)
        self._knowledge = knowledge or Knowledge()
        self.space = space
        self.branches, self.episodes = sizes.branches, sizes.episodes or EPISODES
        self.steps = sizes.steps or STEPS[space.pattern]
        self.total = sizes.total(space.pattern)
        self.history: list[Trial] = []
        self.step_log: list[dict[str, Any]] = []
        self.rungs = rungs or Rungs()
        self.standing = Standing(self.rungs)
        self._seed = sizes.seed
        self._episode, self._step = 1, 0
        self._proposals: dict[Slot, Proposal] = {}
        self._results: dict[Slot, Result] = {}
        self._drawn = False  # whether the running step is known whole

    # Who proposes

    def _begin(self) -> Sequence[Spec]:
        """Returns the starting networks, one per branch: the same whoever proposes."""
        begin = Begin(self.space, self._starting, self._knowledge, self._expected)
        return begin.specs(self.branches, self._rng)

    def _expected(self, specs: Sequence[Spec]) -> np.ndarray | None:
        """Returns what earlier searches expect of networks, [n]; None where nobody knows."""
        return None

    @abc.abstractmethod
    def _propose(self) -> Sequence[Proposal]:
        """Returns the proposals of the running step, one per branch."""

    @abc.abstractmethod
    def _learn(self, trials: Sequence[Trial]) -> dict[str, Any]:
        """Learns from a whole step; returns what the log says of it beside the usual.

        Args:
          trials: of its proposals, in order; those of step 0 are the starting networks.
        """

    def promising(self) -> list[Trial]:
        """Returns the networks' trials at the lowest rung, the most promising first.

        By what was measured, what was trained longer first (DECISIONS 82); a subclass that predicts
        may know better.
        """
        return self._as_measured(self.history)

    def _as_measured(self, trials: Sequence[Trial]) -> list[Trial]:
        return sorted(ranked(trials), key=lambda trial: self.standing.of(trial).rank)

    @property
    def offered(self) -> list[list[Spec]]:
        """Of each branch of the running step: the networks that a policy's own morphs led to."""
        return []

    def _first_trained(self) -> dict[str, str]:
        """Returns the slot's name of each trained network's first trial."""
        first: dict[str, str] = {}
        for trial in self.history:
            if trial.trained:
                first.setdefault(trial.spec_key, trial.slot.name)
        return first

    # The fold

    @property
    def done(self) -> bool:
        """Whether every step is finished."""
        return self._episode > self.episodes

    def slots(self) -> list[Slot]:
        """Returns the slots of the running step's own proposals."""
        return [Slot(self._episode, self._step, branch) for branch in range(self.branches)]

    def ask(self) -> list[Proposal]:
        """Returns what of the running step has no result yet, in slot order."""
        if self.done:
            return []
        if not self._drawn:
            self._draw()
        return [self._proposals[s] for s in sorted(self._proposals) if s not in self._results]

    def _draw(self) -> None:
        """Completes the running step; what of it was logged stays as it is."""
        if not all(slot in self._proposals for slot in self.slots()):
            drawn = self._propose() if self._step else self._starts()
            self._proposals = {p.slot: p for p in drawn} | self._proposals
        if self.rungs.highest and self._step:
            own = [self._proposals[slot] for slot in self.slots()]
            running = [proposal.spec for proposal in own if proposal.reuse is None]
            rising = self.standing.chosen(self.rising(), running, self._wave)
            self._proposals = {p.slot: p for p in rising} | self._proposals
        self._drawn = True

    def _starts(self) -> list[Proposal]:
        return [Proposal(slot, s) for slot, s in zip(self.slots(), self._begin(), strict=True)]

    def rising(self) -> list[Trial]:
        """Returns which networks may rise: feasible ones, else what comes nearest."""
        promising = self.promising()
        return [trial for trial in promising if trial.result.feasible] or promising

    @property
    def _wave(self) -> int:
        return Slot(self._episode, self._step, 0).steps_before(self.steps)

    def adopt(self, proposals: Iterable[Proposal]) -> None:
        """Takes proposals of the running step as they were logged instead of drawing them.

        Raises:
          ValueError: a proposal is not of the running step.
        """
        for proposal in proposals:
            if self.done or proposal.slot.of_fold or proposal.wave != self._wave:
                self._check_slot(proposal.slot)
            self._proposals[proposal.slot] = proposal

    def tell(self, results: Iterable[Result]) -> None:
        """Takes results of the running step, in any order; a whole step moves the search on.

        Raises:
          ValueError: a result is not of the running step, or a slot was told another before.
        """
        results = list(results)
        if results:
            self.ask()  # a step told without being asked for still has its proposals
        for result in results:
            if result.slot not in self._proposals:
                self._check_slot(result.slot)
        for result in results:
            if self._results.setdefault(result.slot, result) != result:
                raise ValueError(f"{result.slot.name} was told before, got {result}")
        if self._results and len(self._results) == len(self._proposals):
            self._finish_step()

    def replay(self, log: Log) -> None:
        """Brings the search to where a log of proposals and results left it."""
        logged = {proposal.slot: (proposal, result) for proposal, result in log}
        own = [slot for slot in logged if slot.of_fold]
        waves: dict[int, list[Slot]] = {}
        for slot, (proposal, _) in logged.items():
            if proposal.wave is not None:
                waves.setdefault(proposal.wave, []).append(slot)
        last = max([*(slot.steps_before(self.steps) for slot in own), *waves], default=0)
        while not self.done:
            interrupts.check()  # a long log takes a while
            slots = [slot for slot in self.slots() if slot in logged] + waves.get(self._wave, [])
            here = [logged[slot] for slot in slots]
            self.adopt(proposal for proposal, _ in here)
            # A step that another followed was whole: what rose in it is not chosen again.
            whole = self._wave < last
            self._drawn = whole and all(slot in self._proposals for slot in self.slots())
            self.tell([result for _, result in here if result is not None])
            if self._proposals or not here:  # the step is not whole yet
                return

    def best(self, count: int = 1) -> list[Trial]:
        """Returns the best networks so far, at most `count`, in the order of DECISIONS 8 and 82."""
        told = [Trial(self._proposals[slot], r) for slot, r in self._results.items()]
        risen = [trial for known in self.standing.risen for trial in known.values()]
        return ranked(self.history + risen + told)[:count]

    def _check_slot(self, slot: Slot) -> None:
        if self.done or slot not in self.slots():
            raise ValueError(
                f"slot must be of episode {self._episode}, step {self._step}, got {slot.name}"
            )

    def _rng(self, purpose: str, branch: int) -> np.random.Generator:
        return randomness.generator(self._seed, purpose, self._episode, self._step, branch)

    def _finish_step(self) -> None:
        trials = {slot: Trial(p, self._results[slot]) for slot, p in self._proposals.items()}
        own = [trials[slot] for slot in self.slots()]
        risen = [trials[slot] for slot in sorted(trials) if not slot.of_fold]
        self.history += own
        self.standing.take_in(own)
        self.standing.take_in_risen(risen)
        entry = self._entry(own)
        if self.rungs.highest:
            entry["risen"] = len(risen)
        self.step_log.append(entry | self._learn(own))
        self._step += 1
        if self._step > self.steps:
            self._episode, self._step = self._episode + 1, 1
        self._proposals, self._results, self._drawn = {}, {}, False

    def _entry(self, trials: Sequence[Trial]) -> dict[str, Any]:
        """Returns what the log says of how a step went."""
        return {
            "episode": self._episode,
            "step": self._step,
            "mean_reward": float(np.mean([trial.result.reward for trial in trials])),
            "feasible": sum(trial.result.feasible for trial in trials),
            "trained": sum(trial.trained for trial in trials),
        }
