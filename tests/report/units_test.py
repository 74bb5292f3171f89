"""Numbers as people read them."""

import pytest

from epnas_tf.report.units import short


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (0.125, "0.125"),
        (999, "999"),
        (999.4, "999"),
        (999.6, "1k"),
        (1000, "1k"),
        (12_345, "12.3k"),
        (855_770, "856k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (251_400_000, "251M"),
        (1.5e9, "1.5G"),
        (2e12, "2T"),
        (-12_345, "-12.3k"),
    ],
)
def test_short(value, text):
    assert short(value) == text
