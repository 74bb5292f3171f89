"""Stratified choices of examples by class; each depends on the labels and the generator alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epnas_tf.fields import SettingError


def held_out(
    labels: np.ndarray,
    shares: Sequence[float],
    rng: np.random.Generator,
    names: Sequence[str] = (),
) -> list[np.ndarray]:
    """Holds out splits that have their share of every class, and at least one image of it.

    Args:
      labels: of the examples.
      shares: of each split to hold out.
      rng: what the choice depends on.
      names: of the classes, for errors; their labels by default.

    Returns:
      Sorted indices: those that stay, then one array per share. They are disjoint and complete.

    Raises:
      ValueError: a class is too small to have an image in every split.
    """
    splits: list[list[np.ndarray]] = [[] for _ in range(len(shares) + 1)]
    for label, members in _shuffled_classes(labels, rng):
        start = 0
        for split, share in zip(splits[1:], shares, strict=True):
            count = max(1, round(share * len(members)))
            split.append(members[start : start + count])
            start += count
        if start >= len(members):
            raise ValueError(
                f"every class must have at least {len(splits)} images to be split in {len(splits)} "
                f"splits, class {names[label] if names else label} has {len(members)}"
            )
        splits[0].append(members[start:])
    return [np.sort(np.concatenate(split)) for split in splits]


def fraction_of(labels: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Returns sorted indices of this fraction of every class, at least one image of each.

    Raises:
      SettingError: the fraction is not in (0, 1].
    """
    check_fraction(fraction)
    chosen = [
        members[: max(1, round(fraction * len(members)))]
        for _, members in _shuffled_classes(labels, rng)
    ]
    return np.sort(np.concatenate(chosen))


def check_fraction(fraction: float) -> None:
    """Raises SettingError for a train_fraction that is no share."""
    if not 0 < fraction <= 1:
        raise SettingError("train_fraction", f"must be in (0, 1], got {fraction}")


def _shuffled_classes(labels: np.ndarray, rng: np.random.Generator) -> list[tuple[int, np.ndarray]]:
    return [
        (int(label), rng.permutation(np.flatnonzero(labels == label)))
        for label in np.unique(labels)
    ]
