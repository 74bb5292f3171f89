"""result.json comes back as it was written, and what is none is named."""

import json

import pytest

from epnas_tf.final import result
from epnas_tf.untrusted import FormatError
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir
from tests.final.results import made


@pytest.mark.parametrize("changes", [{}, {"slot": None, "validation_accuracy": 0.5, "limits": ()}])
def test_a_result_comes_back_as_it_was(tmp_path, changes):
    stored = made(str(tmp_path), **changes)
    result.write(stored)
    assert result.read(str(tmp_path)) == stored
    values = json.loads((tmp_path / "result.json").read_text())
    assert values["format"] == 1
    assert values["spec"] == made().spec.to_dict()
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
