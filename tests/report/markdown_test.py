"""Tables in Markdown."""

import pytest

from epnas_tf.report import markdown


def test_a_table_is_markdown():
    text = markdown.table(["a", "b"], [["x", "1"], ["y", "0.50"]])
    assert text == "| a | b |\n| --- | ---: |\n| x | 1 |\n| y | 0.50 |"


def test_a_row_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"a row must have 2 cells, got 1: \['x'\]"):
        markdown.table(["a", "b"], [["x"]])
