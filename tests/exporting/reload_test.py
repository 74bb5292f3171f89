"""The program that runs files: it is quick to start, blocks epnas_tf and times single runs."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from epnas_tf.exporting import reload


def test_runs_of_one_image_each_are_timed():
    seen = []
    found = reload._latencies(seen.append, np.arange(5.0)[:, None], 0.0)
    assert len(found) == 30 and all(seconds > 0 for seconds in found)
    assert {image.shape for image in seen} == {(1, 1)}
    assert [float(image[0, 0]) for image in seen[-30:]] == [
        (len(seen) - 30 + i) % 5 for i in range(30)
    ]


def test_a_job_blocks_epnas_tf(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "epnas_tf", sys.modules["epnas_tf"])  # put back afterwards

    def needs_it(path):
        del path
        import epnas_tf.fields  # noqa: F401

    monkeypatch.setitem(reload.RUNTIMES, "needs it", needs_it)
    np.save(tmp_path / "images.npy", np.zeros((1, 2)))
    job = tmp_path / "job.json"
    job.write_text(f'{{"runtime": "needs it", "path": "", "images": "{tmp_path}/images.npy"}}')
    monkeypatch.delitem(sys.modules, "epnas_tf.fields")
    with pytest.raises(ImportError, match="epnas_tf"):
        reload.main(str(job))
