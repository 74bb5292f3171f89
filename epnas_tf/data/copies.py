"""Copies of one image: which of them count, so that no network is measured on what it has seen.

Where this package splits, copies count as one example; between splits that were given, a copy
leaves the later of training, validation and test. Copies with different labels stay in training
alone (DECISIONS 67). What is a copy is the caller's to say: an example's digest.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

import numpy as np

# For each example, what its copies share; 8 bytes, so that millions of images fit.
Digests = np.ndarray


def digest_of(content: bytes) -> int:
    """Returns a number of 64 bits that tells a content from others."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def digests_of(images: np.ndarray) -> Digests:
    """Returns uint64 [n], equal where images are equal in every byte."""
    return np.fromiter((digest_of(image.tobytes()) for image in images), np.uint64, len(images))


@dataclasses.dataclass(frozen=True)
class Copies:
    """Where the copies among examples that are to be split are.

    Attributes:
      first: sorted indices of the examples that are split: the first of each with its copies.
      owner: for each example, the place in `first` of the one that it is a copy of.
      disputed: for each entry of `first`, whether its copies have different labels.
    """

    first: np.ndarray
    owner: np.ndarray
    disputed: np.ndarray

    @property
    def count(self) -> int:
        """Number of examples that are copies of an earlier one."""
        return len(self.owner) - len(self.first)


def among(digests: Digests, labels: np.ndarray) -> Copies:
    """Returns the copies among examples, each of a label."""
    _, first, where = np.unique(digests, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    first, owner = first[order], place[where.reshape(-1)]
    disputed = np.zeros(len(first), bool)
    disputed[owner[labels != labels[first][owner]]] = True
    return Copies(first, owner, disputed)


def outside(digests: Digests, *earlier: Digests) -> np.ndarray:
    """Returns sorted indices of a split's examples that are in no earlier split, each once."""
    _, first = np.unique(digests, return_index=True)
    return np.sort(first[~np.isin(digests[first], np.concatenate(earlier))])


def without(digests: Mapping[str, Digests]) -> dict[str, np.ndarray]:
    """Returns, for each split but the first, sorted indices of what no earlier one has.

    Args:
      digests: of each split's examples, by its title, in the order of the splits.

    Raises:
      ValueError: nothing is left of a split.
    """
    titles = list(digests)
    own = {
        title: outside(digests[title], *(digests[earlier] for earlier in titles[:place]))
        for place, title in enumerate(titles)
        if place
    }
    for title, indices in own.items():
        if not len(indices):
            raise ValueError(
                f"the {title} split must hold images of its own, "
                "each of them is a copy of one in an earlier split"
            )
    return own


def report(left_out: Mapping[str, int], within: int = 0) -> str:
    """Returns a line that says which copies do not count, empty where there are none.

    Args:
      left_out: number of examples left out, by the title of a split.
      within: number of copies that were kept together when examples were split.
    """
    kept = f"{within} images are copies of others and stay on one side of the split"
    parts = [f"{count} of the {title} split" for title, count in left_out.items() if count]
    dropped = f"left out as copies of images in an earlier split: {', '.join(parts)}"
    return "; ".join([kept] * bool(within) + [dropped] * bool(parts))
