"""What passes between a search and whoever evaluates: slots, proposals, results, their order."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from epnas_tf import randomness
from epnas_tf.architecture import morph
from epnas_tf.architecture.budget import TRAINED
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec, spec_from_dict


@dataclasses.dataclass(frozen=True, order=True)
class Slot:
    """A trial's place in the search; episodes count from 1, step 0 holds the starting networks.

    Attributes:
      episode: from 1.
      step: of the episode, from 1; 0 for the starting networks.
      branch: of the step, from 0.
      rung: how long the network of this place is trained, from 0 (DECISIONS 75).
      measurement: 0, or which measurement with another seed this is (DECISIONS 84).
    """

    episode: int
    step: int
    branch: int
    rung: int = 0
    measurement: int = 0

    @property
    def name(self) -> str:
        """The trial's name for people and files, such as e01s03b5, e01s03b5r1 or e01s03b5r2m1."""
        name = f"e{self.episode:02d}s{self.step:02d}b{self.branch}"
        name += f"r{self.rung}" if self.rung else ""
        return name + (f"m{self.measurement}" if self.measurement else "")

    @property
    def first(self) -> Slot:
        """The slot in which the network was proposed, at the lowest rung."""
        return Slot(self.episode, self.step, self.branch)

    @property
    def of_fold(self) -> bool:
        """Whether it is one of the B + E * T * B slots that proposals are made for."""
        return not (self.rung or self.measurement)

    def seed(self, root: int) -> int:
        """Returns what decides a training: the same at all rungs, another for a measurement.

        Args:
          root: of all randomness.
        """
        again = (self.measurement,) if self.measurement else ()
        return randomness.seed_of(root, "child", self.episode, self.step, self.branch, *again)

    def at(self, rung: int, measurement: int = 0) -> Slot:
        """Returns the slot of the same network at another rung."""
        return dataclasses.replace(self, rung=rung, measurement=measurement)

    def steps_before(self, steps: int) -> int:
        """Returns how many steps come before its own, in episodes of `steps` steps."""
        return 0 if self.step == 0 else (self.episode - 1) * steps + self.step

    @classmethod
    def parse(cls, name: str) -> Slot:
        """Returns the slot of a name; raises ValueError where it is none."""
        match = re.fullmatch(r"e(\d+)s(\d+)b(\d+)(?:r(\d+))?(?:m(\d+))?", name)
        if match is None:
            raise ValueError(f"a slot's name looks like e01s03b5, got {name!r}")
        return cls(*(int(number or 0) for number in match.groups()))


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A network to be evaluated.

    Attributes:
      slot: where it stands in the search.
      spec: the network.
      parent: name of the slot it was made from, None for a starting network.
      action: the morph that made it from the parent, None for a starting network.
      reuse: name of the earlier slot of the same network whose result may stand for it.
      wave: the step in which a network rises to this rung, counted as `Slot.steps_before`; None at
        the lowest rung, which runs in its own step, and for what stands outside the fold.
    """

    slot: Slot
    spec: Spec
    parent: str | None = None
    action: Morph | None = None
    reuse: str | None = None
    wave: int | None = None

    @property
    def made(self) -> str:
        """How its network was made, in words; empty where it rose or was measured again."""
        if not self.slot.of_fold:
            return ""
        drawn = self.action is None and self.slot.step > 0
        return "drawn at random" if drawn else morph.describe(self.action)

    @property
    def in_step(self) -> bool:
        """Whether it runs in a step of the search; what is measured at its end does not."""
        return self.slot.of_fold or self.wave is not None

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, from which the proposal can be replayed as it was logged."""
        values: dict[str, Any] = {"slot": self.slot.name, "spec": self.spec.to_dict()}
        if self.action is not None:
            values |= {"parent": self.parent, "action": morph.to_dict(self.action)}
        if self.reuse is not None:
            values["reuse"] = self.reuse
        if self.wave is not None:
            values["wave"] = self.wave
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any], space: SearchSpace) -> Proposal:
        """Returns the proposal that `to_dict` described."""
        action = values.get("action")
        return cls(
            Slot.parse(values["slot"]),
            spec_from_dict(values["spec"]),
            values.get("parent"),
            None if action is None else morph.from_dict(action, space),
            values.get("reuse"),
            values.get("wave"),
        )


@dataclasses.dataclass(frozen=True)
class Result:
    """What an evaluation says of a proposal.

    Attributes:
      slot: the proposal's.
      reward: what the policy is to maximise, finite.
      accuracy: what networks are compared by, plain or balanced validation accuracy, before any
        penalty; None where the evaluator knows the reward alone.
      feasible: whether every limit is kept.
      status: "trained", or why the network was not: such trials are never parents.
    """

    slot: Slot
    reward: float
    accuracy: float | None = None
    feasible: bool = True
    status: str = TRAINED

    def __post_init__(self) -> None:
        if not abs(self.reward) < float("inf"):
            raise ValueError(f"reward of {self.slot.name} must be finite, got {self.reward}")

    @property
    def trained(self) -> bool:
        """Whether the network was trained to the end."""
        return self.status == TRAINED


@dataclasses.dataclass(frozen=True)
class Trial:
    """A finished trial."""

    proposal: Proposal
    result: Result

    @property
    def slot(self) -> Slot:
        """Where it stands in the search."""
        return self.proposal.slot

    @property
    def trained(self) -> bool:
        """Whether the network was trained to the end."""
        return self.result.trained

    @property
    def spec_key(self) -> str:
        """Tells its network from others."""
        return self.proposal.spec.key

    @property
    def rank(self) -> Rank:
        """The key that sorts the best trial first."""
        return rank_of(self.result.feasible, self.result.reward, self.slot)


Rank = tuple[bool, int, float, Slot]


def rank_of(feasible: bool, reward: float, slot: Slot) -> Rank:
    """Returns the key of the one order of trials: feasible first, higher rung, reward, lower slot.

    What is measured at a higher rung is known better (DECISIONS 82).
    """
    return (not feasible, -slot.rung, -reward, slot)


class Rankable(Protocol):
    """What can be ranked: a trial of a search, a completed trial, a row of trials.csv."""

    @property
    def slot(self) -> Slot:
        """Its place in the search."""

    @property
    def trained(self) -> bool:
        """Whether the network was trained to the end."""

    @property
    def spec_key(self) -> str:
        """Tells its network from others."""

    @property
    def rank(self) -> Rank:
        """The key of `rank_of`."""


SomeTrial = TypeVar("SomeTrial", bound=Rankable)


def ranked(trials: Iterable[SomeTrial]) -> list[SomeTrial]:
    """Returns the trained trials of distinct networks, best first (DECISIONS 8 and 82).

    A measurement with another seed is left out: the luckiest would stand for its network.
    """
    best: dict[str, SomeTrial] = {}
    trained = [trial for trial in trials if trial.trained and not trial.slot.measurement]
    for trial in sorted(trained, key=lambda t: t.rank):
        best.setdefault(trial.spec_key, trial)
    return list(best.values())
