"""That the policy learns: bandits whose best actions are known, three seeds of three (nightly).

Bounds lie well below what was measured: all seeds are above 0.95 at the end.
"""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.architecture import initial, morph
from epnas_tf.architecture.morph import Insert, Remove
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching import returns
from epnas_tf.searching.policies.lstm import LSTMPolicy
from epnas_tf.searching.settings import LSTMSettings

_OPS = {name: OpDef(()) for name in "abcd"}
_BATCH = 32
# A policy that no longer learns fails with any of them.
_seeds = pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (1, 2))]
)


def _lstm(space, seed=0, **options):
    """Returns a policy without bonus and extra inputs, at the paper's rate, but for the options."""
    plain = {"policy_learning_rate": 6e-4, "policy_entropy": 0.0, "policy_part_inputs": False}
    return LSTMPolicy(space, LSTMSettings(**plain | options), seed=seed)


def _learn(space, specs, reward, updates, seed):
    """Returns the mean reward of the last five batches; `specs` gives a batch's networks."""
    policy = _lstm(space, seed=seed, policy_learning_rate=0.01)
    baseline = returns.Baseline()
    means = []
    for update in range(updates):
        networks = specs(update)
        rngs = [randomness.generator(seed, "test", update, branch) for branch in range(_BATCH)]
        actions = policy.propose(networks, rngs)
        rewards = np.array([[reward(s, a) for s, a in zip(networks, actions, strict=True)]])
        advantages, baseline = returns.advantages(rewards, baseline)
        policy.update(networks, actions, advantages[0])
        means.append(rewards.mean())
    return np.mean(means[-5:])


@_seeds
def test_it_learns_what_is_good_everywhere(seed):
    """Six positions of four operations; the reward is the share that is "c", by chance 1/4."""
    op = Field("op", tuple(_OPS), scaled=True)
    space = SearchSpace("layerwise", (op,), 6, parts=6, fixed_length=True, ops=_OPS)

    def specs(update):
        rngs = (randomness.generator(seed, "specs", update, branch) for branch in range(_BATCH))
        return [initial.random_spec(space, rng) for rng in rngs]

    def share(spec, action):
        return np.mean([layer.op == "c" for layer in morph.apply(spec, action, space).layers])

    assert _learn(space, specs, share, 20, seed) > 0.7


@_seeds
def test_it_learns_what_depends_on_the_network(seed):
    """Short networks should grow and long ones shrink, by chance 1/3; the best of both is 1/2.

    That is as far as a policy comes that does not look at the network.
    """
    space = SearchSpace("layerwise", (Field("op", ("a", "b")),), 6, parts=1, ops=_OPS)
    networks = [
        LayerwiseSpec((LayerSpec("ab"[i // 2 % 2]),) * (2 if i % 2 else 5)) for i in range(_BATCH)
    ]

    def right(spec, action):
        return float(isinstance(action.edit, Insert if len(spec.items) == 2 else Remove))

    assert _learn(space, lambda update: networks, right, 40, seed) > 0.8
