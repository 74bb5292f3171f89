"""Choices as tokens: offsets, masks, and the check table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import randomness
from epnas_tf.architecture import choices, initial
from epnas_tf.architecture.choices import Choice
from epnas_tf.architecture.morph import Insert, Morph, Remove, Scale
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.policies.vocabulary import Vocabulary

_SPACE = layerwise_space(
    layer_types=("conv2d", "add"),
    filter_widths=(3,),
    pool_widths=(2,),
    channels=(16, 32),
    activations=("relu",),
    max_layers=3,
    parts=2,
)
# The scale LSTM's tokens are keep, width up, width down, channels up, channels down. The insert
# LSTM's are all other options, head by head; src2 ends them with -1, 0, 1, 2.
_OFFSETS = {
    "scale": 0,
    "decision": 0,
    "place": 3,
    "remove": 6,
    "op": 9,
    "width": 11,
    "pool": 12,
    "channels": 13,
    "activation": 15,
    "src2": 16,
}


def _conv(channels: int = 16, src2: int = -1) -> LayerSpec:
    return LayerSpec("conv2d", 3, None, channels, "relu", src2)


def _legal(mask: np.ndarray) -> list[int]:
    return np.flatnonzero(mask).tolist()


def _sequences(spec, action, mix=0.25, space=_SPACE):
    return Vocabulary(space, mix).sequences([choices.encode(spec, action, space)])


def test_every_option_of_every_head_is_a_token_of_its_own():
    vocabulary = Vocabulary(_SPACE, 0.2)
    assert {head: vocabulary.offset(head) for head in choices.heads(_SPACE)} == _OFFSETS
    assert vocabulary.scale_size == 5
    assert vocabulary.edit_size == 20


@pytest.mark.parametrize("mix", [-0.1, 1.1, float("nan")])
def test_the_check_tables_weight_is_a_share(mix):
    with pytest.raises(ValueError, match=f"check_table_mix must be in 0..1, got {mix}"):
        Vocabulary(_SPACE, mix)


def test_an_insertion_as_tokens():
    spec = LayerwiseSpec((_conv(16), _conv(32)))
    action = Morph((Scale(1, "channels", -1),), Insert(1, _conv(32, src2=0)))
    scale, edit = _sequences(spec, action)
    # Keep, then channels down; the only width has no neighbour, so that its steps are illegal.
    assert scale.token.tolist() == [[0, 4]]
    assert scale.valid.tolist() == [[1.0, 1.0]]
    assert [_legal(mask) for mask in scale.mask[0]] == [[0, 3], [0, 4]]
    assert not scale.mix.any()
    # decision insert, place 1, conv2d, width 3, channels 32, relu, src2 0; then nothing.
    assert edit.token.tolist() == [[0, 4, 9, 11, 14, 15, 17, 0]]
    assert edit.valid.tolist() == [[1.0] * 7 + [0.0]]
    assert [_legal(mask) for mask in edit.mask[0]] == [
        [0, 1, 2],
        [3, 4, 5],
        [9, 10],
        [11],
        [13, 14],
        [15],
        [16, 17, 18],
        [0],
    ]


def test_a_removal_as_tokens():
    spec = LayerwiseSpec((_conv(), _conv(), LayerSpec("add", src2=1)))
    scale, edit = _sequences(spec, Morph((), Remove(3)))
    assert scale.token.tolist() == [[0, 0]]
    assert edit.token.tolist() == [[1, 8, 0, 0, 0, 0, 0, 0]]
    assert edit.valid.tolist() == [[1.0, 1.0] + [0.0] * 6]
    # Three layers are the most: no insertion. The addition needs layer 2.
    assert [_legal(mask) for mask in edit.mask[0, :2]] == [[1, 2], [6, 8]]


def test_places_have_the_check_table_of_the_number_of_layers():
    _, edit = _sequences(LayerwiseSpec((_conv(),)), Morph((), Insert(1, _conv())))
    assert edit.mix.tolist() == [[0.0, 0.25] + [0.0] * 6]
    assert edit.prior[0, 1].tolist() == [0, 0, 0, 0.5, 0.5] + [0] * 15
    assert not np.delete(edit.prior, 1, axis=1).any()


def test_the_check_table_leaves_out_illegal_places():
    # Where no layer may stand first (all are additions), place 0 is illegal.
    choice = Choice("place", (False, True, True), LayerwiseSpec((_conv(), _conv())))
    steps = Vocabulary(_SPACE, 0.25).current([choice])
    np.testing.assert_allclose(steps.prior[0, 3:6], [0, 0.5, 0.5])


def test_branches_have_no_place_and_no_check_table():
    space = module_space(max_branches=3)
    rng = randomness.generator(0, "test")
    specs = [initial.random_spec(space, rng, max_items=2) for _ in range(20)]
    taken = [
        choices.encode(spec, choices.decide(spec, space, initial.uniform_pick(rng)), space)
        for spec in specs
    ]
    scale, edit = Vocabulary(space, 1.0).sequences(taken)
    assert not (scale.mix.any() or edit.mix.any() or edit.prior.any())


def test_the_current_choices_are_the_steps_of_the_sequence():
    spec = LayerwiseSpec((_conv(),))
    taken = choices.encode(spec, Morph((), Insert(0, _conv(32))), _SPACE)
    vocabulary = Vocabulary(_SPACE, 0.25)
    sequences = vocabulary.sequences([taken])
    for steps, of_scale in zip(sequences, (True, False), strict=True):
        mine = [choice for choice, _ in taken if (choice.head == "scale") == of_scale]
        for index, choice in enumerate(mine):
            current = vocabulary.current([choice])
            for name in ("mask", "prior", "mix", "valid"):
                expected = getattr(steps, name)[:, index]
                np.testing.assert_array_equal(getattr(current, name), expected)


def test_a_network_that_asks_nothing_still_has_a_distribution():
    choice = choices.encode(LayerwiseSpec((_conv(),)), Morph(), _SPACE)[-1][0]
    steps = Vocabulary(_SPACE, 0.25).current([None, choice])
    assert steps.valid.tolist() == [0.0, 1.0]
    assert [_legal(mask) for mask in steps.mask] == [[0], [0, 2]]


@pytest.mark.parametrize("space", [layerwise_space((16, 16)), module_space()])
@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_tokens_taken_are_legal_and_give_the_action_back(space, seed):
    rng = randomness.generator(seed, "test")
    spec = initial.random_spec(space, rng)
    action = choices.decide(spec, space, initial.uniform_pick(rng))
    vocabulary = Vocabulary(space, 0.5)
    scale, edit = vocabulary.sequences([choices.encode(spec, action, space)])
    tokens = []
    for steps in (scale, edit):
        assert np.take_along_axis(steps.mask, steps.token[..., np.newaxis], axis=2).all()
        # Priors are distributions over legal options.
        assert not (steps.prior * ~steps.mask).any()
        np.testing.assert_allclose(steps.prior.sum(axis=2), steps.mix > 0, atol=1e-6)
        tokens += steps.token[steps.valid > 0].tolist()
    answers = iter(tokens)
    again = choices.decide(
        spec, space, lambda choice: next(answers) - vocabulary.offset(choice.head)
    )
    assert again == action
    assert next(answers, None) is None
