"""Files of networks: the forms they may have, and what is said of any other."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec
from epnas_tf.untrusted import FormatError
from epnas_tf.workdir import best_json, specs_file, storage

_LAYERS = LayerwiseSpec((LayerSpec("conv2d", width=3, channels=8, activation="relu"),))
_CELL = CellSpec((BranchSpec("maxpool-none", pool=2),), cells_per_stage=2)
_FIRST, _SECOND = _LAYERS.to_dict(), _CELL.to_dict()


def _read(folder, text):
    path = f"{folder}/starts.json"
    storage.write_atomic(path, text)
    return specs_file.read(path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (json.dumps([_FIRST, _SECOND, _FIRST]), (_LAYERS, _CELL, _LAYERS)),
        (json.dumps([_FIRST, _SECOND], indent=2), (_LAYERS, _CELL)),
        (json.dumps(_SECOND), (_CELL,)),
        (json.dumps(_SECOND, indent=2), (_CELL,)),
        (f"{json.dumps(_FIRST)}\n\n  {json.dumps(_SECOND)}\r\n", (_LAYERS, _CELL)),
    ],
)
def test_a_list_a_network_and_a_network_per_line_are_read(folder, text, found):
    assert _read(folder, text) == found


def test_the_network_of_a_best_json_is_read(tmp_path):
    best = {"format": best_json.FORMAT, "slot": "e01s00b0", "spec": _FIRST, "reward": 0.5}
    assert _read(tmp_path, json.dumps(best, indent=2)) == (_LAYERS,)
    with pytest.raises(FormatError, match="must have format 1, got 2: another version"):
        _read(tmp_path, json.dumps(best | {"format": 2}))
    with pytest.raises(ValueError, match="network 1 of 1: a network must be a JSON object, got 3"):
        _read(tmp_path, json.dumps(best | {"spec": 3}))


@pytest.mark.parametrize("text", ["", "\n \n", "[]"])
def test_a_file_without_a_network_is_told_what_is_wanted(tmp_path, text):
    message = "it must hold a list of networks, a network, a network per line, or the best.json"
    with pytest.raises(ValueError, match=f"{message}.*, got no network"):
        _read(tmp_path, text)


@pytest.mark.parametrize(
    "text", ["conv2d", f"{json.dumps(_FIRST)}\n{{", '[{"pattern":', "\ufeff[]"]
)
def test_what_is_no_json_is_told_what_is_wanted(tmp_path, text):
    with pytest.raises(ValueError, match=r"it must hold a list .*, got no JSON: "):
        _read(tmp_path, text)


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ({"pattern": "x"}, "pattern must be 'layerwise' or 'module', got 'x'"),
        ({"pattern": "layerwise", "layers": []}, "a network must have at least one layer"),
        ({"pattern": "layerwise", "layers": [{}]}, "not a layerwise network"),
        ({"pattern": "module", "branches": [{"op": "a", "channels": 1e7}]}, "at most 1000000"),
        ([_FIRST], "a network must be a JSON object"),
        ("conv2d", "a network must be a JSON object, got 'conv2d'"),
        (None, "a network must be a JSON object, got None"),
    ],
)
def test_a_wrong_network_is_named_with_its_rule(tmp_path, entry, rule):
    with pytest.raises(ValueError, match=f"network 2 of 3: .*{rule}"):
        _read(tmp_path, json.dumps([_FIRST, entry, _FIRST]))


@pytest.mark.parametrize(
    "text",
    [
        *('[{"pattern": NaN}]', "[" * 100_000, f"[{'[' * 40}{']' * 40}]", "1" * 10_000, "\xff"),
        *(f'{json.dumps(_FIRST)}\n{{"x": 1e999}}', f"{json.dumps(_FIRST)}\n{'[' * 5000}", '"x"'),
        json.dumps([_FIRST | {"layers": _FIRST["layers"] * 2000}]),
        json.dumps({"pattern": "layerwise", "layers": [{"op": "x" * 10**6, "width": -1}]}),
        json.dumps({"pattern": "layerwise", "layers": [{"op": ["x" * 10**6]}]}),
    ],
)
def test_hostile_json_is_refused_in_few_words(tmp_path, text):
    with pytest.raises(ValueError, match=r".") as caught:
        _read(tmp_path, text)
    assert len(str(caught.value)) < 700


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    st.binary() | st.text(st.sampled_from('{}[]",:0123456789.eE-+ layerspattern\n')).map(str.encode)
)
def test_any_bytes_give_networks_or_a_value_error(tmp_path_factory, data):
    path = f"{tmp_path_factory.getbasetemp()}/any.json"
    with open(path, "wb") as file:
        file.write(data)
    with contextlib.suppress(ValueError):
        assert specs_file.read(path)


def test_a_file_that_is_not_there_is_an_error_of_the_disk(tmp_path):
    with pytest.raises(FileNotFoundError):
        specs_file.read(f"{tmp_path}/none.json")
