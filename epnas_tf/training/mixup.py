"""Mixup: training images and their labels, blended with others of the same batch.

Zhang et al. (https://arxiv.org/abs/1710.09412), whose code draws one share per update as well. An
image's partner is so many places on in the batch, a number of at least 1 that is drawn per update:
a batch is in random order as it is, and no image is its own partner. The batch is that of all
replicas and micro-batches, so that images are blended alike however it is laid out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from epnas_tf import randomness


def plan(
    alpha: float, epochs: int, steps: int, batch_size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns what is blended with what, for all updates of a training.

    Draws are keyed by (seed, epoch): a longer training begins with the same.

    Args:
      alpha: of the distribution Beta(alpha, alpha) of the shares.
      epochs: of the training.
      steps: updates of an epoch.
      batch_size: images per update.
      seed: of the training.

    Returns:
      The share of an image itself, float32 [updates], of which its partner has the rest; and the
      place of each image's partner in the stream of images, [updates * batch_size].
    """
    draws = [randomness.generator(seed, "mixup", epoch) for epoch in range(epochs)]
    shares = np.concatenate([draw.beta(alpha, alpha, steps) for draw in draws])
    shifts = np.concatenate([draw.integers(1, max(batch_size, 2), steps) for draw in draws])
    first = np.arange(epochs * steps)[:, None] * batch_size
    partners = first + (np.arange(batch_size) + shifts[:, None]) % batch_size
    return shares.astype(np.float32), partners.ravel()


def blended(shares: Any, ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns examples blended in pairs.

    Args:
      shares: of ours, float32 [n].
      ours: images [n, h, w, c], labels as shares of the classes [n, classes], weights [n] if any.
      theirs: likewise.
    """
    found = []
    for one, other in zip(ours, theirs, strict=True):
        share = tf.reshape(shares, [-1] + [1] * (len(one.shape) - 1))
        found.append(share * one + (1 - share) * other)
    return tuple(found)
