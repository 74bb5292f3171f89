"""Averaged weights: what is measured and stored of a network is the mean of its last updates.

An exponential moving average of all weights and, alike, of batch norm's statistics. It begins at 0
and is divided by what it has seen, as Adam's, so that the first updates weigh no more than others.
"""

from __future__ import annotations

import epnas_tf.backend

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf


class Averages:
    """The averages of a network's variables; none where they are not wanted.

    Attributes:
      variables: the sums so far, in the order of the network's variables.
    """

    def __init__(self, model: keras.Model, decay: float, strategy: tf.distribute.Strategy):
        """Makes the variables.

        Args:
          model: the network, made in the strategy's scope.
          decay: share of the average that an update leaves; 0 averages nothing.
          strategy: of the training.
        """
        self._decay, self._strategy = decay, strategy
        averaged = [v for v in model.variables if tf.as_dtype(v.dtype).is_floating]
        self._live = averaged if decay else []
        with strategy.scope():
            self.variables = [
                keras.Variable(
                    "zeros", shape=v.shape, dtype=v.dtype, trainable=False, name=f"average_{index}"
                )
                for index, v in enumerate(self._live)
            ]

    def take_in(self, strategy: Any) -> None:
        """Takes in the network as it is; across replicas, in the graph."""

        def update(average: Any, live: Any) -> None:
            average.assign(self._decay * average + (1 - self._decay) * live)

        for average, live in zip(self.variables, self._live, strict=True):
            strategy.extended.update(average.value, update, (live.value,), group=False)

    def put(self, updates: int) -> None:
        """Puts the averages of so many updates into the network, for good."""
        seen = 1 - self._decay**updates
        with self._strategy.scope():
            for average, live in zip(self.variables, self._live, strict=True):
                live.assign(average.value / seen)

    @contextlib.contextmanager
    def shown(self, updates: int) -> Iterator[None]:
        """Puts the averages into the network as long as the body runs."""
        before = [live.numpy() for live in self._live]
        self.put(updates)
        try:
            yield
        finally:
            with self._strategy.scope():
                for live, value in zip(self._live, before, strict=True):
                    live.assign(value)
