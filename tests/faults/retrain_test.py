"""kill -9 at many moments of a final training: its files are those of one that was left alone."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import random
import signal

import keras
import numpy as np
import pytest

from epnas_tf.architecture.spec import BranchSpec, CellSpec
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import FinalDir
from tests.faults import nursery

_SPEC = CellSpec((BranchSpec("conv-conv", 3, channels=2, src2=0),), filters=4)
_FLAGS = (
    *("--dataset=digits", "--train_fraction=0.2", "--recipe=default", "--warmup_epochs=1"),
    *("--batch_size=16", "--ema_decay=0.9", "--threads_per_child=1", "--seed=4"),
    *("--alternating_flips", "--cutout=3", "--mixup=0.2"),
    *("--drop_path=0.4", "--auxiliary_weight=0.4"),
)
# A state that is not whole yet, an epoch without its state, and all epochs without a result.
_FEW = [["within state.npz", 2], ["after history.csv", 1], ["before model.keras", 1]]
# A process has 3 events before its first epoch and 8 per epoch.
_RNG = random.Random(6)
_MANY = [["", _RNG.randrange(5, 20)] for _ in range(14)] + [
    *(["within flags.txt", 1], ["within history.csv", 1], ["within model.keras", 1]),
    *(["after confusion.csv", 1], ["within result.json", 1], ["after result.json", 1]),
]


@pytest.mark.parametrize(
    ("epochs", "deaths"),
    [(4, _FEW), pytest.param(30, _MANY, marks=pytest.mark.nightly)],
    ids=["few", "many"],
)
def test_a_training_killed_again_and_again_ends_as_one_that_was_not(tmp_path, epochs, deaths):
    spec = tmp_path / "network.json"
    spec.write_text(_SPEC.to_json())
    flags = [*_FLAGS, f"--epochs={epochs}", f"--spec={spec}"]
    folders = _trained(flags, {tmp_path / "whole": [], tmp_path / "out": deaths})
    models = [keras.models.load_model(folder.model) for folder in folders]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
    results = [json.loads(_text(folder.result)) for folder in folders]
    results = [_without(each, "seconds", "finished", "command") for each in results]
    assert results[0] == results[1]
    assert _text(folders[0].confusion) == _text(folders[1].confusion)
    histories = [[_without(row, "seconds") for row in _rows(folder)] for folder in folders]
    assert histories[0] == histories[1] and len(histories[0]) == epochs
    names = [storage.names(folder.path) for folder in folders]
    assert names[0] == names[1] and "state.npz" not in names[0]


def _trained(flags: list[str], deaths: dict[pathlib.Path, list]) -> list[FinalDir]:
    """Returns the files of trainings that died again and again, and ended; a core each."""
    running = [nursery.start(out, flags, each, "retrain") for out, each in deaths.items()]
    try:
        reports = [nursery.ended(process) for process in running]
    finally:
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    for report, each in zip(reports, deaths.values(), strict=True):
        assert report["codes"] == [-signal.SIGKILL] * len(each) + [0], report["errors"]
    return [FinalDir(str(out)) for out in deaths]


def _text(path: str) -> str:
    return pathlib.Path(path).read_text(encoding="utf-8")


def _rows(folder: FinalDir) -> list[dict[str, str]]:
    return list(csv.DictReader(_text(folder.history).splitlines()))


def _without(values: dict, *names: str) -> dict:
    return {name: value for name, value in values.items() if name not in names}
