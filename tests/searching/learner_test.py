"""What is proposed and what is learnt from: screening, imagination, repeats, and the fold."""

import itertools
import json

import numpy as np
import pytest

from epnas_tf.architecture import morph
from epnas_tf.architecture.morph import Morph, Replace, Scale
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.predictor import Predictor
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.rungs import Rungs
from epnas_tf.searching.settings import PAPER, Learning
from epnas_tf.searching.trials import Proposal, Result
from tests.searching.limited_search import (
    SPACE,
    LimitedSearch,
    Scripted,
    accuracy,
    breach,
    keep,
    word_of,
)

_OPS = ("a", "b", "c")
_SPACE = SearchSpace(
    "layerwise",
    (Field("op", _OPS, scaled=True),),
    max_items=4,
    parts=4,
    fixed_length=True,
    ops={op: OpDef(()) for op in _OPS},
)
_EAGER = {"predictor_skill": -1.0}  # the predictor is listened to from the first step


class _Watched(RandomPolicy):
    """A uniform policy that notes what it is taught."""

    learns = True

    def __init__(self):
        super().__init__(_SPACE)
        self.lessons = []

    def update(self, specs, actions, advantages):
        children = [morph.apply(s, a, _SPACE) for s, a in zip(specs, actions, strict=True)]
        self.lessons.append((list(specs), children, np.asarray(advantages)))


def _reward(spec):
    return sum(item.op == "a" for item in spec.items) / 4


def _search(policy, branches=4, episodes=3, steps=3, **options):
    reuse = options.pop("reuse_duplicates", False)
    learning = Learning(**({"neighbours": 0} | options))
    sizes = {"branches": branches, "episodes": episodes, "steps": steps, "seed": 3}
    return ProgressiveSearch(_SPACE, policy, **sizes, learning=learning, reuse_duplicates=reuse)


def _step(search):
    proposals = search.ask()
    search.tell([Result(p.slot, _reward(p.spec)) for p in proposals])
    return proposals


def _run(search):
    while not search.done:
        _step(search)
    return search


def _ready(policy, **options):
    """Returns a search whose predictor knows enough to be trusted."""
    search = _search(policy, **({"branches": 8} | _EAGER | options))
    _step(search)
    return search


def test_a_screened_step_trains_new_networks_where_any_are_offered():
    search = _ready(_Watched(), screen=16, imagined_updates=0)
    known = {trial.proposal.spec.key for trial in search.history}
    for _ in range(3):
        proposals = search.ask()
        offered = {child.key for own in search.offered for child in own}
        assert [len(own) for own in search.offered] == [16] * 8
        keys = [p.spec.key for p in proposals]
        assert len(set(keys)) == 8 and not known & set(keys) and set(keys) <= offered
        known |= set(keys)
        _step(search)


def test_the_screen_raises_the_reward_of_what_is_trained():
    means = []
    for screen in (1, 32):
        search = _ready(_Watched(), screen=screen, imagined_updates=0)
        _step(search)
        means.append(np.mean([_reward(p.spec) for p in search.ask()]))
    assert means[1] > means[0]


def test_no_gradient_is_taken_of_picked_actions():
    policy = _Watched()
    search = _ready(policy, screen=8, imagined_updates=0)
    _step(search)
    assert policy.lessons == []
    assert search.step_log[-1]["screened"] and search.step_log[-1]["offered"] == 64


def test_the_policys_own_draws_are_learnt_from_after_each_step():
    policy = _Watched()
    search = _ready(policy, screen=1, imagined_updates=0)
    proposals = _step(search)
    (specs, children, advantages), *rest = policy.lessons
    assert not rest and children == [p.spec for p in proposals]
    rewards = np.array([_reward(spec) for spec in children])
    centred = rewards - rewards.mean()
    np.testing.assert_allclose(advantages, centred / (np.sqrt(np.mean(centred**2)) + 1e-3))


def _gains(baseline):
    """Returns the advantages of a step with a baseline, and by how much its rewards rose."""
    policy = _Watched()
    _step(_ready(policy, screen=1, imagined_updates=0, policy_baseline=baseline))
    ((specs, children, advantages),) = policy.lessons
    pairs = zip(specs, children, strict=True)
    return advantages, np.array([_reward(child) - _reward(spec) for spec, child in pairs])


def test_the_parents_reward_as_the_baseline():
    advantages, gains = _gains("parent")
    np.testing.assert_allclose(advantages, gains / (np.sqrt(np.mean(gains**2)) + 1e-3))


def test_the_critic_takes_off_what_is_predicted_of_the_parent():
    advantages, gains = _gains("critic")
    assert np.corrcoef(advantages, gains)[0, 1] > 0.6
    # Predictions of the parents are smoother than their rewards.
    assert not np.allclose(advantages, gains / (np.sqrt(np.mean(gains**2)) + 1e-3))


def test_imagined_morphs_are_of_the_next_parents_and_centred_for_each():
    policy = _Watched()
    search = _ready(policy, screen=8, imagined_updates=5, imagined_batch=6)
    _step(search)
    assert len(policy.lessons) == 5
    parents = [trial.proposal.spec for trial in search._current]
    for specs, _, advantages in policy.lessons:
        assert specs == [spec for spec in parents for _ in range(6)]
        np.testing.assert_allclose(advantages.reshape(8, 6).sum(axis=1), 0, atol=1e-9)
    # What is imagined agrees with what is so.
    truth = [_reward(child) for _, children, _ in policy.lessons for child in children]
    known = {trial.proposal.spec.key for trial in search.history}
    new = [c.key not in known for _, children, _ in policy.lessons for c in children]
    advantages = np.concatenate([advantages for *_, advantages in policy.lessons])
    assert np.corrcoef(np.array(truth)[new], advantages[new])[0, 1] > 0.3


def test_nothing_is_imagined_or_screened_below_the_bound():
    policy = _Watched()
    search = _ready(policy, predictor_skill=1.0)
    _step(search)
    assert len(policy.lessons) == 1 and not search.step_log[-1]["screened"]


@pytest.mark.parametrize("screen", [1, 2])
def test_an_unscreened_step_repeats_no_network_but_by_the_papers_rule(screen):
    search = _search(_Watched(), branches=8, predictor_skill=1.0, screen=screen, episodes=2)
    new = []
    while not search.done:
        known = {trial.proposal.spec for trial in search.history}
        new.append(len({proposal.spec for proposal in _step(search)} - known))
    assert (set(new) == {8}) == (screen > 1)


def test_the_best_changes_are_learnt_again():
    policy = _Watched()
    search = _ready(policy, screen=1, imagined_updates=0, replay=2)
    _step(search)
    specs, children, _ = policy.lessons[0]
    better = sorted(
        (_reward(c) for s, c in zip(specs, children, strict=True) if _reward(c) > _reward(s)),
        reverse=True,
    )
    assert better, "the seed was chosen so that some change is one for the better"
    _, again, advantages = policy.lessons[1]
    assert [_reward(child) for child in again] == better[:2]
    assert (advantages > 0).all()


def test_one_update_an_episode_as_in_the_paper():
    policy = _Watched()
    sizes = {"branches": 4, "episodes": 3, "steps": 3}
    _run(ProgressiveSearch(_SPACE, policy, **sizes, learning=PAPER))
    assert [len(specs) for specs, *_ in policy.lessons] == [12, 12, 12]


class _Pupil(RandomPolicy):
    """A uniform policy that counts its draws and forgets what it is taught."""

    def __init__(self, learns):
        super().__init__(_SPACE)
        self.learns, self.draws = learns, 0

    def propose(self, specs, rngs):
        self.draws += len(specs)
        return super().propose(specs, rngs)


@pytest.mark.parametrize("screen", [1, 4])
def test_a_policy_that_learns_nothing_has_the_same_search_without_imagination(screen):
    pupils, logs, histories = {}, {}, {}
    for learns in (True, False):
        pupils[learns] = _Pupil(learns)
        options = _EAGER | {"screen": screen, "replay": 2, "policy_baseline": "critic"}
        search = _run(_search(pupils[learns], branches=8, episodes=1, **options))
        histories[learns] = [(trial.proposal, trial.result) for trial in search.history]
        logs[learns] = search.step_log
    assert histories[True] == histories[False]
    assert pupils[False].draws == 8 * screen * 3  # what is chosen among, and no more
    assert pupils[True].draws == pupils[False].draws + 8 * 10 * 8 * 3
    if screen > 1:
        assert logs[True] == logs[False]


def test_no_predictor_is_fitted_where_nothing_reads_it(monkeypatch):
    fits = []
    monkeypatch.setattr(Predictor, "fit", lambda self, *arguments: fits.append(arguments))
    _run(_search(RandomPolicy(_SPACE), episodes=1, screen=1, policy_baseline="critic"))
    assert not fits
    _run(_search(RandomPolicy(_SPACE), episodes=1, screen=2))
    assert fits


def test_a_policy_that_does_not_say_whether_it_learns_is_taught():
    class Older:
        def __init__(self):
            self._policy, self.lessons = RandomPolicy(_SPACE), 0

        def propose(self, specs, rngs):
            return self._policy.propose(specs, rngs)

        def update(self, specs, actions, advantages):
            self.lessons += 1

        def statistics(self, specs, actions):
            return {}

    policy = Older()
    _step(_ready(policy, screen=4, imagined_updates=3))
    assert policy.lessons == 3


@pytest.mark.parametrize("parents", ["best", "tournament"])
def test_parents_are_the_best_so_far(parents):
    search = _ready(_Watched(), screen=1, imagined_updates=0, parents=parents)
    for _ in range(3):
        _step(search)
    known = sorted({t.proposal.spec.key: t.result.reward for t in search.history}.values())
    rewards = [trial.result.reward for trial in search._current]
    assert np.mean(rewards) > np.mean(known)
    if parents == "best":
        assert sorted(rewards) == known[-8:]


def test_a_network_with_nothing_new_to_offer_gives_way():
    search = _ready(_Watched(), episodes=9, screen=2, imagined_updates=0)
    while not search._learner.exhausted:
        _step(search)
    exhausted = search._learner.exhausted
    assert exhausted <= {trial.proposal.spec for trial in search.history}
    assert not exhausted & {trial.proposal.spec for trial in search._current}


def test_repeats_name_the_first_trial_of_their_network():
    search = _run(_search(_Watched(), screen=1, imagined_updates=0, reuse_duplicates=True))
    first, repeats = {}, 0
    for trial in search.history:
        key = trial.proposal.spec.key
        if trial.proposal.reuse is not None:
            repeats += 1
            assert trial.proposal.reuse == first[key].name
            assert first[key] < trial.slot
        first.setdefault(key, trial.slot)
    assert repeats > 0


def test_repeats_are_trained_again_where_that_is_asked():
    search = _run(_search(_Watched(), screen=1, imagined_updates=0))
    assert all(trial.proposal.reuse is None for trial in search.history)


@pytest.mark.parametrize("upto", [1, 3, 5])
def test_a_replayed_search_is_taught_the_same(upto):
    options = _EAGER | {"screen": 4, "imagined_updates": 2, "parents": "best", "replay": 2}
    policy = _Watched()
    search = _search(policy, branches=8, **options)
    for _ in range(upto):
        _step(search)
    again = _Watched()
    replayed = _search(again, branches=8, **options)
    replayed.replay([(trial.proposal, trial.result) for trial in search.history])
    assert replayed.ask() == search.ask()
    assert replayed.step_log == search.step_log
    assert len(again.lessons) == len(policy.lessons)
    for one, other in zip(again.lessons, policy.lessons, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_array_equal(one[2], other[2])


# Few networks

_OTHER_STARTS = ["acacac", "bbbbbb", "cccccc", "ababab"]
_FAR = Morph((Scale(0, "op", to="d"), Scale(1, "op", to="d"), Scale(2, "op", to="d")))


@pytest.mark.parametrize("skill", [-1.0, 1.0])  # trusted from the start, and never
def test_of_few_networks_single_changes_alone_are_made(skill):
    policy = Scripted(lambda spec: _FAR)
    options = {"predictor_skill": skill, "near_networks": 13, "limits": "soft"}
    search = LimitedSearch(policy, *_OTHER_STARTS, **options)
    search.go(4)
    words = {trial.slot.name: word_of(trial.proposal.spec) for trial in search.history}

    def changed(trial):
        return sum(map(str.__ne__, words[trial.proposal.parent], word_of(trial.proposal.spec)))

    assert all(changed(trial) == 1 for trial in search.history[4:16])
    # Nothing is learnt from what the policy did not draw.
    assert [entry["offered"] > 0 for entry in search.step_log[1:4]] == [skill < 0] * 3
    assert all(trial.spec_key not in seen for trial, seen in _with_earlier(search.history[4:16]))
    search.go(5)
    fifth = search.history[16:]
    assert (policy.lessons != []) == (skill > 0)
    assert skill < 0 or _FAR in [trial.proposal.action for trial in fifth]


def _with_earlier(trials):
    keys = [trial.spec_key for trial in trials]
    return [(trial, keys[:place]) for place, trial in enumerate(trials)]


def test_without_neighbours_the_policy_proposes_from_the_start():
    policy = Scripted(lambda spec: _FAR)
    options = {"predictor_skill": 1.0, "near_networks": 99, "limits": "soft"}
    search = LimitedSearch(policy, *_OTHER_STARTS, neighbours=0, **options)
    search.go(2)
    assert _FAR in [trial.proposal.action for trial in search.history[4:]]


# Neighbours and limits


def test_a_replaced_layer_is_logged_and_replayed_to_the_bit():
    first, again = Scripted(), Scripted()
    options = {"replay": 2, "imagined_updates": 2, "near_networks": 0}
    search, replayed = (LimitedSearch(policy, **options) for policy in (first, again))
    proposals = search.go(4)
    assert any(p.action and isinstance(p.action.edit, Replace) for p in proposals)
    logged = [Proposal.from_dict(json.loads(json.dumps(p.to_dict())), SPACE) for p in proposals]
    replayed.replay(zip(logged, [trial.result for trial in search.history], strict=True))
    assert replayed.ask() == search.ask()
    assert replayed.step_log == search.step_log
    assert len(first.lessons) == len(again.lessons) > 6
    for one, other in zip(first.lessons, again.lessons, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_array_equal(one[2], other[2])


def test_the_policy_is_asked_for_no_figures_of_a_replaced_layer():
    policy = Scripted(keep)
    search = LimitedSearch(policy)
    edits = [p.action.edit for p in search.go(3)[4:]]
    assert all(isinstance(edit, Replace) for edit in edits)
    assert policy.told == [Morph()] * 8
    assert all("entropy" in entry for entry in search.step_log[1:])


def _to_d(spec):
    return Morph((Scale(0, "op", to="d"),))


def test_no_gradient_is_taken_of_a_layer_that_was_replaced():
    def answer(spec):
        return _to_d(spec) if "b" in word_of(spec) else Morph((Scale(2, "op", to="a"),))

    policy = Scripted(answer)
    starts = ["aaaabb", "aaaacc", "aacacc", "bbbbbb"]
    search = LimitedSearch(policy, *starts, screen=1, parents="branch", replay=4)
    changes = search.go(2)[4:]
    assert [isinstance(p.action.edit, Replace) for p in changes] == [True, False, False, True]
    (specs, actions, advantages), (_, again, _) = policy.lessons
    assert [word_of(spec) for spec in specs] == starts[1:3]
    assert actions == [answer(spec) for spec in specs]
    rewards = np.array([accuracy(p.spec) for p in changes])
    centred = rewards - rewards.mean()  # a step's mean is of all that were trained
    expected = centred / (np.sqrt(np.mean(centred**2)) + 1e-3)
    np.testing.assert_allclose(advantages, expected[1:3])
    assert again and not any(isinstance(action.edit, Replace) for action in again)


def test_a_step_of_replaced_layers_alone_teaches_nothing():
    policy = Scripted(_to_d)
    search = LimitedSearch(policy, *_OTHER_STARTS, screen=1, replay=4)
    changes = search.go(3)[4:]
    assert all(isinstance(p.action.edit, Replace) for p in changes)
    assert policy.lessons == []


@pytest.mark.parametrize("limits", ["keep", "soft"])
def test_accuracy_is_learnt_where_limits_are_kept_and_else_the_softened_reward(limits, monkeypatch):
    fits, fit = [], Predictor.fit
    monkeypatch.setattr(Predictor, "fit", lambda self, *own: fits.append(own) or fit(self, *own))
    policy = Scripted(lambda spec: Morph((Scale(2, "op", to="b"),)))
    starts = ["dddddd", "aaaaaa", "adadad", "cccccc"]
    options = {"predictor_skill": 1.0, "policy_baseline": "parent", "parents": "branch"}
    options |= {"near_networks": 0}
    # Only what is begun with breaks the limits, so that nothing is refused.
    known = Knowledge(violation=lambda spec: 2.0 * (word_of(spec) in starts[::2]))
    search = LimitedSearch(policy, *starts, knowledge=known, limits=limits, **options)
    search.go(2)
    results = [trial.result for trial in search.history]
    assert results[0].reward == pytest.approx(0.81 * results[0].accuracy)
    values = [r.accuracy if limits == "keep" else r.reward for r in results]
    for count, (specs, rewards, risen) in zip((4, 8), fits, strict=True):
        assert not risen
        assert specs == [trial.proposal.spec for trial in search.history[:count]]
        assert rewards == values[:count]
    ((_, _, advantages),) = policy.lessons
    gains = np.array(values[4:]) - np.array(values[:4])
    np.testing.assert_allclose(advantages, gains / (np.sqrt(np.mean(gains**2)) + 1e-3))


def test_a_reward_is_learnt_where_no_accuracy_is_told():
    search = _search(_Watched(), screen=1, imagined_updates=0, limits="keep")
    _step(search)
    trial = search.history[0]
    assert trial.result.accuracy is None
    assert search._learner.value(trial) == trial.result.reward


@pytest.mark.parametrize("limits", ["keep", "soft"])
def test_what_breaks_kept_limits_is_imagined_to_be_worth_least(limits):
    policy = Scripted()
    options = {"imagined_updates": 3, "imagined_batch": 12, "neighbours": 0}
    search = LimitedSearch(policy, limits=limits, **options)
    search.go(2)
    known = {trial.proposal.spec for trial in search.history}
    outside, above = 0, 0
    for specs, actions, advantages in policy.lessons:
        children = [morph.apply(s, a, SPACE) for s, a in zip(specs, actions, strict=True)]
        broken = np.array([breach(child) > 0 and child not in known for child in children])
        for own, gains in zip(broken.reshape(4, 12), advantages.reshape(4, 12), strict=True):
            outside += own.sum()
            above += (gains[own] > gains.min() + 1e-9).sum()
    assert outside > 30
    assert above == 0 if limits == "keep" else above > 15


@pytest.mark.parametrize("worthless", ["known", "skipped"])
def test_what_is_known_or_would_be_skipped_is_imagined_to_be_worth_least(worthless):
    answers = itertools.cycle("abcd")

    def answer(spec):
        op = next(answers)
        return Morph() if spec.items[0].op == op else Morph((Scale(0, "op", to=op),))

    skipped = Knowledge(skipped=lambda spec: worthless == "skipped" and "d" in word_of(spec))
    options = {"imagined_updates": 1, "imagined_batch": 12, "limits": "soft"}
    starts = ["aaacac", "bbbbbb", "cccccc", "aababa"]
    policy = Scripted(answer)
    search = LimitedSearch(policy, *starts, knowledge=skipped, **options)
    search.go(2)
    known = {trial.proposal.spec for trial in search.history}
    ((specs, actions, advantages),) = policy.lessons
    children = [morph.apply(s, a, SPACE) for s, a in zip(specs, actions, strict=True)]
    none = np.array([child in known or skipped.skipped(child) for child in children])
    assert 12 <= none.sum() < 48
    for own, gains in zip(none.reshape(4, 12), advantages.reshape(4, 12), strict=True):
        np.testing.assert_allclose(gains[own], gains.min())


# Rungs


@pytest.mark.parametrize("limits", ["keep", "soft"])
def test_what_rose_is_learnt_with_all_that_rose_before(limits, monkeypatch):
    fits, fit = [], Predictor.fit
    monkeypatch.setattr(Predictor, "fit", lambda self, *own: fits.append(own) or fit(self, *own))
    search = LimitedSearch(Scripted(), branches=4, rungs=Rungs((1, 2, 4), 0.5), limits=limits)
    risen = [{}, {}]
    told = []
    while not search.done:
        for proposal in search.step():
            if proposal.slot.rung:
                gained = accuracy(proposal.spec) + 0.05 * proposal.slot.rung
                softened = gained * 0.9 ** breach(proposal.spec)
                own = gained if limits == "keep" else softened
                risen[proposal.slot.rung - 1][proposal.spec] = own
        told.append([dict(known) for known in risen])
    assert all(risen)
    for (specs, rewards, own), expected in zip(fits, told, strict=True):
        assert [dict(known) for known in own] == (expected if own else [])
        assert own or not any(expected)
        known = [accuracy(s) * 0.9 ** (breach(s) if limits == "soft" else 0) for s in specs]
        assert rewards == pytest.approx(known)  # of the lowest rung


def test_only_a_fitted_predictor_tells_what_to_expect_at_the_highest_rung():
    specs = [SPACE.new_spec([SPACE.new_item({"op": op}) for op in "abcabc"])]
    search = LimitedSearch(Scripted(), branches=2)
    search.step()
    assert search._learner.highest(specs) is None  # two networks are too few
    search.go(2)
    assert search._learner.highest(specs) is not None
    plain = LimitedSearch(Scripted(), screen=1, imagined_updates=0)
    plain.go(3)
    assert plain._learner.highest(specs) is None  # there is no predictor


def test_the_policy_learns_from_the_lowest_rung_alone():
    """Whatever is measured above it, a first step teaches the same."""
    lessons = []
    for rungs in (None, Rungs((1, 2), 0.9)):
        policy = Scripted()
        search = LimitedSearch(
            policy, rungs=rungs, predictor_skill=1.0, branches=4, near_networks=0
        )
        search.go(2)
        lessons.append(policy.lessons)
        assert bool(rungs) == any(map(bool, search.standing.risen))
    (one,), (other,) = lessons
    assert one[:2] == other[:2]
    np.testing.assert_array_equal(one[2], other[2])
