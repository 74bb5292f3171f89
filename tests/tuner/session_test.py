"""The life of a search in its folder: what its trials have in common, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pytest

from epnas_tf.architecture.limits import Constraint
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.arrays import Split
from epnas_tf.training import calibrate
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.tuner import session
from epnas_tf.tuner.tuner import EPNASTuner
from epnas_tf.workdir import project_file, storage

# Of the space of conftest.py.


def test_settings_are_plain_data_of_all_that_matters(make_tuner, data, plan):
    limits = [Constraint("params", upper=500)]
    tuner = make_tuner(seed=3, constraints=limits, max_child_minutes=2.0, machine_gflops=1.0)
    settings = tuner.session.plan(data, plan, plan).project.settings
    assert json.loads(json.dumps(settings)) == settings
    assert (settings["pattern"], settings["max_items"], settings["parts"]) == ("layerwise", 4, 2)
    assert settings["fields"][0]["choices"] == ["conv2d", "max_pool"]
    assert settings["constraints"] == [
        {"metric": "params", "lower": None, "upper": 500, "base": 0.9}
    ]
    assert settings["schedule"] == dataclasses.asdict(plan)
    assert (settings["seed"], settings["max_child_minutes"]) == (3, 2.0)
    assert settings["max_child_memory"] is None
    assert {"skips", "policy_entropy", "stop_hopeless", "parameter_sharing"} <= settings.keys()
    # What may be another the next time is not among them.
    assert not {"max_trials", "max_hours", "max_disk", "max_attempts", "keep_models"} & {*settings}
    # These have a place of their own.
    assert not {"machine_gflops", "flip", "contrast"} & {*settings}
    assert settings["augmentation"] == dataclasses.asdict(data.augmentation)


def test_a_childs_work_is_that_of_its_epochs_images(make_tuner, data, plan):
    short = dataclasses.replace(plan, epochs=3, epoch_images=40)
    budgets = [make_tuner().session.plan(data, each, each).budget for each in (plan, short)]
    assert [budget.images for budget in budgets] == [plan.epochs * 72, 120]


def test_spaces_that_differ_in_skips_are_two_searches(quick, make_tuner, data, space):
    make_tuner().search(data)
    with pytest.raises(ValueError, match="skips is True, asked for False"):
        make_tuner(space=dataclasses.replace(space, skips=False)).search(data)


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 10**400), ("epochs", None)])
def test_a_schedule_that_cannot_be_is_named(quick, make_tuner, data, name, value):
    tuner = make_tuner(max_trials=1)
    tuner.search(data)
    values = json.loads(storage.read_text(tuner.work_dir.project))
    values["settings"]["schedule"][name] = value
    storage.write_atomic(tuner.work_dir.project, json.dumps(values))
    with pytest.raises(ValueError, match=r"project\.json is corrupt or not written by this search"):
        make_tuner()


@pytest.mark.parametrize(("scale", "full_scale"), [(1, 255.0), (1 / 255, 1.0)])
def test_the_full_scale_is_that_of_the_users_pixels(images, scale, full_scale):
    x, y = images
    found = session.images_of(data_lib.from_arrays(x if scale == 1 else x * scale, y))
    assert (found.shape, found.num_classes, found.full_scale) == ((8, 8, 1), 3, full_scale)
    assert 0.2 < found.mean[0] < 0.8
    assert len(found.std) == 1


def test_it_is_there_before_the_first_trial(make_tuner, data, die_at, killed):
    tuner = make_tuner()
    tuner.plan(data)
    assert not storage.exists(tuner.work_dir.project)  # looking writes nothing
    die_at(1)
    with pytest.raises(killed):
        tuner.search(data)
    die_at(-1)
    stored = project_file.read(tuner.work_dir)
    assert stored.images == session.images_of(data)
    assert stored.settings["seed"] == 0
    assert tuner.oracle.completed() == []


@pytest.mark.parametrize(
    ("changed", "arguments", "phrase"),
    [
        ({"seed": 1}, {}, "seed is 0, asked for 1"),
        ({"branches": 3, "steps": 1}, {}, "branches is 2, asked for 3; steps is 2, asked for 1"),
        ({"policy": "lstm"}, {}, "policy is random, asked for lstm"),
        ({"starts": "portfolio"}, {}, "starts is random, asked for portfolio"),
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
    message = rf"search holds another search \(.*overwriting deletes it\): .*{phrase}"
    with pytest.raises(ValueError, match=message):
        make_tuner(**changed).search(data, **arguments)
    assert storage.read_text(tuner.work_dir.project) == before
    make_tuner(**changed, overwrite=True).search(data, **arguments)


@pytest.mark.parametrize("role", ["chief", "worker"])
@pytest.mark.parametrize(
    ("changed", "phrases"),
    [
        ({"seed": 1}, ["seed is 0, asked for 1"]),
        ({"branches": 1, "steps": 1}, ["branches is 2, asked for 1", "steps is 2, asked for 1"]),
        ({"episodes": 1}, ["episodes is 2, asked for 1"]),
        ({"policy": "lstm", "screen": 1}, ["policy is random,", "screen is 64,"]),
        (
            {"constraints": [Constraint("params", upper=9, base=0.8)]},
            ["constraints.params.base is 0.9, asked", "constraints.params.upper is 90000, asked"],
        ),
        ({"constraints": []}, ["constraints is [{'metric': 'params'"]),
        ({"skip_over": 3.0}, ["skip_over is 2.0, asked for 3.0"]),
        ({"max_items": 3}, ["max_items is 4, asked for 3"]),
        ({"fields": {"channels": (4, 8)}}, ["fields.channels.choices is [4, 8, 16], asked for "]),
    ],
)
def test_a_project_of_other_settings_is_not_even_opened(
    quick, make_tuner, data, space, caplog, monkeypatch, role, changed, phrases
):
    first = {"constraints": [Constraint("params", upper=90_000)], "episodes": 2, "max_trials": 1}
    make_tuner(**first).search(data)
    if role == "worker":
        monkeypatch.setattr(EPNASTuner, "_is_worker", lambda self: True)
    changed = dict(changed)
    choices = changed.pop("fields", {})
    fields = tuple(
        dataclasses.replace(field, choices=choices.get(field.name, field.choices))
        for field in space.fields
    )
    items = changed.pop("max_items", space.max_items)
    other = dataclasses.replace(space, fields=fields, max_items=items)
    with pytest.raises(ValueError, match="holds another search") as caught:
        make_tuner(**first | changed, space=other)
    message = str(caught.value)
    assert all(phrase in message for phrase in phrases), message
    assert message.count("asked for") == len(phrases)  # and nothing that is alike is named
    assert not caplog.records  # healthy trials were not called corrupt
    make_tuner(**first)
    assert not caplog.records


def test_a_project_may_be_opened_with_what_may_change_or_grow(quick, make_tuner, data, caplog):
    make_tuner(max_trials=2).search(data)
    more = {"max_trials": 0, "max_hours": 1.0, "max_disk": None, "keep_models": 1}
    tuner = make_tuner(**more, episodes=2, max_attempts=2, machine_gflops=3.0, schedule="plain")
    assert len(tuner.oracle.get_best_trials(9)) == 2
    assert tuner.oracle.total == 10
    assert not caplog.records


def test_other_settings_are_seen_before_the_lock_and_after_it(quick, make_tuner, data):
    make_tuner("other", seed=1).search(data)
    tuner = make_tuner("search")
    plan = tuner.plan(data)
    os.rename(make_tuner("other", seed=1).work_dir.path, tuner.work_dir.path)  # meanwhile
    with pytest.raises(ValueError, match="seed is 1, asked for 0"):
        tuner.run(plan)


def test_other_images_are_refused(quick, make_tuner, data, images):
    make_tuner().search(data)
    message = (
        r"holds another search .*: its images, labels or weights have changed \(72 for training "
        r"and 24 for validation then, 48 for training and 48 for validation now\)"
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
    with pytest.raises(ValueError, match="its images, labels or weights have changed"):
        make_tuner().search(dataclasses.replace(data, **{part: new}))


def test_the_order_of_the_images_says_nothing_of_them(data):
    turned = dataclasses.replace(data, train=data.train.take(np.arange(len(data.train))[::-1]))
    assert session.splits_of(turned) == session.splits_of(data)


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


def test_a_tuner_plans_the_length_of_a_child_for_the_time_there_is(quick, make_tuner, data):
    rate = {"machine_gflops": 0.01}
    timed = {"max_hours": 0.25, "max_child_minutes": 0.0, **rate}
    tuner = make_tuner(**timed)
    usual = make_tuner("endless", max_child_minutes=0.0, **rate).plan(data)
    plan = tuner.plan(data)
    assert usual.budget.limits.max_child_minutes == 10
    assert plan.budget.limits.max_child_minutes < 1
    assert plan.schedule.epochs < usual.schedule.epochs
    stored = plan.project.settings
    assert stored["max_child_minutes"] == plan.budget.limits.max_child_minutes
    tuner.search(data)
    for changes in ({}, {"max_hours": 2.0}, {"max_hours": 0.0}):  # it is not planned again
        again = make_tuner(**(timed | changes)).plan(data)
        assert (again.schedule, again.budget) == (plan.schedule, plan.budget)


def test_a_schedule_that_is_given_keeps_its_length(make_tuner, data, plan):
    timed = {"max_hours": 0.25, "max_child_minutes": 0.0, "machine_gflops": 0.01}
    given = make_tuner(schedule=plan, **timed).plan(data)
    assert given.schedule.epochs == plan.epochs
    assert given.budget.limits.max_child_minutes < 10
    assert make_tuner(**timed).plan(data, {"epochs": 7}).schedule.epochs == 7


def test_the_rate_is_measured_once_for_a_project(quick, make_tuner, data, rates, monkeypatch):
    tuner = make_tuner(max_child_minutes=5.0, max_trials=2)
    tuner.search(data)
    tuner.search(data)
    assert project_file.read(tuner.work_dir).machine_gflops == 7.0
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
    assert project_file.read(tuner.work_dir).machine_gflops == rate
    assert len(rates) == 2


def test_float_pixels_are_normalised_by_their_own_scale(make_tuner, images, space):
    x, y = images
    tuner = make_tuner()
    floats = data_lib.from_arrays(x / 255.0, y)
    tuner.session.begin(tuner.plan(floats))
    spec = tuner.oracle.search.ask()[0].spec
    model = tuner.models.of_pixels(tuner.models.untrained(spec))
    other = make_tuner("bytes")
    # The same split of the same images: the order depends on an image's bytes.
    train, held = (
        Split(np.rint(split.images * 255).astype(np.uint8), split.labels)
        for split in (floats.train, floats.validation)
    )
    bytes_of = dataclasses.replace(floats, train=train, validation=held, full_scale=255.0)
    other.session.begin(other.plan(bytes_of))
    same = other.models.of_pixels(other.models.untrained(spec))
    np.testing.assert_allclose(
        model.predict(x / 255.0, verbose=0), same.predict(x, verbose=0), rtol=1e-3, atol=1e-4
    )
