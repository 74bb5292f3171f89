"""Slots, proposals, results, and the one order of trials."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import randomness
from epnas_tf.architecture import choices, initial, morph
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.trials import TRAINED, Proposal, Result, Slot, Trial, rank_of, ranked

_SPACES = {"layerwise": layerwise_space(), "module": module_space()}


def _trial(
    name: str, channels: int, reward: float, feasible: bool = True, status: str = TRAINED
) -> Trial:
    slot = Slot.parse(name)
    spec = LayerwiseSpec((LayerSpec("conv2d", 3, None, channels, "relu"),))
    return Trial(Proposal(slot, spec), Result(slot, reward, feasible=feasible, status=status))


def _names(trials: list[Trial]) -> list[str]:
    return [trial.slot.name for trial in trials]


# Slots


@pytest.mark.parametrize(
    ("slot", "name"),
    [
        (Slot(1, 0, 0), "e01s00b0"),
        (Slot(1, 3, 5), "e01s03b5"),
        (Slot(12, 10, 15), "e12s10b15"),
        (Slot(100, 100, 0), "e100s100b0"),
        (Slot(1, 3, 5, rung=1), "e01s03b5r1"),
        (Slot(1, 3, 5, rung=12), "e01s03b5r12"),
        (Slot(1, 3, 5, rung=2, measurement=1), "e01s03b5r2m1"),
        (Slot(1, 3, 5, measurement=3), "e01s03b5m3"),
    ],
)
def test_a_slot_is_parsed_from_its_name(slot, name):
    assert slot.name == name
    assert Slot.parse(name) == slot


@pytest.mark.parametrize(
    "name",
    [
        *("", "e01s03", "e01s03b", "E01S03B5", "e01s03b5x", " e01s03b5"),
        *("e01s03b5r", "e01s03b5m", "e01s03b5m1r2", "e01s03b5r1r2", "e01s03b5R1", "e01s03r1"),
    ],
)
def test_what_is_no_slots_name_is_refused(name):
    with pytest.raises(ValueError, match=f"looks like e01s03b5, got {name!r}"):
        Slot.parse(name)


def test_slots_are_in_the_order_of_the_search():
    slots = [Slot(e, s, b) for e in (1, 2, 10) for s in (0, 1, 11) for b in (0, 2, 10)]
    assert sorted(reversed(slots)) == slots
    assert len(set(slots)) == len(slots)


def test_what_a_slot_has_above_it_follows_it():
    first = Slot(1, 3, 5)
    above = [first.at(1), first.at(2), first.at(2, 1), first.at(2, 2)]
    assert [slot.name for slot in above] == [
        *("e01s03b5r1", "e01s03b5r2", "e01s03b5r2m1", "e01s03b5r2m2")
    ]
    assert sorted([Slot(1, 3, 6), *reversed(above), first]) == [first, *above, Slot(1, 3, 6)]
    assert {slot.first for slot in above} == {first}
    assert first.of_fold and not any(slot.of_fold for slot in [*above, first.at(0, 1)])
    assert {slot.steps_before(10) for slot in above} == {first.steps_before(10)}


# Proposals as plain data


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.sampled_from(sorted(_SPACES)), st.integers(0, 2**32))
def test_a_proposal_comes_back_from_plain_data(pattern, seed):
    space = _SPACES[pattern]
    rng = randomness.generator(seed, "test")
    spec = initial.random_spec(space, rng)
    action = choices.decide(spec, space, initial.uniform_pick(rng))
    child = morph.apply(spec, action, space)
    for proposal in (
        Proposal(Slot(1, 0, 3), spec),
        Proposal(Slot(2, 4, 1), child, "e01s03b7", action),
    ):
        logged = json.loads(json.dumps(proposal.to_dict()))
        assert Proposal.from_dict(logged, space) == proposal


def test_a_starting_network_has_no_parent_in_its_data():
    trial = _trial("e01s00b1", 32, 0.5)
    assert trial.proposal.to_dict() == {
        "slot": "e01s00b1",
        "spec": {
            "pattern": "layerwise",
            "layers": [{"op": "conv2d", "width": 3, "channels": 32, "activation": "relu"}],
        },
    }


def test_a_kept_network_has_an_empty_action_in_its_data():
    spec = _trial("e01s00b0", 32, 0.5).proposal.spec
    proposal = Proposal(Slot(1, 1, 0), spec, "e01s00b0", morph.Morph())
    values = proposal.to_dict()
    assert (values["parent"], values["action"]) == ("e01s00b0", {})
    assert Proposal.from_dict(values, _SPACES["layerwise"]) == proposal


def test_what_rises_has_neither_parent_nor_action_in_its_data_but_its_step():
    spec = _trial("e01s00b0", 32, 0.5).proposal.spec
    for proposal, wave in (
        (Proposal(Slot(1, 0, 0, rung=1), spec, wave=0), {"wave": 0}),
        (Proposal(Slot(1, 0, 0, rung=2), spec, wave=12), {"wave": 12}),
        (Proposal(Slot(1, 0, 0, rung=2, measurement=1), spec), {}),
    ):
        values = json.loads(json.dumps(proposal.to_dict()))
        assert values == {"slot": proposal.slot.name, "spec": spec.to_dict()} | wave
        assert Proposal.from_dict(values, _SPACES["layerwise"]) == proposal


# Results


@pytest.mark.parametrize("reward", [math.nan, math.inf, -math.inf])
def test_a_reward_must_be_finite(reward):
    with pytest.raises(ValueError, match=f"reward of e01s02b3 must be finite, got {reward}"):
        Result(Slot(1, 2, 3), reward)


def test_only_the_status_trained_counts_as_trained():
    assert _trial("e01s01b0", 16, 0.5).trained
    assert not _trial("e01s01b0", 16, 0.5, status="skipped").trained


# Order


def test_feasible_ones_rank_before_better_ones():
    trials = [
        _trial("e01s01b0", 16, 0.9, feasible=False),
        _trial("e01s01b1", 32, 0.1),
        _trial("e01s01b2", 64, 0.8),
        _trial("e01s01b3", 96, 0.95, feasible=False),
    ]
    assert _names(ranked(trials)) == ["e01s01b2", "e01s01b1", "e01s01b3", "e01s01b0"]


def test_equal_rewards_rank_by_slot():
    names = ["e02s01b0", "e01s02b0", "e01s01b2", "e01s01b10"]
    trials = [_trial(name, 16 * (1 + i), 0.5) for i, name in enumerate(names)]
    assert _names(ranked(trials)) == ["e01s01b2", "e01s01b10", "e01s02b0", "e02s01b0"]


def test_the_rank_key_sorts_as_the_ranking_does():
    slot = Slot(1, 1, 1)
    keys = [
        rank_of(True, 0.9, slot),
        rank_of(True, 0.5, Slot(1, 1, 0)),
        rank_of(True, 0.5, slot),
        rank_of(False, 0.99, slot),
    ]
    assert sorted(reversed(keys)) == keys


def test_a_network_ranks_once_at_its_best():
    trials = [
        _trial("e01s01b0", 16, 0.5),
        _trial("e01s01b1", 16, 0.7),
        _trial("e01s01b2", 32, 0.6),
        _trial("e01s02b0", 16, 0.7),
    ]
    assert _names(ranked(trials)) == ["e01s01b1", "e01s01b2"]


def test_higher_rungs_rank_before_better_ones():
    trials = [
        _trial("e01s01b0", 16, 0.9),
        _trial("e01s01b1r1", 32, 0.5),
        _trial("e01s01b2r2", 64, 0.2),
        _trial("e01s01b3r1", 96, 0.6),
        _trial("e01s01b4r2", 128, 0.99, feasible=False),
    ]
    assert _names(ranked(trials)) == [
        *("e01s01b2r2", "e01s01b3r1", "e01s01b1r1", "e01s01b0", "e01s01b4r2")
    ]


def test_a_network_ranks_once_by_its_highest_rung():
    trials = [
        _trial("e01s01b0", 16, 0.9),
        _trial("e01s01b0r1", 16, 0.4),
        _trial("e01s01b0r2", 16, 0.8, status="failed"),
        _trial("e01s01b1", 32, 0.95),
    ]
    assert _names(ranked(trials)) == ["e01s01b0r1", "e01s01b1"]


def test_a_measurement_with_another_seed_never_ranks():
    trials = [
        _trial("e01s01b0r2", 16, 0.5),
        _trial("e01s01b0r2m1", 16, 0.9),
        _trial("e01s01b1r2m1", 32, 0.9),
    ]
    assert _names(ranked(trials)) == ["e01s01b0r2"]


def test_an_untrained_network_never_ranks():
    trials = [
        _trial("e01s01b0", 16, 0.9, status="failed"),
        _trial("e01s01b1", 32, 0.1, feasible=False),
        _trial("e01s01b2", 64, 0.9, status="skipped"),
    ]
    assert _names(ranked(trials)) == ["e01s01b1"]
    assert ranked(trials[:1]) == []


def test_an_untrained_try_does_not_hide_the_trained_one_of_the_same_network():
    trials = [
        _trial("e01s01b0", 16, 0.9, status="failed"),
        _trial("e01s02b0", 16, 0.4),
    ]
    assert _names(ranked(trials)) == ["e01s02b0"]


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.permutations(range(8)))
def test_the_ranking_does_not_depend_on_the_order_of_the_trials(order):
    rewards = (0.5, 0.5, 0.7, 0.2, 0.7, 0.9, 0.5, 0.1)
    trials = [
        _trial(
            f"e01s01b{i}",
            (16, 32, 64)[i % 3],
            reward,
            i % 2 == 0,
            "failed" if i == 5 else "trained",
        )
        for i, reward in enumerate(rewards)
    ]
    assert ranked(trials[i] for i in order) == ranked(trials)


def test_a_slot_counts_the_steps_before_its_own():
    slots = [Slot(1, 0, 3), Slot(1, 1, 0), Slot(1, 2, 1), Slot(2, 1, 0), Slot(3, 2, 0)]
    assert [slot.steps_before(2) for slot in slots] == [0, 1, 2, 3, 6]


def test_a_measurement_has_a_seed_of_its_own():
    slot = Slot(1, 2, 1)
    places = [slot, slot.at(1), slot.at(2), slot.at(2, 1), slot.at(2, 2), Slot(1, 2, 0)]
    seeds = [place.seed(0) for place in places]
    assert seeds[0] == seeds[1] == seeds[2]
    assert len(set(seeds[2:])) == 4
    assert slot.seed(0) == randomness.seed_of(0, "child", 1, 2, 1)  # as it always was
