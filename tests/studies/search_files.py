"""What tests of studies share: the files of a search that never was."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence

from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.trials import Slot
from epnas_tf.workdir import trials_csv
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.trials_csv import Row


def network(channels: int) -> LayerwiseSpec:
    """Returns a network like no other one of other channels."""
    return LayerwiseSpec((LayerSpec("conv2d", 1, channels=channels, activation="relu"),), 4)


def row(slot: str, trial_id: int, accuracy: float, seconds: float = 20, **others) -> Row:
    """Returns the line of a trial; it takes 10 seconds besides."""
    uses = dict.fromkeys(RESOURCES, 0.0)
    values = Row(
        Slot.parse(slot), network(trial_id + 1).key, accuracy, accuracy, uses, True, "trained",
        seconds, 10,
    )  # fmt: skip
    return dataclasses.replace(values, trial_id=f"{trial_id:04d}", **others)


def write(folder: str | os.PathLike[str], rows: Sequence[Row]) -> WorkDir:
    """Writes trials.csv and the trials' networks."""
    work_dir = WorkDir(os.fspath(folder))
    for each in rows:
        path = pathlib.Path(folder) / f"trial_{each.trial_id}" / "trial.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {"spec": network(int(each.trial_id) + 1).to_json()}
        path.write_text(json.dumps({"hyperparameters": {"values": values}}))
    trials_csv.write(work_dir, rows)
    return work_dir
