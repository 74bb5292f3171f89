"""What rivals have in common with EPNAS and with each other: starts, limits, rungs, replays."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from epnas_tf.architecture import morph
from epnas_tf.architecture.morph import Morph
from epnas_tf.searching.algorithms import ALGORITHMS
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.rungs import Rungs, Standing
from epnas_tf.searching.trials import Proposal, Result, Slot, Trial
from tests.searching.limited_search import SPACE, accuracy, breach, spec_of, word_of
from tests.searching.rival_search import RIVALS, good, made, mixed, run, state

_RUNGS = Rungs((1, 3, 9), 0.5)


def _words(search):
    return [word_of(trial.proposal.spec) for trial in search.history]


# The same task


@pytest.mark.parametrize("lent", [False, True])
def test_all_algorithms_begin_with_the_same_networks(lent):
    words = ["".join(letters) * 2 for letters in itertools.product("abcd", repeat=3)]
    prior = [[(spec_of(word), word.count("b") / 6) for word in words]] * lent
    known = Knowledge(violation=breach, prior=prior)
    searches = [made(name, "cccccc", knowledge=known, policy="random") for name in ALGORITHMS]
    (begun,) = {tuple(word_of(p.spec) for p in search.ask()) for search in searches}
    assert begun[0] == "cccccc" and len({*begun}) == 4
    assert all(word.count("b") > 3 for word in begun[1:]) is lent


@pytest.mark.parametrize("name", RIVALS)
def test_a_step_proposes_new_networks_of_the_space_within_the_limits(name):
    known = Knowledge(violation=breach, skipped=lambda spec: "bb" in word_of(spec))
    search = made(name, "abcabc", "cababa", knowledge=known)
    steps = run(search)
    assert [len(step) for step in steps] == [4] * (1 + 2 * 3)
    assert [p.slot.name for p in steps[4]] == [f"e02s01b{branch}" for branch in range(4)]
    words = _words(search)
    assert len({*words}) == search.total == 28
    assert not any("d" in word for word in words)
    assert not any("bb" in word for word in words[4:])  # a start is taken as it is drawn
    assert search.done and search.ask() == [] and search.offered == []


@pytest.mark.parametrize("name", RIVALS)
def test_a_change_says_what_was_changed(name):
    search = made(name)
    run(search, mixed)
    told = {trial.slot.name: trial for trial in search.history}
    changed = [t.proposal for t in search.history if t.proposal.parent is not None]
    assert bool(changed) == (name != "random")
    for proposal in changed:
        parent = told[proposal.parent]
        assert parent.trained and parent.slot < proposal.slot
        assert morph.apply(parent.proposal.spec, proposal.action, SPACE) == proposal.spec
    assert {p.made for p in changed}.isdisjoint({"start", "keep", "drawn at random"})
    drawn = [t.proposal for t in search.history[4:] if t.proposal.parent is None]
    assert all(proposal.made == "drawn at random" for proposal in drawn)


@pytest.mark.parametrize("name", RIVALS)
def test_soft_limits_are_no_bounds(name):
    words = {}
    for limits in ("keep", "soft"):
        search = made(name, limits=limits, episodes=1)
        run(search)
        words[limits] = "".join(_words(search))
    assert "d" not in words["keep"]
    assert ("d" in words["soft"]) == (name != "random")  # drawn as starts are: within the limits


@pytest.mark.parametrize("name", ["evolution", "local_search"])
def test_from_outside_the_way_leads_within(name):
    search = made(name, "dddddd", "dddddc", "ddddcc", "ddddca")
    steps = run(search)
    first, last = (min(breach(p.spec) for p in step) for step in (steps[1], steps[-1]))
    assert first == pytest.approx(0.6) and last == 0
    assert all(trial.result.feasible for trial in search.best(4))


@pytest.mark.parametrize(("name", "reuse"), [*((name, True) for name in RIVALS), ("random", False)])
def test_where_nothing_new_is_on_offer_the_best_is_repeated(name, reuse):
    few = {"aaaaaa", "aaaaab", "aaaabb", "aaaabc", "aaaacc", "aaaccc"}
    known = Knowledge(violation=lambda spec: 0.5 * (word_of(spec) not in few))
    starts = ["aaaaaa", "aaaaab", "aaaabb", "aaaabc"]
    search = made(name, *starts, knowledge=known, episodes=1, steps=3, reuse_duplicates=reuse)
    steps = run(search)
    assert {*_words(search)} <= few
    for proposal in steps[-1]:
        assert (word_of(proposal.spec), proposal.action) == ("aaaaaa", Morph())
        assert proposal.parent == "e01s00b0"
        assert proposal.reuse == ("e01s00b0" if reuse else None)


@pytest.mark.parametrize("name", RIVALS)
def test_a_search_in_which_nothing_can_be_trained_comes_to_its_end(name):
    search = made(name, "aaaaaa", rungs=_RUNGS)
    run(search, lambda p: Result(p.slot, 0.1, status="failed"))
    assert search.done and search.best() == []


@pytest.mark.parametrize("name", RIVALS)
def test_the_seed_decides_and_more_episodes_go_on_the_same(name):
    options = ({"episodes": 1}, {"episodes": 2}, {"seed": 6})
    short, long, other = (made(name, **own) for own in options)
    steps = run(short, mixed)
    assert run(long, mixed)[: len(steps)] == steps
    assert run(other, mixed)[1:] != steps[1:]


# Replays


def _log(search):
    """Returns what was logged, as it comes back from plain data."""
    entries = [(trial.proposal, trial.result) for trial in search.history]
    for known in search.standing.risen:
        entries += [(trial.proposal, trial.result) for trial in known.values()]
    return [(Proposal.from_dict(json.loads(json.dumps(p.to_dict())), SPACE), r) for p, r in entries]


@pytest.mark.parametrize("name", RIVALS)
def test_a_log_cut_anywhere_leads_to_the_same_state_and_goes_on_the_same(name):
    whole = made(name, rungs=_RUNGS)
    steps = run(whole)
    log = {proposal.slot: (proposal, result) for proposal, result in _log(whole)}
    asked = [proposal for step in steps for proposal in step]
    assert len(log) == len(asked) > whole.total
    cuts = range(0, len(asked), 5)
    for cut in cuts:
        told = [log[proposal.slot] for proposal in asked[:cut]]
        in_flight = [(proposal, None) for proposal in asked[cut : cut + cut % 2]]
        random.Random(cut).shuffle(told)
        resumed = made(name, rungs=_RUNGS)
        resumed.replay(told + in_flight)
        here = next(step for step in steps if asked[cut] in step)
        assert resumed.ask() == [p for p in here if p not in asked[:cut]]
        if cut in (cuts[3], cuts[-2]):
            run(resumed)
            assert state(resumed) == state(whole)


@pytest.mark.parametrize("name", RIVALS)
def test_a_logged_promotion_is_adopted(name):
    search = made(name, rungs=_RUNGS, branches=6)
    run(search, good, 1)
    log = [(trial.proposal, trial.result) for trial in search.history]
    last = search.best(6)[-1]
    logged = Proposal(last.slot.at(1), last.proposal.spec, wave=1)
    assert logged not in search.ask()
    resumed = made(name, rungs=_RUNGS, branches=6)
    resumed.replay([*log, (logged, None)])
    assert logged in resumed.ask()
    resumed.tell(map(good, resumed.ask()))
    assert last.proposal.spec in resumed.standing.risen[0]


# Who rises


def _at(name, word, reward):
    slot = Slot.parse(name)
    return Trial(Proposal(slot, spec_of(word)), Result(slot, reward))


_WORDS = ["aaaaaa", "bbbbbb", "cccccc", "ababab", "bcbcbc", "cacaca", "aabbcc", "bbccaa", "ccaabb"]


def _standing(epochs, risen=()):
    """Returns a standing of nine networks, and their trials, the best first."""
    standing = Standing(Rungs(epochs, 0.5))
    first = [_at(f"e01s00b{b}", word, 0.9 - b / 10) for b, word in enumerate(_WORDS)]
    standing.take_in(first)
    standing.take_in_risen(risen)
    return standing, first


@pytest.mark.parametrize(("epochs", "best"), [((1, 3), 3), ((1, 2), 4), ((2, 3), 6), ((1, 10), 0)])
def test_by_halving_the_best_rise_one_in_as_many_as_the_next_rung_is_longer(epochs, best):
    standing, first = _standing(epochs)
    assert standing.halved(first) == first[:best]


def test_by_halving_the_highest_rung_comes_first_and_nobody_rises_twice():
    rewards = (0.5, 0.7, 0.6)
    risen = [_at(f"e01s00b{b}r1", _WORDS[b], reward) for b, reward in enumerate(rewards)]
    standing, first = _standing((1, 3, 9), risen)
    assert standing.halved(first) == [first[1]]
    more = [_at(f"e01s01b{b}", w, 0.95) for b, w in enumerate(["abcabc", "bcabca", "cabcab"])]
    standing.take_in(more)
    assert standing.halved([*more, *first]) == [first[1], *more]
    standing.take_in_risen([_at("e01s00b1r2", _WORDS[1], 0.8)])
    assert standing.halved([*more, *first]) == more


def test_by_halving_what_fails_rises_no_further():
    slot = Slot.parse("e01s00b0r1")
    failed = Trial(Proposal(slot, spec_of(_WORDS[0])), Result(slot, 0.1, status="failed"))
    standing, first = _standing((1, 3, 9), [failed])
    assert standing.halved(first) == first[1:3]


@pytest.mark.parametrize("name", RIVALS)
def test_rivals_rise_by_halving_within_the_share_of_the_work(name):
    search = made(name, rungs=_RUNGS, episodes=5)
    base = above = 0
    reached: dict[str, int] = {}
    while not search.done:
        measured = {t.spec_key: t.result.reward for t in search.history if t.trained}
        step = search.ask()
        for proposal in step:
            rung, key = proposal.slot.rung, proposal.spec.key
            assert rung == reached.get(key, -1) + 1
            reached[key] = rung
            if rung == 1:
                better = sum(reward > measured[key] for reward in measured.values())
                assert better < len(measured) // 3
            base, above = base + (rung == 0), above + (0, 3, 9)[rung]
        assert above <= 0.5 * (base + above)
        search.tell(map(good, step))
    assert {*reached.values()} == {0, 1, 2}
    assert search.best()[0].slot.rung == 2


@pytest.mark.parametrize("name", RIVALS)
def test_at_the_end_the_most_promising_are_those_that_did_best_when_trained_longest(name):
    search = made(name, rungs=_RUNGS)
    run(search, lambda p: Result(p.slot, int(p.spec.key[p.slot.rung :][:4], 16) / 2**16))
    promising = [trial.proposal.spec for trial in search.promising()]
    assert promising == [trial.proposal.spec for trial in search.best(99)]
    assert promising[0] in search.standing.risen[1]


@pytest.mark.parametrize("name", RIVALS)
def test_parents_are_compared_at_the_lowest_rung(name):
    """What came of a longer training changes who rises, and no network that is proposed."""

    def otherwise(proposal):
        told = good(proposal)
        reward = 1 - accuracy(proposal.spec) / 9 if proposal.slot.rung else told.reward
        return Result(proposal.slot, reward, told.accuracy)

    one, other = made(name, rungs=_RUNGS), made(name, rungs=_RUNGS)
    run(one)
    run(other, otherwise)
    assert one.standing.risen != other.standing.risen
    assert [t.proposal for t in one.history] == [t.proposal for t in other.history]
