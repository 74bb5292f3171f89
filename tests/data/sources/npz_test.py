from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from epnas_tf.data import dataset
from tests.data.images import noise, splits_of

GOOD_X, GOOD_Y = noise(20, 4, 4), np.arange(20) % 2


def npz(tmp_path: Path, **content: np.ndarray) -> str:
    np.savez(tmp_path / "set.npz", **content)
    return f"npz:{tmp_path / 'set.npz'}"


def test_npz_splits_are_taken_as_they_are(tmp_path: Path) -> None:
    y = np.arange(30) % 3
    contents = {f"x_{name}": noise(30, 5, 5, seed=i) for i, name in enumerate(("train", "val"))}
    name = npz(
        tmp_path, **contents, y_train=y, y_val=y, x_test=noise(9, 5, 5, seed=2), y_test=y[:9]
    )
    source = dataset.load(name)
    assert [len(split) for split in splits_of(source)] == [30, 30, 9]
    np.testing.assert_array_equal(source.validation.images[..., 0], contents["x_val"])
    assert dataset.load(name, image_size=8, train_fraction=0.5).input_shape == (8, 8, 1)


def test_npz_without_validation_holds_some_out(tmp_path: Path) -> None:
    source = dataset.load(npz(tmp_path, x_train=noise(30, 5, 5, 3), y_train=np.arange(30) % 3))
    assert [len(split) for split in splits_of(source)] == [24, 6]
    assert source.test is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"x_train": GOOD_X}, r"must hold y_train, it has \['x_train'\]"),
        ({"y_train": GOOD_Y}, "must hold x_train"),
        ({"x_train": GOOD_X, "y_train": GOOD_Y, "x_val": GOOD_X}, "must hold y_val"),
        ({"x_train": GOOD_X, "y_train": GOOD_Y, "y_test": GOOD_Y}, "must hold x_test"),
        ({"x_train": GOOD_X, "y_train": GOOD_Y.astype(object)}, "readable without pickle"),
    ],
)
def test_bad_npz_files_are_refused(
    tmp_path: Path, content: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        dataset.load(npz(tmp_path, **content))


def test_what_is_no_npz_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "single.npy", GOOD_X)
    for name in ("single.npy", "missing.npz"):
        with pytest.raises(ValueError, match="must name an .npz file, .* is none"):
            dataset.load(f"npz:{tmp_path / name}")


@pytest.mark.parametrize(
    "content",
    [
        {"x_train": GOOD_X, "y_train": np.zeros((10**9, 0))},
        {"x_train": GOOD_X, "y_train": GOOD_Y.astype(complex)},
        {"x_train": GOOD_X, "y_train": GOOD_Y.astype("m8[s]")},
        {"x_train": GOOD_X.astype("m8[s]"), "y_train": GOOD_Y},
        {"x_train": GOOD_X.astype(np.float64) * 1e300, "y_train": GOOD_Y},
    ],
)
def test_npz_files_of_other_arrays_are_refused(
    tmp_path: Path, content: dict[str, np.ndarray]
) -> None:
    with pytest.raises(ValueError, match="_train must"):
        dataset.load(npz(tmp_path, **content))


@pytest.mark.parametrize(
    "head",
    [
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }\n",
        b"{'descr': " + b"(" * 9000,
        b"{'descr':\n '",
    ],
)
def test_npz_files_of_what_is_no_array_are_refused(tmp_path: Path, head: bytes) -> None:
    array = b"\x93NUMPY\x01\0" + len(head).to_bytes(2, "little") + head
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("x_train.npy", array)
        archive.writestr("y_train.npy", array)
    with pytest.raises(ValueError, match="must be readable"):
        dataset.load(f"npz:{tmp_path / 'set.npz'}")


@pytest.mark.parametrize("kind", ["npy", "directory"])
def test_an_archive_that_ends_well_but_begins_as_something_else_is_refused(
    tmp_path: Path, kind: str
) -> None:
    path = Path(npz(tmp_path, x_train=GOOD_X, y_train=GOOD_Y).removeprefix("npz:"))
    content = path.read_bytes()
    if kind == "npy":
        np.save(tmp_path / "one.npy", GOOD_Y)
        path.write_bytes((tmp_path / "one.npy").read_bytes() + content)
    else:  # the names in it are none
        path.write_bytes(content.replace(b"PK\x01\x02", b"PK\x09\x09"))
    with pytest.raises(ValueError, match=r"whole \.npz file|must name an \.npz file"):
        dataset.load(f"npz:{path}")


def test_a_truncated_npz_file_is_refused(tmp_path: Path) -> None:
    name = npz(tmp_path, x_train=GOOD_X, y_train=GOOD_Y)
    path = Path(name.removeprefix("npz:"))
    content = bytearray(path.read_bytes())
    content[200:260] = b"\0" * 60  # inside the first array: its checksum fails
    path.write_bytes(content)
    with pytest.raises(ValueError, match="must be readable"):
        dataset.load(name)
