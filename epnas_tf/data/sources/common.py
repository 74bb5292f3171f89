"""What sources of images share: what is asked of one, and what it returns.

Each source `NAME.py` has a function `load(path, request)` that returns the splits as arrays, with
the validation split held out by seed where the source has none. Images that are not kept are not
decoded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from epnas_tf import randomness
from epnas_tf.data import splits
from epnas_tf.data.arrays import Split
from epnas_tf.data.copies import Copies
from epnas_tf.data.labels import Classes

# Size of images that come in many sizes, where none is asked for.
DEFAULT_SIZE = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of any source; the meaning is that of `dataset.load`."""

    image_size: int = 0
    train_fraction: float = 1.0
    seed: int = 0
    data_dir: str = ""

    def choose(
        self,
        labels: np.ndarray,
        *shares: float,
        copies: Copies | None = None,
        names: Sequence[str] = (),
    ) -> list[np.ndarray]:
        """Returns indices: the training split cut to its fraction, then each split held out.

        Args:
          labels: of the examples that are split.
          *shares: of each split to hold out.
          copies: those among the examples; an image with its copies is on one side. None where
            there are none to look for.
          names: of the classes, for errors; their labels by default.
        """
        if copies is None:
            return self._choose(labels, shares, names)
        fair = copies.first[~copies.disputed]
        if not len(fair):
            raise ValueError(
                "images of different labels must differ, got only copies of each other: "
                "a network could learn nothing"
            )
        train, *others = self._choose(labels[fair], shares, names)
        # Copies of what is trained on are trained on too; what is measured counts once.
        kept = np.concatenate([fair[train], copies.first[copies.disputed]])
        with_copies = np.flatnonzero(np.isin(copies.first[copies.owner], kept))
        return [with_copies, *(fair[chosen] for chosen in others)]

    def _choose(
        self, labels: np.ndarray, shares: Sequence[float], names: Sequence[str]
    ) -> list[np.ndarray]:
        rng = randomness.generator(self.seed, "split")
        train, *others = splits.held_out(labels, shares, rng, names)
        rng = randomness.generator(self.seed, "fraction")
        return [train[splits.fraction_of(labels[train], self.train_fraction, rng)], *others]


@dataclasses.dataclass(frozen=True, eq=False)
class Raw:
    """The splits of a data set, not yet checked against each other.

    Attributes:
      train: what networks are trained on.
      validation: what they are compared by.
      test: for one final measurement; None where there is none.
      classes: what the labels stand for.
      full_scale: value of a white pixel.
      notes: what a person should know of the data, a line each.
    """

    train: Split
    validation: Split
    test: Split | None
    classes: Classes
    full_scale: float = 255.0
    notes: tuple[str, ...] = ()
