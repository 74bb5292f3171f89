"""The LSTM policy as the search uses it: weights, proposals, updates."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.architecture import choices, initial, morph
from epnas_tf.architecture.morph import Insert, Keep, Remove, Replace
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching import features
from epnas_tf.searching.policies import lstm as policy_lib
from epnas_tf.searching.policies.lstm import LSTMPolicy
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.settings import PAPER, Learning, LSTMSettings
from epnas_tf.searching.trials import Result
from tests.searching import limited_search

_SPACES = {
    "layerwise": layerwise_space((16, 16), max_layers=6, parts=2),
    "module": module_space(max_branches=4, parts=2),
}
# Few enough actions to count: a part of layers that differ in channels alone.
_SMALL = layerwise_space(
    layer_types=("conv2d",),
    filter_widths=(3,),
    channels=(16, 32),
    activations=("relu",),
    max_layers=4,
    parts=1,
)
_CHAIN = LayerwiseSpec(tuple(LayerSpec("conv2d", 3, None, c, "relu") for c in (16, 32, 16)))


def _lstm(space, seed=0, **options):
    """Returns a policy without bonus and extra inputs, at the paper's rate, but for the options."""
    plain = {"policy_learning_rate": 6e-4, "policy_entropy": 0.0, "policy_part_inputs": False}
    return LSTMPolicy(space, LSTMSettings(**plain | options), seed=seed)


def _rngs(count, seed=0):
    return [randomness.generator(seed, "test", branch) for branch in range(count)]


def _sharp(policy, factor=20):
    """Multiplies the weights, so that some options become far more likely than others."""
    for variable in policy.variables:
        variable.assign(variable * factor)
    return policy


def _specs(space, count, seed=0):
    return [initial.random_spec(space, rng) for rng in _rngs(count, seed)]


def _all_actions(spec, space):
    """Returns every legal action on a network: every way to answer its choices."""
    actions, pending = [], [()]
    while pending:
        answers = pending.pop()
        try:
            walk = choices.walk(spec, space)
            choice = next(walk)
            for answer in answers:
                choice = walk.send(answer)
        except StopIteration as stop:
            actions.append(stop.value)
        else:
            pending += [(*answers, i) for i, legal in enumerate(choice.mask) if legal]
    return actions


# Weights


@pytest.mark.parametrize("pattern", _SPACES)
def test_sizes_are_the_papers(pattern):
    space = _SPACES[pattern]
    heads = {head: len(options) for head, options in choices.heads(space).items()}
    scale, edit = heads["scale"], sum(heads.values()) - heads["scale"]
    lstm_of_32 = [(32, 4 * 32), (32, 4 * 32), (4 * 32,)]
    lstm_of_128 = [(32 + 32, 4 * 128), (128, 4 * 128), (4 * 128,)]
    expected = [(sum(features.factor_sizes(space)), 32), *lstm_of_32]
    for tokens in (scale, edit):
        expected += [*lstm_of_128, (1 + tokens, 32), (128, tokens), (tokens,)]
    assert [tuple(variable.shape) for variable in _lstm(space).variables] == expected


def test_weights_are_uniform_in_a_tenth():
    every = []
    for variable in _lstm(_SPACES["layerwise"]).variables:
        values = variable.numpy().ravel()
        assert np.abs(values).max() <= 0.1
        # Also biases and small tables; 6 standard deviations of the mean and of the spread.
        assert abs(values.mean()) < 6 * 0.0577 / np.sqrt(values.size), variable.path
        assert abs(values.std() - 0.0577) < 0.16 / np.sqrt(values.size), variable.path
        every.append(values)
    # No two variables share their numbers, as they would with one seed for all.
    starts = {values[:7].tobytes() for values in every}
    assert len(starts) == len(every)


def test_seeds_give_different_weights():
    first, second = (_lstm(_SMALL, seed=seed).get_weights() for seed in (0, 1))
    trainable = len(_lstm(_SMALL).variables)
    for one, other in zip(first[:trainable], second[:trainable], strict=True):
        assert (one != other).any()


def test_the_check_tables_weight_is_a_share():
    with pytest.raises(ValueError, match="check_table_mix must be at most 1, got 2"):
        _lstm(_SMALL, check_table_mix=2)


# Proposals


def test_the_probabilities_of_all_actions_sum_to_1():
    actions = _all_actions(_CHAIN, _SMALL)
    assert len(set(actions)) == len(actions) > 50
    for mix in (0.0, 0.4, 1.0):
        policy = _sharp(_lstm(_SMALL, check_table_mix=mix))
        log_q = policy.log_probability([_CHAIN] * len(actions), actions)
        assert np.exp(log_q.astype(np.float64)).sum() == pytest.approx(1, abs=1e-4)


def test_proposals_follow_their_log_probabilities():
    policy = _sharp(_lstm(_SMALL, seed=3, check_table_mix=0.4), 5)
    actions = _all_actions(_CHAIN, _SMALL)
    log_q = policy.log_probability([_CHAIN] * len(actions), actions).astype(np.float64)
    count = 3000
    drawn = collections.Counter(policy.propose([_CHAIN] * count, _rngs(count)))
    assert set(drawn) <= set(actions)
    expected = count * np.exp(log_q)
    seen = np.array([drawn[action] for action in actions])
    often = expected >= 5
    assert often.sum() > 10
    assert expected.max() > 20 * expected.mean()
    pooled = np.array([*expected[often], expected[~often].sum()])
    counts = np.array([*seen[often], seen[~often].sum()])
    distance = ((counts - pooled) ** 2 / pooled).sum()
    freedom = len(pooled) - 1
    assert distance < freedom + 5 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("pattern", _SPACES)
def test_proposals_are_drawn_with_the_probabilities_that_are_learned_from(pattern, monkeypatch):
    drawn = collections.Counter()

    def drawing(probabilities, rng, draw=policy_lib._draw):
        index = draw(probabilities, rng)
        assert probabilities.sum() == pytest.approx(1, abs=1e-5)
        drawn[id(rng)] += np.log(probabilities[index])
        return index

    monkeypatch.setattr(policy_lib, "_draw", drawing)
    policy = _sharp(_lstm(_SPACES[pattern]), 8)
    specs, rngs = _specs(_SPACES[pattern], 32), _rngs(32)
    actions = policy.propose(specs, rngs)
    log_q = policy.log_probability(specs, actions)
    np.testing.assert_allclose([drawn[id(rng)] for rng in rngs], log_q, atol=1e-4)


@pytest.mark.parametrize("pattern", _SPACES)
def test_every_proposal_is_legal(pattern):
    space = _SPACES[pattern]
    policy = _sharp(_lstm(space))
    specs = _specs(space, 32)
    for step in range(8):
        actions = policy.propose(specs, _rngs(len(specs), seed=step))
        assert np.isfinite(policy.log_probability(specs, actions)).all()
        specs = [morph.apply(s, a, space) for s, a in zip(specs, actions, strict=True)]
        for spec in specs:
            space.check(spec)


def test_a_proposal_depends_on_its_network_and_its_generator_alone():
    policy = _sharp(_lstm(_SPACES["layerwise"]))
    specs = _specs(_SPACES["layerwise"], 8)
    together = policy.propose(specs, _rngs(8))
    assert policy.propose(specs, _rngs(8)) == together
    order = (5, 0, 7, 2, 6, 1, 3, 4)
    rngs = _rngs(8)
    moved = policy.propose([specs[i] for i in order], [rngs[i] for i in order])
    assert moved == [together[i] for i in order]


def _place_shares(mix):
    """The probabilities of the places 0..3 for a network of three layers, given an insertion."""
    policy = _sharp(_lstm(_SMALL, seed=5, check_table_mix=mix))
    actions = [a for a in _all_actions(_CHAIN, _SMALL) if isinstance(a.edit, Insert)]
    actions = [action for action in actions if not action.scales]
    q = np.exp(policy.log_probability([_CHAIN] * len(actions), actions).astype(np.float64))
    shares = np.zeros(4)
    for action, probability in zip(actions, q, strict=True):
        shares[action.edit.place] += probability
    return shares / shares.sum()


def test_the_check_table_mixes_into_the_place():
    softmax = _place_shares(0.0)
    assert softmax.max() > 0.4
    np.testing.assert_allclose(_place_shares(1.0), 0.25, atol=1e-5)
    np.testing.assert_allclose(_place_shares(0.4), 0.6 * softmax + 0.1, atol=1e-5)


# Updates


@pytest.mark.parametrize("pattern", _SPACES)
def test_every_weight_matrix_moves(pattern):
    space = _SPACES[pattern]
    policy = _lstm(space)
    specs = _specs(space, 16)
    before = policy.get_weights()
    actions = policy.propose(specs, _rngs(16))
    policy.update(specs, actions, np.linspace(-1, 1, 16))
    for variable, old in zip(policy.variables, before, strict=False):
        moved = np.abs(variable.numpy() - old)
        assert moved.max() <= 6.1e-4, variable.path  # one step of Adam at 6e-4
        # Rows of tables whose value or token did not occur stay; LSTMs move as a whole.
        least = 0.95 if "lstm" in variable.path else 0.1
        assert (moved > 1e-5).mean() > least, variable.path


def test_better_actions_become_more_likely():
    policy = _lstm(_SMALL, policy_learning_rate=0.002)
    specs = [_CHAIN] * 6
    actions = _all_actions(_CHAIN, _SMALL)[::13][:6]
    assert {type(action.edit) for action in actions} == {Insert, Remove, Keep}
    advantages = np.array([2.0, -2.0, 1.0, -1.0, 0.5, -0.5])
    before = policy.log_probability(specs, actions)
    policy.update(specs, actions, np.zeros(6))
    np.testing.assert_array_equal(policy.log_probability(specs, actions), before)
    policy.update(specs, actions, advantages)
    gained = policy.log_probability(specs, actions) - before
    assert (gained * advantages).sum() > 0
    assert gained[0] > 0 > gained[1]


def test_nothing_is_traced_again_as_networks_grow():
    space = _SPACES["layerwise"]
    policy = _lstm(space)
    search = ProgressiveSearch(space, policy, branches=8, episodes=2, steps=2, learning=PAPER)
    while not search.done:
        search.tell([Result(p.slot, p.slot.branch / 8) for p in search.ask()])
    lengths = {len(trial.proposal.spec.items) for trial in search.history}
    assert lengths == {1, 2, 3, 4, 5, 6}
    functions = [policy._embed, policy._train, policy._evaluate, *policy._step.values()]
    assert [f.experimental_get_tracing_count() for f in functions] == [1] * 5


def test_layers_that_no_policy_replaces_need_no_probability():
    policy = _lstm(limited_search.SPACE)
    search = limited_search.LimitedSearch(policy, steps=2, imagined_updates=1, imagined_batch=2)
    before = policy.get_weights()
    edits = [type(proposal.action.edit) for proposal in search.go()[4:]]
    assert Replace in edits
    assert all(entry["screened"] and entry["entropy"] > 0 for entry in search.step_log[1:])
    # The policy learns in imagination all the same.
    after = policy.get_weights()
    assert any((one != other).any() for one, other in zip(before, after, strict=True))


# Options beyond the paper's


def _probabilities(policy, specs, actions):
    return np.exp(policy.log_probability(specs, actions).astype(np.float64))


def test_several_epochs_stop_where_the_ratio_is_clipped():
    space = _SPACES["layerwise"]
    specs, moved = _specs(space, 4), []
    actions = _lstm(space).propose(specs, _rngs(4))
    for clip in (0.05, 0.5):
        policy = _lstm(space, policy_learning_rate=3e-3, policy_epochs=40, policy_clip=clip)
        before = _probabilities(policy, specs, actions)
        policy.update(specs, actions, np.ones(4))
        moved.append(_probabilities(policy, specs, actions) / before)
    assert (moved[0] > 1).all()
    assert moved[0].mean() < moved[1].mean()


def test_the_entropy_bonus_keeps_choices_open():
    space = _SPACES["layerwise"]
    specs = _specs(space, 8)
    actions = _lstm(space).propose(specs, _rngs(8))
    left = []
    for entropy in (0.0, 1.0):
        policy = _lstm(space, policy_learning_rate=3e-3, policy_entropy=entropy)
        for _ in range(30):
            policy.update(specs, actions, np.ones(8))
        left.append(policy.statistics(specs, actions)["entropy"])
    assert left[1] > left[0] + 0.1


def test_what_a_part_holds_decides_its_scaling():
    """A task that needs to see the part: set it to the other operation than the one it has."""
    names = ("a", "b", "c")
    space = SearchSpace(
        "layerwise",
        (Field("op", names, scaled=True),),
        max_items=4,
        parts=4,
        fixed_length=True,
        ops={name: OpDef(()) for name in names},
    )
    wanted = {"a": "b", "b": "c", "c": "a"}
    hits = []
    for part_inputs in (False, True):
        policy = _lstm(
            space, policy_learning_rate=0.01, policy_entropy=0.1, policy_part_inputs=part_inputs
        )
        for step in range(60):
            specs = [initial.random_spec(space, rng) for rng in _rngs(32, seed=step)]
            actions = policy.propose(specs, _rngs(32, seed=1000 + step))
            rewards = [_hits(s, a, wanted) for s, a in zip(specs, actions, strict=True)]
            advantages = np.asarray(rewards) - np.mean(rewards)
            policy.update(specs, actions, advantages / (advantages.std() + 1e-3))
        hits.append(np.mean(rewards))
    assert hits[1] > 3.5 > 3 > hits[0]


def _hits(spec, action, wanted):
    """Counts the parts that are set to what their operation asks for."""
    return sum(scale.to == wanted[spec.items[scale.part].op] for scale in action.scales)


def test_two_sizes_of_batches_are_all_that_is_traced():
    space = _SPACES["layerwise"]
    policy = LSTMPolicy(space)
    learning = Learning(screen=4, imagined_updates=2, predictor_skill=-1.0)
    search = ProgressiveSearch(space, policy, branches=8, episodes=2, steps=3, learning=learning)
    while not search.done:
        search.tell([Result(p.slot, int(p.spec.key[:4], 16) / 2**16) for p in search.ask()])
    functions = [policy._embed, policy._train, policy._evaluate, *policy._step.values()]
    assert max(f.experimental_get_tracing_count() for f in functions) <= 2
