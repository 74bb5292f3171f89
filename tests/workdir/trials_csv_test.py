"""trials.csv: rows come back from their lines, and what is none is named."""

import dataclasses

import pytest

from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.searching.trials import Slot, ranked
from epnas_tf.workdir import storage, trials_csv
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.trials_csv import COLUMNS, Row

_ROW = Row(
    slot=Slot(1, 2, 3),
    spec_key="ab",
    accuracy=0.5,
    reward=0.1 / 3,
    uses={"params": 438.0, "flops": 42144.0, "intensity": 5.165, "traffic": 8160.0},
    feasible=True,
    status="trained",
    seconds=1.5,
    overhead_seconds=0.25,
    attempt=2,
    trial_id="0007",
    parent="e01s01b3",
    action="keep; a, b",
    worker="tuner0",
    inherited=0.25,
)


def test_rows_come_back_from_their_lines(tmp_path):
    work_dir = WorkDir(str(tmp_path))
    rows = [_ROW, dataclasses.replace(_ROW, slot=Slot(2, 0, 0), feasible=False, reason="no room")]
    trials_csv.write(work_dir, rows)
    assert trials_csv.read(work_dir) == rows
    assert storage.read_text(work_dir.trials_csv).splitlines()[0] == ",".join(COLUMNS)


def test_the_columns_of_rungs_follow_those_that_were_there_before(tmp_path):
    assert COLUMNS[-4:] == ("reason", "rung", "epochs", "wave")
    work_dir = WorkDir(str(tmp_path))
    own = dataclasses.replace(_ROW, epochs=3)
    rows = [
        own,
        dataclasses.replace(own, slot=Slot(1, 2, 3, rung=1), epochs=9, wave=7),
        dataclasses.replace(own, slot=Slot(1, 2, 3, rung=1, measurement=1), epochs=9),
        dataclasses.replace(own, slot=Slot(1, 2, 4, rung=1), epochs=9, wave=0),
    ]
    trials_csv.write(work_dir, rows)
    assert trials_csv.read(work_dir) == rows
    lines = storage.read_text(work_dir.trials_csv).splitlines()[1:]
    assert [line.split(",")[-3:] for line in lines] == [
        *(["0", "3", ""], ["1", "9", "7"], ["1", "9", ""], ["1", "9", "0"])
    ]


def test_balanced_accuracy_has_a_further_column_where_networks_are_compared_by_it(tmp_path):
    work_dir = WorkDir(str(tmp_path))
    rows = [dataclasses.replace(_ROW, balanced_accuracy=0.25)]
    trials_csv.write(work_dir, rows)
    assert trials_csv.read(work_dir) == rows
    header, line = storage.read_text(work_dir.trials_csv).splitlines()
    assert header == ",".join(COLUMNS) + ",balanced_accuracy"
    assert line.endswith(",0.250000")


def test_every_resource_has_its_column():
    assert [resource.column for resource in RESOURCES.values()] == [
        *("params", "flops", "intensity", "traffic_bytes")
    ]
    assert {resource.column for resource in RESOURCES.values()} < set(COLUMNS)


def test_rows_are_ranked_as_trials_are():
    better = dataclasses.replace(_ROW, spec_key="cd", reward=0.9, slot=Slot(1, 3, 0))
    broken = dataclasses.replace(_ROW, spec_key="ef", reward=1.0, feasible=False)
    failed = dataclasses.replace(_ROW, spec_key="gh", status="failed")
    assert ranked([failed, broken, _ROW, better]) == [better, _ROW, broken]


def test_without_a_file_the_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=f"no search has finished a trial in {tmp_path}"):
        trials_csv.read(WorkDir(str(tmp_path)))


@pytest.mark.parametrize("column", ["slot", "accuracy", "reward", "params", "attempt", "seconds"])
def test_a_cell_that_cannot_be_names_the_file(tmp_path, column):
    work_dir = WorkDir(str(tmp_path))
    cells = _ROW.cells() | {column: "x"}
    storage.write_atomic(work_dir.trials_csv, f"{','.join(cells)}\n{','.join(cells.values())}\n")
    with pytest.raises(ValueError, match=r"trials\.csv is corrupt or not written by this search"):
        trials_csv.read(work_dir)
