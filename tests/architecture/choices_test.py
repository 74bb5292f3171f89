"""Choices: their order and masks, and that taking an action apart and deciding it are inverse."""

from __future__ import annotations

import dataclasses

import pytest

from epnas_tf import randomness
from epnas_tf.architecture import choices, initial, morph
from epnas_tf.architecture.choices import Choice
from epnas_tf.architecture.morph import (
    IllegalActionError,
    Insert,
    Keep,
    Morph,
    Remove,
    Replace,
    Scale,
)
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec

_SPACE = layerwise_space((4, 4), max_layers=4, parts=2)  # one halving
_CELLS = module_space(max_branches=3, parts=2)
_CONV = LayerSpec("conv2d", 3, None, 32, "relu")
_POOL = LayerSpec("max_pool", pool=2)
_T, _F = True, False


def _heads_of(taken: list[tuple[Choice, int]]) -> list[str]:
    return [choice.head for choice, _ in taken]


def test_heads_hold_every_option():
    heads = choices.heads(_SPACE)
    assert list(heads) == [
        "scale", "decision", "place", "remove",
        "op", "width", "pool", "channels", "activation", "src2",
    ]  # fmt: skip
    assert heads["scale"] == morph.scale_table(_SPACE)
    assert heads["decision"] == ("insert", "remove", "keep")
    assert heads["place"] == (0, 1, 2, 3)
    assert heads["remove"] == (1, 2, 3, 4)
    assert heads["src2"] == (-1, 0, 1, 2, 3)
    assert heads["channels"] == (16, 32, 64, 96, 128, 256)
    cell_heads = choices.heads(_CELLS)
    assert cell_heads["src1"] == cell_heads["src2"] == (0, 1, 2)
    assert cell_heads["propagate"] == (0, 1)


def test_the_order_of_a_layers_choices_and_the_options_taken():
    spec = LayerwiseSpec((_CONV, _CONV))
    action = Morph((Scale(1, "channels", by=1),), Insert(1, _CONV.replace("src2", 0)))
    taken = choices.encode(spec, action, _SPACE)
    assert _heads_of(taken) == [
        "scale", "scale", "decision", "place", "op", "width", "channels", "activation", "src2",
    ]  # fmt: skip
    assert [option for _, option in taken] == [0, 3, 0, 1, 0, 1, 1, 0, 1]
    assert [choice.part for choice, _ in taken] == [0, 1, -1, -1, -1, -1, -1, -1, -1]


def test_the_order_of_a_branchs_choices():
    spec = CellSpec((BranchSpec("conv-none", 3, None, 8),))
    action = Morph(edit=Insert(1, BranchSpec("conv-maxpool", 5, 2, 16, 1, 0, 0)))
    taken = choices.encode(spec, action, _CELLS)
    assert _heads_of(taken) == [
        "scale", "scale", "decision",
        "op", "width", "pool", "channels", "src1", "src2", "propagate",
    ]  # fmt: skip
    assert [option for _, option in taken] == [0, 0, 0, 1, 2, 0, 2, 1, 0, 0]


@pytest.mark.parametrize(
    ("action", "last"), [(Remove(2), ("remove", 1)), (Keep(), ("decision", 2))]
)
def test_other_decisions_end_there(action, last):
    taken = choices.encode(LayerwiseSpec((_CONV, _CONV)), Morph(edit=action), _SPACE)
    assert (taken[-1][0].head, taken[-1][1]) == last


def test_choices_after_the_scalings_are_about_the_scaled_network():
    spec = LayerwiseSpec((_CONV, _CONV))
    scales = (Scale(0, "width", by=1), Scale(1, "width", by=-1))
    taken = choices.encode(spec, Morph(scales, Remove(1)), _SPACE)
    scaled = LayerwiseSpec((_CONV.replace("width", 5), _CONV.replace("width", 1)))
    assert [choice.spec for choice, _ in taken] == [spec, spec, scaled, scaled]


# Masks, in the order of the heads


def test_scale_masks():
    spec = LayerwiseSpec((LayerSpec("conv2d", 1, None, 256, "relu"), _CONV, _POOL))
    # keep, width up, width down, channels up, channels down; part 1 is layers 1 and 2.
    assert choices.scale_mask(spec, 0, _SPACE) == (_T, _T, _T, _T, _T)
    assert choices.scale_mask(spec, 1, _SPACE) == (_T, _F, _F, _F, _F)
    ends = LayerwiseSpec((LayerSpec("conv2d", 1, None, 256, "relu"),))
    assert choices.scale_mask(ends, 0, _SPACE) == (_T, _T, _F, _F, _T)
    assert choices.scale_mask(ends, 1, _SPACE) == (_T, _F, _F, _F, _F)  # an empty part


def test_decision_masks():
    assert choices.decision_mask(LayerwiseSpec((_CONV,)), _SPACE) == (_T, _F, _T)
    assert choices.decision_mask(LayerwiseSpec((_CONV,) * 2), _SPACE) == (_T, _T, _T)
    assert choices.decision_mask(LayerwiseSpec((_CONV,) * 4), _SPACE) == (_F, _T, _T)
    pools = layerwise_space((4, 4), layer_types=("max_pool",))
    assert choices.decision_mask(LayerwiseSpec((_POOL,)), pools) == (_F, _F, _T)


def test_place_masks():
    assert choices.place_mask(LayerwiseSpec((_CONV,) * 2), _SPACE) == (_T, _T, _T, _F)
    # Nothing but additions is left once the halvings are used up: none may stand first.
    space = layerwise_space((4, 4), layer_types=("max_pool", "add"), max_layers=4)
    assert choices.place_mask(LayerwiseSpec((_POOL,)), space) == (_F, _T, _F, _F)
    branch = BranchSpec("conv-none", 3, None, 8)
    assert choices.place_mask(CellSpec((branch,)), _CELLS) == (_F, _T, _F)


def test_remove_masks():
    assert choices.remove_mask(LayerwiseSpec((_CONV,)), _SPACE) == (_F, _F, _F, _F)
    assert choices.remove_mask(LayerwiseSpec((_CONV,) * 3), _SPACE) == (_T, _T, _T, _F)
    bereft = LayerwiseSpec((_CONV, _CONV, LayerSpec("add", src2=1)))
    assert choices.remove_mask(bereft, _SPACE) == (_T, _F, _T, _F)
    # A layer that may live without its skip holds nobody back.
    skip = LayerwiseSpec((_CONV, _CONV, _CONV.replace("src2", 1)))
    assert choices.remove_mask(skip, _SPACE) == (_T, _T, _T, _F)


def test_op_masks():
    # conv2d, dep_sep_conv2d, max_pool, avg_pool, add
    assert choices.op_mask(None, 0, _SPACE) == (_T, _T, _T, _T, _F)
    assert choices.op_mask(LayerwiseSpec((_CONV,)), 1, _SPACE) == (_T, _T, _T, _T, _T)
    assert choices.op_mask(LayerwiseSpec((_POOL,)), 1, _SPACE) == (_T, _T, _F, _F, _T)
    assert choices.op_mask(None, 0, _CELLS) == (_T,) * 7


def test_source_masks():
    # -1, 0, 1, 2, 3 for a new layer at index place + 1; an addition needs another than its input.
    assert choices.field_mask("src2", "conv2d", 0, _SPACE) == (_T, _T, _F, _F, _F)
    assert choices.field_mask("src2", "conv2d", 2, _SPACE) == (_T, _T, _T, _T, _F)
    assert choices.field_mask("src2", "add", 2, _SPACE) == (_F, _T, _T, _F, _F)
    assert choices.field_mask("src1", "conv-conv", 1, _CELLS) == (_T, _T, _F)
    assert choices.field_mask("src2", "conv-conv", 2, _CELLS) == (_T, _T, _T)
    assert choices.field_mask("width", "conv2d", 2, _SPACE) == (_T,) * 4


# There and back


@pytest.mark.parametrize("space", [_SPACE, _CELLS, layerwise_space(), module_space()])
def test_encoding_a_decided_action_gives_the_options_it_was_decided_by(space):
    rng = randomness.generator(0, "choices_test", space.pattern, space.max_items)
    uniform = initial.uniform_pick(rng)
    spec = initial.random_spec(space, rng)
    for _ in range(60):
        answered: list[tuple[Choice, int]] = []

        def pick(choice: Choice, answered: list[tuple[Choice, int]] = answered) -> int:
            answered.append((choice, uniform(choice)))
            return answered[-1][1]

        action = choices.decide(spec, space, pick)
        assert choices.encode(spec, action, space) == answered
        assert all(any(choice.mask) for choice, _ in answered)
        assert all(len(c.mask) == len(choices.heads(space)[c.head]) for c, _ in answered)
        spec = morph.apply(spec, action, space)
        space.check(spec)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (Morph(edit=Remove(1)), "decision must be legal, got remove"),
        (Morph(edit=Insert(2, _CONV)), "place must be legal, got 2"),
        (Morph(edit=Insert(9, _CONV)), "place must be legal, got 9"),
        (Morph(edit=Insert(1, _CONV.replace("channels", 48))), "channels must be legal, got 48"),
        (Morph(edit=Insert(1, _CONV.replace("src2", 2))), "src2 must be legal, got 2"),
        (Morph(edit=Insert(1, LayerSpec("lstm"))), "op must be legal, got lstm"),
        (Morph(edit=Insert(1, _CONV.replace("pool", 2))), "make up the whole action.*pool=2"),
        (Morph((Scale(0, "width", by=2),)), "scale must be legal, got Scale.*by=2"),
        (Morph((Scale(1, "width", by=1),)), "scale must be legal, got Scale"),
        (Morph((Scale(7, "width", by=1),)), "make up the whole action.*part=7"),
    ],
)
def test_an_illegal_action_is_not_taken_apart(action, message):
    with pytest.raises(morph.IllegalActionError, match=message):
        choices.encode(LayerwiseSpec((_CONV,)), action, _SPACE)


def test_no_choice_replaces_a_layer():
    fixed = dataclasses.replace(_SPACE, fixed_length=True, max_items=1)
    wide = _CONV.replace("channels", 64)
    for space in (_SPACE, fixed):
        for scales in ((), (Scale(0, "width", by=1),)):
            action = Morph(scales, Replace(1, wide))
            assert morph.legal(LayerwiseSpec((_CONV,)), action, space)
            with pytest.raises(IllegalActionError, match="decision must be legal, got .*Replace"):
                choices.encode(LayerwiseSpec((_CONV,)), action, space)
    cell = CellSpec((BranchSpec("conv-none", 3, None, 8),))
    action = Morph(edit=Replace(1, BranchSpec("conv-none", 5, None, 8)))
    with pytest.raises(IllegalActionError, match="decision must be legal, got .*Replace"):
        choices.encode(cell, action, _CELLS)
