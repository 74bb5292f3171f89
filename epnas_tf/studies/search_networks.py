"""Which network of a search is meant: its best, the best after some minutes, or one by its slot."""

from __future__ import annotations

import math

from epnas_tf.architecture.spec import Spec
from epnas_tf.studies import timeline
from epnas_tf.workdir import networks
from epnas_tf.workdir.layout import WorkDir


def best_within(work_dir: WorkDir, minutes: float) -> tuple[str, Spec]:
    """Returns the slot and network that were best when a search had run for some minutes.

    Time is that of the trials; a break between two runs of a search does not count.

    Raises:
      ValueError: no network was trained by then.
    """
    trained = [
        moment.row
        for moment in timeline.of_search(work_dir)
        if moment.row.trained and not (minutes and moment.seconds > 60 * minutes)
    ]
    if not trained:
        raise ValueError(
            f"{work_dir.path}: no network was trained in {minutes or math.inf} minutes"
        )
    best = min(trained, key=lambda row: row.rank)
    return best.slot.name, networks.of_trial(work_dir, best.trial_id)


def chosen(work_dir: WorkDir, trial: str = "", minutes: float = 0) -> tuple[str, Spec]:
    """Returns the slot and network of a search that is meant.

    Args:
      work_dir: the search's.
      trial: a slot; else the best, which is that of best.json.
      minutes: where no trial is named, the best of the trials of the first minutes; 0 for all.

    Raises:
      ValueError: there is no such trial, or nothing has been trained.
    """
    if minutes and not trial:
        return best_within(work_dir, minutes)
    return networks.chosen(work_dir, trial)
