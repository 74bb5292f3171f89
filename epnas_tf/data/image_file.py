"""An image file at a network's size: what a search is shown, and what a model is shown in use."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import numpy as np

from epnas_tf.data import arrays, decoding, image_header

# Of larger images than this, one is decoded at a time.
_LARGE_PIXELS = 2**22
_one_large = threading.Lock()

# Shares of red, green and blue in the brightness of a pixel (Rec. ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)


def read(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    """Returns uint8 [height, width, 1] of a grey image, [height, width, 3] of a coloured one.

    Several threads may read at the same time.

    Args:
      path: of the file.
      size: height and width to resize to, antialiased; None keeps the image's own.

    Raises:
      UnreadableImageError: the file is no image that can be decoded.
      OSError: it cannot be read.
    """
    content = path.read_bytes()
    large = image_header.pixels(content) > _LARGE_PIXELS
    with _one_large if large else contextlib.nullcontext():
        image = decoding.decode(content)
        return image if size is None else arrays.resize(image, *size).numpy()


def of_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Returns an image [h, w, 1 or 3] with 1 or 3 channels: grey is a colour, colour has a grey."""
    if image.shape[2] == channels:
        return image
    if channels == 1:
        return np.rint(image @ np.array(_LUMA)).astype(np.uint8)[..., None]
    return np.repeat(image, channels, axis=2)
