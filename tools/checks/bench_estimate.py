"""Compares the estimated training time of random networks with the measured one.

Example: python -m tools.checks.bench_estimate --networks=24

Prints a line per network, the quantiles of measured / estimated, and the bytes' weight that fits
best: `FLOPS_PER_BYTE` of architecture/budget.py. To be run on an otherwise idle machine.
"""

from __future__ import annotations

import numpy as np
from absl import app, flags

from epnas_tf import randomness
from epnas_tf.architecture import budget as budget_lib
from epnas_tf.architecture.initial import random_spec
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.data import dataset as data_lib
from epnas_tf.training import calibrate, devices, schedule
from epnas_tf.training.evaluate import Evaluator

_NETWORKS = flags.DEFINE_integer("networks", 24, "networks to time, half of each pattern")
_MAX_FLOPS = flags.DEFINE_float("max_flops", 2e8, "largest network, FLOPs per image")
_IMAGES = 1024


def main(argv: list[str]) -> None:
    """Times the networks."""
    if len(argv) > 1:
        raise app.UsageError(f"no arguments are taken, got {argv[1:]}")
    pixels = randomness.generator(0, "pixels")
    images = pixels.integers(0, 256, (2 * _IMAGES, 32, 32, 3)).astype(np.uint8)
    data = data_lib.from_arrays(images, np.arange(2 * _IMAGES) % 10, validation_split=0.5)
    plan = schedule.schedule("plain", epochs=1, batch_size=64)
    rate = calibrate.measure_gflops()
    budget = budget_lib.Budget(data.input_shape, 10, images=_IMAGES, machine_gflops=rate)
    evaluator = Evaluator(data, plan, devices.make_strategy("none"), budget)
    print(f"machine_gflops {rate:g}")
    print("pattern     MFLOPs  traffic MB  measured s  estimated s  ratio")
    rows = []
    for index in range(_NETWORKS.value):
        space = (layerwise_space(), module_space())[index % 2]
        rng = randomness.generator(index, "bench")
        spec = random_spec(space, rng)
        while budget.cost(spec).flops > _MAX_FLOPS.value:
            spec = random_spec(space, rng)
        cost, seconds = budget.cost(spec), evaluator.evaluate(spec, index).seconds
        estimate = budget.minutes(cost) * 60
        rows.append((cost.flops, cost.traffic_bytes, seconds))
        print(
            f"{space.pattern:10} {cost.flops / 1e6:7.1f} {cost.traffic_bytes / 1e6:11.2f} "
            f"{seconds:11.2f} {estimate:12.2f} {seconds / estimate:6.2f}",
            flush=True,
        )
    _print_fit(np.asarray(rows, float), rate)


def _print_fit(rows: np.ndarray, rate: float) -> None:
    """Prints quantiles of measured / estimated for several weights of a byte."""
    flops, traffic, seconds = rows.T
    for weight in (0.0, 10.0, 20.0, budget_lib.FLOPS_PER_BYTE, 40.0, 60.0, 80.0, 120.0):
        estimate = budget_lib.PASSES * _IMAGES * (flops + weight * traffic) / (rate * 1e9)
        low, middle, high = np.quantile(seconds / estimate, [0.1, 0.5, 0.9])
        spread = float(np.std(np.log(seconds / estimate)))
        print(
            f"{weight:5g} FLOPs per byte: ratio {low:.2f} {middle:.2f} {high:.2f}, sd {spread:.2f}"
        )


if __name__ == "__main__":
    app.run(main)
