"""How a network changes: the rules of the project's DECISIONS 2 to 4, one example each."""

from __future__ import annotations

import dataclasses
import json

import pytest

from epnas_tf.architecture import morph
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

_SPACE = layerwise_space((8, 8), parts=2)  # two halvings
_CELLS = module_space(parts=2)
_POOL = LayerSpec("max_pool", pool=2)


def _conv(channels: int = 32, width: int = 3, src2: int = -1) -> LayerSpec:
    return LayerSpec("conv2d", width, None, channels, "relu", src2)


def _chain(*layers: LayerSpec) -> LayerwiseSpec:
    return LayerwiseSpec(layers)


def _skips(spec: LayerwiseSpec) -> list[int]:
    return [layer.src2 for layer in spec.layers]


def _cell(*sources: tuple[int, int]) -> CellSpec:
    return CellSpec(tuple(BranchSpec("conv-conv", 3, None, 8, a, b) for a, b in sources))


def _sources(spec: CellSpec) -> list[tuple[int, int | None]]:
    return [(branch.src1, branch.src2) for branch in spec.branches]


# Inserting


def test_insert_shifts_larger_indices_and_leaves_old_sources():
    spec = _chain(_conv(), _conv(src2=0), _conv(src2=1), _conv(src2=2), LayerSpec("add", src2=1))
    changed = morph.apply(spec, Insert(1, _conv(16)), _SPACE)
    # The new layer is 2; who read 2 now reads 3; who read output 1 still does.
    assert [layer.channels for layer in changed.layers] == [32, 16, 32, 32, 32, None]
    assert _skips(changed) == [-1, -1, 0, 1, 3, 1]


def test_insert_at_the_ends():
    spec = _chain(_conv(64))
    assert morph.apply(spec, Insert(0, _conv(16)), _SPACE) == _chain(_conv(16), _conv(64))
    assert morph.apply(spec, Insert(1, _conv(16)), _SPACE) == _chain(_conv(64), _conv(16))


def test_an_inserted_layer_brings_its_skip():
    spec = _chain(_conv(), _conv(64, src2=1))
    changed = morph.apply(spec, Insert(1, LayerSpec("add", src2=0)), _SPACE)
    assert changed == _chain(_conv(), LayerSpec("add", src2=0), _conv(64, src2=1))


def test_branches_are_appended():
    branch = BranchSpec("conv-maxpool", 5, 2, 16, 1, 2, 0)
    changed = morph.apply(_cell((0, 0), (1, 0)), Insert(2, branch), _CELLS)
    assert changed.branches == (*_cell((0, 0), (1, 0)).branches, branch)


@pytest.mark.parametrize(
    ("spec", "action", "message"),
    [
        (_chain(_conv()), Insert(2, _conv()), r"place must be in 0\.\.1, got 2"),
        (_chain(_conv()), Insert(-1, _conv()), r"place must be in 0\.\.1, got -1"),
        (_chain(_conv()), Insert(0, _conv(48)), "channels must be one of .* got 48"),
        (_chain(_conv()), Insert(0, _conv(src2=1)), "src2 of layer 1 .* its own index, got 1"),
        (_chain(_conv()), Insert(0, LayerSpec("add", src2=0)), "own input, got src2=0"),
        (_chain(_conv()), Insert(1, LayerSpec("add")), "own input, got src2=-1"),
        (_chain(_POOL, _POOL), Insert(1, _POOL), r"\(8, 8\) may be halved 2 times, got 3"),
        (_chain(*[_conv()] * 20), Insert(0, _conv()), "must have at most 20 items, got 21"),
    ],
)
def test_illegal_insertions(spec, action, message):
    with pytest.raises(morph.IllegalActionError, match=message):
        morph.apply(spec, action, _SPACE)


@pytest.mark.parametrize(
    ("place", "branch", "message"),
    [
        (0, BranchSpec("conv-none", 3, None, 8), r"place must be in 1\.\.1, got 0"),
        (1, BranchSpec("conv-none", 3, None, 8, 2), "src1 of branch 2 must .* got 2"),
        (1, BranchSpec("conv-conv", 3, None, 8, 0, 3), "src2 of branch 2 must .* got 3"),
        (1, BranchSpec("conv-conv", 3, None, 8), "do not fit, got src2=None"),
    ],
)
def test_illegal_branches(place, branch, message):
    with pytest.raises(morph.IllegalActionError, match=message):
        morph.apply(_cell((0, 0)), Insert(place, branch), _CELLS)


# Removing


def test_remove_rewires_what_read_the_layer_to_the_output_before():
    spec = _chain(_conv(), _conv(64), _conv(), _conv(src2=2), _conv(src2=3), _conv(src2=1))
    changed = morph.apply(spec, Remove(2), _SPACE)
    assert [layer.channels for layer in changed.layers] == [32] * 5
    # Old 4 read the removed 2 and now reads 1; old 5 read 3, which is now 2.
    assert _skips(changed) == [-1, -1, 1, 2, 1]


def test_remove_drops_a_rewired_skip_that_would_be_the_readers_input():
    assert _skips(morph.apply(_chain(_conv(), _conv(src2=1)), Remove(1), _SPACE)) == [-1]
    spec = _chain(_conv(), _conv(), _conv(src2=2))
    assert _skips(morph.apply(spec, Remove(2), _SPACE)) == [-1, -1]


def test_remove_takes_the_layers_own_skip_along():
    spec = _chain(_conv(), _conv(64, src2=0), _conv())
    assert morph.apply(spec, Remove(2), _SPACE) == _chain(_conv(), _conv())


def test_remove_keeps_a_skip_from_another_output():
    # Layer 3 read output 1 over layer 2; its input is output 1 now, and the sum stays.
    spec = _chain(_conv(), _conv(), _conv(src2=1))
    assert _skips(morph.apply(spec, Remove(2), _SPACE)) == [-1, 1]


def test_remove_keeps_a_later_layers_sum_with_its_own_input():
    # Layer 3 adds its own input, output 2, to its output; it still does.
    spec = _chain(_conv(), _conv(), _conv(src2=2))
    assert _skips(morph.apply(spec, Remove(1), _SPACE)) == [-1, 1]


def test_removal_must_not_leave_an_addition_with_its_own_input_only():
    spec = _chain(_conv(), _conv(), LayerSpec("add", src2=1))
    message = "removing 2 leaves item 2 wrong: add must .* own input, got src2=1"
    with pytest.raises(morph.IllegalActionError, match=message):
        morph.apply(spec, Remove(2), _SPACE)
    assert _skips(morph.apply(spec, Remove(1), _SPACE)) == [-1, 0]
    longer = _chain(_conv(), _conv(), _conv(), LayerSpec("add", src2=2))
    assert _skips(morph.apply(longer, Remove(2), _SPACE)) == [-1, -1, 1]


def test_remove_follows_the_same_rule_in_a_cell_but_drops_nothing():
    spec = _cell((0, 0), (1, 0), (2, 1), (3, 2), (2, 2))
    changed = morph.apply(spec, Remove(2), _CELLS)
    assert _sources(changed) == [(0, 0), (1, 1), (2, 1), (1, 1)]
    assert _sources(morph.apply(spec, Remove(1), _CELLS)) == [(0, 0), (1, 0), (2, 1), (1, 1)]


@pytest.mark.parametrize(
    ("spec", "index", "message"),
    [
        (_chain(_conv()), 1, "one layer or branch must stay, got 1"),
        (_chain(_conv(), _conv()), 3, r"index must be in 1\.\.2, got 3"),
        (_chain(_conv(), _conv()), 0, r"index must be in 1\.\.2, got 0"),
    ],
)
def test_illegal_removals(spec, index, message):
    with pytest.raises(morph.IllegalActionError, match=message):
        morph.apply(spec, Remove(index), _SPACE)


# Replacing


def test_a_layer_is_replaced_in_its_place():
    spec = _chain(_conv(16), _conv(32), _conv(64, src2=1))
    changed = morph.apply(spec, Replace(2, _POOL), _SPACE)
    assert changed == _chain(_conv(16), _POOL, _conv(64, src2=1))
    assert morph.apply(spec, Replace(3, _conv(16, src2=2)), _SPACE).layers[2].src2 == 2
    assert spec.layers[1] == _conv(32)
    # The stem and the stacking stay.
    other = LayerwiseSpec(spec.layers, stem_filters=7)
    assert morph.apply(other, Replace(1, _POOL), _SPACE).stem_filters == 7


def test_a_branch_is_replaced_in_its_place():
    spec = _cell((0, 0), (1, 0), (2, 1))
    branch = BranchSpec("maxpool-none", None, 2, 16, 1, None, 0)
    changed = morph.apply(spec, Replace(2, branch), _CELLS)
    assert changed.branches == (spec.branches[0], branch, spec.branches[2])


def test_a_pooling_may_take_the_place_of_another():
    spec = _chain(_POOL, _POOL, _conv())  # as many halvings as the images allow
    widened = morph.apply(spec, Replace(1, LayerSpec("avg_pool", pool=3)), _SPACE)
    assert [layer.op for layer in widened.layers] == ["avg_pool", "max_pool", "conv2d"]


def test_a_network_of_a_fixed_length_may_have_a_layer_replaced():
    fixed = dataclasses.replace(_SPACE, fixed_length=True, max_items=2)
    changed = morph.apply(_chain(_conv(), _conv()), Replace(1, _POOL), fixed)
    assert [layer.op for layer in changed.layers] == ["max_pool", "conv2d"]


@pytest.mark.parametrize(
    ("spec", "action", "message"),
    [
        (_chain(_conv()), Replace(0, _POOL), r"index must be in 1\.\.1, got 0"),
        (_chain(_conv()), Replace(2, _POOL), r"index must be in 1\.\.1, got 2"),
        (_chain(_conv()), Replace(-1, _POOL), r"index must be in 1\.\.1, got -1"),
        (_chain(_conv()), Replace(1, LayerSpec("gru")), "op must be one of .* got 'gru'"),
        (_chain(_conv()), Replace(1, _conv(48)), "channels must be one of .* got 48"),
        (_chain(_conv()), Replace(1, BranchSpec("conv-none", 3, None, 8)), "op must be one of"),
        (_chain(_conv(), _conv()), Replace(2, _conv(src2=2)), "src2 of layer 2 must be below"),
        (_chain(_conv()), Replace(1, LayerSpec("add", src2=0)), "add must add an output other"),
        (
            _chain(_POOL, _POOL, _conv()),
            Replace(3, _POOL),
            "may be halved 2 times, got 3",
        ),
    ],
)
def test_illegal_replacements(spec, action, message):
    for wrapped in (action, Morph(edit=action)):
        with pytest.raises(IllegalActionError, match=message):
            morph.apply(spec, wrapped, _SPACE)
        assert not morph.legal(spec, wrapped, _SPACE)


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        (BranchSpec("conv-conv", 3, None, 8, 0, 1), "src2 of branch 1 must be below .* got 1"),
        (BranchSpec("conv-none", 3, None, 8, 1), "src1 of branch 1 must be below .* got 1"),
        (BranchSpec("conv-none", 3, None, 8, 0, 0), "conv-none and src2 do not fit, got src2=0"),
    ],
)
def test_illegal_replacements_of_a_branch(branch, message):
    with pytest.raises(IllegalActionError, match=message):
        morph.apply(_cell((0, 0), (1, 0)), Replace(1, branch), _CELLS)


def test_a_layer_is_replaced_in_the_scaled_network():
    spec = _chain(_conv(32), _conv(64))
    action = Morph((Scale(0, "channels", by=1), Scale(1, "channels", by=1)), Replace(2, _conv(16)))
    changed = morph.apply(spec, action, _SPACE)
    assert [layer.channels for layer in changed.layers] == [64, 16]


# Scaling


def test_scaling_steps_every_layer_of_the_part_and_saturates_at_the_end():
    spec = _chain(_conv(32), _POOL, _conv(256), _conv(32), _conv(32))  # part 1: the first three
    changed = morph.apply(spec, Scale(0, "channels", by=1), _SPACE)
    assert [layer.channels for layer in changed.layers] == [64, None, 256, 32, 32]
    changed = morph.apply(spec, Scale(1, "channels", by=-1), _SPACE)
    assert [layer.channels for layer in changed.layers] == [32, None, 256, 16, 16]


def test_scaling_a_cell():
    changed = morph.apply(_cell((0, 0), (0, 1)), Scale(1, "width", by=1), _CELLS)
    assert [branch.width for branch in changed.branches] == [3, 5]


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        # Legal only if at least one layer moves: part 1 is at both ends, part 2 has no field.
        (Scale(0, "channels", by=1), r"must move at least one item .* got Scale\(part=0"),
        (Scale(0, "width", by=-1), r"must move at least one item .* field='width'"),
        (Scale(1, "width", by=1), r"must move at least one item .* got Scale\(part=1"),
        (Scale(2, "width", by=1), r"part must be in 0\.\.1, got 2"),
        (Scale(-1, "width", by=1), r"part must be in 0\.\.1, got -1"),
        (Scale(0, "width", by=2), "must be an entry of the scale table, got .*by=2"),
        (Scale(0, "width"), "must be an entry of the scale table, got .*by=0"),
        (Scale(0, "width", to=5), "must be an entry of the scale table, got .*to=5"),
        (Scale(0, "pool", by=1), "must be an entry of the scale table, got .*field='pool'"),
        (Scale(0, "units", by=1), "must be an entry of the scale table, got .*field='units'"),
    ],
)
def test_illegal_scalings(scale, message):
    spec = _chain(_conv(256, width=1), _POOL)
    with pytest.raises(morph.IllegalActionError, match=message):
        morph.apply(spec, scale, _SPACE)
    assert not morph.legal(spec, scale, _SPACE)


def test_the_scale_table_of_the_papers_spaces():
    table = (
        None,
        Scale(0, "width", by=1),
        Scale(0, "width", by=-1),
        Scale(0, "channels", by=1),
        Scale(0, "channels", by=-1),
    )
    assert morph.scale_table(_SPACE) == table
    assert morph.scale_table(_CELLS) == table


# A whole step


def test_a_step_scales_first_and_inserts_into_the_scaled_network():
    spec = _chain(_conv(32), _conv(32))
    action = Morph(
        (Scale(0, "channels", by=1), Scale(1, "width", by=-1)), Insert(1, _conv(16, src2=0))
    )
    expected = _chain(_conv(64), _conv(16, src2=0), _conv(32, width=1))
    assert morph.apply(spec, action, _SPACE) == expected


def test_keeping_changes_nothing():
    spec = _chain(_conv())
    assert morph.apply(spec, Keep(), _SPACE) == morph.apply(spec, Morph(), _SPACE) == spec


@pytest.mark.parametrize(("parts", "shown"), [((0, 0), r"\[0, 0\]"), ((1, 0), r"\[1, 0\]")])
def test_a_step_scales_each_part_once_in_order(parts, shown):
    action = Morph(tuple(Scale(part, "channels", by=1) for part in parts))
    with pytest.raises(morph.IllegalActionError, match=f"different parts in order, got {shown}"):
        morph.apply(_chain(_conv(), _conv()), action, _SPACE)


def test_legal_agrees_with_apply():
    spec = _chain(_conv(), _conv())
    assert morph.legal(spec, Remove(2), _SPACE)
    assert not morph.legal(spec, Remove(3), _SPACE)


# Actions as data and in words

_ACTIONS = [
    (Morph(), {}, "keep"),
    (Morph(edit=Remove(3)), {"remove": 3}, "remove 3"),
    (
        Morph((Scale(1, "channels", by=1),), Insert(4, _conv())),
        {
            "scale": [{"part": 1, "field": "channels", "by": 1}],
            "insert": {
                "place": 4,
                "item": {"op": "conv2d", "width": 3, "channels": 32, "activation": "relu"},
            },
        },
        "part 2 channels up; insert conv2d 3x3 32 relu after 4",
    ),
    (
        Morph((Scale(0, "width", by=-1), Scale(3, "op", to="gate"))),
        {
            "scale": [
                {"part": 0, "field": "width", "by": -1},
                {"part": 3, "field": "op", "to": "gate"},
            ]
        },
        "part 1 width down; part 4 op = gate",
    ),
    (
        Morph(edit=Insert(0, LayerSpec("max_pool", pool=2, src2=0))),
        {"insert": {"place": 0, "item": {"op": "max_pool", "pool": 2, "src2": 0}}},
        "insert max_pool 2x2 +skip 0 after 0",
    ),
    (
        Morph(edit=Insert(1, LayerSpec("gru", extra=(("units", 64),)))),
        {"insert": {"place": 1, "item": {"op": "gru", "units": 64}}},
        "insert gru units=64 after 1",
    ),
    (
        Morph(edit=Replace(3, LayerSpec("conv2d", 3, None, 32, "relu", 1))),
        {
            "replace": {
                "index": 3,
                "item": {"op": "conv2d", "width": 3, "channels": 32, "activation": "relu"}
                | {"src2": 1},
            }
        },
        "set 3 to conv2d 3x3 32 relu +skip 1",
    ),
    (
        Morph((Scale(1, "width", by=1),), Replace(1, LayerSpec("gru", extra=(("units", 64),)))),
        {
            "scale": [{"part": 1, "field": "width", "by": 1}],
            "replace": {"index": 1, "item": {"op": "gru", "units": 64}},
        },
        "part 2 width up; set 1 to gru units=64",
    ),
]


@pytest.mark.parametrize(("action", "data", "words"), _ACTIONS)
def test_actions_as_data_and_in_words(action, data, words):
    assert morph.to_dict(action) == data
    assert morph.from_dict(json.loads(json.dumps(data)), _SPACE) == action
    assert morph.describe(action) == words


def test_branches_as_data_and_in_words():
    action = Morph(edit=Insert(2, BranchSpec("conv-maxpool", 5, 2, 16, 1, 0, 0)))
    assert morph.from_dict(morph.to_dict(action), _CELLS) == action
    words = "insert conv-maxpool 5x5 2x2 16 src1=1 src2=0 propagate=0 after 2"
    assert morph.describe(action) == words
    replaced = Morph(edit=Replace(2, BranchSpec("avgpool-none", None, 3, 8, 1)))
    assert morph.from_dict(morph.to_dict(replaced), _CELLS) == replaced
    assert morph.describe(replaced) == "set 2 to avgpool-none 3x3 8 src1=1"


def test_a_starting_network_has_no_action():
    assert morph.describe(None) == "start"


@pytest.mark.parametrize(
    "data",
    [
        {"scale": 0},
        {"scale": {"scale": 1}},
        {"scale": [{"part": 0}]},
        {"scale": [{"part": "0", "field": "width", "by": 1}]},
        {"scale": [{"part": 0, "field": ["width"], "by": 1}]},
        {"scale": [{"part": 0, "field": "width", "by": 10**400}]},
        {"scale": [{"part": 0, "field": "op", "to": [1]}]},
        {"insert": "e01s00b0"},
        {"insert": {"place": 1}},
        {"insert": {"place": 0.5, "item": {"op": "max_pool", "pool": 2}}},
        {"insert": {"place": 1, "item": {"activation": "relu"}}},
        {"insert": {"place": 1, "item": 3}},
        {"remove": None},
        {"remove": True},
        {"replace": 1},
        {"replace": {"index": 1}},
        {"replace": {"item": {"op": "max_pool", "pool": 2}}},
        {"replace": {"index": "1", "item": {"op": "max_pool", "pool": 2}}},
        {"replace": {"index": 10**400, "item": {"op": "max_pool", "pool": 2}}},
        {"replace": {"index": 1, "item": {"pool": 2}}},
        {"replace": {"index": 1, "item": [2]}},
    ],
)
def test_data_of_no_action_are_refused(data):
    for space in (_SPACE, _CELLS):
        with pytest.raises(ValueError, match="not an action|must be"):
            morph.from_dict(data, space)
