"""Open questions of a configuration: answered before the first child, and by the stored search."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

from epnas_tf import config as config_lib
from epnas_tf import resolve, run
from epnas_tf.architecture.space import layerwise_space
from epnas_tf.config import SearchConfig
from epnas_tf.fields import ConfigError, SettingError
from epnas_tf.training import calibrate, schedule
from epnas_tf.tuner.tuner import EPNASTuner
from epnas_tf.workdir import project_file, storage
from epnas_tf.workdir.layout import WorkDir
from tests.data.images import noise

# Errors that name a flag


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (SettingError("epochs", "must rest"), "--epochs=7: epochs must rest"),
        (SettingError("width", "must rest"), "--dataset=digits: width must rest"),  # no flag
        (ValueError("all is lost\nand more"), "--dataset=digits: all is lost"),
        (FileNotFoundError("no such set"), "--dataset=digits: no such set"),
    ],
)
def test_what_a_room_raises_is_blamed_on_a_flag_in_one_line(raised, said):
    config = SearchConfig(epochs=7)
    with pytest.raises(ConfigError) as caught, resolve.blamed_on(config, "dataset"):
        raise raised
    assert str(caught.value) == said
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize("raised", [ConfigError("--seed=x: must be a number"), TypeError("a bug")])
def test_what_names_its_flag_or_is_a_bug_passes_as_it_is(raised):
    with pytest.raises(type(raised)) as caught, resolve.blamed_on(SearchConfig(), "dataset"):
        raise raised
    assert caught.value is raised


# The search that is there


@pytest.fixture(name="stored")
def _stored(tmp_path) -> SearchConfig:
    """A configuration and its flags.txt."""
    config = SearchConfig(work_dir=str(tmp_path), seed=3, steps=4, episodes=2, max_hours=0)
    storage.write_atomic(WorkDir(config.work_dir).flags, config_lib.to_flags_text(config))
    return config


def test_without_a_search_there_is_nothing_to_go_on_with(tmp_path):
    assert resolve.stored_config(SearchConfig(work_dir=str(tmp_path / "new"))) is None
    assert resolve.stored_config(SearchConfig(work_dir=str(tmp_path))) is None  # an empty folder


def test_what_was_answered_is_taken_from_there_and_what_may_change_from_the_command(stored):
    asked = SearchConfig(work_dir=stored.work_dir, seed=3, episodes=5, max_trials=9)
    assert resolve.stored_config(asked) == dataclasses.replace(stored, episodes=5, max_trials=9)


def test_a_search_that_is_to_be_overwritten_decides_nothing(stored):
    other = dataclasses.replace(stored, overwrite=True, seed=4)
    assert resolve.stored_config(other) is None
    storage.write_atomic(WorkDir(stored.work_dir).flags, "nonsense")
    assert resolve.stored_config(other) is None


def test_a_search_is_not_gone_on_with_against_ones_word(stored):
    with pytest.raises(
        ConfigError,
        match="holds a search; --resume goes on if it is of this",
    ):
        resolve.stored_config(dataclasses.replace(stored, resume=False))


@pytest.mark.parametrize("text", ["nonsense", "--seed=x", "--no_such_flag=1", "--flagfile=/etc/x"])
def test_flags_that_cannot_be_read_name_their_file(stored, text):
    storage.write_atomic(WorkDir(stored.work_dir).flags, f"{text}\n")
    with pytest.raises(ConfigError) as caught:
        resolve.stored_config(stored)
    where = f"--work_dir={stored.work_dir}: {stored.work_dir}/flags.txt"
    assert str(caught.value).startswith(f"{where} is corrupt or not written by this search: ")


# What a search reads once


@pytest.mark.parametrize("changes", [{"initial_specs": "nowhere.json"}, {"prior": ("nowhere",)}])
def test_a_source_in_another_place_must_be_there(stored, changes):
    (name, value) = next(iter(changes.items()))
    began = dataclasses.replace(stored, initial_specs="/gone.json", prior=("/gone",))
    storage.write_atomic(WorkDir(stored.work_dir).flags, config_lib.to_flags_text(began))
    assert resolve.stored_config(began) == began  # the same place may be gone
    with pytest.raises(
        ConfigError, match=r"does not exist; left out, the search goes on"
    ) as caught:
        resolve.stored_config(dataclasses.replace(began, **changes))
    assert str(caught.value).startswith(f"--{name}=nowhere")


def _begun(work_dir, copies):
    images = project_file.Images((8, 8, 1), ("a", "b"), False, 255.0, (0.5,), (0.25,))
    project_file.write(WorkDir(work_dir), project_file.Project(images, 1.0, {}, copies))


def test_a_source_is_read_unless_its_copy_will_do(tmp_path):
    starts, prior, work_dir = tmp_path / "starts.json", tmp_path / "prior", str(tmp_path / "search")
    starts.write_text("[]")
    _begun(str(prior), {})
    named = {"initial_specs": str(starts), "prior": (str(prior),)}
    settled = SearchConfig(work_dir=work_dir, **named)
    unsaid = SearchConfig(work_dir=work_dir)
    left_out = dataclasses.replace(settled, initial_specs="", prior=())

    assert resolve.to_be_read(settled, settled) == settled
    assert resolve.to_be_read(settled, unsaid) == settled  # killed before it was copied
    _begun(work_dir, {"initial_specs": "ab", "prior": "cd"})
    assert resolve.to_be_read(settled, settled) == settled  # to be held against the copy
    assert resolve.to_be_read(settled, unsaid) == left_out
    starts.unlink()
    os.remove(WorkDir(str(prior)).project)
    assert resolve.to_be_read(settled, settled) == left_out
    anew = dataclasses.replace(settled, overwrite=True)
    assert resolve.to_be_read(anew, anew) == anew


@pytest.mark.parametrize(
    "named",
    [
        *({"prior": ("search",)}, {"prior": ("other", "search/")}, {"prior": ("link",)}),
        *({"initial_specs": "search/best.json"}, {"initial_specs": "link/best.json"}),
    ],
)
def test_a_search_does_not_read_itself(tmp_path, monkeypatch, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "search").mkdir()
    (tmp_path / "link").symlink_to("search")
    config = SearchConfig(work_dir="search", **named)
    with pytest.raises(
        ConfigError, match="^--(prior|initial_specs)=.*: must not lie in --work_dir"
    ):
        resolve.check_places(config)
    resolve.check_places(dataclasses.replace(config, work_dir="search2"))


def test_sources_are_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = SearchConfig(initial_specs="a.json", prior=("b", "gs://c/d"))
    known = resolve.from_anywhere(config)
    assert known.initial_specs == f"{tmp_path}/a.json"
    assert known.prior == (f"{tmp_path}/b", "gs://c/d")
    assert resolve.from_anywhere(SearchConfig()).initial_specs == ""


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"initial_specs": "none.json"}, "--initial_specs=none.json: .*No such file"),
        ({"initial_specs": "bad.json"}, "--initial_specs=bad.json: network 1 of 1: pattern must"),
        ({"initial_specs": "."}, r"--initial_specs=\.: .*Is a directory"),
        ({"prior": ("none",)}, "--prior=none: none must be the work_dir of an earlier search"),
    ],
)
def test_a_source_that_cannot_be_read_names_its_flag(monkeypatch, tmp_path, named, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ConfigError, match=f"^{words}"):
        resolve.read_sources(SearchConfig(**named), layerwise_space())


# What is settled before the first child


class _StoppedError(Exception):
    pass


@pytest.fixture(name="stored_flags")
def _stored_flags(monkeypatch, tmp_path):
    """Returns a function that starts a search with these settings and gives the stored ones."""

    def stop(self, plan):
        raise _StoppedError

    def stored_flags(**settings) -> SearchConfig:
        monkeypatch.setattr(EPNASTuner, "run", stop)
        config = SearchConfig(work_dir=str(tmp_path / "stored"), verbosity=0, **settings)
        with pytest.raises(_StoppedError):
            run.search(config)
        return config_lib.from_flags_text(storage.read_text(WorkDir(config.work_dir).flags))

    return stored_flags


@pytest.mark.parametrize(("pattern", "steps"), [("layerwise", 10), ("module", 5)])
def test_open_questions_are_answered(stored_flags, pattern, steps):
    stored = stored_flags(pattern=pattern, max_hours=0)
    assert (stored.steps, stored.image_size) == (steps, 8)
    assert (stored.episodes, stored.max_child_minutes, stored.rungs) == (15, 10, ())
    plan = schedule.for_dataset("digits")
    names = ("epochs", "micro_batch_size", "learning_rate", "warmup_epochs")
    assert all(getattr(stored, name) == getattr(plan, name) for name in names)
    assert stored.batch_size == 0  # one that nobody named suits the images
    assert resolve.make_schedule(stored) == plan
    assert stored.schedule == plan.name
    assert stored.threads_per_child >= 1
    assert stored.machine_gflops > 0


def test_the_lowest_rung_says_the_epochs(stored_flags):
    stored = stored_flags(rungs=(2, 5))
    assert (stored.rungs, stored.epochs) == ((2, 5), 2)
    assert resolve.make_schedule(stored).epochs == 2


@pytest.mark.parametrize(("asked", "epoch_images"), [(-1, 5_000), (0, 0), (2_000, 2_000)])
def test_an_epochs_images_are_the_schedules_or_as_asked(stored_flags, many, asked, epoch_images):
    stored = stored_flags(dataset=many, epoch_images=asked, machine_gflops=1, max_hours=0)
    assert stored.epoch_images == epoch_images
    assert resolve.make_schedule(stored).epoch_images == epoch_images


def test_images_that_are_no_squares_keep_their_shape(stored_flags, tmp_path):
    images = np.arange(40 * 8 * 12).reshape(40, 8, 12) % 255
    np.savez(tmp_path / "wide.npz", x_train=images, y_train=np.arange(40) % 2)
    stored = stored_flags(dataset=f"npz:{tmp_path / 'wide.npz'}", machine_gflops=1)
    # Were a size stored, a search from flags.txt would see other images.
    assert stored.image_size == 0


@pytest.fixture(name="measured")
def _measured(monkeypatch):
    """Lets micro-batches of 64 be the fastest; returns the batches they were asked for."""
    asked = []

    def measure(input_shape, batch_size, num_classes=10):
        asked.append((input_shape, batch_size, num_classes))
        return 64

    monkeypatch.setattr(calibrate, "measure_micro_batch", measure)
    return asked


@pytest.fixture(name="many", scope="module")
def _many(tmp_path_factory) -> str:
    """A data set of 8,192 training images."""
    path = tmp_path_factory.mktemp("many") / "many.npz"
    labels = np.arange(8_192) % 3
    images = noise(8_201, 4, 4)
    np.savez(path, x_train=images[9:], x_val=images[:9], y_train=labels, y_val=labels[:9])
    return f"npz:{path}"


def test_a_large_batch_is_cut_as_the_machine_likes_it(stored_flags, measured, many):
    stored = stored_flags(dataset=many, schedule="aggressive", machine_gflops=1)
    assert (stored.batch_size, stored.micro_batch_size) == (0, 64)
    assert resolve.make_schedule(stored).batch_size == 1024
    assert measured == [((4, 4, 1), 512, 3)]  # a sixteenth of the images


def test_a_micro_batch_that_is_given_is_not_measured(stored_flags, measured, many):
    large = {"dataset": many, "schedule": "aggressive", "batch_size": 1024, "machine_gflops": 1}
    assert stored_flags(**large, micro_batch_size=128).micro_batch_size == 128
    assert measured == []


def test_a_small_batch_stays_whole(stored_flags, measured):
    assert stored_flags(machine_gflops=1).micro_batch_size == 0
    assert measured == []


# A plan for the time there is


def test_a_search_is_planned_for_an_hour_by_default_and_stored(stored_flags, many):
    stored = stored_flags(dataset=many, machine_gflops=4)
    assert stored.max_hours == 1
    assert stored.epoch_images < 5_000  # of a slow machine
    assert stored.epochs == 6  # as long as the second rung of 2 and 6
    assert stored.rungs == tuple(stored.epochs * times for times in (1, 3))
    assert stored.max_child_minutes < 3
    assert stored.branches * (1 + stored.episodes * stored.steps) > 50
    again = stored_flags(dataset=many, machine_gflops=4, max_hours=0.25)  # goes on with it
    assert again == dataclasses.replace(stored, max_hours=0.25)
    assert stored_flags(dataset=many, machine_gflops=4) == stored


def test_a_faster_machine_sees_more_images_of_larger_networks(stored_flags, many, tmp_path):
    slow = stored_flags(dataset=many, machine_gflops=4)
    fast = stored_flags(dataset=many, machine_gflops=1000, overwrite=True)
    assert (fast.epochs, fast.epoch_images, fast.rungs) == (9, 5_000, (9, 27))
    assert slow.epochs * slow.epoch_images < 45_000


def test_what_is_named_stays(stored_flags, many):
    named = {
        **{"epochs": 2, "epoch_images": 6_000, "rungs": (2, 4), "max_child_minutes": 0.5},
        **{"episodes": 7, "steps": 3},
    }
    stored = stored_flags(dataset=many, machine_gflops=1e-3, max_hours=0.1, **named)
    assert {name: getattr(stored, name) for name in named} == named


@pytest.mark.parametrize(
    ("named", "hours"),
    [
        ({}, 1),
        ({"max_hours": 2}, 2),
        ({"max_hours": 0}, 0),
        ({"episodes": 3}, 0),
        ({"max_trials": 9}, 0),
        ({"max_trials": 9, "max_hours": 0.5}, 0.5),
    ],
)
def test_who_says_how_long_has_no_limit_in_time_unasked(stored_flags, named, hours):
    assert stored_flags(machine_gflops=64, **named).max_hours == hours


def test_a_search_without_a_limit_in_time_goes_on_without(stored_flags):
    stored_flags(machine_gflops=64, episodes=3)
    assert stored_flags(machine_gflops=64, episodes=3).max_hours == 0
    assert stored_flags(machine_gflops=64, episodes=4, max_hours=2).max_hours == 2


# Images in files, which may move


@pytest.mark.parametrize(
    ("dataset", "stored"),
    [
        *(("digits", "digits"), ("cifar10:3.0.2", "cifar10:3.0.2"), ("npz:a.npz", "npz:/at/a.npz")),
        *(("folder:../a", "folder:/a"), ("folder:/b/c", "folder:/b/c")),
        ("npz:gs://bucket/a.npz", "npz:gs://bucket/a.npz"),
    ],
)
def test_only_paths_are_made_absolute(monkeypatch, dataset, stored):
    monkeypatch.setattr(os, "getcwd", lambda: "/at")
    config = SearchConfig(dataset=dataset, data_dir="sets")
    expected = SearchConfig(dataset=stored, data_dir="/at/sets")
    assert resolve.from_anywhere(config) == expected
