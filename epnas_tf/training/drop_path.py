"""Drop path: what each path of a network is multiplied by, for each image of each update.

As in the NASNet and PNAS code (PAPER_NOTES section 4): a path is left out for a share of the images
that grows with its depth and with time, and multiplied by 1 / (1 - share) for the others, so that
its mean stays. Draws are keyed by (seed, pass, image), as the images' variations are: they come
with the images, the same on any number of replicas, and no generator is part of any state.
"""

from __future__ import annotations

import epnas_tf.backend

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from epnas_tf import randomness


class DropPath:
    """Draws the factors of a training.

    Attributes:
      paths: how many there are; nothing is drawn for none.
    """

    def __init__(self, most: float, depths: Sequence[float], updates: int, passes: int, seed: int):
        """Prepares the draws.

        Args:
          most: share of the images that lack a path of depth 1 in the last update.
          depths: of the paths, in (0, 1].
          updates: of the training.
          passes: over the images.
          seed: of the training.
        """
        self.paths = len(depths)
        self._ends = most * np.array(depths, np.float32)
        self._updates = updates
        seeds = [randomness.seed_of(seed, "drop_path", number) for number in range(passes)]
        self._seeds = np.array(seeds, np.int32)

    def factors(self, index: Any, of_pass: Any, update: Any) -> Any:
        """Returns float32 [paths] of one image.

        Args:
          index: its place in the training split, an int32 tensor.
          of_pass: the pass that it comes in, an int32 tensor.
          update: the one that sees it, counted from 0, an int32 tensor.
        """
        # The last update has the full share, the first one nothing or little.
        time = tf.cast(update + 1, tf.float32) / self._updates
        share = self._ends * time
        seed = tf.stack([tf.gather(self._seeds, of_pass), index])
        kept = tf.random.stateless_uniform([self.paths], seed) >= share
        return tf.where(kept, 1 / (1 - share), 0.0)
