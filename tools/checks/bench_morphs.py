"""Measures the pure rooms: random morphs per second and costs per second, for both patterns.

Example: python -m tools.checks.bench_morphs
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from absl import app

from epnas_tf import randomness
from epnas_tf.architecture import choices, initial, morph
from epnas_tf.architecture.cost import cost
from epnas_tf.architecture.space import layerwise_space, module_space

MORPHS = 10_000


def main(argv: Sequence[str]) -> None:
    """Prints a line a pattern; a morph is chosen (masks included) and applied."""
    if len(argv) > 1:
        raise app.UsageError(f"no arguments are taken, got {argv[1:]}")
    for space in (layerwise_space(), module_space()):
        pick = initial.uniform_pick(randomness.generator(0, "bench_morphs", space.pattern))
        specs = [initial.random_spec(space, randomness.generator(0, "bench_morphs"))]
        start = time.perf_counter()
        for _ in range(MORPHS):
            action = choices.decide(specs[-1], space, pick)
            specs.append(morph.apply(specs[-1], action, space))
        middle = time.perf_counter()
        for spec in specs:
            cost(spec, (32, 32, 3), 10)
        end = time.perf_counter()
        mean = sum(len(spec.items) for spec in specs) / len(specs)
        print(
            f"{space.pattern}: {MORPHS / (middle - start):,.0f} morphs and "
            f"{len(specs) / (end - middle):,.0f} costs per second, {mean:.1f} items on average"
        )


if __name__ == "__main__":
    app.run(main)
