from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from epnas_tf.data import arrays, dataset
from epnas_tf.data.sources import tfds as tfds_source
from tests.data.images import noise, splits_of


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dataset must be digits, folder:PATH.* got 'nosuchset'"):
        dataset.load("nosuchset", data_dir=str(tmp_path))


@pytest.mark.parametrize("name", ["huggingface:mnist", "kubric:a", "floder:photos", "mnist:x"])
def test_a_namespace_is_no_source_and_nothing_is_asked_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(tfds, "builder", None)  # which would ask the network, or miss a library
    namespace = name.partition(":")[0]
    message = f"dataset must be digits, .* got '{name}' \\({namespace}: is no source, and nothing "
    with pytest.raises(ValueError, match=message):
        dataset.load(name, data_dir=str(tmp_path))


@pytest.mark.parametrize("name", ["tiny:1.0.0", "tiny:1.*.*", "tiny:experimental_latest"])
def test_a_version_is_no_namespace(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="or the name of a tfds data set, got '[^']+'$"):
        dataset.load(name, data_dir=str(tmp_path))


def test_a_set_whose_library_is_missing_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def builder(*_: Any, **__: Any) -> None:
        raise ModuleNotFoundError("No module named 'pretty_midi'")

    monkeypatch.setattr(tfds, "builder", builder)
    with pytest.raises(ValueError, match="'cifar10' needs a library .* named 'pretty_midi'"):
        dataset.load("cifar10", data_dir=str(tmp_path))


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
        # No labelled test split: what tfds calls validation is what figures are published on.
        ({"train": THIRTY, "validation": THIRTY[:9]}, [27, 3, 9]),
        ({"train": THIRTY, "validation": THIRTY[:9], "test": [-1] * 6}, [27, 3, 9]),
        ({"train": THIRTY}, [27, 3]),
    ],
)
def test_tfds_splits_become_ours(
    tmp_path: Path, splits: dict[str, list[int]], lengths: list[int]
) -> None:
    prepare(tmp_path, splits)
    source = dataset.load("tiny", data_dir=str(tmp_path))
    assert [len(split) for split in splits_of(source)] == lengths
    assert (source.input_shape, source.num_classes) == ((6, 6, 3), 3)


def test_tfds_images_stay_with_their_labels(tmp_path: Path) -> None:
    prepare(tmp_path, {"train": THIRTY})
    source = dataset.load("tiny", data_dir=str(tmp_path), train_fraction=0.5)
    stored = tfds.builder("tiny", data_dir=str(tmp_path)).as_dataset(split="train")
    label_of = {example["image"].numpy().tobytes(): int(example["label"]) for example in stored}
    for split in splits_of(source):
        assert [label_of[image.tobytes()] for image in split.images] == split.labels.tolist()
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
    assert [len(split) for split in splits_of(source)] == [45_000, 5_000, 10_000]
    assert np.bincount(source.validation.labels).tolist() == [500] * 10
    assert source.input_shape == (32, 32, 3)
    assert source.mean == pytest.approx((0.49, 0.48, 0.44), abs=0.01)
