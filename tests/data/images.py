"""Images of noise and the splits of a data set, for tests."""

from __future__ import annotations

import numpy as np

from epnas_tf.data.dataset import Data, Split


def rows(split: Split) -> set[bytes]:
    return {image.tobytes() for image in split.images}


def pairs(split: Split) -> set[tuple[bytes, int]]:
    """What a split holds, whatever its order."""
    return {(x.tobytes(), int(y)) for x, y in zip(split.images, split.labels, strict=True)}


def splits_of(source: Data) -> list[Split]:
    return [split for split in (source.train, source.validation, source.test) if split is not None]


def noise(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)
