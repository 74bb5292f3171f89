"""What is proposed and what is learnt from: screening, imagination, repeats, and the fold."""

import json

import numpy as np
import pytest

from epnas_tf.architecture import morph
from epnas_tf.architecture.morph import Morph, Replace, Scale
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace
from epnas_tf.searching.candidates import STONE_EVERY, STONE_REACH
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.learner import REFUSALS
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.predictor import Predictor
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.settings import PAPER, Learning
from epnas_tf.searching.starts import Starts
from epnas_tf.searching.trials import Proposal, Result

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


# Neighbours

_WIDE_OPS = ("a", "b", "c", "d")
_WIDE = SearchSpace(
    "layerwise",
    (Field("op", _WIDE_OPS, scaled=True),),
    max_items=6,
    parts=3,  # a policy changes two layers at once, a neighbour one
    fixed_length=True,
    ops={op: OpDef(()) for op in _WIDE_OPS},
)


def _wide(word):
    return _WIDE.new_spec([_WIDE.new_item({"op": op}) for op in word])


def _word(spec):
    return "".join(item.op for item in spec.items)


def _accuracy(spec):
    """Prefers "d", which the limits are about, and "a" in even places."""
    word = _word(spec)
    return 0.1 + 0.1 * word.count("d") + 0.05 * word[::2].count("a")


class _Scripted(RandomPolicy):
    """A policy that learns and says what it is told to say; it notes what it is taught."""

    learns = True

    def __init__(self, answer=None):
        super().__init__(_WIDE)
        self._answer = answer
        self.asked, self.lessons, self.told = [], [], []

    def propose(self, specs, rngs):
        self.asked.append(list(specs))
        if self._answer is None:
            return super().propose(specs, rngs)
        return [self._answer(spec) for spec in specs]

    def update(self, specs, actions, advantages):
        self.lessons.append((list(specs), list(actions), np.asarray(advantages)))

    def statistics(self, specs, actions):
        self.told += actions
        return super().statistics(specs, actions)


def _keep(spec):
    return Morph()


def _limited(policy, starts=(), limit=None, branches=4, steps=6, knowledge=None, **options):
    """Returns a search of the wide space; by default each "d" breaks a limit by a fifth."""
    violation = limit or (lambda spec: 0.2 * _word(spec).count("d"))
    return ProgressiveSearch(
        _WIDE,
        policy,
        branches=branches,
        episodes=1,
        steps=steps,
        seed=5,
        knowledge=knowledge or Knowledge(violation=violation),
        learning=Learning(**(_EAGER | options)),
        starts=Starts([_wide(word) for word in starts]),
    )


def _tell(search, status=lambda spec: "trained"):
    """Tells what the running step comes to, and returns its proposals."""
    proposals = search.ask()
    violation = search._knowledge.violation
    search.tell(
        Result(
            p.slot,
            _accuracy(p.spec) * 0.9 ** violation(p.spec),
            _accuracy(p.spec),
            violation(p.spec) == 0,
            status(p.spec),
        )
        for p in proposals
    )
    return proposals


def _go(search, steps=99):
    """Runs so many steps and returns all proposals."""
    proposals = []
    while not search.done and steps:
        proposals += _tell(search)
        steps -= 1
    return proposals


def test_what_only_a_single_change_makes_is_proposed():
    search = _limited(_Scripted(_keep), limit=lambda spec: 0.0)
    start = _tell(search)
    proposals = search.ask()
    assert search.offered == [[p.spec] * 64 for p in start]  # the policy offers nothing new
    assert len({p.spec for p in start + proposals}) == 8
    for proposal in proposals:
        assert isinstance(proposal.action.edit, Replace) and not proposal.action.scales
    rewards = [_accuracy(p.spec) for p in proposals]
    assert np.mean(rewards) > np.mean([_accuracy(p.spec) for p in start])
    without = _limited(_Scripted(_keep), limit=lambda spec: 0.0, neighbours=0)
    assert {p.spec for p in _go(without, 2)} == {p.spec for p in start}


@pytest.mark.parametrize("parents", ["best", "tournament", "branch"])
def test_every_action_leads_from_its_parent_to_its_network(parents):
    search = _limited(_Scripted(), parents=parents)
    known = {}
    kinds = set()
    while not search.done:
        current = {trial.slot.name for trial in search._current}
        for proposal in _tell(search):
            known[proposal.slot.name] = proposal.spec
            if proposal.parent is None:
                continue
            assert proposal.parent in current
            kinds.add(type(proposal.action.edit))
            made = morph.apply(known[proposal.parent], proposal.action, _WIDE)
            assert made == proposal.spec
    assert Replace in kinds and len(kinds) == 2


def test_a_branch_of_ones_own_goes_on_from_its_own_network():
    search = _limited(_Scripted(), parents="branch", screen=8)
    _tell(search)
    for _ in range(3):
        own = [trial.slot.name for trial in search._current]
        assert [p.parent for p in search.ask()] == own
        _tell(search)
    elsewhere = [p.parent != p.slot.name for p in _go(_limited(_Scripted()))]
    assert any(elsewhere)


def test_a_replaced_layer_is_logged_and_replayed_to_the_bit():
    first, again = _Scripted(), _Scripted()
    search, replayed = (_limited(policy, replay=2) for policy in (first, again))
    proposals = _go(search, 4)
    assert any(p.action and isinstance(p.action.edit, Replace) for p in proposals)
    logged = [Proposal.from_dict(json.loads(json.dumps(p.to_dict())), _WIDE) for p in proposals]
    results = [trial.result for trial in search.history]
    replayed.replay(zip(logged, results, strict=True))
    assert replayed.ask() == search.ask()
    assert replayed.step_log == search.step_log
    assert len(first.lessons) == len(again.lessons) > 0
    for one, other in zip(first.lessons, again.lessons, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_array_equal(one[2], other[2])


def test_the_policy_is_asked_for_no_figures_of_a_replaced_layer():
    policy = _Scripted(_keep)
    search = _limited(policy, imagined_updates=0)
    _go(search, 3)
    edits = [p.proposal.action.edit for p in search.history[4:]]
    assert all(isinstance(edit, Replace) for edit in edits)
    assert policy.told == [Morph()] * 8
    assert all("entropy" in entry for entry in search.step_log[1:])


def _all_d(spec):
    """Sets the first part to "d", or its second part where the first is so already."""
    part = 0 if _word(spec)[:2] != "dd" else 1
    return Morph((Scale(part, "op", to="d"),))


def test_no_gradient_is_taken_of_a_layer_that_was_replaced():
    def answer(spec):
        return _all_d(spec) if "b" in _word(spec) else Morph((Scale(2, "op", to="a"),))

    policy = _Scripted(answer)
    starts = ["aaaabb", "aaaacc", "aacacc", "bbbbbb"]
    search = _limited(policy, starts, screen=1, imagined_updates=0, parents="branch", replay=4)
    _go(search, 2)
    edits = [type(p.proposal.action.edit) is Replace for p in search.history[4:]]
    assert edits == [True, False, False, True]
    (specs, actions, advantages), (_, again, _) = policy.lessons
    assert [_word(spec) for spec in specs] == starts[1:3]
    assert actions == [answer(spec) for spec in specs]
    rewards = np.array([_accuracy(trial.proposal.spec) for trial in search.history[4:]])
    centred = rewards - rewards.mean()  # a step's mean is of all that were trained
    expected = centred / (np.sqrt(np.mean(centred**2)) + 1e-3)
    np.testing.assert_allclose(advantages, expected[1:3])
    assert not any(isinstance(action.edit, Replace) for action in again)


def test_a_step_of_replaced_layers_alone_teaches_nothing():
    policy = _Scripted(_all_d)
    search = _limited(policy, ["aaaabb", "bbbbbb"], branches=2, screen=1, imagined_updates=0)
    _go(search, 3)
    assert policy.lessons == []
    assert all(isinstance(t.proposal.action.edit, Replace) for t in search.history[2:])


# Limits


def _places_outside(search):
    """Returns the places that went outside the limits, with their violations."""
    violation = search._knowledge.violation
    found = [(place, violation(t.proposal.spec)) for place, t in enumerate(search.history)]
    return [(place, own) for place, own in found if own > 0]


@pytest.mark.parametrize("neighbours", [0, 16])
@pytest.mark.parametrize("parents", ["best", "tournament", "branch"])
def test_what_is_proposed_keeps_the_limits_but_for_stones(parents, neighbours):
    search = _limited(_Scripted(), steps=8, parents=parents, neighbours=neighbours)
    _go(search)
    assert all(entry["screened"] for entry in search.step_log[1:])
    outside = _places_outside(search)
    assert outside, "accuracy rises outside, so that a stone is always worth its place"
    for place, violation in outside:
        assert place % STONE_EVERY == STONE_EVERY - 1 and violation <= STONE_REACH
    assert len({t.proposal.spec for t in search.history}) == search.total


@pytest.mark.parametrize("options", [{"screen": 1}, {"predictor_skill": 1.0}])
def test_limits_are_kept_where_nothing_is_screened_too(options):
    search = _limited(_Scripted(), steps=8, **options)
    _go(search)
    assert not any(entry["screened"] for entry in search.step_log[1:])
    assert _places_outside(search) == []
    soft = _limited(_Scripted(), steps=8, limits="soft", **options)
    _go(soft)
    assert len(_places_outside(soft)) > 8


def test_soft_limits_are_broken_for_what_is_more_accurate():
    search = _limited(_Scripted(), steps=8, limits="soft")
    _go(search)
    outside = _places_outside(search)
    assert len(outside) > 16 and max(violation for _, violation in outside) > STONE_REACH


def test_an_unscreened_proposal_is_the_first_that_keeps_the_limits():
    answers = {"aaaaaa": iter("ddcb"), "bbbbbb": iter("dadd"), "cccccc": iter("bddd")}

    def answer(spec):
        return Morph((Scale(0, "op", to=next(answers[_word(spec)])),))

    policy = _Scripted(answer)
    search = _limited(policy, list(answers), branches=3, screen=1)
    _tell(search)
    assert [_word(p.spec) for p in search.ask()] == ["ccaaaa", "aabbbb", "bbcccc"]
    asked = [[_word(spec)[0] for spec in specs] for specs in policy.asked]
    assert asked == [["a", "b", "c"], ["a", "b"], ["a"]]
    offered = [[_word(spec) for spec in own] for own in search.offered]
    assert offered == [["ddaaaa", "ddaaaa", "ccaaaa"], ["ddbbbb", "aabbbb"], ["bbcccc"]]


def test_a_neighbour_stands_in_where_the_policy_breaks_the_limits_again_and_again():
    policy = _Scripted(_all_d)
    search = _limited(policy, ["bbbbbb", "dddddd"], branches=2, screen=1, parents="branch")
    _tell(search)
    stand_in, nearest = search.ask()
    assert len(policy.asked) == REFUSALS
    assert "d" not in _word(stand_in.spec) and isinstance(stand_in.action.edit, Replace)
    assert _word(nearest.spec).count("d") == 5
    # Without neighbours the least violating of the policy's own is all there is.
    search = _limited(_Scripted(_all_d), ["bbbbbb"], branches=1, screen=1, neighbours=0)
    _tell(search)
    assert _word(search.ask()[0].spec) == "ddbbbb"


_OUTSIDE = ["dddddd", "dddddc", "ddddcd", "dddcdd"]


@pytest.mark.parametrize("parents", ["best", "tournament", "branch"])
@pytest.mark.parametrize("screen", [1, 8])
def test_where_no_parent_keeps_the_limits_the_violation_falls_step_by_step(parents, screen):
    # One layer at a time is changed, and what is far outside is the most accurate.
    search = _limited(_Scripted(_keep), _OUTSIDE, steps=7, screen=screen, parents=parents)
    _go(search)
    counts = [_word(t.proposal.spec).count("d") for t in search.history]
    least = [min(counts[step : step + 4]) for step in range(0, len(counts), 4)]
    assert least[:4] == [5, 4, 3, 2] or parents == "tournament"
    assert all(later < max(earlier, 1) for earlier, later in zip(least, least[1:], strict=False))
    assert least[-1] == 0


def test_few_parents_within_the_limits_leave_the_other_branches_to_the_nearest():
    search = _limited(_Scripted(_keep), ["dddddd", "aaaaaa", "dbdbdb", "ddbbbb"])
    _tell(search)
    current = [_word(trial.proposal.spec) for trial in search._current]
    assert current == ["dddddd", "aaaaaa", "dbdbdb", "ddbbbb"]  # step 1 begins with all of them
    nearest = search._nearest_first([t for t in search.history])
    assert [_word(t.proposal.spec) for t in nearest] == ["aaaaaa", "ddbbbb", "dbdbdb", "dddddd"]
    soft = _limited(_Scripted(_keep), ["dddddd", "aaaaaa", "dbdbdb", "ddbbbb"], limits="soft")
    _tell(soft)
    assert soft._nearest_first(soft.history) == soft.history


def _learnt(limits, monkeypatch):
    """Returns what an unscreened step teaches the policy and the predictor, and its trials."""
    fits = []
    fit = Predictor.fit
    monkeypatch.setattr(
        Predictor, "fit", lambda self, *known: fits.append(known) or fit(self, *known)
    )
    policy = _Scripted(lambda spec: Morph((Scale(1, "op", to="d" if "c" in _word(spec) else "b"),)))
    starts = ["cccccc", "aaaaaa"]
    learning = {"predictor_skill": 1.0, "limits": limits, "policy_baseline": "parent"}
    # Nothing is refused: the limits are broken by one of the starting networks alone.
    search = _limited(
        policy, starts, limit=lambda spec: 2.0 * (_word(spec) == "cccccc"), branches=2, **learning
    )
    _go(search, 2)
    return policy.lessons, fits, search.history


@pytest.mark.parametrize("limits", ["keep", "soft"])
def test_accuracy_is_learnt_where_limits_are_kept_and_else_the_softened_reward(limits, monkeypatch):
    ((_, _, advantages),), fits, history = _learnt(limits, monkeypatch)
    values = [t.result.accuracy if limits == "keep" else t.result.reward for t in history]
    assert history[0].result.reward == pytest.approx(0.81 * history[0].result.accuracy)
    for known, (specs, rewards) in zip((2, 4), fits, strict=True):
        assert specs == [t.proposal.spec for t in history[:known]]
        assert rewards == values[:known]
    gains = np.array(values[2:]) - np.array(values[:2])
    np.testing.assert_allclose(advantages, gains / (np.sqrt(np.mean(gains**2)) + 1e-3))


def test_a_reward_is_learnt_where_no_accuracy_is_told():
    policy = _Watched()
    search = _search(policy, screen=1, imagined_updates=0, limits="keep")
    _run(search)
    assert search._learner.value(search.history[0]) == search.history[0].result.reward


def test_what_failed_is_not_proposed_again():
    search = _limited(_Scripted(), steps=8, limit=lambda spec: 0.0)
    failed = set()
    while not search.done:
        proposals = _tell(search, lambda spec: "failed" if spec.key < "8" else "trained")
        again = failed & {p.spec for p in proposals}
        assert not again
        failed |= {p.spec for p in proposals if p.spec.key < "8"}
    assert len(failed) > 8


@pytest.mark.parametrize("limits", ["keep", "soft"])
def test_what_would_be_skipped_is_never_picked(limits):
    def skipped(spec):
        return _word(spec)[0] == "d"

    known = Knowledge(violation=lambda spec: float(skipped(spec)), skipped=skipped)
    starts = ["acacac", "bbbbbb", "cccccc", "ababab"]
    search = _limited(_Scripted(), starts, knowledge=known, steps=8, limits=limits)
    assert not any(skipped(p.spec) for p in _go(search))
    free = _limited(_Scripted(), starts, limit=known.violation, steps=8, limits="soft")
    assert any(skipped(p.spec) for p in _go(free))


@pytest.mark.parametrize("neighbours", [0, 64])
def test_where_all_on_offer_would_be_skipped_the_parents_are_repeated(neighbours):
    starts = ["acacac", "bbbbbb", "cccccc", "ababab"]
    known = Knowledge(skipped=lambda spec: _word(spec) not in starts)
    search = _limited(_Scripted(), starts, knowledge=known, neighbours=neighbours, steps=4)
    for step in range(4):
        proposals = _tell(search)
        assert sorted(_word(p.spec) for p in proposals) == sorted(starts)
        assert all(p.action == Morph() for p in proposals if step)


def test_places_beyond_what_is_new_repeat_a_parent_and_train_nothing_twice():
    space_left = {"aaaaab", "aaaaac"}
    starts = ["aaaaaa", "cbbbbb"]
    known = Knowledge(skipped=lambda spec: _word(spec) not in {*starts, *space_left})
    search = _limited(_Scripted(_keep), [*starts, "aaaaaa"], branches=3, knowledge=known)
    _go(search, 1)
    words = [_word(p.spec) for p in search.ask()]
    if search._learner.trusted:
        assert set(words[:2]) == space_left
        assert words[2] in starts


@pytest.mark.parametrize("limits", ["keep", "soft"])
def test_what_would_not_be_picked_is_imagined_to_be_worth_least(limits):
    policy = _Scripted()
    search = _limited(policy, limits=limits, imagined_updates=3, imagined_batch=12)
    _go(search, 2)
    violation, known = search._knowledge.violation, {t.proposal.spec for t in search.history}
    outside, above = 0, 0
    for specs, actions, advantages in policy.lessons:
        children = [morph.apply(s, a, _WIDE) for s, a in zip(specs, actions, strict=True)]
        worthless = np.array([violation(c) > 0 and c not in known for c in children])
        for own, gains in zip(worthless.reshape(4, 12), advantages.reshape(4, 12), strict=True):
            outside += own.sum()
            above += (gains[own] > gains.min() + 1e-9).sum()
    assert outside > 30
    assert above == 0 if limits == "keep" else above > 10


def test_a_search_within_limits_is_the_same_each_time():
    runs = [_go(_limited(_Scripted())) for _ in range(2)]
    assert runs[0] == runs[1]
    assert len(runs[0]) == 28
