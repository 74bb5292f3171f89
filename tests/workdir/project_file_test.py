"""project.json: it comes back as it was written, and says how two projects differ."""

from __future__ import annotations

import dataclasses
import json

import pytest

from epnas_tf.workdir import project_file, storage
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.project_file import Images, Project

_NAMES = tuple(map(str, range(10)))
_IMAGES = Images((8, 8, 3), _NAMES, False, 255.0, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
_SETTINGS = {"seed": 3, "max_child_minutes": None, "constraints": [{"metric": "params"}]}


def test_it_comes_back_as_it_was_written(tmp_path):
    work_dir = WorkDir(str(tmp_path / "new"))
    assert project_file.read(work_dir) is None
    project_file.write(work_dir, Project(_IMAGES, 12.5, _SETTINGS))
    assert project_file.read(work_dir) == Project(_IMAGES, 12.5, _SETTINGS)
    assert json.loads(storage.read_text(work_dir.project))["format"] == project_file.FORMAT


def test_hashes_of_copies_come_back_and_stand_there_only_where_something_was_read(tmp_path):
    work_dir, plain = WorkDir(str(tmp_path)), Project(_IMAGES, 12.5, _SETTINGS)
    project_file.write(work_dir, plain)
    assert "copies" not in json.loads(storage.read_text(work_dir.project))
    read = dataclasses.replace(plain, copies={"prior": "ab", "initial_specs": "cd"})
    project_file.write(work_dir, read)
    assert project_file.read(work_dir) == read != plain


def test_settings_become_what_json_gives_back():
    assert project_file.plain({"sizes": (1, 2), "none": None}) == {"sizes": [1, 2], "none": None}


def test_what_may_grow_is_no_difference_when_it_grew():
    stored = Project(_IMAGES, 10.0, {"episodes": 3})
    for episodes, phrases in ((4, []), (2, ["episodes is 3, asked for 2"])):
        asked = dataclasses.replace(stored, settings={"episodes": episodes})
        assert project_file.differences(stored, asked, {"episodes"}) == phrases


def test_differences_are_named_one_by_one():
    stored = Project(_IMAGES, 10.0, {"seed": 1, "steps": 5, "gone": 1})
    asked = Project(
        dataclasses.replace(_IMAGES, class_names=_NAMES[:9]), 20.0, {"seed": 2, "steps": 5}
    )
    assert project_file.differences(stored, asked) == [
        *(f"images.class_names is {_NAMES}, asked for {_NAMES[:9]}", "gone is 1, asked for None"),
        "seed is 1, asked for 2",
    ]
    assert project_file.differences(stored, dataclasses.replace(stored, machine_gflops=20.0)) == []


def test_of_lists_of_named_tables_each_differing_value_is_named():
    old = {"fields": [{"name": "op", "choices": ["a"]}, {"name": "width", "choices": [1]}]}
    new = {"fields": [{"name": "op", "choices": ["a"]}, {"name": "width", "choices": [1, 3]}]}
    phrases = ["fields.width.choices is [1], asked for [1, 3]"]
    stored = Project(_IMAGES, 10.0, old)
    assert project_file.differences(stored, dataclasses.replace(stored, settings=new)) == phrases
    turned = dataclasses.replace(stored, settings={"fields": old["fields"][::-1]})
    (phrase,) = project_file.differences(stored, turned)
    assert phrase.startswith("fields is [{")  # another order is another list
    for edited in (1, [1], [{"name": []}], [{"name": "op"}] * 2, {}, [{}]):
        stored = Project(_IMAGES, 10.0, {"fields": edited})
        (phrase,) = project_file.differences(stored, dataclasses.replace(stored, settings=old))
        assert phrase.startswith(f"fields is {edited}, asked for ")


@pytest.mark.parametrize("edited", [1, "x", {}, {"train": {"images": 3}}, {"train": 1}, [1]])
def test_data_that_a_hand_wrote_are_others(edited):
    told = {"train": {"images": 7}, "validation": {"images": 2}}
    stored, asked = (Project(_IMAGES, 1.0, {"data": each}) for each in (edited, told))
    (phrase,) = project_file.differences(stored, asked)
    assert phrase == (
        "its images, labels or weights have changed (unknown ones then, 7 for training and 2 for "
        "validation "
        "now)"
    )


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("machine_gflops",), 10**400),
        (("machine_gflops",), "inf"),
        (("machine_gflops",), -1),
        (("format",), 2),
        (("format",), None),
        (("settings",), []),
        (("images", "shape"), "888"),
        (("images", "shape"), [8, 8, 10**400]),
        (("images", "mean"), ["nan"] * 3),
        (("images", "std"), [0, 0, 0]),
        (("images", "class_names"), 3),
        (("images", "class_names"), ["one"]),
        (("images", "class_names"), ["twice", "twice"]),
        (("images", "class_names"), [1, 2]),
        (("images", "one_hot"), 1),
        (("copies",), []),
        (("copies",), {"prior": 3}),
        (("copies",), {"../prior": "ab"}),
    ],
)
def test_a_project_of_another_hand_or_format_is_named(tmp_path, where, value):
    work_dir = WorkDir(str(tmp_path))
    project_file.write(work_dir, Project(_IMAGES, 12.5, _SETTINGS))
    values = json.loads(storage.read_text(work_dir.project))
    *holders, name = where
    holder = values
    for key in holders:
        holder = holder[key]
    holder[name] = value
    storage.write_atomic(work_dir.project, json.dumps(values))
    with pytest.raises(
        ValueError, match=r"project\.json (is corrupt or not written by this|must have format)"
    ):
        project_file.read(work_dir)
