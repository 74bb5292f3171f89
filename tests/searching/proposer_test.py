"""What is proposed: single changes beside the policy's, each network once, within the limits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from epnas_tf.architecture import morph
from epnas_tf.architecture.morph import Morph, Replace, Scale
from epnas_tf.searching.candidates import STONE_EVERY, STONE_REACH
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.proposer import REFUSALS
from tests.searching.limited_search import (
    SPACE,
    LimitedSearch,
    Scripted,
    accuracy,
    breach,
    keep,
    word_of,
)

_FREE = Knowledge()
_STARTS = ["acacac", "bbbbbb", "cccccc", "ababab"]

# Candidates


def test_what_only_a_single_change_makes_is_proposed():
    search = LimitedSearch(Scripted(keep), knowledge=_FREE)
    start = search.step()
    proposals = search.ask()
    assert search.offered == [[p.spec] * 16 for p in start]  # the policy offers nothing new
    assert len({p.spec for p in start + proposals}) == 8
    for proposal in proposals:
        assert isinstance(proposal.action.edit, Replace) and not proposal.action.scales
    rewards = [accuracy(p.spec) for p in proposals]
    assert np.mean(rewards) > np.mean([accuracy(p.spec) for p in start])
    without = LimitedSearch(Scripted(keep), knowledge=_FREE, neighbours=0)
    assert {p.spec for p in without.go(2)} == {p.spec for p in start}


@pytest.mark.parametrize("parents", ["best", "tournament", "branch"])
def test_every_action_leads_from_its_parent_to_its_network(parents):
    search = LimitedSearch(Scripted(), parents=parents)
    known, kinds = {p.slot.name: p.spec for p in search.step()}, set()
    while not search.done:
        current = {trial.slot.name for trial in search._current}
        for proposal in search.step():
            known[proposal.slot.name] = proposal.spec
            kinds.add(type(proposal.action.edit))
            assert proposal.parent in current
            made = morph.apply(known[proposal.parent], proposal.action, SPACE)
            assert made == proposal.spec
    assert Replace in kinds and len(kinds) == 2


def test_a_place_may_change_any_parent_but_a_branch_of_ones_own_its_own():
    for parents in ("branch", "best"):
        search = LimitedSearch(Scripted(), parents=parents)
        search.step()
        elsewhere = 0
        for _ in range(4):
            own = [trial.slot.name for trial in search._current]
            asked = [p.parent for p in search.step()]
            elsewhere += asked != own
        assert elsewhere == 0 if parents == "branch" else elsewhere > 0


def test_branches_of_ones_own_that_offer_the_same_share_it():
    answers = itertools.cycle("cd")

    def answer(spec):
        return Morph((Scale(0, "op", to=next(answers)),))

    starts = ["aaaaaa", "bbaaaa", "aabbbb", "bbbbbb"]  # of two and two the offers are the same
    search = LimitedSearch(
        Scripted(answer), *starts, parents="branch", neighbours=0, knowledge=_FREE
    )
    search.step()
    proposals = search.ask()
    words = [word_of(p.spec) for p in proposals]
    assert [{*words[:2]}, {*words[2:]}] == [{"ccaaaa", "ddaaaa"}, {"ccbbbb", "ddbbbb"}]
    assert [p.parent for p in proposals] == [f"e01s00b{branch}" for branch in range(4)]


def test_what_failed_is_not_proposed_again():
    def fails(spec):
        return "d" in word_of(spec)

    policy, failed = Scripted(keep), set()
    search = LimitedSearch(policy, *_STARTS, knowledge=_FREE, neighbours=64)
    while not search.done:
        proposals = search.step(lambda spec: "failed" if fails(spec) else "trained")
        assert not failed & {p.spec for p in proposals}
        failed |= {p.spec for p in proposals if fails(p.spec)}
    assert len(failed) > 4
    assert all(entry["screened"] for entry in search.step_log[1:])


@pytest.mark.parametrize("limits", ["keep", "soft"])
def test_what_would_be_skipped_is_never_picked(limits):
    def skipped(spec):
        return "d" in word_of(spec)

    known = Knowledge(skipped=skipped)
    search = LimitedSearch(Scripted(), *_STARTS, knowledge=known, limits=limits)
    assert not any(skipped(p.spec) for p in search.go())
    free = LimitedSearch(Scripted(), *_STARTS, knowledge=_FREE, limits=limits)
    assert sum(skipped(p.spec) for p in free.go()) > 8


@pytest.mark.parametrize("neighbours", [0, 16])
def test_where_all_on_offer_would_be_skipped_the_parents_are_repeated(neighbours):
    known = Knowledge(skipped=lambda spec: word_of(spec) not in _STARTS)
    search = LimitedSearch(Scripted(), *_STARTS, knowledge=known, neighbours=neighbours, steps=3)
    search.step()
    for _ in range(3):
        current = [trial.proposal.spec for trial in search._current]
        proposals = search.step()
        assert [p.spec for p in proposals] == current
        assert all(p.action == Morph() for p in proposals)


def test_places_for_which_nothing_new_is_left_repeat_their_parents():
    left = {"bcacac", "ccacac"}
    known = Knowledge(skipped=lambda spec: word_of(spec) not in left | {*_STARTS})
    search = LimitedSearch(Scripted(), *_STARTS, knowledge=known, neighbours=64)
    search.step()
    proposals = search.ask()
    assert {word_of(p.spec) for p in proposals[:2]} == left
    for proposal in proposals[2:]:
        assert proposal.action == Morph() and word_of(proposal.spec) in _STARTS


# Limits


@pytest.mark.parametrize("parents", ["best", "tournament", "branch"])
def test_what_is_proposed_keeps_the_limits_but_for_stones(parents):
    search = LimitedSearch(Scripted(), steps=8, parents=parents)
    search.go()
    assert all(entry["screened"] for entry in search.step_log[1:])
    for place, violation in search.outside:
        assert place % STONE_EVERY == STONE_EVERY - 1 and violation <= STONE_REACH
    assert len(set(search.words)) == search.total
    if parents == "best":
        assert search.outside, "accuracy rises outside: a stone is worth its place"


@pytest.mark.parametrize("options", [{"screen": 1}, {"predictor_skill": 1.0}])
def test_limits_are_kept_where_nothing_is_screened_too(options):
    search = LimitedSearch(Scripted(), steps=8, **options)
    search.go()
    assert not any(entry["screened"] for entry in search.step_log[1:])
    assert search.outside == []
    soft = LimitedSearch(Scripted(), steps=8, limits="soft", **options)
    soft.go()
    assert len(soft.outside) > 8


def test_soft_limits_are_broken_for_what_is_more_accurate():
    search = LimitedSearch(Scripted(), steps=8, limits="soft")
    search.go()
    assert len(search.outside) > 16
    assert max(violation for _, violation in search.outside) > STONE_REACH


_OUTSIDE = ["dddddd", "dddddc", "ddddcd", "dddcdd"]


@pytest.mark.parametrize("parents", ["best", "tournament", "branch"])
@pytest.mark.parametrize("screen", [1, 8])
def test_where_no_parent_keeps_the_limits_the_violation_falls_step_by_step(parents, screen):
    # One letter at a time is changed, and what is far outside has the highest softened reward.
    search = LimitedSearch(Scripted(keep), *_OUTSIDE, steps=9, screen=screen, parents=parents)
    search.go()
    counts = [word.count("d") for word in search.words]
    least = [min(counts[step : step + 4]) for step in range(0, len(counts), 4)]
    if parents == "tournament":  # whose winners need not be the nearest
        assert least[0] == 5 > min(least)
    else:
        assert least[:6] == [5, 4, 3, 2, 1, 0]


def test_an_unscreened_proposal_is_the_first_that_keeps_the_limits():
    answers = {"aaaaaa": iter("ddcb"), "bbbbbb": iter("dadd"), "cccccc": iter("bddd")}

    def answer(spec):
        return Morph((Scale(0, "op", to=next(answers[word_of(spec)])),))

    policy = Scripted(answer)
    search = LimitedSearch(policy, *answers, branches=3, screen=1, parents="branch")
    search.step()
    assert [word_of(p.spec) for p in search.ask()] == ["ccaaaa", "aabbbb", "bbcccc"]
    asked = [[word_of(spec)[0] for spec in specs] for specs in policy.asked]
    assert asked == [["a", "b", "c"], ["a", "b"], ["a"]]
    offered = [[word_of(spec) for spec in own] for own in search.offered]
    assert offered == [["ddaaaa", "ddaaaa", "ccaaaa"], ["ddbbbb", "aabbbb"], ["bbcccc"]]


def test_with_soft_limits_the_policy_is_asked_once():
    policy = Scripted(lambda spec: Morph((Scale(0, "op", to="d"),)))
    search = LimitedSearch(policy, *_STARTS, screen=1, limits="soft", neighbours=0)
    search.step()
    assert all(word_of(p.spec).startswith("dd") for p in search.ask())
    assert len(policy.asked) == 1


def _to_d(spec):
    """Sets the first part that is not "d" already."""
    part = next(part for part in range(3) if word_of(spec)[2 * part : 2 * part + 2] != "dd")
    return Morph((Scale(part, "op", to="d"),))


def test_a_neighbour_stands_in_where_the_policy_breaks_the_limits_again_and_again():
    policy = Scripted(_to_d)
    search = LimitedSearch(policy, "bbbbbb", "dddddb", branches=2, screen=1, parents="branch")
    search.step()
    within, nearer = search.ask()
    assert len(policy.asked) == REFUSALS
    assert breach(within.spec) == 0 and isinstance(within.action.edit, Replace)
    assert word_of(nearer.spec).count("d") == 4 and isinstance(nearer.action.edit, Replace)
    assert [p.parent for p in (within, nearer)] == ["e01s00b0", "e01s00b1"]
    # Of those that are equally near the first is taken.
    search = LimitedSearch(Scripted(_to_d), "bbbbbb", branches=1, screen=1, neighbours=64)
    search.step()
    assert word_of(search.ask()[0].spec) == "abbbbb"
    # Without neighbours the least violating of the policy's own is all there is.
    search = LimitedSearch(Scripted(_to_d), "bbbbbb", branches=1, screen=1, neighbours=0)
    search.step()
    assert word_of(search.ask()[0].spec) == "ddbbbb"


def test_a_search_within_limits_is_the_same_each_time():
    runs = [LimitedSearch(Scripted()).go(4) for _ in range(2)]
    assert runs[0] == runs[1]
    assert len(runs[0]) == 16
