"""Checks on random networks of both spaces that the cost told beforehand is that of what is built.

python -m tools.checks.check_costs --networks=500

Takes one to two minutes; ends with exit code 1 if a network differs, after naming each that does.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from absl import app, flags

from epnas_tf import randomness
from epnas_tf.architecture import cost, initial, space
from epnas_tf.modeling import build_model, cost_of_model

_NETWORKS = flags.DEFINE_integer("networks", 500, "How many networks, half of each pattern.", 1)
_SEED = flags.DEFINE_integer("seed", 0, "Root of the random networks.")

_SHAPES = ((32, 32, 3), (8, 8, 1), (15, 11, 3), (33, 17, 3), (96, 96, 3))


def main(argv: Sequence[str]) -> None:
    """Runs the check."""
    if len(argv) > 1:
        raise app.UsageError(f"takes only flags, got {argv[1:]}")
    differing = 0
    for index in range(_NETWORKS.value):
        shape = _SHAPES[index % len(_SHAPES)]
        where = space.module_space() if index % 2 else space.layerwise_space(shape[:2])
        rng = randomness.generator(_SEED.value, "check_costs", index)
        spec = initial.random_spec(where, rng)
        with keras.StatelessScope(initialize_variables=False):  # shapes only, no values
            built = cost_of_model(build_model(spec, shape, 10))
        keras.backend.clear_session()
        if built != cost.cost(spec, shape, 10):
            differing += 1
            print(f"{cost.cost(spec, shape, 10)} but {built} when built: {spec.to_json()}")
    print(f"{_NETWORKS.value - differing} of {_NETWORKS.value} networks cost what their spec says")
    if differing:
        raise SystemExit(1)


if __name__ == "__main__":
    app.run(main)
