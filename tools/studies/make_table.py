"""Trains every network of a small space on digits and writes what came of each as a table.

Example: python -m epnas_tf.tools.studies.make_table --work_dir=table --workers=2

Each network is trained on 500 images and scored on the other 1,297, once a seed. What is done is
kept in --work_dir, so that an interrupted run goes on; the table is written when all are there.
"""

from __future__ import annotations

import datetime
import gzip
import json
import pathlib
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from absl import app, flags
from sklearn import datasets as sklearn_datasets
from sklearn import model_selection

from epnas_tf import randomness
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import Spec
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data
from epnas_tf.studies import resumable, tables
from epnas_tf.training import devices, schedule
from epnas_tf.training.evaluate import Evaluator

_WORK_DIR = flags.DEFINE_string("work_dir", "table", "folder of what is done so far")
_OUTPUT = flags.DEFINE_string("output", "digits_table.json.gz", "the table, when all is done")
_WORKERS = flags.DEFINE_integer("workers", 1, "processes of one thread each", 1)
_SHARE = flags.DEFINE_integer("share", -1, "internal: which worker this is")

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
    """Returns the rows done so far by key; a torn last line is left out."""
    paths = sorted(work_dir.glob("share*.jsonl"))
    return {row["key"]: row for path in paths for row in resumable.read(path)}


def train_share(work_dir: pathlib.Path, specs: Sequence[Spec], share: int) -> None:
    """Trains the networks and adds a line each to this share's file."""
    devices.use_threads(1)
    data = digits()
    plan = schedule.for_dataset("digits", "plain", epochs=EPOCHS)
    budget = Budget(data.input_shape, data.num_classes)
    plan = schedule.fit_to(plan, len(data.train))
    evaluator = Evaluator(data, plan, devices.make_strategy("none"), budget)
    path = work_dir / f"share{share}.jsonl"
    resumable.mend(path)
    with path.open("a", encoding="utf-8") as file:
        for spec in specs:
            file.write(json.dumps(_row(spec, evaluator)) + "\n")
            file.flush()


def _row(spec: Spec, evaluator: Evaluator) -> dict[str, Any]:
    seeds = [randomness.seed_of(seed, "table") for seed in SEEDS]
    cost = evaluator.budget.cost(spec)
    return {
        "key": spec.key,
        "accuracies": [round(evaluator.evaluate(spec, seed).accuracy, 6) for seed in seeds],
        "params": cost.params,
        "flops": cost.flops,
    }


def _run_workers() -> None:
    running = [
        subprocess.Popen([*sys.orig_argv, f"--share={share}"]) for share in range(_WORKERS.value)
    ]
    for process in running:
        if process.wait():
            raise SystemExit(f"a worker ended with code {process.returncode}; run again to go on")


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


def main(argv: Sequence[str]) -> None:
    """Trains what is missing and writes the table."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    begun = time.monotonic()
    work_dir = pathlib.Path(_WORK_DIR.value)
    work_dir.mkdir(parents=True, exist_ok=True)
    specs = tables.every_network(tables.digits_space())
    done = finished(work_dir)
    missing = [spec for spec in specs if spec.key not in done]
    if _SHARE.value >= 0:
        mine = specs[_SHARE.value :: _WORKERS.value]
        train_share(work_dir, [s for s in mine if s.key not in done], _SHARE.value)
        return
    print(f"{len(done)} of {len(specs)} networks are done", flush=True)
    if missing:
        _run_workers()
        done = finished(work_dir)
    rows = [done[spec.key] for spec in specs]
    write_table(pathlib.Path(_OUTPUT.value), rows, (time.monotonic() - begun) / 3600)
    print(f"wrote {len(rows)} networks to {_OUTPUT.value}")


if __name__ == "__main__":
    app.run(main)
