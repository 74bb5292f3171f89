"""result.json comes back as it was written, and what is none is named."""

import dataclasses
import json

import pytest

from epnas_tf.architecture.cost import cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.final import result
from epnas_tf.final.result import FinalResult, TrainedData
from epnas_tf.untrusted import FormatError
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir

_SPEC = LayerwiseSpec((LayerSpec("conv2d", 1, channels=4, activation="relu"),), 4)


def made(folder: str = "", **changes) -> FinalResult:
    """Returns a result that nothing was trained for."""
    found = FinalResult(
        slot="e01s03b2r2",
        spec=_SPEC,
        recipe="default",
        seed=3,
        epochs=100,
        costs=cost(_SPEC, (8, 8, 1), 2),
        measured_on="test",
        images=400,
        accuracy=0.875,
        interval=(0.84, 0.9),
        per_class={"cat": 0.9, "dog": 0.85},
        validation_accuracy=None,
        data=TrainedData("pets", (8, 8, 1), 255.0, (0.5,), (0.25,), ("cat", "dog"), 900, "ab" * 8),
        limits=(Constraint("params", upper=1e5),),
        command="epnas_retrain --work_dir=w",
        versions={"keras": "3"},
        seconds=12.5,
        finished="2026-01-01T00:00:00+00:00",
        folder=folder,
    )
    return dataclasses.replace(found, **changes)


@pytest.mark.parametrize("changes", [{}, {"slot": None, "validation_accuracy": 0.5, "limits": ()}])
def test_a_result_comes_back_as_it_was(tmp_path, changes):
    stored = made(str(tmp_path), **changes)
    result.write(stored)
    assert result.read(str(tmp_path)) == stored
    values = json.loads((tmp_path / "result.json").read_text())
    assert values["format"] == 1
    assert values["spec"] == _SPEC.to_dict()
    assert set(values["costs"]) == {"params", "flops", "intensity", "traffic_bytes"}
    assert values["costs"]["intensity"] == pytest.approx(stored.costs.intensity)
    assert stored.model_file == f"{tmp_path}/model.keras"


def test_what_is_no_result_is_named(tmp_path):
    with pytest.raises(ValueError, match="must hold a final training that has ended, got no"):
        result.read(str(tmp_path))
    result.write(made(str(tmp_path)))
    path = tmp_path / "result.json"
    values = json.loads(path.read_text())
    wrong = {
        **{"accuracy": "high", "interval": [1], "costs": {}, "slot": "first", "spec": {}},
        **{"limits": [{"metric": "time"}], "data": values["data"] | {"std": [0]}, "seed": None},
    }
    for name, value in wrong.items():
        path.write_text(json.dumps(values | {name: value}))
        with pytest.raises(ValueError, match=r"result\.json is corrupt or not written by"):
            result.read(str(tmp_path))
    path.write_text(json.dumps(values | {"format": 2}))
    with pytest.raises(FormatError, match="must have format 1, got 2"):
        result.read(str(tmp_path))


def test_the_results_of_a_search_come_latest_first(tmp_path):
    work_dir = WorkDir(str(tmp_path))
    assert result.of_search(work_dir.path) == []
    for name, day in (("a", 2), ("b", 3), ("c", 1)):
        folder = work_dir.final_dir(name).path
        result.write(made(folder, finished=f"2026-01-0{day}T00:00:00+00:00"))
    storage.write_atomic(work_dir.final_dir("unfinished").flags, "--seed=1\n")
    names = [each.folder.rpartition("/")[2] for each in result.of_search(work_dir.path)]
    assert names == ["b", "a", "c"]
