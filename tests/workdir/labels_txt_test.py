"""Names of classes come back from labels.txt as they went in, but for line breaks."""

from __future__ import annotations

import pytest

from epnas_tf.workdir import labels_txt


@pytest.mark.parametrize(
    "names", [("cat", "dog"), ("left turn", "", "a,b", "naïve 猫"), ("one",), ("a\u2028b", "c")]
)
def test_names_come_back(names):
    kept = tuple(" ".join(name.splitlines()) for name in names)
    assert labels_txt.names(labels_txt.text(names)) == kept


def test_a_class_has_one_line():
    assert labels_txt.text(["two\nlines", "b\r\nc"]) == "two lines\nb c\n"
