"""Spaces a user makes by hand: own operations, fields and cost rules, fixed or varying length."""

from __future__ import annotations

import pytest

from epnas_tf.architecture import choices, cost_rules, morph
from epnas_tf.architecture.cost import cost
from epnas_tf.architecture.cost_rules import Cost, Shape
from epnas_tf.architecture.morph import Insert, Morph, Remove, Scale
from epnas_tf.architecture.ops import OPS, OpDef
from epnas_tf.architecture.space import Field, SearchSpace
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec, spec_from_json

_T, _F = True, False

# A space of six positions with five unordered operations each, after NAS-Bench-201. All keep the
# shape of the map; a position is a part, and scaling sets its operation.


def _square_cost(width: int):
    def rule(layer: LayerSpec, shape: Shape) -> Cost:
        del layer
        convolution = cost_rules.conv_cost(shape, shape, (width, width))
        return convolution + cost_rules.batch_norm_cost(shape[2])

    return rule


def _smoothing_cost(layer: LayerSpec, shape: Shape) -> Cost:
    del layer
    return cost_rules.pool_cost(shape, shape, (3, 3))


_BENCH_OPS = {
    "none": OpDef(()),
    "skip": OpDef(()),
    "conv1x1": OpDef((), cost=_square_cost(1)),
    "conv3x3": OpDef((), cost=_square_cost(3)),
    "avg3x3": OpDef((), cost=_smoothing_cost),
}
_BENCH = SearchSpace(
    "layerwise",
    (Field("op", tuple(_BENCH_OPS), scaled=True),),
    max_items=6,
    parts=6,
    fixed_length=True,
    ops=_BENCH_OPS,
)
_NAMES = ("skip", "conv3x3", "none", "avg3x3", "conv1x1", "conv3x3")
_SIX = LayerwiseSpec(tuple(LayerSpec(name) for name in _NAMES))


def _ops(spec: LayerwiseSpec) -> list[str]:
    return [layer.op for layer in spec.layers]


def test_fixed_parts_are_the_positions():
    assert [_BENCH.part_of(index, 6) for index in range(1, 7)] == [0, 1, 2, 3, 4, 5]


def test_fixed_scale_sets_a_value():
    assert morph.scale_table(_BENCH) == (
        None,
        Scale(0, "op", to="none"),
        Scale(0, "op", to="skip"),
        Scale(0, "op", to="conv1x1"),
        Scale(0, "op", to="conv3x3"),
        Scale(0, "op", to="avg3x3"),
    )
    changed = morph.apply(_SIX, Scale(2, "op", to="conv1x1"), _BENCH)
    assert _ops(changed) == ["skip", "conv3x3", "conv1x1", "avg3x3", "conv1x1", "conv3x3"]
    with pytest.raises(morph.IllegalActionError, match="must move at least one .* to='none'"):
        morph.apply(_SIX, Scale(2, "op", to="none"), _BENCH)


def test_fixed_masks():
    assert choices.scale_mask(_SIX, 0, _BENCH) == (_T, _T, _F, _T, _T, _T)  # all but "skip"
    assert choices.decision_mask(_SIX, _BENCH) == (_F, _F, _T)
    taken = choices.encode(_SIX, Morph((Scale(2, "op", to="conv1x1"),)), _BENCH)
    assert [option for _, option in taken] == [0, 0, 3, 0, 0, 0, 2]


def test_fixed_length_refuses_to_insert():
    message = r"networks of this space have a fixed length, got Insert\(place=6"
    with pytest.raises(morph.IllegalActionError, match=message):
        morph.apply(_SIX, Insert(6, LayerSpec("skip")), _BENCH)


def test_fixed_length_refuses_to_remove():
    message = r"networks of this space have a fixed length, got Remove\(index=2\)"
    with pytest.raises(morph.IllegalActionError, match=message):
        morph.apply(_SIX, Remove(2), _BENCH)


def test_fixed_check_table_still_covers_its_places():
    assert _BENCH.check_table(6) == (1 / 7,) * 7


def test_fixed_cost_counts_the_own_operations():
    stem_and_head = Cost(9 * 16 + 32 + 170, 2 * 16 * 144 + 16 * 16 + 320, 0)
    own = [
        Cost(2 * (2304 + 32), 2 * 2 * 16 * 2304),  # two 3x3 on 16 channels at 4x4
        Cost(256 + 32, 2 * 16 * 256),
        Cost(0, 9 * 256),
    ]
    total = sum(own, stem_and_head)
    counted = cost(_SIX, (4, 4, 1), 10, ops=_BENCH.ops)
    assert (counted.params, counted.flops) == (total.params, total.flops) == (5306, 163136)


# A varying-length space for spectrograms: a kernel of its own width in time and in frequency, and
# units that scaling steps; the frequency width and the gate are set with the layer only.


def _spectral_shape(layer: LayerSpec, shape: Shape) -> Shape:
    return (shape[0], shape[1], int(layer.get("units") or 0))


def _spectral_cost(layer: LayerSpec, shape: Shape) -> Cost:
    kernel = (int(layer.get("width_time") or 0), int(layer.get("width_freq") or 0))
    return cost_rules.conv_cost(shape, _spectral_shape(layer, shape), kernel, bias=True)


_SPEECH_OPS = {
    "spectral": OpDef(("width_time", "width_freq", "units"), _spectral_shape, _spectral_cost),
    "gate": OpDef(("gate",)),
    "add": OPS["add"],
    "max_pool": OPS["max_pool"],
}
_SPEECH = SearchSpace(
    "layerwise",
    (
        Field("op", tuple(_SPEECH_OPS)),
        Field("width_time", (3, 9, 21), ordered=True, scaled=True),
        Field("width_freq", (1, 3), ordered=True),
        Field("units", (8, 16, 24), ordered=True, scaled=True),
        Field("gate", ("soft", "hard"), scaled=True),
        Field("pool", (2,)),
        Field("src2"),
    ),
    max_items=5,
    parts=2,
    ops=_SPEECH_OPS,
    image_size=(98, 8),  # two halvings, by frequency
)
_GATE = LayerSpec("gate", extra=(("gate", "soft"),))


def _spectral(time: int, units: int, src2: int = -1) -> LayerSpec:
    own = (("width_time", time), ("width_freq", 3), ("units", units))
    return LayerSpec("spectral", src2=src2, extra=own)


_SPEECH_NET = LayerwiseSpec((_spectral(9, 24), _GATE, _spectral(3, 16, src2=1)), stem_filters=4)


def test_varying_parts():
    assert [_SPEECH.part_of(index, 3) for index in (1, 2, 3)] == [0, 0, 1]


def test_varying_scale_steps_ordered_own_fields_and_sets_the_others():
    assert morph.scale_table(_SPEECH) == (
        None,
        Scale(0, "width_time", by=1),
        Scale(0, "width_time", by=-1),
        Scale(0, "units", by=1),
        Scale(0, "units", by=-1),
        Scale(0, "gate", to="soft"),
        Scale(0, "gate", to="hard"),
    )
    longer = morph.apply(_SPEECH_NET, Scale(0, "width_time", by=1), _SPEECH)
    assert longer.layers == (_spectral(21, 24), _GATE, _spectral(3, 16, src2=1))
    harder = morph.apply(_SPEECH_NET, Scale(0, "gate", to="hard"), _SPEECH)
    assert harder.layers[1].extra == (("gate", "hard"),)


def test_varying_masks():
    # keep; width_time up, down; units up, down; gate soft, hard.
    assert choices.scale_mask(_SPEECH_NET, 0, _SPEECH) == (_T, _T, _T, _F, _T, _F, _T)
    assert choices.scale_mask(_SPEECH_NET, 1, _SPEECH) == (_T, _T, _F, _T, _T, _F, _F)
    assert choices.decision_mask(_SPEECH_NET, _SPEECH) == (_T, _T, _T)
    assert choices.place_mask(_SPEECH_NET, _SPEECH) == (_T, _T, _T, _T, _F)
    assert choices.op_mask(_SPEECH_NET, 0, _SPEECH) == (_T, _T, _F, _T)
    assert choices.remove_mask(_SPEECH_NET, _SPEECH) == (_T, _T, _T, _F, _F)
    inserted = Morph(edit=Insert(3, _spectral(21, 8, src2=0)))
    taken = choices.encode(_SPEECH_NET, inserted, _SPEECH)
    assert [(choice.head, option) for choice, option in taken[3:]] == [
        ("place", 3), ("op", 0), ("width_time", 2), ("width_freq", 1), ("units", 0), ("src2", 1),
    ]  # fmt: skip


def test_varying_insert():
    changed = morph.apply(_SPEECH_NET, Insert(0, _GATE), _SPEECH)
    assert changed.layers == (_GATE, _spectral(9, 24), _GATE, _spectral(3, 16, src2=2))
    with pytest.raises(morph.IllegalActionError, match=r"units must be one of .* got 12"):
        morph.apply(_SPEECH_NET, Insert(0, _spectral(9, 12)), _SPEECH)
    with pytest.raises(morph.IllegalActionError, match="units does not apply to gate, got 8"):
        morph.apply(_SPEECH_NET, Insert(0, _GATE.replace("units", 8)), _SPEECH)


def test_varying_remove():
    changed = morph.apply(_SPEECH_NET, Remove(1), _SPEECH)
    assert changed.layers == (_GATE, _spectral(3, 16, src2=0))


def test_varying_check_table():
    assert _SPEECH.check_table(3) == (0.25, 0.25, 0.25, 0.25)


def test_varying_cost_uses_the_own_rule():
    # Stem, then 9x3 on 4 channels to 24, then 3x3 on 24 to 16, both with bias; the skip from
    # output 1 (24 channels) is projected; 98x8 pixels throughout.
    params = (9 * 4 + 8) + (27 * 4 * 24 + 24) + (9 * 24 * 16 + 16) + (24 * 16 + 32) + (16 * 12 + 12)
    counted = cost(_SPEECH_NET, (98, 8, 1), 12, ops=_SPEECH.ops)
    assert counted.params == params == 6752
    weights = 36 + 2592 + 3456 + 384
    assert counted.flops == 2 * 784 * weights + 784 * 16 + 2 * 192 == 10_154_752


@pytest.mark.parametrize(("space", "spec"), [(_BENCH, _SIX), (_SPEECH, _SPEECH_NET)])
def test_networks_of_own_spaces_are_values_like_any(space, spec):
    space.check(spec)
    assert spec_from_json(spec.to_json()) == spec
    action = Morph((morph.scale_table(space)[1],))
    assert morph.from_dict(morph.to_dict(action), space) == action


# What is set may halve the map: setting one part may leave no halving for the next.

_HALVING_OPS = {"gate": OpDef(()), "half": OpDef((), halves=True)}
_HALVING = SearchSpace(
    "layerwise",
    (Field("op", ("gate", "half"), scaled=True),),
    max_items=4,
    parts=2,
    fixed_length=True,
    ops=_HALVING_OPS,
    image_size=(8, 8),
)
_GATES = LayerwiseSpec((LayerSpec("gate"),) * 4)


def test_setting_an_operation_counts_its_halvings():
    assert choices.scale_mask(_GATES, 0, _HALVING) == (_T, _F, _T)
    action = Morph((Scale(0, "op", to="half"),))
    taken = choices.encode(_GATES, action, _HALVING)
    # The two halvings went to part 1: part 2 may only be kept.
    assert [choice.mask for choice, _ in taken[:2]] == [(_T, _F, _T), (_T, _F, _F)]
    both = Morph((Scale(0, "op", to="half"), Scale(1, "op", to="half")))
    with pytest.raises(morph.IllegalActionError, match="may be halved 2 times, got 4"):
        morph.apply(_GATES, both, _HALVING)
