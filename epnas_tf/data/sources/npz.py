"""Arrays of an .npz file."""

from __future__ import annotations

import zipfile
from typing import IO, Any

import numpy as np

from epnas_tf import untrusted
from epnas_tf.data import arrays
from epnas_tf.data.given import prepared
from epnas_tf.data.sources.common import Raw, Request

# Keys of images and labels, by split.
_TITLES = {name: (f"x_{name}", f"y_{name}") for name in ("train", "val", "test")}


def load(path: str, request: Request) -> Raw:
    """Returns the arrays of an .npz file; 20% of x_train are held out where it has no x_val.

    Raises:
      ValueError: the file, or an array in it, is missing or breaks a rule.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError(f"npz:PATH must name an .npz file, {path!r} is none")
    with open(path, "rb") as file:
        archive = _archive(path, file)
        _check(path, archive.files)
        splits = {name: _pair(archive, name) for name in _TITLES if f"x_{name}" in archive.files}
    return prepared(splits, request, 0.2, titles=_TITLES, by_content=False)


def _archive(path: str, file: IO[bytes]) -> Any:
    try:
        archive = np.load(file, allow_pickle=False)
    except untrusted.BAD_ARCHIVE as error:
        raise ValueError(f"{path} must be a whole .npz file: {error}") from error
    if isinstance(archive, np.ndarray):  # an .npy file that ends like an archive
        raise ValueError(f"npz:PATH must name an .npz file, {path!r} is none")
    return archive


def _check(path: str, keys: list[str]) -> None:
    present = [name for name in ("val", "test") if {f"x_{name}", f"y_{name}"} & set(keys)]
    for key in (f"{axis}_{name}" for name in ("train", *present) for axis in "xy"):
        if key not in keys:
            raise ValueError(f"{path} must hold {key}, it has {sorted(keys)}")
    size = untrusted.unpacked_bytes(path)
    arrays.check_memory(path, size, "store fewer or smaller images")


def _pair(archive: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = _TITLES[name]
    try:
        return archive[x], archive[y]
    except untrusted.BAD_ARCHIVE as error:
        raise ValueError(f"{x} and {y} must be readable without pickle: {error}") from error
