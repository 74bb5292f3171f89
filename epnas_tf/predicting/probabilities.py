"""From a model's outputs to the odds of its classes; NumPy alone."""

from __future__ import annotations

import numpy as np

# What probabilities may miss the sum of 1 by: rounding, and half a step of 8 bits per class.
_ROUNDING = 1e-3
_HALF_A_STEP = 1 / 512


def of(outputs: np.ndarray, logits: bool | None) -> np.ndarray:
    """Returns the probabilities of classes, float64 [n, classes].

    Args:
      outputs: of a model, [n, classes].
      logits: whether they are logits; None where nobody says, and they are told by what they are.
    """
    outputs = outputs.astype(np.float64)
    if logits is None:
        logits = not _sum_to_one(outputs)
    return _softmax(outputs) if logits else outputs


def _sum_to_one(outputs: np.ndarray) -> bool:
    most = _ROUNDING + _HALF_A_STEP * outputs.shape[1]
    return bool((outputs >= 0).all() and (abs(outputs.sum(1) - 1) <= most).all())


def _softmax(logits: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # infinite ones: whoever reads the odds will see
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return shares / shares.sum(1, keepdims=True)
