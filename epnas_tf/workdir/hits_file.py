"""Which validation images a network classified correctly: a bit per image, a file per trial."""

from __future__ import annotations

import io

import numpy as np

from epnas_tf import untrusted
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir

# More images than any validation split has: a hostile file must not fill the memory.
_MOST_BYTES = 64 * 2**20


def write(work_dir: WorkDir, slot: str, hits: np.ndarray) -> None:
    """Writes what a trial measured.

    Args:
      work_dir: of the search.
      slot: the trial's name.
      hits: bool [images].
    """
    buffer = io.BytesIO()
    np.savez(buffer, bits=np.packbits(hits), images=len(hits))
    storage.write_atomic(work_dir.hits(slot), buffer.getvalue())


def read(work_dir: WorkDir, slot: str) -> np.ndarray | None:
    """Returns what a trial measured, bool [images]; None where that is missing or corrupt."""
    if not storage.exists(work_dir.hits(slot)):
        return None
    content = storage.read_bytes(work_dir.hits(slot))
    try:
        if untrusted.unpacked_bytes(io.BytesIO(content)) > _MOST_BYTES:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            bits, images = archive["bits"], int(archive["images"])
        if bits.ndim != 1 or not 0 <= 8 * len(bits) - images < 8:
            return None
        return np.unpackbits(bits, count=images).astype(bool)
    except untrusted.BAD_ARCHIVE:
        return None
