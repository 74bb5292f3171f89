"""Which files are data: splits by any of their names, nothing hidden, nothing ignored silently."""

import pytest

from epnas_tf.data import image_folder
from epnas_tf.data.image_folder import found_in


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train", "valid", "test"), ["train", "validation", "test"]),  # Roboflow
        (("train", "val"), ["train", "validation"]),
        (("Train", "Validation", "TEST"), ["train", "validation", "test"]),
        (("training", "testing"), ["train", "test"]),
        (("TRAINING", "dev"), ["train", "validation"]),
        (("train",), ["train"]),
    ],
)
def test_splits_go_by_their_usual_names_in_any_case(tmp_path, names, splits):
    for name in names:
        make(tmp_path, f"{name}/cat/1.png", f"{name}/dog/2.png")
    make(tmp_path, "README.txt", "train.csv")
    found = found_in(tmp_path)
    assert found.classes == ("cat", "dog")
    assert list(found.splits) == splits
    assert all(len(files.paths) == 2 for files in found.splits.values())


def test_a_class_may_be_called_train(tmp_path):
    make(tmp_path, "bus/1.png", "train/1.png", "train/more/2.png", "test/3.png")
    found = found_in(tmp_path)
    assert found.classes == ("bus", "test", "train")
    assert [path.name for path in found.splits["train"].paths] == [
        "1.png",
        "3.png",
        "1.png",
        "2.png",
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ("train/a/1.png", "train/b/1.png", "extra/a/1.png"),
            r"folders beside train in .* must be splits of classes too .*, got extra",
        ),
        (
            ("train/a/1.png", "train/b/1.png", "test/1.png"),
            "folders beside train in .*, got test",
        ),
        (
            ("train/a/1.png", "train/b/1.png", "val/a/1.png", "valid/a/1.png"),
            "must hold one validation split, got val, valid",
        ),
        (
            ("valid/a/1.png", "test/b/1.png"),
            "test, valid, which look like splits, but no train",
        ),
        (("train/a/1.png", "train/b/1.png", "test/c/1.png"), r"among the classes .*, got \['c'\]"),
        (("a/1.png",), r"at least 2 directories, one per class, got \['a'\]"),
        (("a/1.png", "b/.hidden"), "/b must hold images, got none"),
    ],
)
def test_what_is_neither_split_nor_class_is_refused_by_name(tmp_path, files, message):
    make(tmp_path, *files)
    with pytest.raises(ValueError, match=message):
        found_in(tmp_path)


def test_what_is_hidden_is_none_of_the_data_wherever_it_stands(tmp_path):
    make(
        tmp_path,
        *("cat/1.png", "cat/deep/er/2.png", "dog/3.png"),
        *("cat/.ipynb_checkpoints/1.png", "dog/deep/.x/9.png", ".git/cat/1.png", "cat/._1.png"),
        *("@eaDir/cat/1.png", "dog/@eaDir/3.png", "__MACOSX/dog/._3.png", "$RECYCLE.BIN/1.png"),
    )
    found = found_in(tmp_path)
    assert [path.name for path in found.splits["train"].paths] == ["1.png", "2.png", "3.png"]
    assert found.notes == ("left out as folders of a system: $RECYCLE.BIN, @eaDir, __MACOSX",)


def test_loose_images_are_said(tmp_path):
    make(tmp_path, "cat/1.png", "dog/2.png", "3.PNG", "notes.txt")
    assert found_in(tmp_path).notes == (
        "left out: 1 images that lie beside the folders of classes",
    )


def test_a_folder_that_leads_in_a_circle_is_read_once(tmp_path):
    make(tmp_path, "cat/1.png", "dog/2.png")
    (tmp_path / "cat" / "again").symlink_to(tmp_path / "cat")
    assert len(found_in(tmp_path).splits["train"].paths) == 2


def test_equal_files_share_a_digest_and_others_are_not_read(tmp_path, monkeypatch):
    make(tmp_path, "a/1.png", "b/long name.png")
    (tmp_path / "a" / "copy.png").write_bytes(b"a/1.png")
    (files,) = found_in(tmp_path).splits.values()
    (one, copy, other) = image_folder.digests_of([files])[0]
    assert one == copy != other
    read = []
    real = type(tmp_path).read_bytes
    monkeypatch.setattr(
        type(tmp_path), "read_bytes", lambda path: read.append(path.name) or real(path)
    )
    image_folder.digests_of([files])
    assert read == ["1.png", "copy.png"]
