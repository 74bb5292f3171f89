"""Cells side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from epnas_tf.report import columns

_CELLS = st.text(st.characters(codec="ascii", exclude_categories=("C", "Z")), max_size=9)


def test_text_stands_to_the_left_and_numbers_to_the_right():
    rows = [("name", "size", "seconds"), ("a", "20k", "1.5"), ("longer", "3", "")]
    assert columns.aligned(rows, text=1) == [
        "name    size  seconds",
        "a        20k      1.5",
        "longer     3",
    ]
    assert columns.aligned(rows)[1] == "     a   20k      1.5"


@given(st.lists(st.tuples(_CELLS, _CELLS, _CELLS), min_size=1), st.integers(0, 3))
def test_every_cell_stands_within_its_column(rows, text):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, line in zip(rows, columns.aligned(rows, text), strict=True):
        start = 0
        for cell, width in zip(row, widths, strict=True):
            assert line[start : start + width].strip() == cell
            assert not line[start + width : start + width + 2].strip()
            start += width + 2
