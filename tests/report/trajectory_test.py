"""What two searches are compared by."""

import pytest

from epnas_tf.report.trajectory import MEASURED, trajectory
from epnas_tf.tuner.listeners.results import COLUMNS


def _write(folder, **values):
    row = {name: "same" for name in COLUMNS} | values
    (folder / "trials.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    return trajectory(folder)


def test_times_and_tries_do_not_count(tmp_path):
    assert set(MEASURED) <= set(COLUMNS)
    once = _write(tmp_path, attempt="1", trial_id="0000", seconds="1.5", overhead_seconds="0.1")
    again = _write(tmp_path, attempt="2", trial_id="0007", seconds="9.5", overhead_seconds="0.3")
    assert once == again
    assert list(once[0]) == [name for name in COLUMNS if name not in MEASURED]


@pytest.mark.parametrize("column", [name for name in COLUMNS if name not in MEASURED])
def test_everything_else_does(tmp_path, column):
    assert _write(tmp_path) != _write(tmp_path, **{column: "other"})


def test_without_a_search_there_is_none(tmp_path):
    with pytest.raises(OSError):
        trajectory(tmp_path)
