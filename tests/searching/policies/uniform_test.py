"""The policy that draws uniformly from what is legal."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.architecture import initial, morph
from epnas_tf.architecture.morph import Insert, Keep, Morph, Remove, Scale
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.policies.uniform import RandomPolicy

_SPACES = {"layerwise": layerwise_space((16, 16)), "module": module_space()}
# One part; layers differ in channels alone, so that few choices are left.
_SMALL = layerwise_space(
    layer_types=("conv2d",),
    filter_widths=(3,),
    channels=(16, 32),
    activations=("relu",),
    max_layers=3,
    parts=1,
)


def _chain(*channels: int) -> LayerwiseSpec:
    return LayerwiseSpec(tuple(LayerSpec("conv2d", 3, None, c, "relu") for c in channels))


def _rngs(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [randomness.generator(seed, "test", branch) for branch in range(count)]


@pytest.mark.parametrize("pattern", _SPACES)
def test_every_proposal_is_legal(pattern):
    space = _SPACES[pattern]
    policy = RandomPolicy(space)
    specs = [initial.random_spec(space, rng) for rng in _rngs(40)]
    for step in range(10):
        actions = policy.propose(specs, _rngs(len(specs), seed=1 + step))
        specs = [
            morph.apply(spec, action, space) for spec, action in zip(specs, actions, strict=True)
        ]
        for spec in specs:
            space.check(spec)


def test_a_proposal_depends_on_its_network_and_its_generator_alone():
    specs = [_chain(16), _chain(16, 32), _chain(32)]
    together = RandomPolicy(_SMALL).propose(specs, _rngs(3))
    alone = [
        RandomPolicy(_SMALL).propose([spec], [rng])[0]
        for spec, rng in zip(specs, _rngs(3), strict=True)
    ]
    assert together == alone


def test_each_network_has_one_generator():
    with pytest.raises(ValueError, match="zip"):
        RandomPolicy(_SMALL).propose([_chain(16), _chain(32)], _rngs(1))


def test_learning_changes_nothing():
    policy = RandomPolicy(_SMALL)
    specs = [_chain(16, 32)] * 8
    before = policy.propose(specs, _rngs(8))
    policy.update(specs, before, np.arange(8.0))
    assert policy.propose(specs, _rngs(8)) == before


def test_legal_options_are_equally_likely():
    # Of two layers, both at 16 channels, the part may be kept or go up: 1/2 each. The edit is an
    # insertion, a removal or none: 1/3 each; and either layer is removed: 1/2.
    count = 6000
    specs = [_chain(16, 16)] * count
    actions = RandomPolicy(_SMALL).propose(specs, _rngs(count))
    seen = collections.Counter(
        (bool(action.scales), type(action.edit), getattr(action.edit, "index", 0))
        for action in actions
    )
    shares = {(Insert, 0): 1 / 6, (Keep, 0): 1 / 6, (Remove, 1): 1 / 12, (Remove, 2): 1 / 12}
    assert set(seen) == {(scaled, *edit) for scaled in (False, True) for edit in shares}
    for (_, *edit), times in seen.items():
        share = shares[tuple(edit)]
        assert abs(times - count * share) < 5 * (count * share) ** 0.5


def test_statistics_are_the_mean_entropy_of_the_choices():
    # Kept: scale one of 2, decision one of 2 (one layer must stay), which is all.
    kept = RandomPolicy(_SMALL).statistics([_chain(16)], [Morph()])
    assert kept == pytest.approx({"entropy": np.log(2)})
    # Scaled and inserted: scale 2; decision 2; place 0 or 1; op 1, width 1, channels 2,
    # activation 1, source: none or the stem's output, 0.
    action = Morph((Scale(0, "channels", 1),), Insert(0, LayerSpec("conv2d", 3, None, 32, "relu")))
    inserted = RandomPolicy(_SMALL).statistics([_chain(16)], [action])
    assert inserted == pytest.approx({"entropy": 5 * np.log(2) / 8})
    both = RandomPolicy(_SMALL).statistics([_chain(16)] * 2, [Morph(), action])
    assert both == pytest.approx({"entropy": 7 * np.log(2) / 10})
