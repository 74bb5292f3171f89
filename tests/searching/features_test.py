"""Specs as index arrays, against arrays written down by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import randomness
from epnas_tf.architecture import initial
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec
from epnas_tf.searching import features

_LAYERS = layerwise_space((16, 16), max_layers=12)  # two halvings
_CELLS = module_space()
_OWN = SearchSpace(
    "layerwise",
    (Field("op", ("left", "right"), scaled=True), Field("gate", ("soft", "hard"))),
    max_items=3,
    fixed_length=True,
    ops={"left": OpDef(()), "right": OpDef(("gate",))},
)
_SPACES = {"layerwise": _LAYERS, "module": _CELLS, "own": _OWN}


def _conv(src2: int = -1) -> LayerSpec:
    return LayerSpec("conv2d", 3, None, 32, "relu", src2)


def test_sizes_are_the_choices_and_one_for_what_does_not_apply():
    # op 5, width 4, pool 2, channels 6, activation 5; sources: none, 0..8 back, far; 0..2 halvings.
    assert features.factor_sizes(_LAYERS) == (6, 5, 3, 7, 6, 11, 3)
    # op 7, width 4, pool 2, channels 5, two sources, propagate; a cell's operations never halve.
    assert features.factor_sizes(_CELLS) == (8, 5, 3, 6, 11, 11, 3, 1)
    assert features.factor_sizes(_OWN) == (3, 3, 1)


def test_the_factors_of_layers():
    spec = LayerwiseSpec(
        (
            LayerSpec("conv2d", 7, None, 16, "swish"),
            LayerSpec("avg_pool", pool=3),
            LayerSpec("dep_sep_conv2d", 1, None, 256, "relu", 0),
            LayerSpec("max_pool", pool=2),
            LayerSpec("add", src2=3),
        )
    )
    assert features.factors(spec, _LAYERS).tolist() == [
        # op, width, pool, channels, activation, src2, halvings so far
        [1, 4, 0, 1, 5, 0, 0],
        [4, 0, 2, 0, 0, 0, 1],
        [2, 1, 0, 6, 1, 3, 1],  # the stem's output lies two before its input, output 2
        [3, 0, 1, 0, 0, 0, 2],
        [5, 0, 0, 0, 0, 2, 2],  # output 3 lies one before its input
    ]


def test_the_factors_of_branches():
    spec = CellSpec(
        (
            BranchSpec("conv-none", 3, None, 8),
            BranchSpec("conv-maxpool", 5, 2, 32, 1, 0, 0),
            BranchSpec("1x7-7x1-none", None, None, 12, 0),
        )
    )
    assert features.factors(spec, _CELLS).tolist() == [
        # op, width, pool, channels, src1, src2, propagate, halvings
        [4, 2, 0, 1, 1, 0, 2, 0],
        [2, 3, 1, 5, 1, 2, 1, 0],  # src1 is the branch before, src2 one further back
        [7, 0, 0, 2, 3, 0, 2, 0],
    ]


def test_the_factors_of_an_own_space():
    spec = LayerwiseSpec(
        (LayerSpec("left"), LayerSpec("right", extra=(("gate", "hard"),)), LayerSpec("left"))
    )
    assert features.factors(spec, _OWN).tolist() == [[1, 0, 0], [2, 2, 0], [1, 0, 0]]


def test_sources_far_back_look_alike():
    spec = LayerwiseSpec((*[_conv()] * 9, _conv(0), _conv(0), _conv(2)))
    sources = features.factors(spec, _LAYERS)[:, 5].tolist()
    # Nine and ten back are both far; the last one's is nine back as well. Eight is the last apart.
    assert sources == [0] * 9 + [10, 10, 10]
    spec = LayerwiseSpec((*[_conv()] * 8, _conv(0)))
    assert features.factors(spec, _LAYERS)[-1, 5] == 9


@pytest.mark.parametrize("pattern", _SPACES)
@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_a_network_is_one_value_of_every_factor_of_every_item(pattern, seed):
    space = _SPACES[pattern]
    rng = randomness.generator(seed, "test")
    specs = [initial.random_spec(space, rng) for _ in range(3)]
    sizes = features.factor_sizes(space)
    hot, mask = features.multi_hot(specs, space)
    assert (hot.dtype, mask.dtype) == (np.float32, bool)
    assert hot.shape == (3, space.max_items, sum(sizes))
    groups = np.split(hot, np.cumsum(sizes)[:-1], axis=2)
    for row, spec in enumerate(specs):
        length = len(spec.items)
        values = features.factors(spec, space)
        assert values.shape == (length, len(sizes))
        assert mask[row].tolist() == [True] * length + [False] * (space.max_items - length)
        for factor, group in enumerate(groups):
            assert (group[row, :length].sum(axis=1) == 1).all()
            assert (group[row, :length].argmax(axis=1) == values[:, factor]).all()
        assert not hot[row, length:].any()


def test_networks_with_other_fields_look_different():
    rng = randomness.generator(0, "test")
    specs = {initial.random_spec(_LAYERS, rng, max_items=6) for _ in range(300)}
    # Up to six layers no source is far, so that nothing is lost.
    assert len({features.factors(spec, _LAYERS).tobytes() for spec in specs}) == len(specs)
