"""Mixup: training images and their labels, blended with others of the same batch.

Zhang et al. (https://arxiv.org/abs/1710.09412), who draw one share per update as well. An image's
partner is so many places on in the batch, a number of at least 1 that is drawn per update: a batch
is in random order as it is, and no image is its own partner. The batch is that of all replicas and
micro-batches, so that images are blended alike however it is laid out.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from epnas_tf import randomness


@dataclasses.dataclass(frozen=True, eq=False)
class Mixing:
    """What is blended with what, for all updates of a training.

    Attributes:
      shares: of an image itself, float32 [updates]; its partner has the rest.
      partners: the place of each image's partner in the stream of images, [updates * batch].
    """

    shares: np.ndarray
    partners: np.ndarray


def plan(alpha: float, epochs: int, steps: int, batch_size: int, seed: int) -> Mixing:
    """Returns how the images of a training are blended.

    A longer training begins with the same: draws are keyed by (seed, epoch, update).

    Args:
      alpha: of the distribution Beta(alpha, alpha) of the shares.
      epochs: of the training.
      steps: updates of an epoch.
      batch_size: images per update.
      seed: of the training.
    """
    draws = [randomness.generator(seed, "mixup", epoch) for epoch in range(epochs)]
    shares = [draw.beta(alpha, alpha, steps) for draw in draws]
    shifts = [draw.integers(1, max(batch_size, 2), steps) for draw in draws]
    first = np.arange(epochs * steps)[:, None] * batch_size
    places = np.arange(batch_size) + np.concatenate(shifts)[:, None]
    partners = first + places % batch_size
    return Mixing(np.concatenate(shares).astype(np.float32), partners.ravel())
