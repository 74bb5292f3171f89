"""With 5% of one class plain accuracy prefers a constant answer, balanced accuracy does not."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from epnas_tf.data import dataset as data_lib
from epnas_tf.training import trainer
from epnas_tf.training.accuracies import ClassHits
from epnas_tf.training.epochs import EpochResult
from epnas_tf.training.trainer import TrainResult
from epnas_tf.tuner import durable
from epnas_tf.workdir import best_json, storage

_CONSTANT = ClassHits(np.array([95, 0]), np.array([95, 5]))
_FAIR = ClassHits(np.array([88, 4]), np.array([95, 5]))


@pytest.fixture(name="rare", scope="module")
def _rare():
    """100 images for training and 100 for validation, 5 of each of class 1."""
    images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 1)).astype(np.uint8)
    labels = np.tile(np.arange(100) < 5, 2).astype(np.int32)
    return data_lib.from_arrays(images[:100], labels[:100], (images[100:], labels[100:]))


@pytest.fixture(name="trained")
def _trained(monkeypatch):
    """Lets each second network know the rare class, the others answer the common one."""
    found = []

    def train(*_, **__):
        found.append(_FAIR if len(found) % 2 else _CONSTANT)
        hits, epoch = found[-1], EpochResult(0, 0.5, 0.9)
        accuracies = (hits.accuracy, hits.balanced_accuracy)
        return TrainResult((epoch, epoch), *accuracies, 2, 0.1, 0.1, finite=True)

    monkeypatch.setattr(trainer, "train", train)
    return found


def _rows(tuner):
    return list(csv.DictReader(io.StringIO(storage.read_text(tuner.work_dir.trials_csv))))


@pytest.mark.parametrize(
    ("objective", "slot", "score"),
    [("accuracy", "e01s00b0", 0.95), ("balanced_accuracy", "e01s00b1", (88 / 95 + 0.8) / 2)],
)
def test_the_best_network_is_the_one_that_the_objective_prefers(
    make_tuner, plan, rare, trained, capsys, objective, slot, score
):
    tuner = make_tuner(objective=objective, schedule=plan, steps=1, seed=3)
    tuner.search(rare)
    assert len(trained) == 4
    balanced = objective == "balanced_accuracy"
    (trial,) = tuner.oracle.get_best_trials()
    assert durable.values(trial)["slot"] == slot
    assert (tuner.oracle.objective.name, trial.score) == ("reward", pytest.approx(score))
    best = best_json.read(tuner.work_dir)
    assert (best.slot, best.validation_accuracy) == (slot, 0.92 if balanced else 0.95)
    assert best.balanced_accuracy == (pytest.approx(score) if balanced else None)
    assert best.largest_class == 0.95
    assert set(best.per_class_accuracy) == {"validation"}
    columns = [row.get("balanced_accuracy") for row in _rows(tuner)]
    assert columns == (["0.500000", "0.863158"] * 2 if balanced else [None] * 4)
    assert [row["accuracy"] for row in _rows(tuner)] == ["0.950000", "0.920000"] * 2
    tuner.results_summary()
    shown = capsys.readouterr().out
    assert ("balanced 0.8632, largest class 0.95" if balanced else "(largest class 0.95)") in shown
    # What is reloaded says the same, and its project holds the objective.
    again = make_tuner(objective=objective, schedule=plan, steps=1, seed=3)
    assert again.oracle.best() == tuner.oracle.best()
    project = json.loads(storage.read_text(again.work_dir.project))
    assert project["settings"]["objective"] == objective


def test_a_search_keeps_its_objective(make_tuner, plan, rare, trained):
    make_tuner(schedule=plan, steps=1).search(rare)
    with pytest.raises(ValueError, match="objective is accuracy, asked for balanced_accuracy"):
        make_tuner(objective="balanced_accuracy", schedule=plan, steps=1).search(rare)


def test_class_weights_are_part_of_the_search(make_tuner, plan, rare, trained):
    tuner = make_tuner(schedule=plan, steps=1)
    tuner.search(rare, class_weight="balanced")
    assert tuner.schedule.class_weight == "balanced"
    with pytest.raises(ValueError, match=r"schedule\.class_weight is balanced, asked for none"):
        make_tuner(schedule=plan, steps=1).search(rare)
    with pytest.raises(ValueError, match="images, labels or weights have changed"):
        tuner.search(rare, class_weight={0: 1, 1: 2})
