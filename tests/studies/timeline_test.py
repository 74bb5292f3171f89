"""When a search had found what."""

from __future__ import annotations

from epnas_tf.studies import timeline
from epnas_tf.workdir.layout import WorkDir
from tests.studies import search_files
from tests.studies.search_files import row


def test_trials_are_told_in_the_order_in_which_they_ran(tmp_path):
    """The file is in the order of slots; trial 2 ran last."""
    rows = [row("e01s00b0", 0, 0.5), row("e01s00b1", 2, 0.6), row("e01s01b0", 1, 0.7, 50)]
    work_dir = search_files.write(tmp_path, rows)
    found = timeline.of_search(work_dir)
    assert [(each.seconds, each.row.slot.name) for each in found] == [
        (30, "e01s00b0"),
        (90, "e01s01b0"),
        (120, "e01s00b1"),
    ]
    assert timeline.spent(work_dir) == 120


def test_no_search_has_spent_nothing(tmp_path):
    assert timeline.spent(WorkDir(str(tmp_path / "nowhere"))) == 0
    assert timeline.spent(search_files.write(tmp_path, [])) == 0


def test_the_best_so_far_is_trained_and_within_the_limits(tmp_path):
    rows = [
        row("e01s00b0", 0, 0.9, status="failed"),
        row("e01s00b1", 1, 0.5),
        row("e01s00b2", 2, 0.8, feasible=False),
        row("e01s00b3", 3, 0.4),
        row("e01s00b4", 4, 0.6),
    ]
    work_dir = search_files.write(tmp_path, rows)
    assert timeline.best_so_far(timeline.of_search(work_dir)) == [(60, 0.5), (150, 0.6)]
