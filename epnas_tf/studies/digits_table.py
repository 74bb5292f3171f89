"""The table of digits: every network of a small space trained, and what came of each."""

from __future__ import annotations

import datetime
import gzip
import json
import pathlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from sklearn import datasets as sklearn_datasets
from sklearn import model_selection

from epnas_tf import randomness
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import Spec
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data
from epnas_tf.studies import resumable
from epnas_tf.training import devices, schedule
from epnas_tf.training.evaluate import Evaluator

SEEDS = (0, 1)
TRAINING_IMAGES = 500
EPOCHS = 12


def digits() -> Data:
    """Returns 500 digits to train on and the other 1,297 to score on, stratified."""
    bunch = sklearn_datasets.load_digits()
    images = (bunch.images[..., None] * (255 / 16)).round().astype("uint8")
    parts = model_selection.train_test_split(
        images, bunch.target, train_size=TRAINING_IMAGES, stratify=bunch.target, random_state=0
    )
    train, held, train_labels, held_labels = parts
    return data_lib.from_arrays(train, train_labels, (held, held_labels), name="digits")


def finished(work_dir: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Returns the rows done so far by key; a cut last line is left out."""
    paths = sorted(work_dir.glob("share*.jsonl"))
    return {row["key"]: row for path in paths for row in resumable.read(path)}


def train_share(work_dir: pathlib.Path, specs: Sequence[Spec], share: int) -> None:
    """Trains the networks and adds a line for each to this share's file."""
    devices.use_threads(1)
    data = digits()
    plan = schedule.for_dataset("digits", "plain", epochs=EPOCHS)
    budget = Budget(data.input_shape, data.num_classes)
    plan = schedule.fit_to(plan, len(data.train))
    evaluator = Evaluator(data, plan, devices.make_strategy("none"), budget)
    path = work_dir / f"share{share}.jsonl"
    resumable.add(path, (_row(spec, evaluator) for spec in specs))


def _row(spec: Spec, evaluator: Evaluator) -> dict[str, Any]:
    seeds = [randomness.seed_of(seed, "table") for seed in SEEDS]
    cost = evaluator.budget.cost(spec)
    return {
        "key": spec.key,
        "accuracies": [round(evaluator.evaluate(spec, seed).accuracy, 6) for seed in seeds],
        "params": cost.params,
        "flops": cost.flops,
    }


def _lines(header: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield '{"header": ' + json.dumps(header) + ', "networks": {\n'
    yield ",\n".join(
        json.dumps(row["key"])
        + ": "
        + json.dumps({name: value for name, value in row.items() if name != "key"})
        for row in rows
    )
    yield "\n}}\n"


def write_table(path: pathlib.Path, rows: Sequence[dict[str, Any]], hours: float) -> None:
    """Writes the table with its header: what it is, the command, the date."""
    header = {
        "what": "validation accuracy of every network of tables.digits_space() on digits",
        "command": "python -m epnas_tf.tools.studies.make_table " + shlex.join(sys.argv[1:]),
        "date": datetime.date.today().isoformat(),
        "hours_of_last_run": round(hours, 2),
        "networks": len(rows),
        "seeds": len(SEEDS),
        "training_images": TRAINING_IMAGES,
        "scored_images": 1797 - TRAINING_IMAGES,
        "epochs": EPOCHS,
    }
    data = "".join(_lines(header, rows)).encode()
    path.write_bytes(gzip.compress(data, mtime=0))
