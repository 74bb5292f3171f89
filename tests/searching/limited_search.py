"""Searches of a small space whose networks are words, under limits that one letter breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.rungs import Rungs
from epnas_tf.searching.settings import Learning
from epnas_tf.searching.starts import Starts
from epnas_tf.searching.trials import Proposal, Result

_OPS = ("a", "b", "c", "d")
SPACE = SearchSpace(
    "layerwise",
    (Field("op", _OPS, scaled=True),),
    max_items=6,
    parts=3,  # a policy changes two letters at once, a neighbour one
    fixed_length=True,
    ops={op: OpDef(()) for op in _OPS},
)


def spec_of(word: str) -> Spec:
    """Returns the network of a word of six letters."""
    return SPACE.new_spec([SPACE.new_item({"op": op}) for op in word])


def word_of(spec: Spec) -> str:
    """Returns the word of a network."""
    return "".join(item.op for item in spec.items)


def breach(spec: Spec) -> float:
    """Returns how far a network is outside the limits: a fifth for each "d"."""
    return 0.2 * word_of(spec).count("d")


def accuracy(spec: Spec) -> float:
    """Returns an accuracy that rises with each "d", and with an "a" in an even place."""
    word = word_of(spec)
    return 0.1 + 0.1 * word.count("d") + 0.05 * word[::2].count("a")


class Scripted(RandomPolicy):
    """A policy that learns, says what it is told to say and notes what it is asked and taught."""

    learns = True

    def __init__(self, answer: Callable[[Spec], Morph] | None = None):
        super().__init__(SPACE)
        self._answer = answer
        self.asked: list[list[Spec]] = []
        self.lessons: list[tuple[list[Spec], list[Morph], np.ndarray]] = []
        self.told: list[Morph] = []

    def propose(self, specs: Sequence[Spec], rngs: Sequence[np.random.Generator]) -> list[Morph]:
        self.asked.append(list(specs))
        if self._answer is None:
            return super().propose(specs, rngs)
        return [self._answer(spec) for spec in specs]

    def update(
        self, specs: Sequence[Spec], actions: Sequence[Morph], advantages: np.ndarray
    ) -> None:
        self.lessons.append((list(specs), list(actions), np.asarray(advantages)))

    def statistics(self, specs: Sequence[Spec], actions: Sequence[Morph]) -> dict[str, float]:
        self.told += actions
        return super().statistics(specs, actions)


def keep(spec: Spec) -> Morph:
    """Proposes to change nothing."""
    return Morph()


class LimitedSearch(ProgressiveSearch):
    """A search of one episode whose predictor is trusted from its first step."""

    def __init__(
        self,
        policy: RandomPolicy,
        *starts: str,
        branches: int = 4,
        steps: int = 6,
        knowledge: Knowledge | None = None,
        rungs: Rungs | None = None,
        **learning: object,
    ):
        small = {"predictor_skill": -1.0, "screen": 16, "neighbours": 16, "near_networks": 16}
        small |= {"imagined_updates": 0}
        self.knowledge = knowledge or Knowledge(violation=breach)
        super().__init__(
            SPACE,
            policy,
            branches=branches,
            episodes=1,
            steps=steps,
            seed=5,
            knowledge=self.knowledge,
            learning=Learning(**(small | learning)),
            starts=Starts([spec_of(word) for word in starts]),
            rungs=rungs,
        )

    def step(self, status: Callable[[Spec], str] = lambda spec: "trained") -> list[Proposal]:
        """Tells what the running step comes to, and returns its proposals."""
        proposals = self.ask()
        results = []
        for proposal in proposals:
            spec, violation = proposal.spec, self.knowledge.violation(proposal.spec)
            gained = accuracy(spec) + 0.05 * proposal.slot.rung
            within = violation == 0
            reward = gained * 0.9**violation
            results.append(Result(proposal.slot, reward, gained, within, status(spec)))
        self.tell(results)
        return proposals

    def go(self, steps: int = 99) -> list[Proposal]:
        """Runs so many steps, and returns all proposals."""
        proposals = []
        for _ in range(steps):
            if not self.done:
                proposals += self.step()
        return proposals

    @property
    def words(self) -> list[str]:
        """The networks of the whole steps."""
        return [word_of(trial.proposal.spec) for trial in self.history]

    @property
    def outside(self) -> list[tuple[int, float]]:
        """The places that went outside the limits, and how far."""
        specs = [trial.proposal.spec for trial in self.history]
        found = [(place, self.knowledge.violation(spec)) for place, spec in enumerate(specs)]
        return [(place, violation) for place, violation in found if violation > 0]
