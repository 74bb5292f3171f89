"""Ageing evolution: who becomes a parent, and who has died."""

from __future__ import annotations

import numpy as np

from epnas_tf.searching.algorithms import evolution
from epnas_tf.searching.trials import Result
from tests.searching.rival_search import good, made, mixed, run


def test_the_best_of_a_sample_drawn_with_replacement_is_a_parent():
    living = [("a", 0.3), ("b", 0.9), ("c", 0.5)]
    for seed in range(9):
        drawn = np.random.default_rng(seed).integers(3, size=2)
        best = max((living[index] for index in drawn), key=lambda member: member[1])
        rng = np.random.default_rng(seed)
        assert evolution.winner(living, 2, rng, worth=lambda member: member[1]) == best


def test_parents_are_of_the_last_five_steps():
    search = made("evolution", episodes=1, steps=12)
    run(search, lambda p: Result(p.slot, 0.5 if p.slot.step else 0.9))  # the first are the best
    steps = {trial.slot.name: trial.slot.step for trial in search.history}
    ages = [trial.slot.step - steps[trial.proposal.parent] for trial in search.history[4:]]
    assert max(ages) == 5
    early = [steps[trial.proposal.parent] for trial in search.history if 0 < trial.slot.step <= 2]
    assert early.count(0) >= 6  # a sample most often holds one of the first while they live


def test_who_failed_is_no_parent_even_where_all_of_the_last_steps_did():
    search = made("evolution", episodes=1, steps=9)
    run(search, lambda p: mixed(p) if p.slot.step < 2 else Result(p.slot, 0.1, status="failed"))
    trained = {trial.slot.name for trial in search.history if trial.trained}
    assert {trial.proposal.parent for trial in search.history[4:]} - {None} <= trained


def test_evolution_finds_the_best_words_within_the_limits():
    search = made("evolution", "cccccc", "cccccb", "ccccbb", "cccbbb", episodes=3, steps=8)
    run(search, good)
    # Three of "a" in even places are worth 0.25; the starts, which have none, 0.1.
    assert search.best()[0].result.reward == 0.25
    assert np.mean([trial.result.reward for trial in search.history[-20:]]) > 0.17
