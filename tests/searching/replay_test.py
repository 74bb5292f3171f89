"""The search as a fold over finished trials: replayed logs, fresh processes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest

from epnas_tf import interrupts
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.rungs import Rungs
from epnas_tf.searching.settings import PAPER, Learning
from epnas_tf.searching.trials import Proposal, Result

_SPACES = {"layerwise": layerwise_space((16, 16)), "module": module_space()}
_SIZES = {"branches": 3, "episodes": 2, "steps": 2, "seed": 5}
_TOTAL = 3 * (1 + 2 * 2)


def _search(pattern="layerwise", learning=None):
    space = _SPACES[pattern]
    return ProgressiveSearch(space, RandomPolicy(space), **_SIZES, learning=learning)


def _result(proposal):
    """Evaluates: rewards, limits and failures follow from the network's name."""
    number = int(proposal.spec.key[:8], 16)
    status = "failed" if number % 5 == 0 else "trained"
    return Result(proposal.slot, number % 97 / 97, feasible=number % 3 > 0, status=status)


def _run(search, trials=_TOTAL):
    """Evaluates whole steps until the search has at least this many trials."""
    while len(search.history) < trials:
        search.tell([_result(proposal) for proposal in search.ask()])
    return search


def _state(search):
    return search.history, search.step_log, search.ask(), search.best(_TOTAL), search.done


def _log(search):
    """Returns what a search has logged, as it comes back from plain data."""
    entries = [(trial.proposal, trial.result) for trial in search.history]
    entries += [(proposal, None) for proposal in search.ask()]
    return [
        (Proposal.from_dict(json.loads(json.dumps(p.to_dict())), search.space), result)
        for p, result in entries
    ]


@pytest.mark.parametrize("pattern", _SPACES)
@pytest.mark.parametrize("trials", [0, 3, 6, 9, 12, _TOTAL])
def test_a_replayed_search_is_in_the_same_state(pattern, trials):
    search = _run(_search(pattern), trials)
    log = _log(search)
    random.Random(trials).shuffle(log)
    replayed = _search(pattern)
    replayed.replay(log)
    assert _state(replayed) == _state(search)
    assert _state(_run(replayed)) == _state(_run(_search(pattern)))


def test_a_long_replay_can_be_stopped(monkeypatch):
    def check():
        raise KeyboardInterrupt

    log = _log(_run(_search(), 9))
    monkeypatch.setattr(interrupts, "check", check)
    with pytest.raises(KeyboardInterrupt):
        _search().replay(log)


@pytest.mark.parametrize("told", [0, 1, 2])
@pytest.mark.parametrize("in_flight", [False, True])
def test_a_step_may_be_resumed_in_its_midst(told, in_flight):
    search = _run(_search(), 6)
    proposals = search.ask()
    log = [(trial.proposal, trial.result) for trial in search.history]
    # The last branches finish first; of the others some were handed out, or none.
    log += [(p, _result(p)) for p in proposals[3 - told :]]
    log += [(p, None) for p in proposals[: 3 - told] if in_flight]
    resumed = _search()
    resumed.replay(reversed(log))
    assert resumed.ask() == proposals[: 3 - told]
    assert _state(_run(resumed)) == _state(_run(_search()))


def test_networks_in_flight_are_those_that_were_logged():
    search = _run(_search(), 6)
    drawn = search.ask()
    kept = Proposal(drawn[1].slot, search.history[4].proposal.spec, "e01s01b1", Morph())
    log = [(trial.proposal, trial.result) for trial in search.history] + [(kept, None)]
    resumed = _search()
    resumed.replay(log)
    assert resumed.ask() == [drawn[0], kept, drawn[2]]


def test_whole_steps_are_replayed_without_a_draw():
    search = _run(_search(learning=PAPER))

    class Mute(RandomPolicy):
        def propose(self, specs, rngs):
            raise AssertionError("a logged action is applied as it was logged")

    replayed = ProgressiveSearch(search.space, Mute(search.space), **_SIZES, learning=PAPER)
    replayed.replay([(trial.proposal, trial.result) for trial in search.history])
    assert _state(replayed) == _state(search)


def test_an_empty_log_is_a_fresh_start():
    search = _search()
    search.replay([])
    assert _state(search) == _state(_search())


_PROGRAM = """
import hashlib
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.searching.settings import PAPER
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.trials import Result

for space in (layerwise_space(), module_space()):
    search = ProgressiveSearch(space, RandomPolicy(space), branches=3, episodes=2, steps=2)
    while not search.done:
        search.tell([Result(p.slot, int(p.spec.key[:4], 16) / 2**16) for p in search.ask()])
    print(hashlib.sha256(repr((search.history, search.step_log)).encode()).hexdigest())
"""


def test_processes_with_other_hash_seeds_search_alike():
    def run(hash_seed):
        environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": hash_seed}
        return subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    printed = run("0")
    assert len(printed.split()) == 2
    assert run("12345") == printed


# Rungs

_RUNGS = Rungs((1, 2, 4), 0.6, lambda spec: 1 + int(spec.key[:4], 16) % 3)


def _longer(proposal):
    """Evaluates: what fails at a rung, and by how much it gains, follows from both names."""
    number = int(proposal.spec.key[:8], 16) + 31 * proposal.slot.rung
    status = "failed" if number % 4 == 0 else "trained"
    feasible = int(proposal.spec.key[:8], 16) % 4 > 0
    return Result(proposal.slot, number % 97 / 97, feasible=feasible, status=status)


@pytest.mark.parametrize("parents", ["best", "branch", "tournament"])
def test_a_search_with_rungs_is_replayed_at_every_cut(parents):
    space = _SPACES["layerwise"]
    sizes = {"screen": 4, "neighbours": 4, "near_networks": 6}  # both ways to propose
    learning = Learning(parents=parents, imagined_updates=1, **sizes)

    def fresh():
        policy = RandomPolicy(space)
        return ProgressiveSearch(space, policy, **_SIZES, learning=learning, rungs=_RUNGS)

    told, log, seen = fresh(), [], set()
    rng = random.Random(4)
    while not told.done:
        step = told.ask()
        rng.shuffle(step)
        for place, proposal in enumerate(step):
            log.append((proposal, _longer(proposal)))
            told.tell([log[-1][1]])
            seen.add((proposal.slot.rung, log[-1][1].status))
            # Now and then some of the others run already.
            entries = log + [(running, None) for running in step[place + 1 :][: place % 3]]
            rng.shuffle(entries)
            replayed = fresh()
            replayed.replay(entries)
            assert _state(replayed) == _state(told), len(log)
            assert replayed.standing.risen == told.standing.risen
    assert seen >= {(1, "trained"), (1, "failed"), (2, "trained")}
