"""A network's accuracy class by class, and what follows of it; no TensorFlow."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # for its type alone: the data's room imports TensorFlow
    from epnas_tf.data.dataset import Split

# The largest class is worth a word where it holds this many times a class' even share.
_UNEVEN = 1.5


@dataclasses.dataclass(frozen=True, eq=False)
class ClassHits:
    """How many images of each class of a dataset split a network classifies correctly.

    Attributes:
      correct: of each class.
      images: of each class; 0 where the split holds none.
    """

    correct: np.ndarray
    images: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of the images that are classified correctly."""
        return float(self.correct.sum()) / int(self.images.sum())

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the classes' accuracies; a class without images does not count."""
        shares = self.shares.values()
        return math.fsum(shares) / len(shares)

    @property
    def shares(self) -> dict[int, float]:
        """The accuracy of each class that has images, by label."""
        return {
            int(label): float(self.correct[label]) / int(self.images[label])
            for label in np.flatnonzero(self.images)
        }


def largest_class(split: Split, num_classes: int) -> float | None:
    """Returns the share of a split's largest class, which a network that always says it reaches.

    None where no class is much larger than an even share: the accuracy then speaks for itself.
    """
    share = float(np.bincount(split.labels, minlength=num_classes).max() / len(split))
    return share if share > _UNEVEN / num_classes else None
