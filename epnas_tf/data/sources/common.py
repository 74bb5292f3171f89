"""What sources of images share: what is asked of one, and what it returns.

Each source `NAME.py` has a function `load(path, request)` that returns the splits as arrays, with
the validation split held out by seed where the source has none. Images that are not kept are not
decoded.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from epnas_tf import randomness
from epnas_tf.data import splits
from epnas_tf.data.arrays import Split

# Size of images that come in many sizes, where none is asked for.
DEFAULT_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked of any source; the meaning is that of `dataset.load`."""

    image_size: int
    train_fraction: float
    seed: int
    data_dir: str = ""

    def choose(self, labels: np.ndarray, *shares: float) -> list[np.ndarray]:
        """Returns indices: the training split cut to its fraction, then each split held out."""
        rng = randomness.generator(self.seed, "split")
        train, *others = splits.held_out(labels, shares, rng)
        rng = randomness.generator(self.seed, "fraction")
        return [train[splits.fraction_of(labels[train], self.train_fraction, rng)], *others]


@dataclasses.dataclass(frozen=True, eq=False)
class Raw:
    """The splits of a data set, not yet checked against each other."""

    train: Split
    validation: Split
    test: Split | None
