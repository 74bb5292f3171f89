"""Rows of a study of searchers whose medians are known."""

from __future__ import annotations

from epnas_tf.studies import search_study


def row(method, seed, reached, max_queries=400, **values):
    figures = dict(zip(search_study.SHARES, reached, strict=True))
    told = {"table": "kept_aside", "method": method, "seed": seed, "max_queries": max_queries}
    told |= {"reached": figures, "regret": {"50": 0.02, "100": 0.01}}
    return told | {"improvements": [[1, 0.3], [40, 0.02], [80, 0.01]]} | values
