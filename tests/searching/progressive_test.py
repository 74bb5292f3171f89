"""The search's own logic: the tape of a whole search, asking and telling."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import randomness
from epnas_tf.architecture import initial
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import layerwise_space
from epnas_tf.fields import SettingError
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.rungs import Rungs
from epnas_tf.searching.settings import PAPER, Learning
from epnas_tf.searching.starts import Starts
from epnas_tf.searching.trials import Proposal, Result, Slot, ranked
from tests.searching import limited_search
from tests.searching.limited_search import LimitedSearch, Scripted, spec_of, word_of

_SPACE = layerwise_space(max_layers=8)


def _search(**sizes):
    return ProgressiveSearch(_SPACE, RandomPolicy(_SPACE), **sizes)


def _reward_of(proposal):
    return int(proposal.spec.key[:4], 16) / 2**16


def _run(search):
    while not search.done:
        search.tell([Result(p.slot, _reward_of(p)) for p in search.ask()])
    return search


# The whole way


def test_the_tape_of_a_whole_search(scripted):
    search = scripted("16 32", "+16 +16", "+32 +32", "- =", "+64 -", episodes=2, steps=2)
    for rewards in ((0.5, 0.6), (0.7, 0.4), (0.6, 0.65), (0.5, 0.65), (0.8, 0.3)):
        search.ask()
        search.reward(*rewards)
    assert search.tape == [
        ("propose", "16", "32"),
        ("statistics", "16", "32"),
        ("propose", "16.16", "32.16"),
        ("statistics", "16.16", "32.16"),
        # Returns 1.3, 1.05, 0.6, 0.65 less their steps' means 1.175, 0.625; deviation 0.0901.
        ("update", ("16", 1.3715), ("32", -1.3715), ("16.16", -0.2743), ("32.16", 0.2743)),
        # The episode's best are 16.16 (0.7) and 32.16.32 (0.65), before 32 and 16.16.32 (0.6).
        ("propose", "16.16", "32.16.32"),
        ("statistics", "16.16", "32.16.32"),
        ("propose", "16", "32.16.32"),
        ("statistics", "16", "32.16.32"),
        # Returns 1.3, 0.95, 0.8, 0.3 less the first episode's means; deviation 0.2161.
        ("update", ("16.16", 0.5531), ("32.16.32", -0.9956), ("16", 0.7743), ("32.16.32", -1.4381)),
    ]
    assert search.done
    assert [(trial.slot.name, trial.proposal.parent) for trial in search.history] == [
        ("e01s00b0", None),
        ("e01s00b1", None),
        ("e01s01b0", "e01s00b0"),
        ("e01s01b1", "e01s00b1"),
        ("e01s02b0", "e01s01b0"),
        ("e01s02b1", "e01s01b1"),
        ("e02s01b0", "e01s01b0"),
        ("e02s01b1", "e01s02b1"),
        ("e02s02b0", "e02s01b0"),
        ("e02s02b1", "e02s01b1"),
    ]


def test_every_step_has_a_line_in_the_log(scripted):
    search = scripted("16 32", "+16 +16", episodes=2, steps=1)
    search.reward(0.5, None)
    search.reward(0.7, 0.4, feasible=False)
    search.reward(0.6, 0.2)
    assert search.step_log == [
        {"episode": 1, "step": 0, "mean_reward": 0.3, "feasible": 2, "trained": 1},
        {"episode": 1, "step": 1, "mean_reward": pytest.approx(0.55), "feasible": 0, "trained": 2}
        | {"offered": 2, "screened": False, "baseline": None, "actions": 2},
        {"episode": 2, "step": 1, "mean_reward": 0.4, "feasible": 2, "trained": 2}
        | {"offered": 2, "screened": False, "baseline": pytest.approx(0.55), "actions": 2},
    ]


@pytest.mark.parametrize(("branches", "episodes", "steps"), [(1, 1, 1), (3, 2, 4), (8, 1, 2)])
def test_totals(branches, episodes, steps):
    search = _run(_search(branches=branches, episodes=episodes, steps=steps))
    assert search.total == branches + episodes * steps * branches
    steps_taken = [(1, 0), *itertools.product(range(1, episodes + 1), range(1, steps + 1))]
    slots = [Slot(*step, branch) for step in steps_taken for branch in range(branches)]
    assert [trial.slot for trial in search.history] == slots
    assert len(slots) == search.total
    assert search.ask() == []


@pytest.mark.parametrize(("name", "least"), [("branches", 1), ("episodes", 0)])
def test_sizes_have_a_least_value(name, least):
    with pytest.raises(ValueError, match=f"{name} must be at least {least}, got {least - 1}"):
        _search(**{name: least - 1})


def test_steps_that_are_left_open_are_those_of_the_pattern():
    assert _search(steps=0).steps == 10
    with pytest.raises(ValueError, match="steps must be at least 0, got -1"):
        _search(steps=-1)


def test_the_seed_decides():
    sizes = {"branches": 2, "episodes": 2, "steps": 2}
    assert _run(_search(seed=3, **sizes)).history == _run(_search(seed=3, **sizes)).history
    assert _run(_search(seed=3, **sizes)).history != _run(_search(seed=4, **sizes)).history


# Asking


def test_asking_again_gives_the_same_and_draws_once(scripted):
    search = scripted("16 32", "+16 +32", episodes=1, steps=2)
    assert search.ask() == search.ask()
    search.reward(0.5, 0.5)
    proposals = search.ask()
    assert search.ask() == proposals
    assert search.tape == [("propose", "16", "32")]


def test_only_what_has_no_result_is_asked_for(scripted):
    search = scripted("16 32 64", "+16 +32 +64", episodes=1, steps=1)
    search.reward(0.5, 0.5, 0.5)
    assert search.asked() == ["16.16", "32.32", "64.64"]
    search.tell([Result(Slot(1, 1, 1), 0.5)])
    assert search.asked() == ["16.16", "64.64"]


def test_each_branch_draws_with_the_generator_of_its_slot():
    numbers = []

    class Keeping(RandomPolicy):
        def propose(self, specs, rngs):
            numbers.extend(rng.random() for rng in rngs)
            return [Morph()] * len(specs)

    sizes = {"branches": 2, "episodes": 2, "steps": 2, "seed": 7}
    # What is known is refused elsewhere, and drawn again.
    _run(ProgressiveSearch(_SPACE, Keeping(_SPACE), **sizes, learning=Learning(screen=1)))
    slots = itertools.product((1, 2), (1, 2), (0, 1))
    assert numbers == [randomness.generator(7, "action", *slot).random() for slot in slots]


def test_starting_networks_differ_and_lie_within_the_limits():
    space = layerwise_space(layer_types=("conv2d",), filter_widths=(3,), max_layers=8)
    search = ProgressiveSearch(
        space,
        RandomPolicy(space),
        branches=12,
        knowledge=Knowledge(violation=lambda spec: max(0.0, len(spec.items) - 1.0)),
    )
    specs = [proposal.spec for proposal in search.ask()]
    assert {len(spec.items) for spec in specs} == {1}
    assert len({spec.key for spec in specs}) == 12


# Telling


@settings(deadline=None, derandomize=True, max_examples=10)
@given(st.randoms(use_true_random=False))
def test_results_may_come_in_any_order_and_in_any_pieces(random):
    sizes = {"branches": 4, "episodes": 2, "steps": 2}
    expected, shuffled = _run(_search(**sizes)), _search(**sizes)
    while not shuffled.done:
        results = [Result(p.slot, _reward_of(p)) for p in shuffled.ask()]
        random.shuffle(results)
        cut = random.randrange(len(results) + 1)
        shuffled.tell(results[:cut])
        shuffled.tell(results[cut:])
    assert shuffled.history == expected.history
    assert shuffled.step_log == expected.step_log


def test_nothing_happens_before_the_step_is_whole(scripted):
    search = scripted("16 32", episodes=1, steps=1)
    search.tell([Result(Slot(1, 0, 1), 0.5)])
    assert (search.history, search.step_log, search.tape) == ([], [], [])
    assert search.slots() == [Slot(1, 0, 0), Slot(1, 0, 1)]
    search.tell([Result(Slot(1, 0, 0), 0.5)])
    assert search.slots() == [Slot(1, 1, 0), Slot(1, 1, 1)]


@pytest.mark.parametrize("slot", [Slot(1, 1, 2), Slot(1, 2, 0), Slot(1, 0, 0), Slot(2, 1, 0)])
def test_a_slot_of_another_step_is_refused(scripted, slot):
    search = scripted("16 32", episodes=2, steps=2)
    search.reward(0.5, 0.5)
    message = f"slot must be of episode 1, step 1, got {slot.name}"
    with pytest.raises(ValueError, match=message):
        search.tell([Result(slot, 0.5)])
    with pytest.raises(ValueError, match=message):
        search.adopt([Proposal(slot, search.history[0].proposal.spec)])


@pytest.mark.parametrize("parent", ["e01s00b2", "e01s01b0", "e09s09b9"])
def test_a_parent_that_is_not_of_the_step_is_refused(scripted, parent):
    search = scripted("16 32", "+16 +16", episodes=1, steps=2)
    search.reward(0.5, 0.5)
    asked = search.ask()
    search.adopt([dataclasses.replace(asked[1], parent=parent)])
    message = f"parent of e01s01b1 must be among those of its step, got {parent}"
    with pytest.raises(ValueError, match=message):
        search.reward(0.6, 0.4)


def test_an_earlier_parent_is_refused_where_the_branch_has_gone_on(scripted):
    search = scripted("16 32", "+16 +16", "+16 +16", episodes=1, steps=2)
    search.reward(0.5, 0.5)
    search.reward(0.6, 0.6)
    search.adopt([dataclasses.replace(search.ask()[0], parent="e01s00b0")])
    with pytest.raises(ValueError, match="of e01s02b0 must be among .*, got e01s00b0"):
        search.reward(0.6, 0.4)


def test_an_adopted_network_without_a_parent_changes_its_branchs_own(scripted):
    search = scripted("16 32", "+16 +16", episodes=1, steps=1)
    search.reward(0.5, 0.6)
    asked = search.ask()
    search.adopt([dataclasses.replace(asked[1], parent=None)])
    search.reward(0.6, 0.4)
    assert search.tape[-2:] == [
        ("statistics", "16", "32"),
        ("update", ("16", pytest.approx(0.9901)), ("32", pytest.approx(-0.9901))),
    ]


def test_a_finished_search_takes_no_result(scripted):
    search = scripted("16 32", episodes=1, steps=1)
    search.reward(0.5, 0.5)
    search.reward(0.5, 0.5)
    assert search.done
    search.tell([])
    with pytest.raises(ValueError, match="got e01s01b0"):
        search.tell([Result(Slot(1, 1, 0), 0.5)])


def test_a_slot_has_one_result(scripted):
    search = scripted("16 32", episodes=1, steps=1)
    search.tell([Result(Slot(1, 0, 0), 0.5)])
    search.tell([Result(Slot(1, 0, 0), 0.5)])  # the same again says nothing new
    with pytest.raises(ValueError, match=r"e01s00b0 was told before, got .*reward=0\.6"):
        search.tell([Result(Slot(1, 0, 0), 0.6)])
    search.tell([Result(Slot(1, 0, 1), 0.7)])
    assert [trial.result.reward for trial in search.history] == [0.5, 0.7]


def test_a_step_may_be_told_without_being_asked_for():
    sizes = {"branches": 2, "episodes": 1, "steps": 2}
    told = _search(**sizes)
    for trial in _run(_search(**sizes)).history:
        told.tell([trial.result])
        assert trial in told.best(told.total)
    assert told.done
    assert told.history == _run(_search(**sizes)).history


def test_a_refused_result_takes_none_of_the_others_along(scripted):
    search = scripted("16 32", episodes=1, steps=2)
    foreign = Result(Slot(1, 2, 0), 0.5)
    with pytest.raises(ValueError, match="got e01s02b0"):
        search.tell(iter([Result(Slot(1, 0, 0), 0.5), foreign]))
    assert [p.slot for p in search.ask()] == search.slots()


# Starting networks


def test_given_networks_begin_the_first_branches_and_the_others_are_drawn_as_ever():
    drawn = [proposal.spec for proposal in _search(branches=4).ask()]
    given = [initial.random_spec(_SPACE, randomness.generator(1, "given", k)) for k in range(2)]
    begun = [proposal.spec for proposal in _search(branches=4, starts=Starts(given)).ask()]
    assert begun == given + drawn[2:]


def test_a_given_network_is_not_drawn_again():
    drawn = [proposal.spec for proposal in _search(branches=3).ask()]
    begun = [proposal.spec for proposal in _search(branches=3, starts=Starts(drawn[1:2])).ask()]
    assert begun[0] == drawn[1]
    assert len(set(begun)) == 3


def test_networks_are_drawn_near_the_limits_where_that_is_said():
    budget = Budget((32, 32, 3), 10, (Constraint("params", upper=150_000),))
    known = Knowledge(violation=budget.violation)
    anywhere = _search(branches=3, knowledge=known).ask()
    near = _search(branches=3, knowledge=known, starts=Starts(near=budget.fullness)).ask()
    fullness = [[budget.fullness(p.spec) for p in proposals] for proposals in (anywhere, near)]
    assert max(fullness[0]) < 0.7 < min(fullness[1])
    assert max(fullness[1]) <= 1


def test_more_networks_than_branches_are_refused():
    given = [proposal.spec for proposal in _search(branches=3).ask()]
    with pytest.raises(SettingError, match="at most 2, one per branch, got 3"):
        _search(branches=2, starts=Starts(given))


def test_a_logged_start_stands_for_the_one_that_would_be_drawn():
    given = [proposal.spec for proposal in _search(branches=2, seed=5).ask()]
    search = _search(branches=2, starts=Starts(given))
    logged = _search(branches=2).ask()[0]
    search.adopt([logged])
    assert [proposal.spec for proposal in search.ask()] == [logged.spec, given[1]]


# Rungs

# The last one breaks a limit.
_WORDS = ("aaaaaa", "bbbbbb", "cccccc", "abcabc", "dddddd")


def _standing(rewards, risen=(), learning=None, **sizes):
    """Returns a search of these networks after a step that changed none and in which some rose.

    Args:
      rewards: of the starting networks at the lowest rung.
      risen: rewards by word, of a dictionary per rung above it.
      learning: how it learns.
      **sizes: of the search.
    """
    policy = limited_search.Scripted(limited_search.keep)
    sizes = {"branches": len(rewards), "episodes": 1, "steps": 9} | sizes
    starts = Starts([spec_of(word) for word in _WORDS[: len(rewards)]])
    rungs = Rungs((1, 2, 3), 0.0)  # nothing rises by itself
    search = ProgressiveSearch(
        limited_search.SPACE, policy, starts=starts, rungs=rungs, learning=learning, **sizes
    )

    def tell(slot, word, reward):
        search.tell([Result(slot, reward, feasible=not limited_search.breach(spec_of(word)))])

    slots = {word: Slot(1, 0, branch) for branch, word in enumerate(_WORDS[: len(rewards)])}
    kept = [
        Proposal(Slot(1, 1, slot.branch), spec_of(word), slot.name, Morph(), slot.name)
        for word, slot in slots.items()
    ]
    for word, reward in zip(slots, rewards, strict=True):
        tell(slots[word], word, reward)
    rising = [
        (slots[word].at(rung), word, reward)
        for rung, known in enumerate(risen, start=1)
        for word, reward in known.items()
    ]
    search.adopt([*kept, *(Proposal(slot, spec_of(word), wave=1) for slot, word, _ in rising)])
    for told in rising:
        tell(*told)
    for proposal, word, reward in zip(kept, slots, rewards, strict=True):
        tell(proposal.slot, word, reward)
    assert len(search.step_log) == 2
    return search


def _words(trials):
    return [word_of(trial.proposal.spec) for trial in trials]


def test_without_a_predictor_what_was_measured_higher_is_more_promising():
    rewards = (0.9, 0.5, 0.6, 0.7, 0.8)
    search = _standing(rewards, ({"bbbbbb": 0.3, "abcabc": 0.4}, {"bbbbbb": 0.1}), PAPER)
    assert _words(search.promising()) == ["bbbbbb", "abcabc", "aaaaaa", "cccccc", "dddddd"]
    assert all(trial.slot.of_fold for trial in search.promising())


def test_a_predictor_estimates_what_was_not_measured_at_the_highest_rung(monkeypatch):
    rewards = (0.9, 0.5, 0.6, 0.7, 0.8)
    search = _standing(rewards, ({"bbbbbb": 0.9, "aaaaaa": 0.9}, {"bbbbbb": 0.5}))
    # What is expected of a network that was measured there does not count.
    expected = {"aaaaaa": 0.4, "bbbbbb": 0.0, "cccccc": 0.6, "abcabc": 0.5, "dddddd": 0.99}
    monkeypatch.setattr(
        search._learner, "highest", lambda specs: [expected[word_of(spec)] for spec in specs]
    )
    # Of equal ones the lower slot; what breaks the limits last.
    assert _words(search.promising()) == ["cccccc", "bbbbbb", "abcabc", "aaaaaa", "dddddd"]


def test_where_no_network_keeps_the_limits_the_reward_orders_them(monkeypatch):
    search = _standing((0.3, 0.5, 0.4), ({"aaaaaa": 0.2},))
    outside = {t.slot: dataclasses.replace(t.result, feasible=False) for t in search.history}
    search.history = [dataclasses.replace(t, result=outside[t.slot]) for t in search.history]
    monkeypatch.setattr(search._learner, "highest", lambda specs: [0.9, 0.1, 0.2])
    assert _words(search.promising()) == ["bbbbbb", "cccccc", "aaaaaa"]


@pytest.mark.parametrize("learning", [None, PAPER])
def test_where_nothing_rose_the_order_is_that_of_what_was_measured(learning):
    search = _standing((0.9, 0.5, 0.6, 0.7, 0.8), (), learning)
    assert search.promising() == ranked(search.history)


def test_the_most_promising_are_parents():
    search = _standing((0.9, 0.5, 0.6, 0.7, 0.8), ({"aaaaaa": 0.5, "bbbbbb": 0.95},))
    assert _words(search._current[:3]) == _words(search.promising())[:3]
    assert _words(search._current[:1]) == ["bbbbbb"]  # the worst at the lowest rung


def test_an_episode_hands_the_most_promising_to_the_next():
    search = _standing((0.9, 0.5, 0.6), ({"bbbbbb": 0.3},), PAPER, episodes=2, steps=1)
    assert (search._episode, search._step) == (2, 1)
    assert _words(search._current) == ["bbbbbb", "aaaaaa", "cccccc"]


@pytest.mark.parametrize(
    ("limits", "words"),
    # "d" breaks a limit by a fifth.
    [("keep", ["adaaaa", "dddddd"]), ("soft", ["dddddd", "adaaaa"])],
)
def test_where_nothing_keeps_the_limits_what_is_nearest_rises_first(limits, words):
    search = LimitedSearch(
        Scripted(), "dddddd", "adaaaa", branches=2, rungs=Rungs((1, 2), 0.34), limits=limits
    )
    search.step()
    assert _words(search.rising()) == words
    (rising,) = [proposal for proposal in search.ask() if proposal.slot.rung]
    assert word_of(rising.spec) == words[0]


def test_with_a_network_within_them_none_outside_rises():
    search = LimitedSearch(Scripted(), "dddddd", "bbbbbb", branches=2, rungs=Rungs((1, 2), 0.9))
    search.step()
    assert _words(search.rising()) == ["bbbbbb"]


def test_a_search_with_rungs_finds_its_way():
    search = LimitedSearch(Scripted(), branches=4, steps=8, rungs=Rungs((1, 2, 4), 0.6))
    proposals = search.go()
    risen = [proposal for proposal in proposals if proposal.slot.rung]
    assert {proposal.slot.rung for proposal in risen} == {1, 2}
    assert len(proposals) - len(risen) == search.total
    (best,) = search.best()
    assert (best.slot.rung, best.result.feasible) == (2, True)
    assert limited_search.accuracy(best.proposal.spec) >= 0.2
