"""Drop path: what each path of a network is multiplied by, for each image of each update.

As in the NASNet and PNAS code (PAPER_NOTES section 4): a path is left out for a share of the images
that grows with its depth and with time, and is multiplied by 1 / (1 - share) for the others, so
that its mean stays. Draws are keyed by (seed, pass, image), as the images' variations are: they
come with the images, the same on any number of replicas, and no generator is part of any state.
"""

from __future__ import annotations

import epnas_tf.backend

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from epnas_tf import randomness
from epnas_tf.data import draws

# (images' places in the training split, passes, updates), int32 [n] each -> float32 [n, paths].
Factors = Callable[[Any, Any, Any], Any]


def factors_function(
    most: float, depths: Sequence[float], updates: int, passes: int, seed: int
) -> Factors:
    """Returns the function of images' factors.

    Args:
      most: share of the images that lack a path of depth 1 in the last update.
      depths: of the paths, in (0, 1].
      updates: of the training.
      passes: over the images.
      seed: of the training.
    """
    ends = most * np.array(depths, np.float32)
    keys = np.array(
        [
            [randomness.seed_of(seed, "drop_path", number, path) for path in range(len(depths))]
            for number in range(passes)
        ],
        np.int32,
    )

    def factors(index: Any, of_pass: Any, update: Any) -> Any:
        share = ends * (tf.cast(update + 1, tf.float32) / updates)[:, tf.newaxis]
        drawn = draws.uniform(tf.gather(keys, of_pass), index)
        return tf.where(drawn >= share, 1 / (1 - share), 0.0)

    return factors
