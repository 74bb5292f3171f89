"""Which network of a search is meant: its best, the best after some minutes, or one by its slot."""

from __future__ import annotations

import json
import math

from epnas_tf.architecture.spec import Spec, spec_from_dict
from epnas_tf.studies import timeline
from epnas_tf.workdir import best_json, storage, trials_csv
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
    return best.slot.name, _spec_of(work_dir, best.trial_id)


def chosen(work_dir: WorkDir, trial: str = "", minutes: float = 0) -> tuple[str, Spec]:
    """Returns the slot and network of a search that is meant.

    Args:
      work_dir: the search's.
      trial: a slot; else the best, which is that of best.json.
      minutes: where no trial is named, the best of the trials of the first minutes; 0 for all.

    Raises:
      ValueError: there is no such trial, or nothing has been trained.
    """
    if trial:
        for row in trials_csv.read(work_dir):
            if row.slot.name == trial:
                return trial, _spec_of(work_dir, row.trial_id)
        raise ValueError(f"{work_dir.path}: has no trial {trial}")
    if minutes:
        return best_within(work_dir, minutes)
    best = best_json.read(work_dir)
    if best is None:
        raise ValueError(f"{work_dir.path}: has no best.json: nothing has been trained there")
    return best.slot, best.spec


def _spec_of(work_dir: WorkDir, trial_id: str) -> Spec:
    path = f"{work_dir.path}/trial_{trial_id}/trial.json"
    values = json.loads(storage.read_text(path))["hyperparameters"]["values"]
    return spec_from_dict(json.loads(values["spec"]))
