"""Loops in the graph, cut into calls that a person can stop in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from epnas_tf import interrupts

# Time in the graph after which Python sees whether somebody wants to stop. It changes no result.
_PATIENCE_SECONDS = 1.0


class Pace:
    """Cuts a loop in the graph into calls short enough to be stopped in between."""

    def __init__(self) -> None:
        self._steps = 1

    def __call__(self, start: int, stop: int) -> Iterator[slice]:
        """Yields the parts of some steps; each must have been run when the next is asked for."""
        while start < stop:
            began = time.perf_counter()
            part = slice(start, min(start + self._steps, stop))
            yield part
            each = (time.perf_counter() - began) / (part.stop - start)
            self._steps = max(1, int(_PATIENCE_SECONDS / max(each, 1e-6)))
            start = part.stop
            interrupts.check()


def repeat(steps: Any, body: Callable[..., Any], *state: Any) -> Any:
    """Runs body(index, *state) this many times, in the graph."""
    return tf.while_loop(
        lambda index, *_: index < steps, body, (tf.constant(0), *state), parallel_iterations=1
    )


def over_replicas(strategy: tf.distribute.Strategy, shares: Any) -> Any:
    """Sums what each replica returned."""
    return tf.nest.map_structure(
        lambda share: strategy.reduce(tf.distribute.ReduceOp.SUM, share, axis=None), shares
    )
