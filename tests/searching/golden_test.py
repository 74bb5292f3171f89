"""Whole searches written down: networks, parents, best and baselines follow from the log alone.

The files hold three searches whose actions and rewards were drawn once. A policy that reads the
actions from the file replays them, so that no change of a random stream moves the results; what
does is a change of the rules.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import pathlib

import pytest

from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.rungs import Rungs
from epnas_tf.searching.settings import PAPER
from epnas_tf.searching.trials import Proposal, Result, Slot

_TESTDATA = pathlib.Path(__file__).parents[1] / "testdata"
_SPACES = {
    "layerwise": layerwise_space((16, 16), max_layers=6),
    "module": module_space(max_branches=4),
}


class _Logged:
    """Proposes the logged actions, step by step."""

    def __init__(self, proposals, branches):
        steps = [proposals[i : i + branches] for i in range(branches, len(proposals), branches)]
        self._steps = iter(steps)
        self.advantages = []

    def propose(self, specs, rngs):
        return [proposal.action for proposal in next(self._steps)]

    def update(self, specs, actions, advantages):
        self.advantages += [round(float(advantage), 9) for advantage in advantages]

    def statistics(self, specs, actions):
        return {}


@pytest.mark.parametrize("pattern", _SPACES)
def test_a_logged_search_is_found_again(pattern):
    space = _SPACES[pattern]
    golden = json.loads((_TESTDATA / f"search_{pattern}.json").read_text(encoding="utf-8"))
    logged = [Proposal.from_dict(trial["proposal"], space) for trial in golden["trials"]]
    sizes = golden["config"]
    policy = _Logged(logged, sizes["branches"])
    search = ProgressiveSearch(space, policy, learning=PAPER, **sizes)
    search.adopt(logged[: search.branches])
    trials = zip(logged, golden["trials"], strict=True)
    while not search.done:
        step = list(itertools.islice(trials, search.branches))
        assert search.ask() == [proposal for proposal, _ in step]
        assert [p.spec.key for p in search.ask()] == [trial["key"] for _, trial in step]
        search.tell(
            Result(Slot.parse(trial["proposal"]["slot"]), **trial["result"]) for _, trial in step
        )
    assert next(trials, None) is None
    assert [trial.slot.name for trial in search.best(search.total)] == golden["best"]
    assert policy.advantages == pytest.approx(golden["advantages"], abs=1e-8)
    assert search.step_log[-1]["baseline"] == pytest.approx(golden["last_baseline"])


def test_a_logged_search_with_rungs_is_found_again():
    space = _SPACES["layerwise"]
    golden = json.loads((_TESTDATA / "search_rungs.json").read_text(encoding="utf-8"))
    logged = [Proposal.from_dict(trial["proposal"], space) for trial in golden["trials"]]
    sizes, own = golden["config"], [proposal for proposal in logged if proposal.slot.of_fold]
    epochs, share = golden["rungs"]["epochs"], golden["rungs"]["share"]
    search = ProgressiveSearch(
        space,
        _Logged(own, sizes["branches"]),
        learning=dataclasses.replace(PAPER, parents="best"),
        rungs=Rungs(epochs, share, lambda spec: float(len(spec.items))),
        **sizes,
    )
    search.adopt(own[: search.branches])
    trials = zip(logged, golden["trials"], strict=True)
    while not search.done:
        asked = search.ask()
        step = list(itertools.islice(trials, len(asked)))
        assert asked == [proposal for proposal, _ in step]
        assert [p.spec.key for p in asked] == [trial["key"] for _, trial in step]
        search.tell(
            Result(Slot.parse(trial["proposal"]["slot"]), **trial["result"]) for _, trial in step
        )
    assert next(trials, None) is None
    assert [trial.slot.name for trial in search.best(len(logged))] == golden["best"]
    assert [trial.slot.name for trial in search.promising()] == golden["promising"]
    assert [entry["risen"] for entry in search.step_log] == golden["risen"]
