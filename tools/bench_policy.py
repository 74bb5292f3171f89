"""Measures what the LSTM policy costs a step of 20-layer networks: asking it, updating it.

Example: python -m tools.bench_policy --branches=8 --steps=10
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from absl import app, flags

from epnas_tf import randomness
from epnas_tf.architecture import initial
from epnas_tf.architecture.space import SearchSpace, layerwise_space
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.policy import LSTMPolicy

_LAYERS = 20
_BRANCHES = flags.DEFINE_integer("branches", 8, "networks a step", 1)
_STEPS = flags.DEFINE_integer("steps", 10, "steps of the episode that an update learns from", 1)
_REPEATS = flags.DEFINE_integer("repeats", 20, "calls to take the median of", 1)


def _report(name: str, call: Callable[[], object]) -> None:
    """Prints the median time of a call and that of the first, which traces the graph."""
    times = []
    for _ in range(1 + _REPEATS.value):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    print(f"{name}: {np.median(times[1:]):.1f} ms, the first time {times[0]:.0f} ms")


def _network(space: SearchSpace, rng: np.random.Generator) -> Spec:
    while len((spec := initial.random_spec(space, rng)).items) != _LAYERS:
        pass
    return spec


def main(argv: Sequence[str]) -> None:
    """Prints a line for each kind of call."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    space = layerwise_space(max_layers=_LAYERS + 1)  # so that a layer may be inserted
    rngs = [randomness.generator(0, "bench", branch) for branch in range(_BRANCHES.value)]
    specs = [_network(space, rng) for rng in rngs]
    policy = LSTMPolicy(space)
    _report("ask", lambda: policy.propose(specs, rngs))
    actions = policy.propose(specs, rngs)
    _report("statistics", lambda: policy.statistics(specs, actions))
    episode = (specs * _STEPS.value, actions * _STEPS.value)
    advantages = rngs[0].normal(size=len(episode[0]))
    _report("update", lambda: policy.update(*episode, advantages))


if __name__ == "__main__":
    app.run(main)
