"""best.json: the best network comes back, and another format is refused in a sentence."""

import dataclasses
import json

import pytest

from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.gain import Gain
from epnas_tf.workdir import best_json, storage
from epnas_tf.workdir.best_json import Best
from epnas_tf.workdir.layout import WorkDir

_BEST = Best(
    "e01s02b3",
    LayerwiseSpec((LayerSpec("conv2d", 3, None, 8, "relu"),), stem_filters=4),
    validation_accuracy=0.95,
    reward=0.1 / 3,
    feasible=True,
    uses={"params": 438.0, "flops": 42144.0, "intensity": 42144 / 8160, "traffic": 8160.0},
    constraints=(Constraint("params", upper=20_000.0),),
)


@pytest.mark.parametrize("test_accuracy", [None, 0.9512])
def test_the_best_network_comes_back(tmp_path, test_accuracy):
    work_dir = WorkDir(str(tmp_path))
    assert best_json.read(work_dir) is None
    best = dataclasses.replace(_BEST, test_accuracy=test_accuracy)
    best_json.write(work_dir, best)
    assert best_json.read(work_dir) == best
    stored = json.loads(storage.read_text(work_dir.best))
    assert ("test_accuracy" in stored) == (test_accuracy is not None)
    assert list(stored["cost"]) == ["params", "flops", "traffic_bytes", "intensity"]
    assert {type(stored["cost"][name]) for name in ("params", "flops", "traffic_bytes")} == {int}


def test_it_says_rung_and_epochs(tmp_path):
    work_dir = WorkDir(str(tmp_path))
    best = dataclasses.replace(_BEST, slot="e01s02b3r2", rung=2, epochs=27)
    best_json.write(work_dir, best)
    assert best_json.read(work_dir) == best
    stored = json.loads(storage.read_text(work_dir.best))
    assert (stored["slot"], stored["rung"], stored["epochs"]) == ("e01s02b3r2", 2, 27)


def test_what_is_known_class_by_class_comes_back(tmp_path):
    work_dir = WorkDir(str(tmp_path))
    shares = {"validation": {"cat": 1.0, "0": 0.0}, "test": {"cat": 0.5, "0": 0.25}}
    more = {"balanced_accuracy": 0.5, "per_class_accuracy": shares, "largest_class": 0.9}
    best = dataclasses.replace(_BEST, **more)
    best_json.write(work_dir, best)
    assert best_json.read(work_dir) == best
    assert not more.keys() & _BEST.to_dict().keys()
    stored = best.to_dict()
    wrongs = ({"per_class_accuracy": [0.5]}, {"per_class_accuracy": {"test": {"0": "x"}}})
    for wrong in (*wrongs, {"largest_class": None}, {"balanced_accuracy": "0.5"}):
        storage.write_atomic(work_dir.best, json.dumps(stored | wrong))
        with pytest.raises(ValueError, match=r"best\.json is corrupt or not written by this"):
            best_json.read(work_dir)


def test_another_format_is_refused_in_a_sentence(tmp_path):
    work_dir = WorkDir(str(tmp_path))
    storage.write_atomic(work_dir.best, json.dumps(_BEST.to_dict() | {"format": 7}))
    with pytest.raises(ValueError, match=r"best\.json must have format 1, got 7: another version"):
        best_json.read(work_dir)


@pytest.mark.parametrize("ends", [(0.7, 3.5), (None, None)])
def test_the_gain_comes_back(tmp_path, ends):
    work_dir = WorkDir(str(tmp_path))
    gain = Gain("e01s02b3", "e01s00b0", 2.1, *ends, "seeds and images", 2, 4)
    best = dataclasses.replace(_BEST, gain=gain)
    best_json.write(work_dir, best)
    assert best_json.read(work_dir) == best
    assert "gain" not in _BEST.to_dict()
    stored = best.to_dict()
    wrongs = ({"over": "x"}, {"points": "2"}, {"low": []}, {"basis": "luck"}, {"start_is_best": 1})
    for wrong in wrongs:
        storage.write_atomic(work_dir.best, json.dumps(stored | {"gain": stored["gain"] | wrong}))
        with pytest.raises(ValueError, match=r"best\.json is corrupt or not written by this"):
            best_json.read(work_dir)
    storage.write_atomic(work_dir.best, json.dumps(stored | {"gain": None}))
    with pytest.raises(ValueError, match=r"best\.json is corrupt or not written by this"):
        best_json.read(work_dir)
