"""The fold with rungs: steps, what rises beside them, and every cut of a log, by a plain search."""

from __future__ import annotations

import collections
import itertools
import json
import random

import pytest

from epnas_tf.searching.fold import Fold
from epnas_tf.searching.rungs import Rungs
from epnas_tf.searching.settings import Sizes
from epnas_tf.searching.trials import Proposal, Result, Slot
from tests.searching.limited_search import SPACE, spec_of

_EPOCHS = (1, 3, 9)


def _number(spec):
    return int(spec.key[:8], 16)


def _work(spec):
    return 1.0 + _number(spec) % 4


class _Plain(Fold):
    """Draws words of three letters, twice each, at random: of so few some come again."""

    def __init__(self, *rungs, letters="abc", reuse=True, branches=3, episodes=2, steps=3):
        sizes = Sizes(branches=branches, episodes=episodes, steps=steps, seed=7)
        super().__init__(SPACE, sizes, *rungs)
        self._letters, self._reuse = letters, reuse
        self.drawn = 0
        self.learnt = []

    def _word(self, branch):
        rng = self._rng("word", branch)
        return spec_of("".join(rng.choice(list(self._letters), 3)) * 2)

    def _begin(self):
        return [self._word(branch) for branch in range(self.branches)]

    def _propose(self):
        self.drawn += 1
        first = {}
        for trial in self.history:
            if trial.trained and self._reuse:
                first.setdefault(trial.proposal.spec, trial.slot.name)
        words = [(slot, self._word(slot.branch)) for slot in self.slots()]
        return [Proposal(slot, spec, reuse=first.get(spec)) for slot, spec in words]

    def _learn(self, trials):
        self.learnt.append(list(trials))
        return {"told": len(trials)}


def _search(share=0.5, epochs=_EPOCHS, **options):
    return _Plain(Rungs(epochs, share, _work), **options)


def _good(proposal):
    """Evaluates: all are trained and feasible."""
    return Result(proposal.slot, (_number(proposal.spec) + proposal.slot.rung) % 97 / 97)


def _mixed(proposal):
    """Evaluates: what fails, and what keeps the limits, follows from network and rung."""
    number, rung = _number(proposal.spec), proposal.slot.rung
    status = "failed" if (number + rung) % 5 == 0 else "trained"
    return Result(proposal.slot, (number + rung) % 97 / 97, feasible=number % 3 > 0, status=status)


def _run(search, evaluate=_good):
    """Evaluates step by step to the end; returns the proposals of each step."""
    steps = []
    while not search.done:
        steps.append(search.ask())
        search.tell(map(evaluate, steps[-1]))
    return steps


def _own(step):
    return [proposal for proposal in step if proposal.slot.of_fold]


def _risen(step):
    return [proposal for proposal in step if not proposal.slot.of_fold]


def _state(search):
    return (
        *(search.history, search.standing.risen, search.step_log, search.ask()),
        *(search.best(99), search.promising(), search.done),
    )


_SETTINGS = [(0.3, (1, 2, 4)), (0.5, (1, 3, 9)), (0.8, (1, 3, 9)), (0.5, (2, 3))]


# Who rises


@pytest.mark.parametrize(("share", "epochs"), _SETTINGS)
@pytest.mark.parametrize("reuse", [True, False])
def test_work_above_the_lowest_rung_keeps_its_share_at_every_step(share, epochs, reuse):
    base = above = 0.0
    shares = []
    for step in _run(_search(share, epochs, reuse=reuse)):
        base += sum(_work(p.spec) for p in _own(step) if p.reuse is None)
        above += sum(_work(p.spec) * epochs[p.slot.rung] / epochs[0] for p in _risen(step))
        shares.append(above / (base + above))
    assert max(shares) <= share
    assert max(shares) > share - 0.15  # what is left over would not pay for another


@pytest.mark.parametrize(("share", "epochs"), _SETTINGS)
@pytest.mark.parametrize("evaluate", [_good, _mixed])
def test_a_network_rises_rung_by_rung_and_once_to_each(share, epochs, evaluate):
    search = _search(share, epochs)
    reached = collections.Counter()
    for wave, step in enumerate(_run(search, evaluate)):
        for proposal in _risen(step):
            assert proposal.wave == wave > 0
            assert (proposal.parent, proposal.action, proposal.reuse) == (None, None, None)
            reached[proposal.spec] += 1
            assert proposal.slot.rung == reached[proposal.spec]
        for proposal in _own(step):
            assert proposal.wave is None
    assert reached and max(reached.values()) <= len(epochs) - 1


@pytest.mark.parametrize("reuse", [True, False])
def test_what_rises_is_a_networks_first_trial(reuse):
    search = _search(0.8, reuse=reuse, letters="ab", branches=4)
    steps = _run(search)
    first, again = {}, 0
    for trial in search.history:
        again += trial.proposal.spec in first
        first.setdefault(trial.proposal.spec, trial.slot)
    risen = [proposal for step in steps for proposal in _risen(step)]
    assert again > 5 and len(risen) > 3
    assert all(proposal.slot.first == first[proposal.spec] for proposal in risen)


def test_what_breaks_a_limit_rises_only_where_nothing_keeps_them():
    search = _search(0.6, (1, 2))
    feasible, risen = {}, []
    while not search.done:
        step = search.ask()
        for proposal in _risen(step):
            assert feasible[proposal.spec] or not any(feasible.values())
            risen.append(feasible[proposal.spec])
        for proposal in _own(step):  # what comes in the first steps breaks a limit
            feasible.setdefault(proposal.spec, len(search.step_log) > 2)
        search.tell([Result(p.slot, 0.5, feasible=feasible[p.spec]) for p in step])
    assert True in risen and False in risen


def test_the_best_rise_first():
    search = _search(0.5, (1, 2))
    search.tell(map(_good, search.ask()))
    ranked = search.best(3)
    rising = _risen(search.ask())
    assert {p.slot.first for p in rising} == {trial.slot for trial in ranked[: len(rising)]}
    assert 0 < len(rising) < 3


def test_nothing_rises_beside_the_starting_networks():
    assert [p.slot.rung for p in _search(0.95).ask()] == [0, 0, 0]


@pytest.mark.parametrize("evaluate", [_good, _mixed])
@pytest.mark.parametrize("rungs", [None, Rungs(), Rungs((4,), 0.95)])
def test_with_one_rung_all_is_as_without_rungs(evaluate, rungs):
    search, never = _Plain(rungs), _search(0.0)
    steps = _run(search, evaluate)
    assert steps == _run(never, evaluate)
    assert not any(map(_risen, steps))
    assert len(search.history) == search.total == 3 * (1 + 2 * 3)
    assert not any("risen" in entry for entry in search.step_log)
    assert search.best(99) == never.best(99)
    assert search.promising() == search.best(99)


# One barrier a step


def test_a_step_asks_for_all_in_the_order_of_names_and_waits_for_all():
    search = _search(0.8)
    search.tell(map(_good, search.ask()))
    step = search.ask()
    names = [proposal.slot.name for proposal in step]
    assert names == sorted(names)
    assert len(_own(step)) == 3 and _risen(step)
    for number, proposal in enumerate(reversed(step), start=1):
        assert len(search.history) == 3
        search.tell([_good(proposal)])
        if number < len(step):
            assert search.ask() == step[:-number]
    assert [trial.proposal for trial in search.history[3:]] == _own(step)
    assert search.step_log[-1]["risen"] == len(_risen(step))


def test_results_may_come_in_any_order():
    first, second = _search(0.8), _search(0.8)
    _run(first, _mixed)
    rng = random.Random(1)
    while not second.done:
        step = second.ask()
        rng.shuffle(step)
        for proposal in step:
            second.tell([_mixed(proposal)])
    assert _state(second) == _state(first)


def test_a_steps_results_may_be_told_without_being_asked_for():
    search, other = _search(0.8), _search(0.8)
    for each in (search, other):
        each.tell(map(_good, each.ask()))
    step = other.ask()
    assert _risen(step)
    search.tell(map(_good, reversed(step)))
    other.tell(map(_good, step))
    assert _state(search) == _state(other)


def test_what_rises_counts_neither_as_history_nor_in_the_mean():
    search = _search(0.8)
    steps = _run(search)
    assert len(search.history) == search.total == len(list(itertools.chain(*map(_own, steps))))
    assert list(itertools.chain(*search.learnt)) == search.history
    for step, entry in zip(steps, search.step_log, strict=True):
        rewards = [_good(proposal).reward for proposal in _own(step)]
        assert entry["mean_reward"] == pytest.approx(sum(rewards) / len(rewards))
        assert (entry["trained"], entry["risen"], entry["told"]) == (3, len(_risen(step)), 3)


def test_the_best_is_the_best_at_the_highest_rung_that_any_reached():
    search = _search(0.5, (1, 2))
    steps = _run(search)
    told = {p.slot: _good(p).reward for step in steps for p in step}
    highest = [slot for slot in told if slot.rung == 1]
    best = search.best(99)
    assert best[0].slot == max(highest, key=lambda slot: told[slot])
    rungs = [trial.slot.rung for trial in best]
    assert rungs == sorted(rungs, reverse=True) and set(rungs) == {0, 1}
    assert len({trial.proposal.spec for trial in best}) == len(best)


# Strangers


def test_a_trial_that_rises_in_another_step_is_refused():
    search = _search(0.8)
    search.tell(map(_good, search.ask()))
    spec = search.history[0].proposal.spec
    for wave in (0, 2, None):
        with pytest.raises(ValueError, match="of episode 1, step 1, got e01s00b0r1"):
            search.adopt([Proposal(Slot(1, 0, 0, rung=1), spec, wave=wave)])
    with pytest.raises(ValueError, match="of episode 1, step 1, got e01s00b0r2"):
        search.tell([Result(Slot(1, 0, 0, rung=2), 0.5)])


def test_an_ended_search_takes_nothing_that_rises():
    search = _search(0.8)
    _run(search)
    spec = search.history[0].proposal.spec
    with pytest.raises(ValueError, match="got e01s00b0r1"):
        search.adopt([Proposal(Slot(1, 0, 0, rung=1), spec, wave=2 * 3 + 1)])


# Logs


def _logged(steps, evaluate):
    """Returns the whole log, a step's in an order that workers might have made of it."""
    rng = random.Random(2)
    log = []
    for step in steps:
        rng.shuffle(step)
        log += [(proposal, evaluate(proposal)) for proposal in step]
    return log


def _plain(log):
    """Returns a log as it comes back from plain data, in any order."""
    log = [(Proposal.from_dict(json.loads(json.dumps(p.to_dict())), SPACE), r) for p, r in log]
    random.Random(3).shuffle(log)
    return log


@pytest.mark.parametrize("evaluate", [_good, _mixed])
@pytest.mark.parametrize("reuse", [True, False])
def test_every_cut_of_a_log_is_replayed_to_the_same_state(evaluate, reuse):
    def fresh():
        return _search(0.7, (1, 2, 4), reuse=reuse)

    whole = fresh()
    log = _logged(_run(whole, evaluate), evaluate)
    statuses = {(result.status, proposal.slot.rung) for proposal, result in log}
    assert {("trained", 1), ("trained", 2)} < statuses
    assert (("failed", 2) in statuses) == (evaluate is _mixed)
    told = fresh()
    for cut in range(len(log) + 1):
        if cut:
            told.ask()
            told.tell([log[cut - 1][1]])
        state = _state(told)
        running = [(proposal, None) for proposal, _ in log[cut : cut + 2]]
        running = [(p, r) for p, r in running if p in told.ask()]
        for flying in ([], running[:1], running):
            replayed = fresh()
            replayed.replay(_plain(log[:cut] + flying))
            assert _state(replayed) == state, cut
    for cut in range(0, len(log), 7):
        resumed = fresh()
        resumed.replay(_plain(log[:cut]))
        _run(resumed, evaluate)
        assert _state(resumed) == _state(whole)


def test_whole_steps_are_replayed_without_a_draw():
    whole = _search(0.6)
    log = _logged(_run(whole), _good)
    replayed = _search(0.6)
    replayed.replay(_plain(log))
    assert (replayed.drawn, _state(replayed)) == (0, _state(whole))


@pytest.mark.parametrize("flying", [False, True])
def test_what_rose_in_a_step_that_was_followed_is_not_chosen_again(flying):
    """The log is of a search that let less rise; only a promotion is known of its last step."""
    frugal = _search(0.5, (1, 2))
    steps = _run(frugal)
    last = next(n for n in range(3, len(steps)) if _risen(steps[n]))
    before = [(p, _good(p)) for step in steps[:last] for p in step]
    (rising, *_) = _risen(steps[last])
    generous = _search(0.9, (1, 2))
    generous.replay(_plain([*before, (rising, None if flying else _good(rising))]))
    names = [{trial.slot.name for trial in known.values()} for known in generous.standing.risen]
    logged = {p.slot.name for p, _ in before if p.slot.rung}
    assert set.union(*names) == logged
    assert len(generous.history) == 3 * last
    asked = [proposal.slot for proposal in generous.ask()]
    assert (rising.slot in asked) == flying
    assert len(asked) > 3 - (not flying)


def test_a_logged_promotion_stands_for_the_one_that_would_be_chosen():
    search = _search(0.5, (1, 2))
    search.tell(map(_good, search.ask()))
    log = [(trial.proposal, trial.result) for trial in search.history]
    other = search.best(3)[-1]  # the least promising
    logged = Proposal(other.slot.at(1), other.proposal.spec, wave=1)
    assert logged not in search.ask()
    resumed = _search(0.5, (1, 2))
    resumed.replay([*log, (logged, None)])
    assert logged in resumed.ask()
    resumed.tell(map(_good, resumed.ask()))
    assert other.proposal.spec in resumed.standing.risen[0]


def test_what_stands_outside_the_fold_is_no_part_of_a_replay():
    search = _search(0.5)
    search.tell(map(_good, search.ask()))
    log = [(trial.proposal, trial.result) for trial in search.history]
    spec = log[0][0].spec
    for slot in (Slot(1, 0, 0, rung=2), Slot(1, 0, 0, rung=2, measurement=1)):
        log.append((Proposal(slot, spec), Result(slot, 0.9)))
    resumed = _search(0.5)
    resumed.replay(log)
    assert _state(resumed) == _state(search)
