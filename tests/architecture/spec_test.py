"""Specs are frozen values with canonical JSON; their keys may never change."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from epnas_tf.architecture.spec import (
    BranchSpec,
    CellSpec,
    LayerSpec,
    LayerwiseSpec,
    spec_from_dict,
    spec_from_json,
)

_CONV = LayerSpec("conv2d", width=3, channels=32, activation="relu")
_BRANCH = BranchSpec("conv-none", width=3, channels=8)

# A key names stored networks, weights and results: a line here may be added, never changed.
_KEYS = [
    (LayerwiseSpec((_CONV,)), "00d382e0d572ac7f"),
    (LayerwiseSpec((_CONV,), stem_filters=24), "cc1c2d0253beb778"),
    (LayerwiseSpec((_CONV, dataclasses.replace(_CONV, src2=0))), "fc99e538c86a18a0"),
    (LayerwiseSpec((LayerSpec("dep_sep_conv2d", 7, None, 256, "crelu"),)), "8a9575e4698e123b"),
    (
        LayerwiseSpec((LayerSpec("max_pool", pool=2), LayerSpec("avg_pool", pool=3))),
        "a9ef4b01bda7f9c5",
    ),
    (LayerwiseSpec((_CONV, LayerSpec("add", src2=0))), "3a3d6244df4dd56b"),
    (
        LayerwiseSpec((LayerSpec("gru", extra=(("units", 64), ("gate", "hard"))),)),
        "70f1e73c4b38f7e0",
    ),
    (
        LayerwiseSpec((LayerSpec("conv2d", channels=8, extra=(("width_time", 9),)),)),
        "0a2f217a9ff71b63",
    ),
    (CellSpec((_BRANCH,)), "6899b0dcef91211c"),
    (CellSpec((_BRANCH,), filters=32, cells_per_stage=4, width_multiplier=1.5), "b3ad5baa648a2166"),
    (CellSpec((_BRANCH, BranchSpec("conv-maxpool", 5, 2, 24, 0, 1, 0))), "367895d906191893"),
    (
        CellSpec(
            (BranchSpec("1x7-7x1-none", channels=12), BranchSpec("conv-conv", 1, None, 8, 1, 0))
        ),
        "62222dcc118a3413",
    ),
]
_SPECS = [spec for spec, _ in _KEYS]


@pytest.mark.parametrize(("spec", "key"), _KEYS)
def test_keys_never_change(spec, key):
    assert spec.key == key


@pytest.mark.parametrize("spec", _SPECS)
def test_json_round_trips_to_an_equal_spec(spec):
    again = spec_from_json(spec.to_json())
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.key == spec.key
    assert spec_from_dict(spec.to_dict()) == spec


def test_canonical_json_is_sorted_compact_and_leaves_defaults_out():
    assert LayerwiseSpec((_CONV,)).to_json() == (
        '{"layers":[{"activation":"relu","channels":32,"op":"conv2d","width":3}],'
        '"pattern":"layerwise"}'
    )
    assert CellSpec((BranchSpec("conv-conv", 3, None, 8, src2=0, propagate=0),), 24).to_json() == (
        '{"branches":[{"channels":8,"op":"conv-conv","propagate":0,"src2":0,"width":3}],'
        '"filters":24,"pattern":"module"}'
    )


def test_own_fields_stand_beside_the_others_in_any_order_given():
    one = LayerSpec("gru", extra=(("units", 64), ("gate", "hard")))
    other = LayerSpec("gru", extra=(("gate", "hard"), ("units", 64)))
    assert one == other
    assert one.to_dict() == {"op": "gru", "gate": "hard", "units": 64}
    assert (one.get("units"), one.get("absent")) == (64, None)
    assert one.replace("units", 32).extra == (("gate", "hard"), ("units", 32))
    assert LayerSpec("gru").replace("units", 8).extra == (("units", 8),)


def test_specs_are_frozen_and_hashable():
    layerwise, cell = LayerwiseSpec((_CONV,)), CellSpec((_BRANCH,))
    for value, name in [
        (_CONV, "width"),
        (_BRANCH, "width"),
        (layerwise, "layers"),
        (cell, "filters"),
    ]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, 1)
    assert len({layerwise, LayerwiseSpec((_CONV,)), cell, CellSpec((_BRANCH,))}) == 2
    assert BranchSpec("x") != LayerSpec("x")


_LOOK_UP = """
import pickle, sys
from epnas_tf.architecture.spec import spec_from_json
known = {spec_from_json(sys.argv[1]): True}
print(known.get(pickle.loads(bytes.fromhex(sys.argv[2]))))
"""


@pytest.mark.parametrize("spec", [_SPECS[0], _SPECS[-1]], ids=["layerwise", "module"])
def test_a_spec_is_found_again_in_a_process_that_hashes_text_otherwise(spec):
    hash(spec)  # made and kept before the copy is
    command = [sys.executable, "-c", _LOOK_UP, spec.to_json(), pickle.dumps(spec).hex()]
    for seed in "01":
        other = os.environ | {"PYTHONHASHSEED": seed}
        found = subprocess.run(command, env=other, capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "True"


def test_numpy_and_whole_float_sizes_become_python_ints():
    layer = LayerSpec("x", np.int64(3), None, np.float64(16), extra=(("units", np.int32(8)),))
    branch = BranchSpec("conv-conv", src1=np.int64(0), src2=np.uint8(0), propagate=np.int8(1))
    spec = LayerwiseSpec([layer], stem_filters=np.int64(8))
    cell = CellSpec([branch], np.int64(8), np.int64(2), np.float32(1.5))
    sizes = [layer.width, layer.channels, layer.get("units"), branch.src1, branch.src2]
    sizes += [branch.propagate, spec.stem_filters, cell.filters, cell.cells_per_stage]
    assert {type(size) for size in sizes} == {int}
    assert type(cell.width_multiplier) is float
    assert (type(spec.layers), type(cell.branches)) == (tuple, tuple)
    assert spec_from_json(spec.to_json()) == spec
    assert spec_from_json(cell.to_json()) == cell


def test_items_are_shared_by_both_patterns():
    spec, cell = LayerwiseSpec((_CONV,), 24), CellSpec((_BRANCH,), 24, 2, 1.5)
    assert (spec.items, cell.items) == ((_CONV,), (_BRANCH,))
    assert spec.with_items((_CONV, _CONV)) == LayerwiseSpec((_CONV, _CONV), 24)
    assert cell.with_items((_BRANCH, _BRANCH)) == CellSpec((_BRANCH, _BRANCH), 24, 2, 1.5)
    assert _BRANCH.get("src1") == 0
    assert _BRANCH.replace("width", 5) == BranchSpec("conv-none", width=5, channels=8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LayerSpec("x", width=0), "width must be a whole number of at least 1, got 0"),
        (lambda: LayerSpec("x", channels=1.5), "channels must be .* at least 1, got 1.5"),
        (lambda: LayerSpec("x", pool="two"), "pool must be .* at least 1, got 'two'"),
        (lambda: LayerSpec("x", width=True), "width must be .* got True"),
        (lambda: LayerSpec("x", width=float("nan")), "width must be .* got nan"),
        (lambda: LayerSpec("x", src2=-2), "src2 must be a whole number of at least -1, got -2"),
        (lambda: LayerSpec("x", src2=None), "src2 must be .* got None"),
        (lambda: LayerSpec("x", extra=(("width", 3),)), r"names in extra .* got \['width'\]"),
        (lambda: LayerSpec("x", extra=(("extra", 3),)), r"names in extra .* got \['extra'\]"),
        (lambda: LayerSpec("x", extra=(("a", 3), ("a", 4))), r"names in extra .*\['a', 'a'\]"),
        (lambda: LayerSpec("x", extra=(("a", 0.5),)), "a must be a whole number or text, got 0.5"),
        (lambda: BranchSpec("x", src1=-1), "src1 must be .* at least 0, got -1"),
        (lambda: BranchSpec("x", src1=None), "src1 must be .* got None"),
        (lambda: BranchSpec("x", propagate=2), "propagate must be 0 or 1, got 2"),
        (lambda: BranchSpec("x", propagate=None), "propagate must be .* got None"),
        (lambda: LayerwiseSpec(()), "must have at least one layer, got none"),
        (lambda: LayerwiseSpec((_CONV,), 0), "stem_filters must be .* got 0"),
        (
            lambda: LayerwiseSpec((dataclasses.replace(_CONV, src2=1),)),
            "src2 of layer 1 must be below its own index, got 1",
        ),
        (lambda: CellSpec(()), "must have at least one branch, got none"),
        (lambda: CellSpec((_BRANCH,), cells_per_stage=0), "cells_per_stage must be .* got 0"),
        (lambda: CellSpec((_BRANCH,), width_multiplier=0), "width_multiplier .* got 0"),
        (
            lambda: CellSpec((_BRANCH, dataclasses.replace(_BRANCH, src1=2))),
            "src1 of branch 2 must be below its own index, got 2",
        ),
        (
            lambda: CellSpec((BranchSpec("conv-conv", src2=1),)),
            "src2 of branch 1 must be below its own index, got 1",
        ),
    ],
)
def test_what_is_no_network_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], r"JSON must be an object, got '\[1\]'"),
        ({"pattern": "graph"}, "pattern must be 'layerwise' or 'module', got 'graph'"),
        ({"layers": []}, "pattern must be .* got None"),
        ({"pattern": "layerwise"}, "not a layerwise network: KeyError"),
        ({"pattern": "layerwise", "layers": [{}]}, "not a layerwise network: TypeError"),
        ({"pattern": "layerwise", "layers": [3]}, "not a layerwise network: AttributeError"),
        ({"pattern": "module", "branches": [{"op": "x", "units": 3}]}, "'units'"),
        ({"pattern": "module", "branches": [{"op": "x"}], "stem": 3}, "'stem'"),
    ],
)
def test_json_of_no_network_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        spec_from_json(json.dumps(values))


def test_broken_json_is_refused():
    with pytest.raises(ValueError, match="Expecting"):
        spec_from_json('{"pattern": ')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"pattern":"layerwise","layers":[{"op":["conv2d"]}]}', "op must be text"),
        ('{"pattern":"layerwise","layers":[{"op":"x","activation":{}}]}', "activation must be"),
        ('{"pattern":"layerwise","layers":[{"op":"x","width":1000001}]}', "at most 1000000"),
        ('{"pattern":"layerwise","layers":[{"op":"x","own":1e99}]}', "own must be a whole number"),
        ('{"pattern":"module","branches":[{"op":"x"}],"width_multiplier":1e999}', "finite"),
        ('{"pattern":"module","branches":[{"op":"x"}],"width_multiplier":1e9}', "at most"),
        ('{"pattern":"module","branches":[{"op":"x"}],"filters":' + "9" * 4000 + "}", "at most"),
        ('{"pattern":"layerwise","layers":[' + '{"op":"x"},' * 1000 + '{"op":"x"}]}', "1000 items"),
        ("[" * 100_000, "deep"),
    ],
)
def test_what_no_network_could_be_is_refused_before_it_is_built(text, message):
    with pytest.raises(ValueError, match=message):
        spec_from_json(text)
