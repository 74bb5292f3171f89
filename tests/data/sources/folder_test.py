from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.data import arrays, dataset, decoding
from epnas_tf.data.sources import folder
from tests.data.images import rows, splits_of


def bmp(pixels: np.ndarray) -> bytes:
    """A BMP file of 24 bits, rows padded to four bytes and bottom up."""
    height, width, _ = pixels.shape
    padded = np.pad(pixels[::-1, :, ::-1], [(0, 0), (0, -3 * width % 4), (0, 0)])
    body = b"".join(row.tobytes()[: -(-3 * width // 4) * 4] for row in padded)
    numbers = (54 + len(body), 0, 54, 40, width, height)
    header = b"BM" + b"".join(number.to_bytes(4, "little") for number in numbers)
    header += (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24)
    return header + body


def png(pixels: np.ndarray) -> bytes:
    return tf.io.encode_png(pixels).numpy()


def jpeg(pixels: np.ndarray) -> bytes:
    return tf.io.encode_jpeg(pixels, quality=100).numpy()


def smooth(height: int, width: int, channels: int, level: int) -> np.ndarray:
    return np.full((height, width, channels), level, np.uint8)


def fill(root: Path, name: str, count: int, level: int = 60, channels: int = 3) -> None:
    (root / name).mkdir(parents=True)
    for index in range(count):
        pixels = smooth(6 + index, 9, channels, level)
        pixels[0, 0] = zlib.crc32(f"{root.name}/{name}".encode()) % 256  # no two are copies
        (root / name / f"{index}.png").write_bytes(png(pixels))


@pytest.mark.parametrize("encode", [png, jpeg, bmp])
@pytest.mark.parametrize("channels", [1, 3])
def test_formats_and_sizes(
    tmp_path: Path, encode: Callable[[np.ndarray], bytes], channels: int
) -> None:
    if encode is bmp and channels == 1:
        pytest.skip("the writer of this test knows colour only")
    for label, level in enumerate((50, 200)):
        (tmp_path / f"class{label}").mkdir()
        for index in range(5):
            pixels = smooth(10 + index, 7, channels, level)
            (tmp_path / f"class{label}" / f"{index}").write_bytes(encode(pixels))
    source = dataset.load(f"folder:{tmp_path}", image_size=8)
    assert source.input_shape == (8, 8, channels)
    assert [len(split) for split in (source.train, source.validation, source.test)] == [6, 2, 2]
    levels = source.train.images.mean((1, 2, 3))
    np.testing.assert_allclose(levels, np.where(source.train.labels == 0, 50, 200), atol=2)


def test_grey_and_colour_make_colour_and_alpha_is_left_out(tmp_path: Path) -> None:
    for index, channels in enumerate((1, 2, 3, 4)):
        fill(tmp_path, f"class{index}", 5, level=60, channels=channels)
    source = dataset.load(f"folder:{tmp_path}")
    assert source.input_shape == (32, 32, 3)
    middle = source.train.images[:, 16, 16]
    assert set(map(tuple, middle[source.train.labels % 2 == 0])) == {(60, 60, 60)}


def test_broken_files_are_named_and_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, "a", 8)
    fill(tmp_path, "b", 8)
    (tmp_path / "a" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (tmp_path / "b" / "notes.txt").write_text("no image")
    (tmp_path / "b" / "empty.jpg").write_bytes(b"")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "a" / ".hidden").write_text("never looked at")
    source = dataset.load(f"folder:{tmp_path}")
    assert sum(map(len, (source.train, source.validation, source.test))) == 15
    assert source.notes == ("3 of 18 files were skipped, as said above",)
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 3
    for name in ("3.png", "notes.txt", "empty.jpg"):
        assert any(name in line and "skipped" in line for line in warnings)


def bomb(side: int) -> bytes:
    """A PNG of some kilobytes, all black, of this height and width."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes((side + 1) * side), 9)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_a_decompression_bomb_is_named_and_not_decoded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MAX_PIXELS", 512 * 512)
    for name in "ab":
        fill(tmp_path, name, 5)
        (tmp_path / name / "allowed.png").write_bytes(bomb(512 if name == "a" else 511))
    (tmp_path / "a" / "bomb.png").write_bytes(bomb(4096))
    assert (tmp_path / "a" / "bomb.png").stat().st_size < 20_000
    source = dataset.load(f"folder:{tmp_path}")
    assert sum(map(len, (source.train, source.validation, source.test))) == 12
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.endswith("bomb.png: must have at most 262144 pixels, has 16777216")


def test_many_broken_files_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "a", 5)
    fill(tmp_path, "b", 5)
    for index in range(30):
        (tmp_path / "a" / f"broken{index}").write_text(str(index))
    dataset.load(f"folder:{tmp_path}")
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == folder._MAX_NAMED + 1 and "and 10 more" in warnings[-1]


@pytest.mark.parametrize("validation", ["val", "validation"])
def test_sub_folders_are_the_splits(tmp_path: Path, validation: str) -> None:
    for split, count in (("train", 5), (validation, 2), ("test", 3)):
        for name in ("a", "b"):
            fill(tmp_path / split, name, count)
    source = dataset.load(f"folder:{tmp_path}")
    assert [len(split) for split in (source.train, source.validation, source.test)] == [10, 4, 6]


def test_validation_is_held_out_of_train_where_there_is_none(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fill(tmp_path / "train", name, 5)
    source = dataset.load(f"folder:{tmp_path}", train_fraction=0.5)
    assert (len(source.train), len(source.validation), source.test) == (4, 2, None)


def test_bad_folders_are_refused(tmp_path: Path) -> None:
    def refused(path: Path, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            dataset.load(f"folder:{path}")

    refused(tmp_path / "none", "folder:PATH must name a directory, .*none.* does not exist")
    fill(tmp_path / "one", "a", 3)
    refused(tmp_path / "one", r"at least 2 directories, one per class, got \['a'\]")
    (tmp_path / "empty" / "a").mkdir(parents=True)
    (tmp_path / "empty" / "b").mkdir()
    refused(tmp_path / "empty", "empty must hold images, got none")
    fill(tmp_path / "few", "a", 5)
    fill(tmp_path / "few", "b", 2)
    refused(tmp_path / "few", "at least 3 images .* class b has 2")
    for name in ("a", "b"):
        fill(tmp_path / "odd" / "train", name, 3)
    fill(tmp_path / "odd" / "test", "c", 1)
    refused(tmp_path / "odd", r"must be among the classes \['a', 'b'\], got \['c'\]")
    for name in ("a", "b"):
        (tmp_path / "broken" / name).mkdir(parents=True)
        for index in range(3):
            (tmp_path / "broken" / name / f"{index}.png").write_text(f"no image {name}{index}")
    message = r"images of class a must be readable, none of 3 files is: .*0\.png: not an image"
    refused(tmp_path / "broken", message)


def test_too_many_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a", 5)
    fill(tmp_path, "b", 5)
    monkeypatch.setattr(arrays, "MAX_GIB", 1e-6)
    with pytest.raises(ValueError, match="must need at most 1e-06 GiB"):
        dataset.load(f"folder:{tmp_path}")


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    for name in "ab":
        fill(tmp_path, name, 5)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / ".hidden").write_text("")
    with pytest.raises(ValueError, match=r"/c must hold images, got none$"):
        dataset.load(f"folder:{tmp_path}")


def test_no_path_is_no_folder() -> None:
    with pytest.raises(ValueError, match="folder:PATH must name a directory, '' does not exist"):
        dataset.load("folder:")


def test_a_file_that_cannot_be_read_comes_or_goes_without_a_trace(tmp_path: Path) -> None:
    for name in "ab":
        fill(tmp_path, name, 9)
    whole = dataset.load(f"folder:{tmp_path}", seed=3)
    (tmp_path / "a" / "0 Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0 a table of small pictures")
    cut_off = jpeg(smooth(40, 40, 3, 90))[:200]
    (tmp_path / "b" / "00.jpg").write_bytes(cut_off)
    again = dataset.load(f"folder:{tmp_path}", seed=3)
    for one, two in zip(splits_of(whole), splits_of(again), strict=True):
        np.testing.assert_array_equal(one.images, two.images)
        np.testing.assert_array_equal(one.labels, two.labels)


def test_copies_in_folders_are_on_one_side_and_counted(tmp_path: Path) -> None:
    for name in "ab":
        fill(tmp_path / "train", name, 9)
        fill(tmp_path / "valid", name, 4)
    for path in sorted((tmp_path / "train" / "a").iterdir())[:3]:
        (tmp_path / "valid" / "a" / f"copy of {path.name}").write_bytes(path.read_bytes())
        (tmp_path / "train" / "a" / f"copy of {path.name}").write_bytes(path.read_bytes())
    source = dataset.load(f"folder:{tmp_path}")
    assert (len(source.train), len(source.validation)) == (21, 8)
    assert not rows(source.train) & rows(source.validation)
    assert source.notes[0] == (
        "3 images are copies of others and stay on one side of the split; "
        "left out as copies of images in an earlier split: 3 of the validation split"
    )


def test_names_of_classes_stand_in_their_order_and_images_of_one_colour_are_said(
    tmp_path: Path,
) -> None:
    fill(tmp_path, "zebra", 5)
    fill(tmp_path, "Ant", 5)
    for index in range(2):
        (tmp_path / "Ant" / f"blank{index}.png").write_bytes(png(smooth(8, 8 + index, 3, 7)))
    source = dataset.load(f"folder:{tmp_path}")
    assert source.classes.names == ("Ant", "zebra")
    assert source.notes == ("2 of 12 images are of a single colour: do they show anything?",)
