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
      hits: image by image, bool [images], where it was measured so.
    """

    correct: np.ndarray
    images: np.ndarray
    hits: np.ndarray | None = None

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


def class_hits(hits: np.ndarray, labels: np.ndarray, num_classes: int) -> ClassHits:
    """Returns the hits of each class of what was measured image by image.

    Args:
      hits: whether an image is classified correctly, bool [images].
      labels: the images' classes, [images].
      num_classes: of the data.
    """
    images = np.bincount(labels, minlength=num_classes)
    return ClassHits(np.bincount(labels[hits], minlength=num_classes), images, hits)


def largest_class(split: Split, num_classes: int) -> float | None:
    """Returns the share of a split's largest class, which a network that always says it reaches.

    None where no class is much larger than an even share: the accuracy then speaks for itself.
    """
    share = float(np.bincount(split.labels, minlength=num_classes).max() / len(split))
    return share if share > _UNEVEN / num_classes else None
