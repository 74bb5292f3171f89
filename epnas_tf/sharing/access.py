"""What one child takes from the shared parameter dictionary and what it leaves there."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses

import keras

from epnas_tf.sharing import graph, offers, warm_start
from epnas_tf.sharing.rules import Labels
from epnas_tf.sharing.store import Offer, ParamStore


@dataclasses.dataclass(frozen=True)
class Sharing:
    """A child's access to the dictionary.

    Attributes:
      store: the dictionary, as it stood when the child's step began.
      labels: what the child's blocks are called in it.
      slot: the child's trial.
      attempt: which try of the slot this is.
      offers: what the child left: one if it was trained to its end, none otherwise.
    """

    store: ParamStore
    labels: Labels
    slot: str
    attempt: int = 1
    offers: list[Offer] = dataclasses.field(default_factory=list)

    def begin(self, model: keras.Model) -> float:
        """Gives a fresh model its warm start; returns the share of its parameters that had one.

        Raises:
          LayoutError: a user's builder calls a layer twice, or one that returns several tensors.
        """
        nodes, fresh = graph.layout_of(model), graph.weights_of(model)
        entries, load = self.store.entries, self.store.loader()
        start = warm_start.initial_weights(nodes, fresh, self.labels, entries, load)
        graph.assign(model, start.weights)
        return start.share

    def end(self, model: keras.Model, accuracy: float) -> None:
        """Offers a trained model's parameters; others see them once the step is whole.

        Args:
          model: what was trained.
          accuracy: what networks are compared by, plain or balanced: at a clash the better stays.
        """
        nodes, weights = graph.layout_of(model), graph.weights_of(model)
        blocks = offers.offered(nodes, weights, self.labels, self.slot, accuracy)
        self.offers.append(self.store.offer(f"{self.slot}-{self.attempt}", blocks))
