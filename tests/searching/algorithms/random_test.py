"""Random networks: drawn as random starts are, whatever was found."""

from __future__ import annotations

import numpy as np

from epnas_tf.searching.starts import Begin
from epnas_tf.searching.trials import Result
from tests.searching.limited_search import accuracy
from tests.searching.rival_search import good, made, run


def test_what_is_drawn_does_not_follow_from_what_was_found():
    one, other = made("random", episodes=1), made("random", episodes=1)
    run(one, good)
    run(other, lambda proposal: Result(proposal.slot, 0.5))
    assert [t.proposal for t in one.history] == [t.proposal for t in other.history]


def test_what_is_drawn_differs_from_all_before_it(monkeypatch):
    asked, drawn = [], Begin.drawn

    def noted(self, rng, taken):
        asked.append(taken)
        return drawn(self, rng, taken)

    monkeypatch.setattr(Begin, "drawn", noted)
    steps = run(made("random", episodes=1, steps=2))
    keys = [proposal.spec.key for step in steps for proposal in step]
    assert asked == [frozenset(keys[:number]) for number in range(12)]


def test_networks_are_drawn_near_the_limits_as_random_starts_are():
    # What is near is what is worth most, so that it can be seen.
    search = made("random", near=accuracy, episodes=1, steps=2)
    run(search, good)
    begun, drawn = search.history[:4], search.history[4:]
    means = [np.mean([accuracy(t.proposal.spec) for t in trials]) for trials in (begun, drawn)]
    assert min(means) > 0.2  # chance reaches 0.15
