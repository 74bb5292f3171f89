"""Names follow layers and branches through morphs."""

from __future__ import annotations

import pytest

from epnas_tf import randomness
from epnas_tf.architecture import choices, initial, morph
from epnas_tf.architecture.morph import Insert, Keep, Morph, Remove, Replace, Scale
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching import lineage
from epnas_tf.searching.trials import Proposal, Slot

_LAYER = LayerSpec("conv2d", 3, None, 16, "relu")
_SPEC = LayerwiseSpec((_LAYER,) * 3)
_KNOWN = {"e01s00b2": ("a", "b", "c"), "e01s01b0": ("x", "y")}


def _names(action: Morph) -> tuple[str, ...]:
    proposal = Proposal(Slot(1, 4, 2), _SPEC, "e01s00b2", action)
    return lineage.names_of(proposal, _KNOWN)


def test_a_starting_network_names_its_layers_by_number():
    names = lineage.names_of(Proposal(Slot(2, 0, 3), _SPEC), {})
    assert names == ("e02s00b3.1", "e02s00b3.2", "e02s00b3.3")


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        (Keep(), ("a", "b", "c")),
        (Insert(0, _LAYER), ("e01s04b2", "a", "b", "c")),
        (Insert(1, _LAYER), ("a", "e01s04b2", "b", "c")),
        (Insert(3, _LAYER), ("a", "b", "c", "e01s04b2")),
        (Remove(1), ("b", "c")),
        (Remove(2), ("a", "c")),
        (Remove(3), ("a", "b")),
        (Replace(1, _LAYER), ("a", "b", "c")),
        (Replace(3, _LAYER), ("a", "b", "c")),
    ],
)
def test_layers_keep_their_names(edit, names):
    assert _names(Morph((), edit)) == names
    assert _names(Morph((Scale(0, "channels", by=1),), edit)) == names


def test_a_network_that_is_known_has_the_names_of_its_parameters():
    action = Morph((), Insert(3, _LAYER))
    proposal = Proposal(Slot(1, 4, 2), _SPEC, "e01s00b2", action, reuse="e01s01b0")
    assert lineage.names_of(proposal, _KNOWN) == ("x", "y")


@pytest.mark.parametrize(
    "space", [layerwise_space((8, 8), max_layers=6), module_space(max_branches=5)]
)
@pytest.mark.parametrize("seed", range(5))
def test_every_item_has_a_name_of_its_own(space, seed):
    rng = randomness.generator(seed, "lineage_test")
    spec = initial.random_spec(space, rng)
    parent, known = None, {}
    for step in range(12):
        slot = Slot(1, step, 0)
        if parent is None:
            proposal = Proposal(slot, spec)
        else:
            action = choices.decide(spec, space, initial.uniform_pick(rng))
            changed = morph.apply(spec, action, space)
            proposal = Proposal(slot, changed, parent, action)
            spec = changed
        names = known[slot.name] = lineage.names_of(proposal, known)
        assert len(names) == len(set(names)) == len(spec.items)
        if parent is not None:
            kept = [name for name in names if name != slot.name]
            assert kept == [name for name in known[parent] if name in kept]  # in the same order
        parent = slot.name
