"""Which networks a step and an episode start from (DECISIONS 7, 8 and 10)."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.architecture.morph import Morph, Scale
from epnas_tf.searching import parents
from epnas_tf.searching.candidates import STONE_REACH
from epnas_tf.searching.trials import Proposal, Result, Slot, Trial, ranked
from tests.searching.limited_search import (
    LimitedSearch,
    Scripted,
    breach,
    keep,
    spec_of,
    word_of,
)

# Within an episode


def test_a_trained_child_is_the_next_parent_of_its_branch_even_where_it_is_worse(scripted):
    search = scripted("16 32", "+16 +16", "+64 +64", episodes=1, steps=2)
    search.reward(0.9, 0.5)
    search.reward(0.1, 0.6)
    assert search.parents() == ["e01s01b0", "e01s01b1"]
    assert search.asked() == ["16.16.64", "32.16.64"]


def test_an_untrained_child_is_never_a_parent(scripted):
    search = scripted("16 32", "+16 +16", "+64 +64", "+96 +96", episodes=1, steps=3)
    search.reward(0.5, 0.5)
    search.reward(None, 0.5)
    assert search.parents() == ["e01s00b0", "e01s01b1"]
    assert search.asked() == ["16.64", "32.16.64"]
    search.reward(None, 0.5)
    assert search.parents() == ["e01s00b0", "e01s02b1"]
    assert search.asked() == ["16.96", "32.16.64.96"]


def test_an_untrained_child_is_learned_from(scripted):
    search = scripted("16 32", "+16 +16", episodes=1, steps=1)
    search.reward(0.5, 0.5)
    search.reward(None, 0.3)
    # Rewards 0.1 and 0.3: 0.1 either side of the mean, over the deviation 0.1 + 0.001.
    assert search.tape[-1] == ("update", ("16", -0.9901), ("32", 0.9901))


def test_an_untrained_starting_network_gives_way_to_the_best(scripted):
    search = scripted("16 32 64 96", "+16 +16 +16 +16", episodes=1, steps=1)
    search.reward(None, 0.5, 0.7, None)
    assert search.parents() == ["e01s00b2", "e01s00b1", "e01s00b2", "e01s00b2"]
    assert search.asked() == ["64.16", "32.16", "64.16", "64.16"]


def test_the_search_goes_on_where_all_starting_networks_failed(scripted):
    search = scripted("16 32", "+16 +32", episodes=2, steps=1)
    search.reward(None, None)
    assert set(search.parents()) <= {"e01s00b0", "e01s00b1"}
    search.reward(None, 0.5)
    # The only trained network starts the next episode everywhere.
    assert search.parents() == ["e01s01b1", "e01s01b1"]


def test_the_search_goes_on_where_everything_failed(scripted):
    search = scripted("16 32", episodes=2, steps=2)
    for _ in range(5):
        assert set(search.parents()) <= {None, "e01s00b0", "e01s00b1"}
        search.reward(None, None)
    assert search.done
    assert search.best() == []


def test_starting_networks_are_nothing_to_learn_from(scripted):
    search = scripted("16 32", episodes=1, steps=1)
    search.reward(0.0, 1.0)
    search.reward(0.5, 0.5)
    assert search.tape[-1] == ("update", ("16", 0.0), ("32", 0.0))


# From episode to episode


def test_rank_i_of_an_episode_starts_the_next_in_branch_i(scripted):
    search = scripted("16 32 64", "+16 +16 +16", "+32 +32 +32", episodes=2, steps=2)
    search.reward(0.1, 0.2, 0.3)
    search.reward(0.7, 0.9, 0.6)
    search.reward(0.8, 0.5, 0.4)
    assert search.parents() == ["e01s01b1", "e01s02b0", "e01s01b0"]
    assert search.asked() == ["32.16", "16.16.32", "16.16"]


def test_a_feasible_network_starts_before_a_better_one(scripted):
    search = scripted("16 32", "+16 +16", episodes=2, steps=1)
    search.reward(0.9, 0.8, feasible=False)
    search.tell([Result(Slot(1, 1, 0), 0.2), Result(Slot(1, 1, 1), 0.95, feasible=False)])
    assert search.parents() == ["e01s01b0", "e01s01b1"]


def test_an_untrained_network_starts_no_episode(scripted):
    search = scripted("16 32", "+16 +16", episodes=2, steps=1)
    search.reward(0.01, 0.02)
    search.reward(None, 0.05)  # its penalised reward, 0.1, would be the best
    assert search.parents() == ["e01s01b1", "e01s00b1"]


def test_starting_networks_may_stay_the_best(scripted):
    search = scripted("16 32", "+16 +16", "+64 +64", episodes=3, steps=1)
    search.reward(0.8, 0.9)
    search.reward(0.3, 0.85)
    assert search.parents() == ["e01s00b1", "e01s01b1"]
    search.reward(0.1, 0.2)
    assert search.parents() == ["e01s00b1", "e01s01b1"]


def test_of_equals_the_earlier_slot_starts(scripted):
    search = scripted("16 32", "+16 +16", episodes=2, steps=1)
    search.reward(0.5, 0.5)
    search.reward(0.5, 0.5)
    assert search.parents() == ["e01s00b0", "e01s00b1"]


def test_a_network_starts_once_and_too_few_repeat_from_the_best(scripted):
    search = scripted("16 16 16 16", "+32 +32 +32 =", episodes=2, steps=1)
    search.reward(0.5, 0.6, 0.4, 0.3)
    search.reward(0.7, 0.9, 0.8, 0.55)
    # 16.32 at its best, 0.9, and 16 at its best, 0.6: two networks for four branches.
    assert search.parents() == ["e01s01b1", "e01s00b1", "e01s01b1", "e01s00b1"]


def test_repeats_begin_again_with_rank_0(scripted):
    search = scripted("16 32 16 16", "= = = +64", episodes=2, steps=1)
    search.reward(0.9, 0.8, 0.1, 0.1)
    search.reward(0.2, 0.2, 0.2, 0.7)
    assert search.parents() == ["e01s00b0", "e01s00b1", "e01s01b3", "e01s00b0"]


# The best of all


def test_the_best_are_those_of_all_trials_in_the_same_order(scripted):
    search = scripted("16 32 64", "+16 +16 +16", episodes=1, steps=1)
    search.reward(0.5, 0.9, None)
    search.tell([Result(Slot(1, 1, 0), 0.95, feasible=False), Result(Slot(1, 1, 2), 0.6)])
    names = [trial.slot.name for trial in search.best(10)]
    assert names == ["e01s00b1", "e01s01b2", "e01s00b0", "e01s01b0"]
    assert [trial.slot.name for trial in search.best()] == ["e01s00b1"]
    assert [trial.slot.name for trial in search.best(2)] == names[:2]


def test_before_the_first_result_nothing_is_the_best(scripted):
    assert scripted("16 32", episodes=1, steps=1).best(3) == []


# The best so far, under limits that are kept


def _trial(branch, word, accuracy):
    slot, spec = Slot(1, 0, branch), spec_of(word)
    reward = accuracy * 0.9 ** breach(spec)
    return Trial(Proposal(slot, spec), Result(slot, reward, accuracy, breach(spec) == 0))


def _words(trials):
    return [word_of(trial.proposal.spec) for trial in trials]


def _accuracy(trial):
    return trial.result.accuracy


def test_what_is_nearer_to_the_limits_comes_first_and_within_them_the_better():
    trials = [
        _trial(0, "dddddd", 0.9),
        _trial(1, "aaaaaa", 0.2),
        _trial(2, "ddaaaa", 0.5),
        _trial(3, "aadddd", 0.3),
        _trial(4, "bbbbbb", 0.3),
        _trial(5, "aaaadd", 0.6),
    ]
    best = ranked(trials)
    assert _words(best) == ["bbbbbb", "aaaaaa", "dddddd", "aaaadd", "ddaaaa", "aadddd"]
    nearest = parents.nearest_first(best, breach)
    assert _words(nearest) == ["bbbbbb", "aaaaaa", "aaaadd", "ddaaaa", "aadddd", "dddddd"]


@pytest.mark.parametrize(("limits", "last"), [("keep", "ddbbbb"), ("soft", "dddddd")])
def test_branches_without_a_network_within_kept_limits_start_from_the_nearest(limits, last):
    starts = ["dddddd", "aaaaaa", "dbdbdb", "ddbbbb"]
    search = LimitedSearch(Scripted(keep), *starts, screen=1, limits=limits, neighbours=0)
    search.go(2)  # each branch keeps its network, or with kept limits the policy's least violating
    assert _words(search._current)[:2] == ["aaaaaa", last]


_BEST = ["aaaaaa", "bbbbbb", "cccccc"]


@pytest.mark.parametrize(
    ("stone", "accuracy", "taken"),
    [
        ("daaaaa", 0.71, True),
        ("daaaaa", 0.70, False),  # no better than the best network within
        ("daaaaa", 0.65, False),  # though better than others
        ("ddaaaa", 0.90, False),  # 0.4 outside
    ],
)
def test_a_stone_takes_the_last_branch_only_where_it_beats_the_best_within(stone, accuracy, taken):
    within = [_trial(i, word, 0.7 - i / 10) for i, word in enumerate(_BEST)]
    trained = [*within, _trial(3, stone, accuracy), _trial(4, "dbbbbb", 0.1)]
    found = parents.with_stone(within, trained, breach, _accuracy)
    assert _words(found) == ([*_BEST[:2], stone] if taken else _BEST)
    # Also where the first parent is not the best one, as after a tournament.
    assert _words(parents.with_stone(within[::-1], trained, breach, _accuracy)) == (
        [*_BEST[:0:-1], stone] if taken else _BEST[::-1]
    )


def test_the_best_of_several_stones_is_taken():
    within = [_trial(i, word, 0.5) for i, word in enumerate(_BEST)]
    stones = [_trial(3 + i, f"{'b' * i}d{'c' * (5 - i)}", 0.6 + i / 10) for i in range(3)]
    for order in (1, -1):
        found = parents.with_stone(within, within + stones[::order], breach, _accuracy)
        assert _words(found) == [*_BEST[:2], "bbdccc"]
    assert parents.with_stone(within[:1], within + stones, breach, _accuracy) == within[:1]
    assert parents.with_stone(within, within, breach, _accuracy) == within
    assert parents.with_stone(within, [], breach, _accuracy) == within


def test_without_a_network_within_there_is_no_stone():
    outside = [_trial(i, word, 0.5) for i, word in enumerate(["daaaaa", "dbbbbb"])]
    better = _trial(2, "dccccc", 0.9)
    assert breach(better.proposal.spec) <= STONE_REACH
    assert parents.with_stone(outside, [*outside, better], breach, _accuracy) == outside


@pytest.mark.parametrize(
    ("stone", "limits", "last"),
    [
        ("dbabab", "keep", "dbabab"),  # accuracy 0.3, of the best within 0.25
        ("dbbbab", "keep", "aaaabb"),  # accuracy 0.25
        ("dbabab", "soft", "aaaabb"),
    ],
)
def test_a_search_goes_on_from_a_stone(stone, limits, last):
    def answer(spec):
        part, op = (2, "b") if word_of(spec) == "aaaaaa" else (0, "c")
        return Morph((Scale(part, "op", to=op),))

    search = LimitedSearch(
        Scripted(answer), "aaaaaa", stone, branches=2, screen=1, neighbours=0, limits=limits
    )
    search.go(2)
    assert _words(search._current) == ["aaaaaa", last]


def test_spreading_repeats_the_best_and_tournaments_prefer_them():
    trials = [_trial(i, word, 0.7 - i / 10) for i, word in enumerate(_BEST)]
    assert _words(parents.spread(trials, 5)) == [*_BEST, *_BEST[:2]]
    won = _words(parents.tournaments(trials, [np.random.default_rng(0)] * 2000))
    # The better of two that are drawn with replacement: 5, 3 and 1 of 9.
    shares = [won.count(word) / 2000 for word in _BEST]
    np.testing.assert_allclose(shares, [5 / 9, 3 / 9, 1 / 9], atol=0.03)
