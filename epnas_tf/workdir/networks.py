"""Which network of a search is meant: the best, or that of a trial."""

from __future__ import annotations

from epnas_tf import untrusted
from epnas_tf.architecture.spec import Spec, spec_from_json
from epnas_tf.workdir import best_json, storage, trials_csv
from epnas_tf.workdir.layout import WorkDir


def chosen(work_dir: WorkDir, trial: str = "") -> tuple[str, Spec]:
    """Returns the slot and network of a search that is meant.

    Args:
      work_dir: the search's.
      trial: name of a slot; else the best, which is that of best.json.

    Raises:
      ValueError: there is no such trial, nothing has been trained, or a file is corrupt or not
        written by this search.
    """
    if trial:
        for row in trials_csv.read(work_dir):
            if row.slot.name == trial:
                return trial, of_trial(work_dir, row.trial_id)
        raise ValueError(f"{work_dir.path} has no trial {trial} (epnas_report names the best)")
    best = best_json.read(work_dir)
    if best is None:
        raise ValueError(f"{work_dir.path} has no best.json: nothing has been trained there")
    return best.slot, best.spec


def of_trial(work_dir: WorkDir, trial_id: str) -> Spec:
    """Returns the network of a trial by Keras Tuner's name of it.

    Raises:
      OSError: its file is gone; TensorFlow's error where the path has a scheme.
      ValueError: its file is corrupt or not written by this search.
    """
    path = work_dir.trial(trial_id)
    with untrusted.reading(path):
        values = untrusted.parse_object(storage.read_text(path))
        return spec_from_json(values["hyperparameters"]["values"]["spec"])
