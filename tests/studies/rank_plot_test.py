"""The plot of the study of proxies: a panel per method, a colour per step."""

from __future__ import annotations

import pytest

from epnas_tf.studies.rank_table import Network, Study
from tests.studies import rank_rows

figure = pytest.importorskip("matplotlib.figure")

from epnas_tf.studies import rank_plot  # noqa: E402


@pytest.fixture(name="drawn")
def _drawn(monkeypatch, tmp_path):
    """Returns a function that plots a study of so many networks and gives the panels."""
    saved = []
    real = figure.Figure.savefig

    def savefig(canvas, path, **options):
        saved.append(canvas)
        real(canvas, path, **options)

    monkeypatch.setattr(figure.Figure, "savefig", savefig)

    def drawn(count, proxies=("exact", "reversed")):
        networks = [Network(f"n{i}", "layerwise", i % 3, 1e4, 1e6) for i in range(count)]
        rows = rank_rows.rows(networks)
        exact = [row for row in rows if row["method"] == "exact"]
        copies = [row | {"method": f"exact {n}"} for n in range(5) for row in exact]
        kept = [row for row in [*rows, *copies] if row["method"] in ("truth", *proxies)]
        rank_plot.plot(Study(kept, networks, {}), tmp_path / "plot.png")
        assert (tmp_path / "plot.png").stat().st_size > 1_000
        return saved[-1].axes

    return drawn


def test_each_proxy_has_a_panel_with_its_correlation(drawn):
    panels = drawn(9)
    titles = ["exact\nSpearman 1.00", "reversed\nSpearman -1.00"]
    assert [panel.get_title() for panel in panels] == titles
    assert {(panel.get_xlabel(), panel.get_ylabel()) for panel in panels} == {("truth", "proxy")}


def test_the_points_are_those_of_the_networks_by_step(drawn):
    (panel,) = drawn(7, ["exact"])
    points = [collection.get_offsets() for collection in panel.collections]
    assert [len(of_step) for of_step in points] == [3, 2, 2]
    assert [text.get_text() for text in panel.get_legend().get_texts()] == [
        *("step 0", "step 1", "step 2"),
    ]
    for step, of_step in enumerate(points):
        truth = [0.4 + 0.02 * index + 0.0005 for index in range(step, 7, 3)]
        assert of_step[:, 0].tolist() == pytest.approx(truth)
        assert of_step[:, 1].tolist() == pytest.approx([(value - 0.0005) / 2 for value in truth])


def test_too_few_networks_are_drawn_and_said_to_be(drawn):
    (panel,) = drawn(2, ["exact"])
    assert panel.get_title() == "exact\ntoo few networks"
    assert sum(len(collection.get_offsets()) for collection in panel.collections) == 2


def test_places_without_a_method_are_left_empty(drawn):
    """Five methods are two rows of four."""
    assert len(drawn(4, [f"exact {n}" for n in range(5)])) == 5
