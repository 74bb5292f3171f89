"""The plot of searches that are compared."""

from __future__ import annotations

import pathlib

import pytest

from epnas_tf.studies.comparison import Search
from epnas_tf.studies.comparison_report import Curve


def test_a_plot_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    from epnas_tf.studies import comparison_plot

    def curve(seed, best):
        return Curve(Search("a", seed, pathlib.Path("a"), ()), best, 2, 2, 60)

    curves = {
        "two seeds": [curve(0, [(10, 0.5), (30, 0.6)]), curve(1, [(20, 0.4)])],
        "one": [curve(0, [])],
    }
    path = tmp_path / "curves.png"
    comparison_plot.plot(curves, 1, path)
    assert path.stat().st_size > 1_000
