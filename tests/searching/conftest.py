"""A scripted search, on networks whose names are their layers' channels, such as "16.32"."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from epnas_tf.architecture.morph import Insert, Morph, Remove
from epnas_tf.architecture.space import layerwise_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec, Spec
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.settings import PAPER
from epnas_tf.searching.trials import Proposal, Result, Slot

_SPACE = layerwise_space(
    layer_types=("conv2d",), filter_widths=(3,), activations=("relu",), max_layers=8, parts=1
)


def _conv(channels: int) -> LayerSpec:
    return LayerSpec("conv2d", 3, None, channels, "relu")


def _network(name: str) -> LayerwiseSpec:
    return LayerwiseSpec(tuple(_conv(int(channels)) for channels in name.split(".")))


def _name(spec: Spec) -> str:
    return ".".join(str(item.channels) for item in spec.items)


class _Script:
    """A policy that does what a script says, step by step, and records every call on a tape."""

    def __init__(self, steps: Sequence[str]):
        self.tape: list[tuple] = []
        self._steps = itertools.chain(steps, itertools.repeat(""))

    def propose(self, specs: Sequence[Spec], rngs: Sequence[np.random.Generator]) -> list[Morph]:
        assert len(rngs) == len(specs)
        self.tape.append(("propose", *map(_name, specs)))
        words = next(self._steps).split() or ["="] * len(specs)
        return [self._morph(spec, word) for spec, word in zip(specs, words, strict=True)]

    @staticmethod
    def _morph(spec: Spec, word: str) -> Morph:
        length = len(spec.items)
        if word[0] == "+":
            return Morph((), Insert(length, _conv(int(word[1:]))))
        return Morph((), Remove(length)) if word == "-" else Morph()

    def update(
        self, specs: Sequence[Spec], actions: Sequence[Morph], advantages: np.ndarray
    ) -> None:
        assert len(actions) == len(specs)
        rounded = [round(float(advantage), 4) for advantage in advantages]
        self.tape.append(("update", *zip(map(_name, specs), rounded, strict=True)))

    def statistics(self, specs: Sequence[Spec], actions: Sequence[Morph]) -> dict[str, float]:
        self.tape.append(("statistics", *map(_name, specs)))
        return {"actions": len(actions)}


class _ScriptedSearch(ProgressiveSearch):
    """A search about to evaluate the starting networks of these names, one per branch.

    A step of the script has a word for each branch: "+32" appends a layer of 32 channels, "-"
    removes the last layer, "=" keeps the network. After its end everything is kept.
    """

    def __init__(self, starts: str, *script: str, **sizes: int):
        policy = _Script(script)
        names = starts.split()
        super().__init__(_SPACE, policy, branches=len(names), learning=PAPER, **sizes)
        self.adopt(Proposal(Slot(1, 0, b), _network(name)) for b, name in enumerate(names))
        self.tape = policy.tape

    def reward(self, *rewards: float | None, feasible: bool = True) -> None:
        """Tells a step's rewards, one per branch; None is a failed trial, of reward 0.1."""
        self.tell(
            Result(slot, 0.1, status="failed")
            if reward is None
            else Result(slot, reward, feasible=feasible)
            for slot, reward in zip(self.slots(), rewards, strict=True)
        )

    def asked(self) -> list[str]:
        """Returns the names of the networks asked for."""
        return [_name(proposal.spec) for proposal in self.ask()]

    def parents(self) -> list[str | None]:
        """Returns the parents' slots of the networks asked for."""
        return [proposal.parent for proposal in self.ask()]


@pytest.fixture(name="scripted")
def _scripted() -> type[_ScriptedSearch]:
    return _ScriptedSearch
