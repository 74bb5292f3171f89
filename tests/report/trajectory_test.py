"""What two searches are compared by."""

import pytest

from epnas_tf.report.trajectory import MEASURED, trajectory
from epnas_tf.workdir.trials_csv import COLUMNS

_ROW = {
    **{"slot": "e01s02b3", "attempt": "1", "trial_id": "0000", "episode": "1", "step": "2"},
    **{"branch": "3", "parent": "e01s01b3", "action": "keep", "spec_key": "ab"},
    **{"accuracy": "0.500000", "reward": "0.25", "params": "10", "flops": "20"},
    **{"intensity": "0.500", "traffic_bytes": "40", "feasible": "1", "status": "trained"},
    **{"seconds": "1.500", "overhead_seconds": "0.100", "worker": "tuner0"},
    **{"reused": "", "inherited": "0.2500", "reason": "", "rung": "0", "epochs": "3", "wave": ""},
}
# Another value of each column; episode, step, branch and rung are those of the slot.
_SLOTS = ("episode", "step", "branch", "rung")
_OTHER = {"slot": "e02s03b1", "feasible": "0", "wave": "7"} | {
    name: f"{value[:-1]}7" if value[-1:].isdigit() else "other"
    for name, value in _ROW.items()
    if name not in (*MEASURED, "slot", "feasible", "wave", *_SLOTS)
}


def _write(folder, **values):
    row = _ROW | values
    (folder / "trials.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    return trajectory(folder)


def test_times_and_tries_do_not_count(tmp_path):
    assert set(MEASURED) <= set(COLUMNS)
    once = _write(tmp_path, attempt="1", trial_id="0000", seconds="1.5", overhead_seconds="0.1")
    again = _write(tmp_path, attempt="2", trial_id="0007", seconds="9.5", overhead_seconds="0.3")
    assert once == again
    assert sorted(once[0]) == sorted(name for name in COLUMNS if name not in MEASURED)


@pytest.mark.parametrize("column", _OTHER)
def test_everything_else_does(tmp_path, column):
    assert _write(tmp_path) != _write(tmp_path, **{column: _OTHER[column]})


def test_every_column_is_measured_or_compared():
    assert {*_OTHER, *MEASURED, *_SLOTS} == set(COLUMNS)


def test_without_a_search_there_is_none(tmp_path):
    with pytest.raises(ValueError, match="no search has finished a trial"):
        trajectory(tmp_path)
