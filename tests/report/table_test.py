"""The table of the best networks, from golden files of a work_dir."""

from __future__ import annotations

import dataclasses
import json

import pytest

from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.report import table
from epnas_tf.searching import trials
from epnas_tf.workdir import best_json, storage, trials_csv
from epnas_tf.workdir.best_json import Best
from epnas_tf.workdir.layout import WorkDir

_TRIALS = """\
slot,attempt,trial_id,episode,step,branch,parent,action,spec_key,accuracy,reward,params,flops,\
intensity,traffic_bytes,feasible,status,seconds,overhead_seconds,worker,reused,inherited,reason,\
rung,epochs,wave
e01s00b0,1,0000,1,0,0,,start,aa,0.950000,0.950000,12345,2500000,10.417,240000,1,trained,9,1,tuner0,,0,,0,3,
e01s00b1,1,0001,1,0,1,,start,bb,0.990000,0.970000,25000,5000000,10.000,500000,0,trained,9,1,tuner0,,0,,0,3,
e01s01b0,2,0003,1,1,0,e01s00b0,keep,aa,0.950000,0.950000,12345,2500000,10.417,240000,1,trained,\
9,1,tuner0,,0,,0,3,
e01s01b1,1,0002,1,1,1,e01s00b1,keep,bb,0.100000,0.090000,99000,9000000,9.000,1000000,0,over_limits,\
0,1,tuner0,,0,,0,3,
e02s10b0,1,0004,2,10,0,e01s00b0,keep,cc,0.960000,0.960000,940,25000,1.000,25000,1,trained,9,1,tuner0,,0,,0,3,
"""

_GOLDEN = """\
3 networks trained, 2 of them within the limits
rank      slot  accuracy  reward  params  FLOPs  FLOPs/B  traffic  feasible
   1  e02s10b0    0.9600  0.9600     940    25k      1.0     25kB       yes
   2  e01s00b0    0.9500  0.9500   12.3k   2.5M     10.4    240kB       yes"""

_SPEC = LayerwiseSpec((LayerSpec("conv2d", 3, None, 8, "relu"),), stem_filters=4)


@pytest.fixture(name="work_dir")
def _work_dir(tmp_path) -> WorkDir:
    files = WorkDir(str(tmp_path / "search"))
    storage.write_atomic(files.trials_csv, _TRIALS)
    return files


def test_the_table_is_as_written_down(work_dir):
    assert table.render(work_dir.path) == _GOLDEN


def test_top_cuts_the_table_and_not_the_count(work_dir):
    assert table.render(work_dir.path, top=1).splitlines() == _GOLDEN.splitlines()[:3]


def test_a_network_is_listed_once_at_its_best(work_dir):
    # In the file the earlier slot comes last.
    lines = _TRIALS.splitlines(keepends=True)
    storage.write_atomic(work_dir.trials_csv, "".join(lines[:1] + lines[:0:-1]))
    assert table.render(work_dir.path) == _GOLDEN
    best = trials.ranked(trials_csv.read(work_dir))
    assert [row.slot.name for row in best] == ["e02s10b0", "e01s00b0", "e01s00b1"]


def test_where_no_network_keeps_the_limits_the_nearest_are_listed(work_dir):
    storage.write_atomic(work_dir.trials_csv, _TRIALS.replace(",1,trained,", ",0,trained,"))
    lines = table.render(work_dir.path).splitlines()
    assert lines[0] == "3 networks trained, 0 of them within the limits"
    assert [line.split()[1] for line in lines[2:]] == ["e01s00b1", "e02s10b0", "e01s00b0"]


def test_the_best_network_is_named_below(work_dir):
    best = Best("e02s10b0", _SPEC, 0.96, 0.96, True, dict.fromkeys(RESOURCES, 1.0), ())
    best_json.write(work_dir, best)
    lines = table.render(work_dir.path).splitlines()
    assert lines[-2] == "best: e02s10b0, validation accuracy 0.9600"
    assert lines[-1] == f"network: {_SPEC.to_json()}"
    best_json.write(work_dir, dataclasses.replace(best, test_accuracy=0.9512))
    lines = table.render(work_dir.path).splitlines()
    assert lines[-2] == "best: e02s10b0, validation accuracy 0.9600, test accuracy 0.9512"


def test_balanced_accuracy_stands_beside_the_plain_one(work_dir):
    balanced = {"e01s00b0": ",0.900000", "e01s00b1": ",0.800000", "e02s10b0": ",0.500000"}
    lines = storage.read_text(work_dir.trials_csv).splitlines()
    lines = [line + balanced.get(line[:8], ",0.100000") for line in lines[1:]]
    header = _TRIALS.splitlines()[0] + ",balanced_accuracy"
    storage.write_atomic(work_dir.trials_csv, "\n".join([header, *lines, ""]))
    shown = table.render(work_dir.path).splitlines()
    assert [line.split()[2:5] for line in shown[1:]] == [
        *(["accuracy", "balanced", "reward"], ["0.9600", "0.5000", "0.9600"]),
        ["0.9500", "0.9000", "0.9500"],
    ]
    best = Best("e02s10b0", _SPEC, 0.96, 0.5, True, dict.fromkeys(RESOURCES, 1.0), ())
    shares = {"validation": {"0": 1.0, "1": 0.0}, "test": {"0": 1.0, "1": 0.5}}
    more = {"balanced_accuracy": 0.5, "per_class_accuracy": shares, "largest_class": 0.96}
    best_json.write(work_dir, dataclasses.replace(best, test_accuracy=0.98, **more))
    assert table.render(work_dir.path).splitlines()[-5:-1] == [
        "best: e02s10b0, validation accuracy 0.9600 (balanced 0.5000, largest class 0.96), "
        "test accuracy 0.9800 (balanced 0.7500)",
        "validation accuracy per class: 0 1.0000, 1 0.0000",
        "test accuracy per class: 0 1.0000, 1 0.5000",
        "warning: the best network recognises no validation image of class 1: "
        "--objective=balanced_accuracy and --class_weight=balanced let small classes count as much "
        "as large ones",
    ]


def test_what_rose_stands_first_and_says_its_epochs(work_dir):
    risen = "e01s00b0r1,1,0005,1,0,0,,,aa,0.930000,0.930000,12345,2500000,10.417,240000,1,trained,"
    risen += "9,1,tuner0,,0,,1,9,4\n"
    storage.write_atomic(work_dir.trials_csv, _TRIALS + risen)
    shown = table.render(work_dir.path).splitlines()
    assert shown[0] == "3 networks trained, 2 of them within the limits"
    assert [line.split()[1:4] for line in shown[1:]] == [
        *(["slot", "epochs", "accuracy"], ["e01s00b0r1", "9", "0.9300"]),
        ["e02s10b0", "3", "0.9600"],
    ]
    uses = dict.fromkeys(RESOURCES, 1.0)
    best = Best("e01s00b0r1", _SPEC, 0.93, 0.93, True, uses, (), rung=1, epochs=9)
    best_json.write(work_dir, dataclasses.replace(best, test_accuracy=0.9))
    line = table.render(work_dir.path).splitlines()[-2]
    assert line == (
        "best: e01s00b0r1, validation accuracy 0.9300 after 9 epochs, test accuracy 0.9000"
    )


def test_a_search_that_trained_nothing_has_an_empty_table(work_dir):
    storage.write_atomic(work_dir.trials_csv, _TRIALS.replace(",trained,", ",failed,"))
    lines = table.render(work_dir.path).splitlines()
    assert lines[0] == "0 networks trained, 0 of them within the limits"
    assert len(lines) == 2


def test_a_folder_without_a_search_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match=f"no search has finished a trial in {tmp_path}"):
        table.render(str(tmp_path))


@pytest.mark.parametrize(
    "changes",
    [
        {"validation_accuracy": 10**400},
        {"validation_accuracy": "0.9"},
        {"test_accuracy": []},
        {"slot": "\ud800"},
        {"slot": "\x1b[2J"},
        {"slot": ["e02s10b0"]},
        {"spec": None},
        {"spec": {}},
    ],
)
def test_a_best_network_that_cannot_be_told_is_named(work_dir, changes):
    best = Best("e02s10b0", _SPEC, 0.96, 0.96, True, dict.fromkeys(RESOURCES, 1.0), ())
    storage.write_atomic(work_dir.best, json.dumps(best.to_dict() | changes))
    with pytest.raises(ValueError, match=r"best\.json is corrupt or not written by this search"):
        table.render(work_dir.path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("slot,attempt", "attempt,attempt"),
        ("e02s10b0,", "e02\x1b[2J,"),
        (",25000,1.000,25000,1,trained,", ",1e999x,1.000,25000,1,trained,"),
        ("spec_key", "other"),
        ("cc,0.96", f"{'c' * 200_000},0.96"),
    ],
)
def test_trials_that_cannot_be_told_are_named(work_dir, old, new):
    assert old in _TRIALS
    storage.write_atomic(work_dir.trials_csv, _TRIALS.replace(old, new))
    with pytest.raises(ValueError, match=r"trials\.csv is corrupt or not written by this search"):
        table.render(work_dir.path)
