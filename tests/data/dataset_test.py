from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from epnas_tf.data import arrays, dataset
from epnas_tf.data.dataset import Data, Split
from epnas_tf.data.sources import tfds as tfds_source


def rows(part: Split) -> set[bytes]:
    return {image.tobytes() for image in part.images}


def parts_of(source: Data) -> list[Split]:
    return [part for part in (source.train, source.validation, source.test) if part is not None]


def noise(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


# The embedded digits.


def test_digits_are_split_60_20_20() -> None:
    source = dataset.load("digits")
    assert [len(part) for part in parts_of(source)] == [1079, 359, 359]
    assert (source.input_shape, source.num_classes) == ((8, 8, 1), 10)
    assert (source.train.images.dtype, source.train.labels.dtype) == (np.uint8, np.int32)
    assert source.train.images.max() == 255
    for part in parts_of(source):
        shares = np.bincount(part.labels) / len(part)
        assert abs(shares - 0.1).max() < 0.01


def test_splits_depend_on_the_seed_alone() -> None:
    first, again, other = (dataset.load("digits", seed=seed) for seed in (0, 0, 1))
    for one, two in zip(parts_of(first), parts_of(again), strict=True):
        np.testing.assert_array_equal(one.images, two.images)
    assert rows(first.test) != rows(other.test)


def test_parts_are_disjoint() -> None:
    # scikit-learn's digits hold no two equal images, so that equal ones would be the same one.
    source = dataset.load("digits")
    train, validation, test = (rows(part) for part in parts_of(source))
    assert len(train | validation | test) == 1797


def test_statistics_are_those_of_the_training_part() -> None:
    source = dataset.load("digits")
    pixels = source.train.images / 255
    assert source.mean == pytest.approx([pixels.mean()])
    assert source.std == pytest.approx([pixels.std()])


def test_train_fraction_takes_of_the_training_part_only() -> None:
    whole, half = dataset.load("digits"), dataset.load("digits", train_fraction=0.5)
    assert abs(len(half.train) - len(whole.train) / 2) <= 5
    assert rows(half.train) < rows(whole.train)
    assert rows(half.validation) == rows(whole.validation)
    assert rows(half.test) == rows(whole.test)
    assert np.ptp(np.bincount(half.train.labels)) <= 3


def test_image_size_resizes() -> None:
    assert dataset.load("digits", image_size=16).input_shape == (16, 16, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": -1}, "image_size must be >= 0, got -1"),
        ({"train_fraction": 0.0}, r"train_fraction must be in \(0, 1\], got 0.0"),
        ({"train_fraction": 1.5}, r"train_fraction must be in \(0, 1\], got 1.5"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset.load("digits", **arguments)


# Arrays.


def test_arrays_are_taken_as_keras_users_have_them() -> None:
    x, y = noise(40, 6, 5), np.arange(40) % 2
    for labels in (y, y[:, np.newaxis], y.astype(float), np.eye(2)[y]):
        source = dataset.from_arrays(x.astype(np.int64), labels, (x, labels))
        assert source.input_shape == (6, 5, 1)
        assert source.train.images.dtype == np.uint8
        np.testing.assert_array_equal(source.train.labels, y)
    assert len(dataset.from_arrays(x, y, validation_split=0.25).validation) == 10
    floats = dataset.from_arrays(x / 255.0, y)
    assert floats.train.images.dtype == np.float32
    assert floats.mean == pytest.approx(dataset.from_arrays(x, y).mean)
    assert floats.test is None


def test_floats_that_are_bytes_become_bytes() -> None:
    x = np.arange(40 * 16).reshape(40, 4, 4) % 256
    y = np.arange(40) % 2
    assert dataset.from_arrays(x.astype(np.float64), y).train.images.dtype == np.uint8
    floats, integers = dataset.from_arrays(x.astype(np.float32), y), dataset.from_arrays(x, y)
    assert (floats.train.images == integers.train.images).all()
    assert (floats.mean, floats.std) == (integers.mean, integers.std)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x / 255,
        lambda x: x // 128,  # 0 and 1: black and white at full scale 1
        lambda x: x - 1.0,
        lambda x: x + 1.0,
        lambda x: x * 0.5,
    ],
    ids=["scaled", "binary", "negative", "beyond 255", "between"],
)
def test_other_floats_stay_floats(change: Callable[[np.ndarray], np.ndarray]) -> None:
    x = np.arange(40 * 16).reshape(40, 4, 4) % 256
    pixels = change(x).astype(np.float32)
    images = dataset.from_arrays(
        pixels, np.arange(40) % 2, (pixels, np.arange(40) % 2)
    ).train.images
    assert images.dtype == np.float32
    assert (images[..., 0] == pixels).all()


def test_a_constant_channel_is_not_divided_by_zero() -> None:
    x = noise(20, 4, 4, 3)
    x[..., 1] = 7
    source = dataset.from_arrays(x, np.arange(20) % 2)
    assert source.std[1] == 1.0 and source.mean[1] == pytest.approx(7 / 255)


GOOD_X, GOOD_Y = noise(20, 4, 4), np.arange(20) % 2


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (GOOD_X, GOOD_Y[:19], "x and y must have the same length, got 20 and 19"),
        (GOOD_X, GOOD_Y + 1, "labels must start at 0, the smallest is 1"),
        (GOOD_X, GOOD_Y * 2, "hold every label from 0 to 2, label 1 is not"),
        (GOOD_X, GOOD_Y * 0, "at least 2 classes, got 1"),
        (GOOD_X, GOOD_Y + 0.5, "y must hold whole numbers"),
        (GOOD_X, GOOD_Y.astype(str), "y must hold whole numbers"),
        (GOOD_X, np.ones((20, 3)), r"y of shape \(20, 3\) must be one-hot"),
        (GOOD_X, np.ones((20, 3, 3)), r"y must be \[n\], \[n, 1\] or one-hot"),
        (GOOD_X[0, 0], GOOD_Y, r"x must be images .* got shape \(4,\)"),
        (GOOD_X[:0], GOOD_Y[:0], r"not empty, got shape \(0, 4, 4, 1\)"),
        (GOOD_X.astype(int) - 9, GOOD_Y, r"integers in x must be in 0\.\.255, got -9"),
        (GOOD_X * np.nan, GOOD_Y, "x must hold finite numbers"),
        (GOOD_X > 9, GOOD_Y, "x must hold integers or floats, got bool"),
        (GOOD_X, np.where(np.arange(20) == 0, 1, 0), "at least 2 images .* class 1 has 1"),
    ],
)
def test_bad_arrays_are_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset.from_arrays(x, y)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (noise(20, 5, 5), GOOD_Y, r"images of the validation split must be like .*\(5, 5, 1\)"),
        (GOOD_X / 255, GOOD_Y, "must be like those of the training split, .* float32"),
        (GOOD_X, GOOD_Y + 1, r"labels of the validation split must be in 0\.\.1, got 1\.\.2"),
    ],
)
def test_bad_validation_data_is_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset.from_arrays(GOOD_X, GOOD_Y, (x, y))


def test_a_bad_validation_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"validation_split must be in \(0, 1\), got 1"):
        dataset.from_arrays(GOOD_X, GOOD_Y, validation_split=1)


# .npz files.


def npz(tmp_path: Path, **content: np.ndarray) -> str:
    np.savez(tmp_path / "set.npz", **content)
    return f"npz:{tmp_path / 'set.npz'}"


def test_npz_parts_are_taken_as_they_are(tmp_path: Path) -> None:
    y = np.arange(30) % 3
    contents = {f"x_{name}": noise(30, 5, 5, seed=i) for i, name in enumerate(("train", "val"))}
    name = npz(tmp_path, **contents, y_train=y, y_val=y, x_test=noise(9, 5, 5), y_test=y[:9])
    source = dataset.load(name)
    assert [len(part) for part in parts_of(source)] == [30, 30, 9]
    np.testing.assert_array_equal(source.validation.images[..., 0], contents["x_val"])
    assert dataset.load(name, image_size=8, train_fraction=0.5).input_shape == (8, 8, 1)


def test_npz_without_validation_holds_some_out(tmp_path: Path) -> None:
    source = dataset.load(npz(tmp_path, x_train=noise(30, 5, 5, 3), y_train=np.arange(30) % 3))
    assert [len(part) for part in parts_of(source)] == [24, 6]
    assert source.test is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"x_train": GOOD_X}, r"must hold y_train, it has \['x_train'\]"),
        ({"y_train": GOOD_Y}, "must hold x_train"),
        ({"x_train": GOOD_X, "y_train": GOOD_Y, "x_val": GOOD_X}, "must hold y_val"),
        ({"x_train": GOOD_X, "y_train": GOOD_Y, "y_test": GOOD_Y}, "must hold x_test"),
        ({"x_train": GOOD_X, "y_train": GOOD_Y + 1}, "labels must start at 0"),
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


# tfds.


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dataset must be digits, folder:PATH.* got 'nosuchset'"):
        dataset.load("nosuchset", data_dir=str(tmp_path))


def test_a_missing_data_dir_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="data_dir must name a directory, .*nowhere.* not exist"):
        dataset.load("cifar10", data_dir=str(tmp_path / "nowhere"))


def test_a_set_that_is_not_prepared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'cifar10' must have been prepared in data_dir"):
        dataset.load("cifar10", data_dir=str(tmp_path))


def prepare(
    data_dir: Path,
    splits: dict[str, list[int]],
    *,
    shape: tuple[int | None, ...] = (6, 6, 3),
    supervised: bool = True,
) -> None:
    """Writes a tiny data set in tfds' own format; a -1 stands for a label that is kept secret.

    By hand, because tfds' writers need a package that it does not install.
    """
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=shape),
            "label": tfds.features.ClassLabel(num_classes=3),
        }
    )

    folder = data_dir / "tiny" / "1.0.0"
    folder.mkdir(parents=True)
    features.save_config(folder)
    for split, labels in splits.items():
        with tf.io.TFRecordWriter(str(folder / f"tiny-{split}.tfrecord-00000-of-00001")) as file:
            for index, label in enumerate(labels):
                size = [side or 4 + index % 3 for side in shape[:2]]
                image = noise(1, *size, shape[2], seed=1000 * len(split) + index)[0]
                example = features.encode_example({"image": image, "label": label})
                file.write(features.serialize_example(example))
    info: dict[str, Any] = {
        "name": "tiny",
        "version": "1.0.0",
        "fileFormat": "tfrecord",
        "splits": [
            {
                "name": split,
                "shardLengths": [str(len(labels))],
                "numBytes": "1",
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
            for split, labels in splits.items()
        ],
    }
    if supervised:
        keys = [{"featureKey": "image"}, {"featureKey": "label"}]
        info["supervisedKeys"] = {"tuple": {"items": keys}}
    (folder / "dataset_info.json").write_text(json.dumps(info))


THIRTY = [index % 3 for index in range(30)]


@pytest.mark.parametrize(
    ("splits", "lengths"),
    [
        ({"train": THIRTY, "test": THIRTY[:6]}, [27, 3, 6]),
        ({"train": THIRTY, "validation": THIRTY[:9], "test": THIRTY[:6]}, [30, 9, 6]),
        # No labelled test part: what tfds calls validation is what figures are published on.
        ({"train": THIRTY, "validation": THIRTY[:9]}, [27, 3, 9]),
        ({"train": THIRTY, "validation": THIRTY[:9], "test": [-1] * 6}, [27, 3, 9]),
        ({"train": THIRTY}, [27, 3]),
    ],
)
def test_tfds_splits_become_parts(
    tmp_path: Path, splits: dict[str, list[int]], lengths: list[int]
) -> None:
    prepare(tmp_path, splits)
    source = dataset.load("tiny", data_dir=str(tmp_path))
    assert [len(part) for part in parts_of(source)] == lengths
    assert (source.input_shape, source.num_classes) == ((6, 6, 3), 3)


def test_tfds_images_stay_with_their_labels(tmp_path: Path) -> None:
    prepare(tmp_path, {"train": THIRTY})
    source = dataset.load("tiny", data_dir=str(tmp_path), train_fraction=0.5)
    stored = tfds.builder("tiny", data_dir=str(tmp_path)).as_dataset(split="train")
    label_of = {example["image"].numpy().tobytes(): int(example["label"]) for example in stored}
    for part in parts_of(source):
        assert [label_of[image.tobytes()] for image in part.images] == part.labels.tolist()
    assert len(source.train) == 12  # 4 or 5 of the 9 of each class


def test_tfds_images_of_many_sizes_are_resized(tmp_path: Path) -> None:
    prepare(tmp_path, {"train": THIRTY}, shape=(None, None, 1))
    assert dataset.load("tiny", data_dir=str(tmp_path)).input_shape == (32, 32, 1)
    assert dataset.load("tiny", data_dir=str(tmp_path), image_size=8).input_shape == (8, 8, 1)


def test_tfds_sets_of_another_kind_are_refused(tmp_path: Path) -> None:
    prepare(tmp_path, {"train": THIRTY}, supervised=False)
    with pytest.raises(ValueError, match="'tiny' must be one of image classification"):
        dataset.load("tiny", data_dir=str(tmp_path))


def test_too_much_data_is_refused_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, {"train": THIRTY})
    monkeypatch.setattr(arrays, "MAX_GIB", 1e-6)  # 1,074 bytes; an image has 108
    monkeypatch.setattr(tfds_source, "_images", lambda *_: pytest.fail("loaded"))
    with pytest.raises(ValueError, match="at most 1e-06 GiB, tiny needs .* lower image_size or"):
        dataset.load("tiny", data_dir=str(tmp_path))


TFDS_DATA_DIR = os.environ.get("TFDS_DATA_DIR", "")


@pytest.mark.skipif(
    not tf.io.gfile.exists(os.path.join(TFDS_DATA_DIR, "cifar10")),
    reason="$TFDS_DATA_DIR holds no cifar10",
)
def test_cifar10_is_split_45_5_10() -> None:
    source = dataset.load("cifar10", data_dir=TFDS_DATA_DIR)
    assert [len(part) for part in parts_of(source)] == [45_000, 5_000, 10_000]
    assert np.bincount(source.validation.labels).tolist() == [500] * 10
    assert source.input_shape == (32, 32, 3)
    assert source.mean == pytest.approx((0.49, 0.48, 0.44), abs=0.01)


@pytest.mark.parametrize("labels", [[0, 2**40], [0, -(2**40)], [0, 1e30], [0.0, float("inf")]])
def test_labels_that_cannot_be_classes_are_refused(labels):
    images = np.zeros((2, 4, 4, 1), np.uint8)
    with pytest.raises(ValueError, match="y must hold labels below 1000000"):
        dataset.from_arrays(images, np.array(labels), (images, np.array([0, 1])))
