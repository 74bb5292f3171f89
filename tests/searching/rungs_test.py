"""Which networks rise beside a step, by hand-made standings."""

from __future__ import annotations

import pytest

from epnas_tf.searching.rungs import Rungs, Standing
from epnas_tf.searching.trials import Proposal, Result, Slot, Trial
from tests.searching.limited_search import spec_of, word_of

_WORDS = ("aaaaaa", "bbbbbb", "cccccc", "dddddd", "ababab", "bcbcbc")


def _trial(name, word, reward=0.5, status="trained", **proposal):
    slot = Slot.parse(name)
    return Trial(Proposal(slot, spec_of(word), **proposal), Result(slot, reward, status=status))


def _four(standing):
    """Takes in four networks at the lowest rung and returns their trials."""
    trials = [_trial(f"e01s00b{b}", word) for b, word in enumerate(_WORDS[:4])]
    standing.take_in(trials)
    return trials


def _risen(standing, ranked, running=(), wave=1):
    """Returns the names of what rises."""
    return [proposal.slot.name for proposal in standing.chosen(ranked, running, wave)]


def test_a_trainings_work_grows_with_its_epochs():
    rungs = Rungs((2, 6, 18), work=lambda spec: 5.0)
    assert rungs.highest == 2
    assert [rungs.work_at(spec_of("aaaaaa"), rung) for rung in range(3)] == [5, 15, 45]


def test_with_one_rung_nothing_rises():
    standing = Standing(Rungs((3,), 0.95))
    assert _risen(standing, _four(standing)) == []
    assert standing.risen == []


def test_without_a_share_nothing_rises():
    standing = Standing(Rungs((1, 2), 0.0))
    assert _risen(standing, _four(standing)) == []


def test_what_rises_is_the_same_network_without_parent_or_action():
    standing = Standing(Rungs((1, 2), 0.34))
    trials = _four(standing)
    assert standing.chosen(trials[2:], [], 7) == [
        Proposal(Slot(1, 0, 2, rung=1), spec_of("cccccc"), wave=7)
    ]


@pytest.mark.parametrize(
    ("share", "running", "risen"),
    # Rung 1 costs 2; of 4 at the lowest rung, and as many above, two rise.
    [(0.5, 0, 2), (0.49, 0, 1), (0.5, 1, 2), (0.5, 2, 3), (0.6, 0, 3), (0.33, 0, 0), (0.34, 0, 1)],
)
def test_so_many_rise_that_their_work_keeps_its_share(share, running, risen):
    standing = Standing(Rungs((1, 2), share))
    trials = _four(standing)
    names = _risen(standing, trials, [spec_of(word) for word in _WORDS[4:]][:running])
    assert names == [f"e01s00b{b}r1" for b in range(risen)]


def test_the_most_promising_rise_and_stand_in_the_order_of_slots():
    standing = Standing(Rungs((1, 2), 0.5))
    trials = _four(standing)
    assert _risen(standing, [trials[3], trials[1], trials[0]]) == ["e01s00b1r1", "e01s00b3r1"]


def test_what_the_best_costs_is_saved_up_for():
    dear, cheap = spec_of("aaaaaa"), spec_of("bbbbbb")
    standing = Standing(Rungs((1, 3), 0.5, lambda spec: 2.0 if spec == dear else 1.0))
    trials = _four(standing)  # 5 at the lowest rung; the first costs 6, the others 3
    assert _risen(standing, trials) == []
    assert _risen(standing, trials[1:]) == ["e01s00b1r1"]
    assert _risen(standing, trials, [cheap]) == ["e01s00b0r1"]


def test_work_above_is_counted_in_later_steps():
    standing = Standing(Rungs((1, 2), 0.5))
    trials = _four(standing)
    chosen = standing.chosen(trials, [], 1)
    standing.take_in_risen([Trial(p, Result(p.slot, 0.9)) for p in chosen])
    assert _risen(standing, trials, [spec_of(_WORDS[4])], 2) == []
    assert _risen(standing, trials, [spec_of(word) for word in _WORDS[4:]], 2) == ["e01s00b2r1"]


def test_a_network_rises_one_rung_at_a_time():
    standing = Standing(Rungs((1, 2, 3), 0.9))
    (first, *_) = _four(standing)
    for wave, name in ((1, "e01s00b0r1"), (2, "e01s00b0r2")):
        (proposal,) = standing.chosen([first], [], wave)
        assert (proposal.slot.name, proposal.wave) == (name, wave)
        standing.take_in_risen([Trial(proposal, Result(proposal.slot, 0.5))])
    assert _risen(standing, [first], wave=3) == []


@pytest.mark.parametrize("status", ["failed", "not_finite"])
def test_what_fails_at_a_rung_rises_no_further_and_has_cost_its_work(status):
    standing = Standing(Rungs((1, 2, 3), 0.5))
    trials = _four(standing)
    (proposal,) = standing.chosen(trials[:1], [], 1)
    standing.take_in_risen([Trial(proposal, Result(proposal.slot, 0.1, status=status))])
    assert standing.risen == [{}, {}]
    assert _risen(standing, trials, wave=2) == ["e01s00b1r1"]  # 4 at the lowest, 2 + 2 above


def test_of_a_repeated_network_the_first_trial_rises():
    standing = Standing(Rungs((1, 2), 0.5))
    _four(standing)
    again = _trial("e01s01b0", "bbbbbb", 0.9)  # trained again, with another seed
    standing.take_in([again])
    assert _risen(standing, [again]) == ["e01s00b1r1"]


def test_of_a_network_that_failed_at_first_its_first_trained_trial_rises():
    standing = Standing(Rungs((1, 2), 0.5))
    standing.take_in([_trial("e01s00b0", "aaaaaa", status="failed")])
    _four_later = [_trial(f"e01s01b{b}", word) for b, word in enumerate(_WORDS[:2])]
    standing.take_in(_four_later)
    assert _risen(standing, _four_later) == ["e01s01b0r1"]


def test_what_was_not_trained_here_gives_no_work_to_share():
    standing = Standing(Rungs((1, 2), 0.5))
    own = _trial("e01s00b0", "aaaaaa")
    others = [
        _trial("e01s00b1", "bbbbbb", status="over_limits"),
        _trial("e01s01b0", "aaaaaa", reuse="e01s00b0"),
    ]
    standing.take_in([own, *others])
    assert _risen(standing, [own]) == []
    standing.take_in([_trial("e01s01b1", "cccccc")])
    assert _risen(standing, [own]) == ["e01s00b0r1"]


def test_a_network_is_what_was_measured_at_its_highest_rung():
    standing = Standing(Rungs((1, 2, 3), 0.9))
    first, second, *_ = _four(standing)
    at = {
        name: _trial(name, word, reward, wave=1)
        for name, word, reward in (
            ("e01s00b0r1", "aaaaaa", 0.6),
            ("e01s00b0r2", "aaaaaa", 0.4),
            ("e01s00b1r1", "bbbbbb", 0.7),
        )
    }
    standing.take_in_risen(at.values())
    assert standing.of(first) is at["e01s00b0r2"]
    assert standing.of(second) is at["e01s00b1r1"]
    third = _trial("e01s00b2", "cccccc")
    assert standing.of(third) is third
    told = standing.values(lambda trial: trial.result.reward)
    assert [{word_of(spec): value for spec, value in known.items()} for known in told] == [
        {"aaaaaa": 0.6, "bbbbbb": 0.7},
        {"aaaaaa": 0.4},
    ]
