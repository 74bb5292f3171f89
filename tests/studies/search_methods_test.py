"""The searchers that are compared: what they ask for follows from table and seed alone."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from epnas_tf.searching.trials import Proposal, Result, Slot
from epnas_tf.studies import search_methods, search_study, tables

# Those that a table alone decides: no limit, no other table of the same space.
_WITHOUT_TENSORFLOW = [
    name
    for name in search_methods.METHODS
    if name[:4] != "lstm" and not name.endswith(("prior", "soft_limits"))
]


@pytest.fixture(name="aside", scope="module")
def _aside() -> tables.Table:
    return tables.kept_aside()


def _queries(method, table, count):
    """Returns the first networks that a method asks for."""
    found = [next(method.queries)]
    while len(found) < count:
        found.append(method.queries.send(table.accuracy(found[-1])))
    return found


@pytest.fixture(name="methods", scope="module")
def _methods(aside):
    """Each method with seed 1, and the networks of three steps that it asked for."""
    made = {name: search_methods.METHODS[name](aside, 1) for name in _WITHOUT_TENSORFLOW}
    return {name: (method, _queries(method, aside, 20)) for name, method in made.items()}


@pytest.mark.parametrize("name", _WITHOUT_TENSORFLOW)
def test_the_seed_decides_what_is_asked_for(aside, methods, name):
    _, asked = methods[name]
    same, other = (search_methods.METHODS[name](aside, seed) for seed in (1, 2))
    assert _queries(same, aside, 9) == asked[:9] != _queries(other, aside, 9)
    for spec in asked:
        aside.space.check(spec)


def test_no_two_methods_are_alike(methods):
    """Each factory has its own options; a copied line would compare a method with itself."""
    asked = {name: asked for name, (_, asked) in methods.items() if name[:10] != "evolution_"}
    asked["evolution"] = methods["evolution_20_5"][1]
    for one, other in itertools.combinations(asked, 2):
        assert asked[one] != asked[other], (one, other)


def test_the_evolutions_differ_in_population_and_sample_alone(aside):
    """They begin with the same random networks, as many as each one's population."""
    asked = [
        _queries(search_methods.METHODS[f"evolution_{sizes}"](aside, 1), aside, 51)
        for sizes in ("20_5", "50_10", "100_25")
    ]
    assert asked[0][:20] == asked[1][:20] == asked[2][:20]
    assert asked[0][:21] != asked[1][:21] == asked[2][:21]
    assert asked[1][:50] == asked[2][:50]


def test_a_progressive_search_notes_what_its_policy_proposed(aside, methods):
    """The mean of the first proposals of each branch, before any is picked."""
    method, _ = methods["uniform"]
    rewards = [entry["proposed_reward"] for entry in method.log]
    everything = [aside.accuracy(spec) for spec in tables.every_network(aside.space)]
    assert len(rewards) == 4  # steps whose proposals are drawn; the first networks are not
    # Uniform proposals are about as good as networks are on average.
    assert np.mean(rewards) == pytest.approx(np.mean(everything), abs=3 * np.std(everything) / 8)


@pytest.mark.parametrize("name", ["evolution_20_5", "local_search"])
def test_rivals_rank_what_breaks_the_limit_last(aside, name):
    """They come to lie within the limit, where a tenth of all networks does."""
    limited = aside.limited("third")
    asked = _queries(search_methods.METHODS[name](limited, 1), limited, 300)
    within = [limited.feasible(spec) for spec in asked]
    assert np.mean(within[200:]) > 0.4


def test_a_rival_is_told_less_of_what_is_further_beyond_the_limit(aside):
    told = []

    def listening(space, rng):
        for spec in tables.every_network(space)[::60]:
            told.append((spec, (yield spec)))

    limited = aside.limited("p30")
    _queries(search_methods._baseline("listening", listening)(limited, 0), limited, 100)
    within = [spec for spec, _ in told if limited.feasible(spec)]
    rewards = dict(told)
    assert [rewards[spec] for spec in within] == [aside.accuracy(spec) for spec in within]
    beyond = sorted({*rewards} - {*within}, key=limited.violation)
    assert 20 < len(beyond) < 90
    assert [rewards[spec] for spec in beyond] == sorted(map(rewards.get, beyond), reverse=True)
    assert rewards[beyond[0]] < 0 < min(rewards[spec] for spec in within)


def test_a_progressive_search_is_told_softened_rewards(aside):
    class Search:
        offered, told = [], []

        def ask(self):
            specs = tables.every_network(aside.space)[::500]
            return [Proposal(Slot(1, 0, place), spec) for place, spec in enumerate(specs)]

        def tell(self, results):
            self.told += results

    limited = aside.limited("p30")
    search = Search()
    proposals = search.ask()
    method = search_methods.Method(search_methods._queries(search, limited, []))
    _queries(method, limited, len(proposals) + 1)
    for proposal, result in zip(proposals, search.told, strict=True):
        accuracy = aside.accuracy(proposal.spec)
        violation = limited.violation(proposal.spec)
        assert result == Result(proposal.slot, accuracy * 0.9**violation, accuracy, violation == 0)
    assert {result.feasible for result in search.told} == {True, False}


def test_a_progressive_search_begins_within_the_limit(aside):
    limited = aside.limited("third")
    asked = _queries(search_methods.METHODS["random"](limited, 1), limited, 8)
    assert all(map(limited.feasible, asked))


def test_a_progressive_search_may_have_fewer_branches(aside):
    of_four = search_methods.METHODS["uniform"]
    asked = _queries(of_four(aside, 1), aside, 9)
    of_eight = _queries(functools.partial(of_four, branches=8)(aside, 1), aside, 9)
    assert asked[:4] == of_eight[:4]
    assert asked[4:8] != of_eight[4:8]  # changes of the first four, no longer random networks


def test_soft_limits_are_broken_where_kept_ones_are_not(aside):
    limited = aside.limited("p30")
    within = {}
    for name in ("uniform", "uniform_soft_limits"):
        asked = _queries(search_methods.METHODS[name](limited, 1), limited, 48)
        within[name] = np.mean([limited.feasible(spec) for spec in asked])
    assert within["uniform"] >= 42 / 48 > within["uniform_soft_limits"]


def test_a_prior_of_the_table_itself_is_better_than_a_misleading_one(aside, monkeypatch):
    monkeypatch.setattr(search_methods.priors, "other_table", lambda table: table)
    means = {}
    for name in ("uniform_prior", "uniform_misleading_prior"):
        asked = _queries(search_methods.METHODS[name](aside, 1), aside, 12)
        means[name] = np.mean([aside.accuracy(spec) for spec in asked[4:]])
    assert means["uniform_prior"] > means["uniform_misleading_prior"] + 0.05


def test_a_baseline_notes_nothing(methods):
    assert methods["local_search"][0].log == []


def test_the_lstm_searches_the_table_too(aside):
    row = search_study.run(aside, "lstm", 1000, 24)
    assert row["queries"] == 24
