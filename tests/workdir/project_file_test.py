"""project.json: written before the first trial, and what it keeps from being mixed."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from epnas_tf import config
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.data import dataset as data_lib
from epnas_tf.training import calibrate
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.workdir import project_file, storage
from epnas_tf.workdir.project_file import Images, Project

_IMAGES = Images((8, 8, 3), 10, 255.0, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


def test_it_comes_back_as_it_was_written(tmp_path, space, plan):
    budget = Budget((8, 8, 3), 10, (Constraint("params", upper=500),))
    settings = project_file.settings_of(space, {"seed": 3}, budget, plan)
    assert settings["max_child_minutes"] is None  # JSON has no infinity
    path = str(tmp_path / "new" / "project.json")
    assert project_file.read(path) is None
    project_file.write(path, Project(_IMAGES, 12.5, settings))
    assert project_file.read(path) == Project(_IMAGES, 12.5, settings)


def test_settings_are_plain_data_of_all_that_matters(space, plan):
    budget = Budget((8, 8, 1), 3, (Constraint("params", upper=500),), max_child_minutes=2.0)
    settings = project_file.settings_of(space, {"seed": 3, "policy": "random"}, budget, plan)
    assert json.loads(json.dumps(settings)) == settings
    assert (settings["pattern"], settings["max_items"], settings["parts"]) == ("layerwise", 4, 2)
    assert settings["fields"][0]["choices"] == ["conv2d", "max_pool"]
    assert settings["constraints"] == [
        {"metric": "params", "lower": None, "upper": 500, "base": 0.9}
    ]
    assert settings["schedule"] == dataclasses.asdict(plan)
    assert (settings["seed"], settings["max_child_minutes"]) == (3, 2.0)


def test_differences_are_named_one_by_one():
    stored = Project(_IMAGES, 10.0, {"seed": 1, "steps": 5, "gone": 1})
    asked = Project(dataclasses.replace(_IMAGES, num_classes=9), 20.0, {"seed": 2, "steps": 5})
    assert project_file.differences(stored, asked) == [
        *("images.num_classes is 10, asked for 9", "gone is 1, asked for None"),
        "seed is 1, asked for 2",
    ]
    assert project_file.differences(stored, dataclasses.replace(stored, machine_gflops=20.0)) == []


@pytest.mark.parametrize(("scale", "full_scale"), [(1, 255.0), (1 / 255, 1.0)])
def test_the_full_scale_is_that_of_the_users_pixels(images, scale, full_scale):
    x, y = images
    found = project_file.images_of(data_lib.from_arrays(x if scale == 1 else x * scale, y))
    assert (found.shape, found.num_classes, found.full_scale) == ((8, 8, 1), 3, full_scale)
    assert 0.2 < found.mean[0] < 0.8
    assert len(found.std) == 1


# In a tuner


def test_it_is_there_before_the_first_trial(make_tuner, data, die_at, killed):
    tuner = make_tuner()
    tuner.plan(data)
    assert not storage.exists(tuner.work_dir.project)  # looking writes nothing
    die_at(1)
    with pytest.raises(killed):
        tuner.search(data)
    die_at(-1)
    stored = project_file.read(tuner.work_dir.project)
    assert stored.images == project_file.images_of(data)
    assert stored.settings["seed"] == 0
    assert tuner.oracle.completed() == []


@pytest.mark.parametrize(
    ("changed", "arguments", "phrase"),
    [
        ({"seed": 1}, {}, "seed is 0, asked for 1"),
        ({"branches": 3, "steps": 1}, {}, "branches is 2, asked for 3; steps is 2, asked for 1"),
        ({"policy": "lstm"}, {}, "policy is random, asked for lstm"),
        ({"constraints": [Constraint("params", upper=9)]}, {}, r"constraints is \[\], asked for"),
        ({"skip_over": 3.0}, {}, "skip_over is 2.0, asked for 3.0"),
        ({"max_child_minutes": 9.0, "machine_gflops": 1.0}, {}, "max_child_minutes is None"),
        ({"schedule": "aggressive"}, {}, "schedule.name is quick, asked for aggressive"),
        ({}, {"epochs": 3}, "schedule.epochs is 40, asked for 3$"),
    ],
)
def test_another_search_in_the_folder_is_refused(
    quick, make_tuner, data, changed, arguments, phrase
):
    tuner = make_tuner()
    tuner.search(data)
    before = storage.read_text(tuner.work_dir.project)
    message = rf"search holds another search \(overwriting deletes it\): .*{phrase}"
    with pytest.raises(ValueError, match=message):
        make_tuner(**changed).search(data, **arguments)
    assert storage.read_text(tuner.work_dir.project) == before
    make_tuner(**changed, overwrite=True).search(data, **arguments)


def test_other_images_are_refused(quick, make_tuner, data, images):
    make_tuner().search(data)
    message = (
        r"holds another search .*: its images or labels have changed \(72 for training and 24 for "
        r"validation then, 48 for training and 48 for validation now\)"
    )
    with pytest.raises(ValueError, match=message):
        make_tuner().search(*images, validation_split=0.5)


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("what", ["images", "labels"])
def test_a_single_pixel_or_label_is_another_data_set(quick, make_tuner, data, part, what):
    make_tuner().search(data)
    old = getattr(data, part)
    changed = getattr(old, what).copy()
    changed.flat[0] = (changed.flat[0] + 1) % 3
    new = dataclasses.replace(old, **{what: changed})
    with pytest.raises(ValueError, match="its images or labels have changed"):
        make_tuner().search(dataclasses.replace(data, **{part: new}))


def test_the_order_of_the_images_says_nothing_of_them(data):
    turned = dataclasses.replace(data, train=data.train.take(np.arange(len(data.train))[::-1]))
    assert project_file.data_of(turned) == project_file.data_of(data)


def test_a_project_that_does_not_tell_its_data_is_compared_by_their_statistics(
    quick, make_tuner, data
):
    tuner = make_tuner()
    tuner.search(data)
    values = json.loads(storage.read_text(tuner.work_dir.project))
    del values["settings"]["data"]
    storage.write_atomic(tuner.work_dir.project, json.dumps(values))
    with pytest.raises(ValueError, match="images.mean is "):
        make_tuner().search(dataclasses.replace(data, mean=(0.1,)))
    make_tuner().search(data)
    assert "data" in json.loads(storage.read_text(tuner.work_dir.project))["settings"]


@pytest.mark.parametrize("edited", [1, "x", {}, {"train": {"images": 3}}, {"train": 1}, [1]])
def test_data_that_a_hand_wrote_are_others(edited):
    told = {"train": {"images": 7}, "validation": {"images": 2}}
    stored, asked = (Project(_IMAGES, 1.0, {"data": each}) for each in (edited, told))
    (phrase,) = project_file.differences(stored, asked)
    assert phrase == (
        "its images or labels have changed (unknown ones then, 7 for training and 2 for validation "
        "now)"
    )


def test_another_space_is_refused(quick, make_tuner, data, space):
    make_tuner().search(data)
    with pytest.raises(ValueError, match="max_items is 4, asked for 3"):
        make_tuner(space=dataclasses.replace(space, max_items=3)).search(data)


def test_what_decides_no_trial_may_change(quick, make_tuner, data):
    make_tuner(max_trials=2).search(data)
    tuner = make_tuner(max_trials=5, keep_models=1, max_attempts=2, machine_gflops=3.0)
    tuner.search(data)
    assert len(tuner.oracle.completed()) == 5


def test_trials_of_an_unknown_search_are_refused(quick, make_tuner, data):
    tuner = make_tuner()
    tuner.search(data)
    storage.remove(tuner.work_dir.project)
    message = "search holds trials but no project.json of theirs"
    with pytest.raises(ValueError, match=message):
        make_tuner().search(data)


# The rate of the machine


@pytest.fixture(name="rates")
def _rates(monkeypatch):
    """Rates that the machine is measured to have, one after the other."""
    rates = [7.0, 5.0]
    monkeypatch.setattr(calibrate, "measure_gflops", lambda: rates.pop(0))
    return rates


def test_the_rate_is_measured_once_for_a_project(quick, make_tuner, data, rates, monkeypatch):
    tuner = make_tuner(max_child_minutes=5.0, max_trials=2)
    tuner.search(data)
    tuner.search(data)
    assert project_file.read(tuner.work_dir.project).machine_gflops == 7.0
    seen = []
    evaluate = Evaluator.evaluate

    def watch(self, spec, seed, keep=None, **_):
        seen.append(self.budget.machine_gflops)
        return evaluate(self, spec, seed, keep)

    monkeypatch.setattr(Evaluator, "evaluate", watch)
    make_tuner(max_child_minutes=5.0).search(data)
    assert set(seen) == {7.0}
    assert rates == [5.0]


@pytest.mark.parametrize(
    ("settings", "rate"), [({}, 0.0), ({"max_child_minutes": 5.0, "machine_gflops": 3.0}, 3.0)]
)
def test_a_rate_that_is_given_or_not_needed_is_not_measured(
    quick, make_tuner, data, rates, settings, rate
):
    tuner = make_tuner(**settings, max_trials=1)
    tuner.search(data)
    assert project_file.read(tuner.work_dir.project).machine_gflops == rate
    assert len(rates) == 2


def test_float_pixels_are_normalised_by_their_own_scale(make_tuner, images, space):
    x, y = images
    tuner = make_tuner()
    tuner.prepare(data_lib.from_arrays(x / 255.0, y))
    tuner.oracle.search.ask()
    spec = tuner.oracle.search.ask()[0].spec
    model = tuner.model_of(tuner.network(spec))
    other = make_tuner("bytes")
    other.prepare(data_lib.from_arrays(x, y))
    same = other.model_of(other.network(spec))
    np.testing.assert_allclose(
        model.predict(x / 255.0, verbose=0), same.predict(x, verbose=0), rtol=1e-3, atol=1e-4
    )


def test_a_project_of_an_earlier_version_is_the_same_search(quick, make_tuner, data):
    tuner = make_tuner(max_trials=2)
    tuner.search(data)
    stored = json.loads(storage.read_text(tuner.work_dir.project))
    for name in ("parameter_sharing", "stop_hopeless"):
        del stored["settings"][name]
    storage.write_atomic(tuner.work_dir.project, json.dumps(stored))
    make_tuner(max_trials=3).search(data)
    with pytest.raises(ValueError, match="parameter_sharing is none, asked for dictionary"):
        make_tuner(parameter_sharing="dictionary").search(data)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("machine_gflops",), 10**400),
        (("machine_gflops",), "inf"),
        (("machine_gflops",), -1),
        (("settings", "schedule", "learning_rate"), 10**400),
        (("settings", "schedule", "epochs"), None),
        (("settings",), []),
        (("images", "shape"), "888"),
        (("images", "shape"), [8, 8, 10**400]),
        (("images", "mean"), ["nan"] * 3),
        (("images", "std"), [0, 0, 0]),
        (("images", "num_classes"), True),
    ],
)
def test_a_torn_or_foreign_project_is_named(tmp_path, space, plan, where, value):
    settings = project_file.settings_of(space, {}, Budget((8, 8, 3), 10), plan)
    path = str(tmp_path / "project.json")
    project_file.write(path, Project(_IMAGES, 12.5, settings))
    values = json.loads(storage.read_text(path))
    *holders, name = where
    holder = values
    for key in holders:
        holder = holder[key]
    holder[name] = value
    storage.write_atomic(path, json.dumps(values))
    with pytest.raises(ValueError, match=r"project\.json is torn or foreign"):
        project_file.read(path)


def test_what_may_grow_is_what_a_command_may_raise():
    assert project_file.MAY_GROW == config.MAY_GROW_ON_RESUME
