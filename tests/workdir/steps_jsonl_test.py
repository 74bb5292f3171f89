"""steps.jsonl: a line per step, and what is none."""

import pytest

from epnas_tf.workdir import steps_jsonl, storage
from epnas_tf.workdir.layout import WorkDir


def test_steps_come_back_in_their_order(tmp_path):
    work_dir = WorkDir(str(tmp_path))
    assert steps_jsonl.read(work_dir) == []
    steps = [{"episode": 1, "step": 0, "mean_reward": 0.1 / 3}, {"episode": 1, "step": 1}]
    steps_jsonl.write(work_dir, steps)
    assert steps_jsonl.read(work_dir) == steps
    assert len(storage.read_text(work_dir.steps).splitlines()) == 2


@pytest.mark.parametrize("text", ["{", "[1]\n", '{"skill": NaN}\n'])
def test_what_is_no_step_is_named(tmp_path, text):
    work_dir = WorkDir(str(tmp_path))
    storage.write_atomic(work_dir.steps, text)
    with pytest.raises(ValueError, match=r"steps\.jsonl is corrupt or not written by this search"):
        steps_jsonl.read(work_dir)
