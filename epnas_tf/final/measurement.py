"""What a trained network is worth: its accuracy with an interval, class by class."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence

import numpy as np
from scipy import stats

# What the interval of an accuracy holds for.
LEVEL = 0.95


@dataclasses.dataclass(frozen=True, eq=False)
class Measurement:
    """How a network labels the images of a split.

    Attributes:
      confusion: int64 [classes, classes], images by their class (row) and the label that the
        network gives them (column).
    """

    confusion: np.ndarray

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """Number of images labelled correctly."""
        return int(self.confusion.trace())

    @property
    def accuracy(self) -> float:
        """Share of the images that are labelled correctly."""
        return self.correct / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the accuracy, by Wilson's score (JASA 22, 1927).

        It is of the images alone: another training of the same network may lie outside.
        """
        test = stats.binomtest(self.correct, self.images)
        found = test.proportion_ci(LEVEL, method="wilson")
        return float(found.low), float(found.high)

    @property
    def per_class(self) -> dict[int, float]:
        """The accuracy of each class that has images, by label."""
        images, correct = self.confusion.sum(axis=1), self.confusion.diagonal()
        present = np.flatnonzero(images).tolist()
        return {label: float(correct[label] / images[label]) for label in present}


def measured(predicted: np.ndarray, labels: np.ndarray, num_classes: int) -> Measurement:
    """Returns what a network's labels say of it.

    Args:
      predicted: the label that it gives to each image, int [images].
      labels: the images' own, int [images].
      num_classes: labels are 0..num_classes-1.
    """
    confusion = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    return Measurement(confusion)


def confusion_csv(found: Measurement, classes: Sequence[str]) -> str:
    """Returns confusion.csv: a line per class, with how many images got which label."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["class", *classes])
    for name, counts in zip(classes, found.confusion.tolist(), strict=True):
        writer.writerow([name, *counts])
    return file.getvalue()
