"""Which network of a search is meant."""

from __future__ import annotations

import dataclasses
import json

import pytest

from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.trials import Slot
from epnas_tf.studies import search_networks
from epnas_tf.workdir import best_json, trials_csv
from epnas_tf.workdir.best_json import Best
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.trials_csv import Row


def _spec(channels: int) -> LayerwiseSpec:
    return LayerwiseSpec((LayerSpec("conv2d", 1, channels=channels, activation="relu"),), 4)


@pytest.fixture(name="work_dir")
def _work_dir(tmp_path) -> WorkDir:
    """Trials of 30 seconds: the best is not feasible, one failed, the next comes late and rises."""
    trials = [
        ("e01s00b0", 0.5, 1, "trained"),
        ("e01s00b1", 0.9, 0, "trained"),
        ("e01s01b0", 0.8, 1, "failed"),
        ("e01s01b1", 0.6, 1, "trained"),
        ("e01s00b0r1", 0.7, 1, "trained"),
    ]
    rows = []
    for number, (slot, reward, feasible, status) in enumerate(trials):
        spec, name = _spec(number + 1), f"{number:04d}"
        folder = tmp_path / f"trial_{name}"
        folder.mkdir()
        values = {"spec": spec.to_json()}
        (folder / "trial.json").write_text(json.dumps({"hyperparameters": {"values": values}}))
        uses = dict.fromkeys(RESOURCES, 0.0)
        row = Row(Slot.parse(slot), spec.key, 0.5, reward, uses, bool(feasible), status, 20, 10)
        rows.append(dataclasses.replace(row, trial_id=name))
    trials_csv.write(WorkDir(str(tmp_path)), sorted(rows, key=lambda row: row.slot))
    return WorkDir(str(tmp_path))


def test_the_best_is_trained_feasible_and_in_time(work_dir):
    assert search_networks.best_within(work_dir, 0) == ("e01s00b0r1", _spec(5))
    assert search_networks.best_within(work_dir, 2.4) == ("e01s01b1", _spec(4))
    assert search_networks.best_within(work_dir, 1.9) == ("e01s00b0", _spec(1))
    with pytest.raises(ValueError, match=r"no network was trained in 0\.1 minutes"):
        search_networks.best_within(work_dir, 0.1)


def test_an_infeasible_network_is_better_than_none(work_dir):
    path = f"{work_dir.path}/trials.csv"
    with open(path) as file:
        lines = file.read().splitlines()
    with open(path, "w") as file:
        infeasible = next(line for line in lines if line.startswith("e01s00b1,"))
        file.write(f"{lines[0]}\n{infeasible}\n")
    assert search_networks.best_within(work_dir, 0)[0] == "e01s00b1"


def test_a_trial_is_chosen_by_its_slot_and_else_the_best(work_dir):
    assert search_networks.chosen(work_dir, "e01s00b1") == ("e01s00b1", _spec(2))
    assert search_networks.chosen(work_dir, minutes=1.9) == ("e01s00b0", _spec(1))
    with pytest.raises(ValueError, match="has no trial e01s07b0"):
        search_networks.chosen(work_dir, "e01s07b0")
    with pytest.raises(ValueError, match=r"has no best\.json"):
        search_networks.chosen(work_dir)
    best = Best("e01s00b1", _spec(7), 0.5, 0.5, True, dict.fromkeys(RESOURCES, 0.0), ())
    best_json.write(work_dir, best)
    assert search_networks.chosen(work_dir) == ("e01s00b1", _spec(7))
