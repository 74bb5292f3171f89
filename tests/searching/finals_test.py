"""The end of a search: who is measured again, how often, and who wins."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.architecture.space import layerwise_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching import finals
from epnas_tf.searching.finals import Lineup
from epnas_tf.searching.fold import Fold
from epnas_tf.searching.rungs import Rungs
from epnas_tf.searching.settings import Sizes
from epnas_tf.searching.trials import Proposal, Result, Slot

_SPACE = layerwise_space(max_layers=2)


def _network(channels):
    return LayerwiseSpec((LayerSpec("conv2d", 3, None, channels, "relu"),))


class _Search(Fold):
    """Proposes networks of 1, 2, 3, ... channels, whose number is their work."""

    def __init__(self, steps, branches=4, share=0.5, epochs=(1, 3)):
        rungs = Rungs(epochs, share, work=lambda spec: float(spec.items[0].channels))
        sizes = Sizes(branches=branches, episodes=1, steps=steps)
        super().__init__(_SPACE, sizes, rungs)

    def _begin(self):
        return [_network(1 + slot.branch) for slot in self.slots()]

    def _propose(self):
        made = len(self.history)
        return [Proposal(slot, _network(1 + made + slot.branch)) for slot in self.slots()]

    def _learn(self, trials):
        return {}


def _reward(proposal):
    """Returns a reward of which network and rung are the reasons; best are 5, 6, 4, 7 channels."""
    return 0.5 - abs(proposal.spec.items[0].channels - 5.4) / 100 + proposal.slot.rung / 10


def _told(steps=2, feasible=lambda spec: True, status=lambda spec: "trained", **settings):
    search = _Search(steps, **settings)
    while not search.done:
        search.tell(
            [
                Result(p.slot, _reward(p), None, feasible(p.spec), status(p.spec))
                for p in search.ask()
            ]
        )
    return search


def _names(slots):
    return [slot.name for slot in slots]


def _risen(search):
    """Returns what the search itself measured at the highest rung."""
    return {trial.slot: trial.result for trial in search.standing.risen[-1].values()}


def _measured(lineup, results, reward):
    """Returns the results with all that is planned."""
    more = {p.slot: Result(p.slot, reward(p), reward(p)) for p in lineup.lacking(results)}
    return results | more


def test_the_best_start_and_the_most_promising_are_measured_in_whole_rounds():
    search = _told(share=0.0)  # 12 networks of 78 units of work: nothing rises
    lineup = finals.lineup(search, finalists=2, share=10)
    assert lineup.start == Slot(1, 0, 3, 1)
    assert _names(lineup.planned) == [
        *("e01s00b3r1", "e01s01b0r1", "e01s01b1r1"),
        *("e01s00b3r1m1", "e01s01b0r1m1", "e01s01b1r1m1"),
        *("e01s00b3r1m2", "e01s01b0r1m2", "e01s01b1r1m2"),
    ]
    assert {slot: spec.items[0].channels for slot, spec in lineup.networks.items()} == {
        Slot(1, 0, 3, 1): 4,
        Slot(1, 1, 0, 1): 5,
        Slot(1, 1, 1, 1): 6,
    }


def test_what_the_search_measured_there_is_not_measured_anew():
    search = _told(share=0.5)
    known = _risen(search)
    assert Slot(1, 1, 0, 1) in known
    lineup = finals.lineup(search, finalists=2, share=10)
    planned = [slot for slot in lineup.planned if not slot.measurement]
    assert not set(planned) & set(known)
    assert set(lineup.networks) == {*planned, *(set(known) & set(lineup.networks))}


_PAIR = ("e01s00b3r1", "e01s01b0r1")
_THREE = (*_PAIR, "e01s01b1r1")


def _again(names, measurement):
    return [f"{name}m{measurement}" for name in names]


# The networks of 4, 5 and 6 channels cost 12, 15 and 18 at the highest rung.
@pytest.mark.parametrize(
    ("work", "planned"),
    [
        (11, []),
        (12, _PAIR[:1]),
        (27, _PAIR),
        (53, _PAIR),
        (54, [*_PAIR, *_again(_PAIR, 1)]),
        (80, [*_PAIR, *_again(_PAIR, 1)]),
        (81, [*_PAIR, *_again(_PAIR, 1), *_again(_PAIR, 2)]),
        (90, [*_PAIR, *_again(_PAIR, 1), *_again(_PAIR, 2)]),  # not three networks once
        (134, [*_PAIR, *_again(_PAIR, 1), *_again(_PAIR, 2)]),
        (135, [*_THREE, *_again(_THREE, 1), *_again(_THREE, 2)]),
    ],
)
def test_the_work_decides_how_many_and_how_often(work, planned):
    search = _told(share=0.0)
    assert search.standing.work == 78
    lineup = finals.lineup(search, finalists=2, share=work / 78 + 1e-9)
    assert _names(lineup.planned) == list(planned)


@pytest.mark.parametrize(
    "nobody",
    [
        finals.lineup(_told(epochs=(1,)), 3, 10.0),
        finals.lineup(_told(), 0, 10.0),
        finals.lineup(_told(feasible=lambda spec: False), 3, 10.0),
        finals.lineup(_told(status=lambda spec: "failed"), 3, 10.0),
        finals.lineup(_Search(2), 3, 10.0),
    ],
)
def test_with_one_rung_no_finalists_or_no_network_within_the_limits_there_is_no_end(nobody):
    assert nobody == Lineup()


def test_a_start_that_is_the_most_promising_counts_once():
    search = _told(steps=1, share=0.0, feasible=lambda spec: spec.items[0].channels < 4)
    lineup = finals.lineup(search, finalists=3, share=10)
    assert _names(lineup.networks) == ["e01s00b2r1", "e01s00b1r1", "e01s00b0r1"]
    assert lineup.start == Slot(1, 0, 2, 1)
    alone = finals.lineup(search, finalists=1, share=10)
    assert _names(alone.planned) == ["e01s00b2r1"]  # there is nothing to compare it with


def test_starts_outside_the_limits_are_compared_with_all_the_same():
    search = _told(share=0.0, feasible=lambda spec: spec.items[0].channels > 4)
    lineup = finals.lineup(search, finalists=1, share=10)
    assert _names(lineup.networks) == ["e01s00b3r1", "e01s01b0r1"]


def test_the_seed_by_which_a_network_was_chosen_does_not_count():
    search = _told(share=0.0)
    lineup = finals.lineup(search, finalists=2, share=10)
    lucky, solid = Slot(1, 1, 0, 1), Slot(1, 1, 1, 1)

    def reward(proposal):
        slot = proposal.slot
        if slot.at(1) == lucky:
            return 0.2 if slot.measurement else 0.9
        return 0.6 if slot.at(1) == solid else 0.5

    before = _measured(Lineup(lineup.networks, lineup.start, lineup.planned[:3]), {}, reward)
    assert lineup.winner(before) is None  # the order of DECISIONS 82
    results = _measured(lineup, before, reward)
    assert lineup.compared(results) == (list(lineup.networks), 2)
    assert lineup.winner(results) == lineup.contender(results) == solid
    assert lineup.lacking(results) == []
    assert [result.reward for result in finals.of(lucky, 2, results)] == [0.2, 0.2]
    assert [result.reward for result in finals.of(lucky, 0, results)] == [0.9]


def test_a_better_network_that_is_not_measured_again_yet_is_not_beaten_by_those_that_are():
    """As where a search goes on after an end: its new best waits for the next."""
    lineup = finals.lineup(_told(share=0.0), finalists=2, share=10)
    results = _measured(lineup, {}, lambda p: 0.5)
    new = Slot(1, 2, 0, 1)
    start, *others = lineup.networks.items()
    later = Lineup(dict([start, (new, _network(9)), *others]), lineup.start, lineup.planned)
    results[new] = Result(new, 0.9, 0.9)
    assert lineup.winner(results) is not None
    assert later.winner(results) is None
    assert later.compared(results) == (list(later.networks), 0)


def test_a_start_may_win():
    lineup = finals.lineup(_told(share=0.0), finalists=2, share=10)
    results = _measured(lineup, {}, lambda p: 0.9 if p.slot.step == 0 else p.slot.branch / 10)
    assert lineup.winner(results) == lineup.start
    assert lineup.contender(results) == Slot(1, 1, 1, 1)


def test_who_cannot_be_trained_again_leaves():
    lineup = finals.lineup(_told(share=0.0), finalists=2, share=10)
    out = Slot(1, 1, 0, 1, 1)
    results = {out: Result(out, 0.1, 0.1, True, "failed")}
    results = _measured(lineup, results, lambda p: p.slot.branch / 10)
    assert out.at(1, 2) not in results
    assert lineup.compared(results) == ([lineup.start, Slot(1, 1, 1, 1)], 2)
    assert lineup.winner(results) == lineup.start


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4), st.floats(0, 3), st.integers(0, 12), st.sampled_from([0.0, 0.3, 0.6]))
def test_all_that_are_compared_were_measured_as_often(finalists, share, told, promoted):
    search = _told(share=promoted)
    lineup = finals.lineup(search, finalists, share)
    work = sum(search.rungs.work_at(lineup.networks[s.at(1)], 1) for s in lineup.planned)
    assert work <= share * search.standing.work + 1e-9
    assert len(lineup.networks) <= finalists + 1
    again = [slot.at(1) for slot in lineup.planned if slot.measurement]
    assert len({again.count(slot) for slot in lineup.networks}) <= 1
    results = _risen(search)
    for proposal in lineup.lacking(results)[:told]:  # wherever it was interrupted
        results[proposal.slot] = Result(proposal.slot, _reward(proposal), 0.5)
    compared, times = lineup.compared(results)
    for slot in compared:
        assert len(finals.of(slot, times, results)) == max(times, 1)
        assert all(
            result.slot.measurement > 0 for result in finals.of(slot, times, results)[:times]
        )
    if times:
        assert lineup.start in compared
        assert lineup.winner(results) in compared
