"""Images as people have them, brought to one scale: what is accepted, and what a white pixel is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# Full scales of whole numbers: bits of a camera's or scanner's pixel.
_WHOLE_SCALES = tuple(2.0**bits - 1 for bits in (8, 10, 12, 14, 16))
# Floats up to here have a full scale of 1: shares of it, or standardised values.
_MOST_OF_SHARES = 16.0
# A resize with overshoot leaves bytes a little beyond 0..255.
_MOST_OF_BYTES = 320.0
_BYTE = 255.0


def to_one_scale(given: Mapping[str, Any]) -> tuple[list[np.ndarray], float]:
    """Returns images [n, h, w, c] of all splits in one type, and the value of a white pixel.

    They are uint8 where every split holds whole numbers in 0..255, else float32; values stay as
    they are. The scale is decided by all splits together, so that none is taken for another's.

    Args:
      given: images [n, h, w, c] or, for grey ones, [n, h, w], by what to call them in an error.

    Raises:
      ValueError: they break a rule, which is named with the split's name.
    """
    images = {title: _images(np.asarray(each), title) for title, each in given.items()}
    limits = {title: (float(each.min()), float(each.max())) for title, each in images.items()}
    low = min(low for low, _ in limits.values())
    high = max(high for _, high in limits.values())
    whole = all(each.dtype.kind in "iu" for each in images.values())
    bytes_alone = low >= 0 and (whole or high > 1) and all(map(_are_bytes, images.values()))
    if not whole:
        _check_alike(limits)
    if bytes_alone:
        return [each.astype(np.uint8, copy=False) for each in images.values()], _BYTE
    scale = _whole_scale(low, high, limits) if whole else _float_scale(max(-low, high))
    return [each.astype(np.float32, copy=False) for each in images.values()], scale


def _images(images: np.ndarray, title: str) -> np.ndarray:
    """Returns integers or float32 [n, h, w, c]."""
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"{title} must be images [n, h, w, c] or [n, h, w] and not empty, "
            f"got shape {images.shape}"
        )
    if images.dtype.kind == "b":
        return images.astype(np.float32)
    if images.dtype.kind in "iu":  # for NumPy itself a time is an integer too
        return images
    if images.dtype.kind != "f" and images.dtype.name != "bfloat16":
        raise ValueError(f"{title} must hold integers or floats, got {images.dtype}")
    with np.errstate(over="ignore"):
        images = images.astype(np.float32, copy=False)
    if not np.isfinite(images).all():
        raise ValueError(f"{title} must hold finite numbers, got NaN or infinity")
    return images


def _check_alike(limits: Mapping[str, tuple[float, float]]) -> None:
    """Refuses one split in 0..1 and another in 0..255: a network would be blind to one."""
    reach = {title: max(-low, high) for title, (low, high) in limits.items()}
    most, least = max(reach, key=reach.__getitem__), min(reach, key=reach.__getitem__)
    if reach[most] > _MOST_OF_SHARES and reach[least] <= 1:
        raise ValueError(
            f"images of {most} and {least} must be on one scale, got values up to "
            f"{reach[most]:g} and {reach[least]:g}"
        )


def _whole_scale(low: float, high: float, limits: Mapping[str, tuple[float, float]]) -> float:
    if low < 0 or high > _WHOLE_SCALES[-1]:
        title = next(t for t, (a, b) in limits.items() if a < 0 or b > _WHOLE_SCALES[-1])
        low, high = limits[title]
        raise ValueError(
            f"integers in {title} must be in 0..255, or 0..65535 of deeper pixels, "
            f"got {low:.0f}..{high:.0f}"
        )
    return next(scale for scale in _WHOLE_SCALES if high <= scale)


def _float_scale(reach: float) -> float:
    if reach <= _MOST_OF_SHARES:
        return 1.0
    if reach <= _MOST_OF_BYTES:
        return _BYTE
    return next((scale for scale in _WHOLE_SCALES if reach <= scale), _WHOLE_SCALES[-1])


def _are_bytes(images: np.ndarray) -> bool:
    """Says whether images are whole numbers up to 255, in whatever type."""
    if images.dtype == np.uint8:
        return True
    return bool(images.max() <= _BYTE) and bool((images == np.rint(images)).all())
