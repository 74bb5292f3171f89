"""Which images were classified correctly: it comes back; no such file is as good as none."""

from __future__ import annotations

import io

import numpy as np
import pytest

from epnas_tf.workdir import hits_file, storage
from epnas_tf.workdir.layout import WorkDir


@pytest.mark.parametrize("images", [0, 1, 8, 1001])
def test_hits_come_back_in_a_bit_each(tmp_path, images):
    work_dir = WorkDir(str(tmp_path))
    hits = np.random.default_rng(0).random(images) < 0.5
    hits_file.write(work_dir, "e01s00b0r2", hits)
    found = hits_file.read(work_dir, "e01s00b0r2")
    assert found.dtype == bool
    assert list(found) == list(hits)
    assert len(storage.read_bytes(work_dir.hits("e01s00b0r2"))) < 600 + images / 8


def _archive(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        _archive(bits=np.zeros(3, np.uint8)),
        _archive(bits=np.zeros(3, np.uint8), images=-1),
        _archive(bits=np.zeros(3, np.uint8), images="many"),
        _archive(bits=np.zeros(1), images=3),
        _archive(bits=np.zeros((1, 1), np.uint8), images=3),
        _archive(bits=np.zeros(3, np.uint8), images=10**12),
    ],
)
def test_what_is_missing_or_corrupt_is_none(tmp_path, content):
    work_dir = WorkDir(str(tmp_path))
    assert hits_file.read(work_dir, "e01s00b0r2") is None
    storage.write_atomic(work_dir.hits("e01s00b0r2"), content)
    assert hits_file.read(work_dir, "e01s00b0r2") is None
