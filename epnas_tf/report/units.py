"""Numbers as people read them."""

from __future__ import annotations


def short(value: float) -> str:
    """Returns a number with three digits and a decimal prefix: 855770 is "856k"."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.3g}{prefix}"
    return f"{value:.3g}"
