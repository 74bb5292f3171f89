"""Compares the estimated memory of training a child with what the process really takes.

Example: python -m tools.checks.bench_memory --networks=6

Each network is trained for a few updates in a process of its own; what its memory rises by beyond
that of the smallest network is held against `Budget.memory`. Prints a table (markdown).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
from absl import app, flags

from epnas_tf.architecture import initial
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.space import SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec, Spec, spec_from_json
from epnas_tf.report import markdown

_NETWORKS = flags.DEFINE_integer("networks", 6, "networks of each pattern", 1)
_BATCH = flags.DEFINE_integer("batch", 256, "images per update", 1)
_SIZE = flags.DEFINE_integer("image_size", 32, "height and width", 4)
_ONE = flags.DEFINE_string("one", "", "a network's JSON: prints the bytes its training takes")

_UPDATES = 3
_SMALLEST = LayerwiseSpec((LayerSpec("conv2d", 1, channels=1, activation="relu"),), 1)


def spaces(size: int) -> tuple[SearchSpace, SearchSpace]:
    """Returns the spaces whose random networks are measured, both as large as the paper's."""
    return layerwise_space((size, size), max_layers=12), module_space(channels=(16, 32, 64))


def networks(count: int, size: int) -> list[Spec]:
    """Returns so many random networks of each pattern."""
    return [
        initial.random_spec(space, np.random.default_rng(seed))
        for space in spaces(size)
        for seed in range(count)
    ]


def budget(size: int, batch: int) -> Budget:
    """Returns the budget whose estimate is judged."""
    return Budget((size, size, 3), 10, batch=batch)


def measured(spec: Spec, size: int, batch: int) -> int:
    """Returns the largest resident memory, in bytes, of a process that trains the network."""
    flags_of_one = [f"--one={spec.to_json()}", f"--image_size={size}", f"--batch={batch}"]
    command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, *flags_of_one]
    return int(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def train(spec: Spec, size: int, batch: int) -> int:
    """Trains a network for a few updates and returns this process' largest resident memory."""
    import resource

    from epnas_tf.data import dataset as data_lib
    from epnas_tf.training import devices, trainer
    from epnas_tf.training.evaluate import build_child
    from epnas_tf.training.schedule import Schedule

    pixels = np.random.default_rng(0).integers(0, 255, (_UPDATES * batch + 20, size, size, 3))
    labels = np.arange(len(pixels)) % 10
    held = (pixels[:20].astype(np.uint8), labels[:20])
    data = data_lib.from_arrays(pixels[20:].astype(np.uint8), labels[20:], held)
    strategy = devices.make_strategy("none")
    model = build_child(spec, budget(size, batch), strategy)
    trainer.train(model, data, Schedule("memory", 1, batch, 0.01), strategy, seed=0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(argv: Sequence[str]) -> None:
    """Prints the table, or with --one a number."""
    del argv
    size, batch = _SIZE.value, _BATCH.value
    if _ONE.value:
        print(train(spec_from_json(_ONE.value), size, batch))
        return
    limits, least = budget(size, batch), measured(_SMALLEST, size, batch)
    rows: list[tuple[str, float, float, float]] = []
    for spec in networks(_NETWORKS.value, size):
        estimate = limits.memory(limits.cost(spec)) - limits.memory(limits.cost(_SMALLEST))
        taken = measured(spec, size, batch) - least
        rows.append((spec.pattern, estimate / 2**20, taken / 2**20, taken / estimate))
        print(f"# {rows[-1]}", file=sys.stderr, flush=True)
    ratios = sorted(row[3] for row in rows)
    smallest = f"the smallest network takes {least / 2**20:.0f} MiB"
    print(f"batch {batch}, images of {size} pixels; {smallest}\n")
    header = ("pattern", "estimated MiB", "taken MiB", "taken / estimated")
    cells = [[r[0], f"{r[1]:.0f}", f"{r[2]:.0f}", f"{r[3]:.2f}"] for r in rows]
    print(markdown.table(header, cells))
    print(f"\ntaken / estimated: {ratios[0]:.2f} to {ratios[-1]:.2f}")


if __name__ == "__main__":
    app.run(main)
