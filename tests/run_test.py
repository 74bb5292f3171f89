"""The entry point: a configuration in, a finished search out, nothing half done on bad input."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

import epnas_tf
from epnas_tf import command_line, resolve, run
from epnas_tf import config as config_lib
from epnas_tf import result as result_lib
from epnas_tf.architecture.spec import spec_from_dict
from epnas_tf.config import SearchConfig
from epnas_tf.data import dataset as data_lib
from epnas_tf.fields import ConfigError
from epnas_tf.training import trainer
from epnas_tf.tuner import read_once
from epnas_tf.tuner.tuner import EPNASTuner
from epnas_tf.workdir import best_json, storage
from epnas_tf.workdir.layout import WorkDir
from tests.tiny_search import TINY


def _files(folder: str) -> dict[str, bytes]:
    files = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(name="tiny", scope="module")
def _tiny(tmp_path_factory) -> SearchConfig:
    return SearchConfig(work_dir=str(tmp_path_factory.mktemp("run") / "search"), **TINY)


@pytest.fixture(name="finished", scope="module")
def _finished(tiny):
    """The result of a whole search and its files."""
    return epnas_tf.search(tiny), _files(tiny.work_dir)


def test_the_result_holds_the_trained_networks_best_first(finished, tiny):
    result, _ = finished
    assert (result.trials, result.work_dir) == (4, tiny.work_dir)
    specs = [network.spec for network in result.networks]
    assert 1 < len(specs) == len(set(specs)) <= 4
    assert result.best is result.networks[0]
    keys = [(not n.feasible, -n.reward, n.slot) for n in result.networks]
    assert keys == sorted(keys)
    for network in result.networks:
        assert network.cost == epnas_tf.cost(network.spec, (8, 8, 1), 10)
        assert network.feasible == (network.cost.params <= 10_000)
        assert type(network.accuracy) is type(network.reward) is float
    assert 0 <= result.test_accuracy <= 1


def test_the_files_are_those_of_the_design(finished):
    result, files = finished
    kept = sorted(network.slot for network in result.networks[:2])
    assert set(files) == {
        *("flags.txt", "trials.csv", "best.json", "steps.jsonl", "oracle.json", "tuner0.json"),
        *("project.json", "lock"),
        *(f"trial_000{number}/trial.json" for number in range(4)),
        *(f"models/{slot}.weights.h5" for slot in kept),
    }


def test_best_json_is_the_best_network(finished):
    result, files = finished
    best = json.loads(files["best.json"])
    assert spec_from_dict(best["spec"]) == result.best.spec
    assert best["validation_accuracy"] == result.best.accuracy
    assert best["test_accuracy"] == result.test_accuracy
    assert best["limits"][0]["upper"] == 10_000


def test_a_second_call_does_nothing_but_report(finished, tiny, monkeypatch, capsys):
    result, files = finished
    monkeypatch.setattr(trainer, "train", None)
    monkeypatch.setattr(trainer, "class_hits", None)  # the test part is for one measurement
    assert epnas_tf.search(tiny) == result
    assert _files(tiny.work_dir) == files
    assert f"{len(result.networks)} networks trained, " in capsys.readouterr().out


def test_another_process_that_searches_there_is_an_error_of_one_line(finished, tiny):
    with storage.exclusive(WorkDir(tiny.work_dir).lock), pytest.raises(ConfigError) as caught:
        epnas_tf.search(tiny)
    assert str(caught.value).startswith(f"--work_dir={tiny.work_dir}: ")
    assert f"held by process {os.getpid()} on " in str(caught.value)


def test_flags_txt_reloads_exactly(finished, tiny):
    _, files = finished
    flags_file = WorkDir(tiny.work_dir).flags
    stored = config_lib.from_flags_text(files["flags.txt"].decode())
    assert config_lib.to_flags_text(stored).encode() == files["flags.txt"]
    assert command_line.parse(["epnas_search", f"--flagfile={flags_file}"]) == stored
    assert epnas_tf.search(stored) == finished[0]
    assert _files(tiny.work_dir) == files
    # What was asked stands, what was left open is answered.
    answered = {
        field.name
        for field in dataclasses.fields(stored)
        if getattr(stored, field.name) != getattr(tiny, field.name)
    }
    assert answered == {
        *("image_size", "schedule", "learning_rate", "warmup_epochs", "epoch_images"),
        *("threads_per_child", "max_child_minutes", "max_hours"),
    }


@pytest.mark.parametrize(
    ("changed", "phrase"),
    [
        ({"seed": 1}, "--seed=1 (stored: 0)"),
        ({"branches": 3}, "--branches=3 (stored: 2)"),
        ({"max_params": 20_000}, "--max_params=20k (stored: 10k)"),
        ({"min_intensity": 2}, "--min_intensity=2 (stored: none)"),
        ({"dataset": "npz:other.npz"}, "--dataset=npz:other.npz (stored: digits)"),
        ({"policy": "lstm"}, "--policy=lstm (stored: random)"),
    ],
)
def test_another_configuration_is_refused_and_nothing_overwritten(finished, tiny, changed, phrase):
    with pytest.raises(ConfigError) as caught:
        epnas_tf.search(dataclasses.replace(tiny, **changed))
    assert str(caught.value) == (
        f"--work_dir={tiny.work_dir}: holds a search of another configuration: {phrase}"
        " (another --work_dir begins a new one, --overwrite deletes this one)"
    )
    assert _files(tiny.work_dir) == finished[1]


class _Untouchable:
    """A test part that must not be looked at."""

    def __getattribute__(self, name):
        raise AssertionError("the search looked at the test part")


def test_a_search_never_looks_at_the_test_part(finished, tiny, tmp_path):
    result, files = finished
    stored = config_lib.from_flags_text(files["flags.txt"].decode())
    data = dataclasses.replace(resolve.load_data(tiny), test=_Untouchable())
    tuner = run.make_tuner(dataclasses.replace(stored, work_dir=str(tmp_path / "again")), data)
    tuner.search(data)
    best, budget = tuner.oracle.best(), tuner.oracle.budget
    found = tuple(result_lib._network(trial, budget.cost(trial.proposal.spec)) for trial in best)
    assert found == result.networks  # and it found the same


def test_data_without_a_test_part_has_no_test_accuracy(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = (100 * labels[:, None, None] + rng.integers(0, 100, (60, 8, 8))).astype(np.uint8)
    np.savez(tmp_path / "set.npz", x_train=images, y_train=labels)
    small = {"dataset": f"npz:{tmp_path / 'set.npz'}", "train_fraction": 1.0, "max_trials": 1}
    result = epnas_tf.search(SearchConfig(work_dir=str(tmp_path / "search"), **(TINY | small)))
    assert (result.trials, result.test_accuracy) == (1, None)
    assert "test_accuracy" not in json.loads(storage.read_text(WorkDir(result.work_dir).best))


def test_cells_are_searched_by_the_learning_policy(tmp_path, capsys):
    foreign = {"layer_types": (), "activations": (), "stem_filters": 16, "max_layers": 20}
    module = {"pattern": "module", "policy": "lstm", "filters": 4, "max_branches": 2, "steps": 1}
    short = {"branches": 1, "verbosity": 1}
    config = SearchConfig(work_dir=str(tmp_path / "m"), **(TINY | foreign | module | short))
    result = epnas_tf.search(config)
    assert result.trials == 2
    assert {network.spec.pattern for network in result.networks} == {"module"}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("digits: ")
    assert lines[0].endswith(f" of 8x8x1, 10 classes; at most 2 networks in {config.work_dir}")
    assert lines[1].startswith("a child: epochs 1, batches of ")
    assert lines[2].startswith("note: on 359 validation images an accuracy is known to +-0.05")
    assert lines[3].startswith("expected: at most 2 networks, about ")
    assert lines[4].startswith("[1/2]")
    assert lines[5].startswith("the first step took ")
    assert lines[6].startswith("[2/2]")
    (best,) = (line for line in lines if line.startswith("best: "))
    assert best.startswith(f"best: {result.best.slot}, validation accuracy ")
    assert f"test accuracy {result.test_accuracy:.4f}" in best
    by_class = best_json.read(WorkDir(config.work_dir)).per_class_accuracy
    assert {split: list(shares) for split, shares in by_class.items()} == {
        split: [str(label) for label in range(10)] for split in ("validation", "test")
    }


@pytest.mark.parametrize("sharing", ["none", "dictionary", "lineage"])
def test_the_sharing_of_parameters_reaches_the_oracle(tiny, sharing, tmp_path):
    data = resolve.load_data(tiny)
    changes = {"work_dir": str(tmp_path / "new")}
    changes |= {"parameter_sharing": sharing, "stop_hopeless": 0.2, "max_disk": None}
    config = resolve.resolved(dataclasses.replace(tiny, **changes), data, threads=1)
    tuner = run.make_tuner(config, data)
    assert tuner.oracle.settings.parameter_sharing == sharing
    assert tuner.oracle.settings.stop_hopeless == 0.2


def _starting_networks(tmp_path, **settings):
    """Returns the budget of a search with these settings, and its starting networks' costs."""
    answered = {"schedule": "plain", "epochs": 1, "batch_size": 32, "learning_rate": 0.05}
    answered |= {"warmup_epochs": 0, "machine_gflops": 16, "steps": 1, "policy": "random"}
    config = SearchConfig(work_dir=str(tmp_path / "s"), **(answered | settings))
    data = data_lib.load("digits")
    shutil.rmtree(config.work_dir, ignore_errors=True)
    tuner = run.make_tuner(config, data)
    budget = tuner.plan(data).budget
    tuner.oracle.bind(budget)
    costs = [budget.cost(proposal.spec) for proposal in tuner.oracle.search.ask()]
    assert len(costs) == config.branches
    return budget, costs


@pytest.mark.parametrize("reuse", [0, 1])
def test_the_oracle_is_told_what_becomes_of_repeated_networks(tiny, reuse, tmp_path):
    data = resolve.load_data(tiny)
    changes = {"work_dir": str(tmp_path / "new"), "reuse_duplicates": reuse}
    config = resolve.resolved(dataclasses.replace(tiny, **changes), data, threads=1)
    tuner = run.make_tuner(config, data)
    assert tuner.oracle.settings.reuse_duplicates is bool(reuse)


@pytest.mark.parametrize(("pattern", "intensity"), [("layerwise", 8), ("module", 4)])
def test_starting_networks_lie_within_limits_of_both_sides(tmp_path, pattern, intensity):
    limits = {"min_params": 5_000, "max_params": 60_000, "max_flops": 6e6}
    limits["min_intensity"] = intensity
    _, costs = _starting_networks(tmp_path, pattern=pattern, **limits)
    assert all(5_000 <= cost.params <= 60_000 for cost in costs)
    assert all(cost.flops <= 6e6 and cost.intensity >= intensity for cost in costs)
    _, free = _starting_networks(tmp_path, pattern=pattern)
    assert not all(5_000 <= cost.params <= 60_000 for cost in free), "the limits are no limits"


def test_starting_networks_can_be_trained_in_time(tmp_path):
    budget, costs = _starting_networks(tmp_path, max_child_minutes=0.02)
    assert all(budget.minutes(cost) <= 0.02 for cost in costs)
    _, free = _starting_networks(tmp_path)
    assert not all(budget.minutes(cost) <= 0.02 for cost in free), "the limit is no limit"


# Bad input that only shows once TensorFlow or the data are there


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dataset": "mnits"}, ["--dataset=mnits", "tfds"]),
        ({"dataset": "folder:no/such"}, ["--dataset=folder:no/such", "does not exist"]),
        ({"dataset": "npz:no.npz"}, ["--dataset=npz:no.npz", "'no.npz'"]),
        ({"dataset": "cifar10", "data_dir": "no/such"}, ["--data_dir=no/such: ", "does not exist"]),
        ({"layer_types": ("add",)}, ["--layer_types=add", "['add']"]),
        ({"micro_batch_size": 64}, ["--micro_batch_size=64: ", "divide batch_size"]),
        ({"epochs": 0, "rungs": (), "warmup_epochs": 30}, ["--warmup_epochs=30: ", "in 0..epochs"]),
        ({"threads_per_child": 997}, ["--threads_per_child=997", "got 997"]),
    ],
)
def test_bad_input_names_its_flag_and_leaves_no_work_dir(tmp_path, settings, words):
    config = SearchConfig(work_dir=str(tmp_path / "new"), **(TINY | settings))
    with pytest.raises(ConfigError) as caught:
        epnas_tf.search(config)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_work_dir_that_cannot_be_made_is_named(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(ConfigError, match=f"--work_dir={path}/below: ") as caught:
        epnas_tf.search(SearchConfig(work_dir=f"{path}/below", **TINY))
    assert "\n" not in str(caught.value)
    assert path.read_text() == "precious"


@pytest.mark.skipif(not pathlib.Path("/proc/self").exists(), reason="no /proc")
def test_a_work_dir_on_a_disk_that_takes_no_folders_is_named():
    with pytest.raises(ConfigError, match="--work_dir=/proc/no/search: "):
        epnas_tf.search(SearchConfig(work_dir="/proc/no/search", **TINY))


def test_a_work_dir_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(ConfigError, match=f"--work_dir={path}: must be a folder, is a file"):
        epnas_tf.search(SearchConfig(work_dir=str(path), **TINY))
    assert path.read_text() == "precious"


# What is read once


@pytest.fixture(name="starting")
def _starting(finished, tiny, tmp_path):
    """A search to come that is given two networks and the finished search, and their files."""
    result, _ = finished
    path = tmp_path / "starts.json"
    path.write_text("\n".join(network.spec.to_json() for network in result.networks[:2]))
    prior = shutil.copytree(tiny.work_dir, tmp_path / "prior")
    named = {"initial_specs": str(path), "prior": (str(prior),), "max_trials": 1}
    return (
        dataclasses.replace(tiny, work_dir=str(tmp_path / "search"), seed=1, **named),
        path,
        prior,
    )


class _BegunError(Exception):
    """A search that was about to train its first network."""


@pytest.fixture(name="begin")
def _begin(monkeypatch):
    """Returns a function that begins a search and gives its files and what it says of them."""

    def stop(self, plan):
        with self.session.claimed():
            self.session.begin(plan)
        raise _BegunError(read_once.lines(self.oracle, self.work_dir, self.console.read))

    def begin(config):
        with monkeypatch.context() as patch, pytest.raises(_BegunError) as caught:
            patch.setattr(EPNASTuner, "run", stop)
            epnas_tf.search(config)
        return _files(config.work_dir), caught.value.args[0]

    return begin


def test_a_search_goes_on_without_what_it_has_read(starting, finished, begin, capsys):
    config, path, prior = starting
    work_dir = pathlib.Path(config.work_dir)
    begin(config)
    specs = json.loads((work_dir / "initial_specs.json").read_text())
    assert specs == [network.spec.to_dict() for network in finished[0].networks[:2]]
    (trials,) = json.loads((work_dir / "prior.json").read_text())
    accuracies = {network.spec.key: network.accuracy for network in finished[0].networks}
    found = {spec_from_dict(trial["spec"]).key: trial["accuracy"] for trial in trials}
    assert found == accuracies

    copies = {name: (work_dir / name).read_bytes() for name in ("initial_specs.json", "prior.json")}
    assert f"--initial_specs={path}\n--prior={prior}\n" in (work_dir / "flags.txt").read_text()
    path.unlink()
    shutil.rmtree(prior)
    assert epnas_tf.search(config).trials == 1  # the same command, its sources gone
    unsaid = command_line.parse_to_go_on(["", f"--work_dir={work_dir}", "--max_trials=2"])
    assert epnas_tf.search(unsaid).trials == 2
    assert f"--initial_specs={path}\n--prior={prior}\n" in (work_dir / "flags.txt").read_text()
    assert copies == {name: (work_dir / name).read_bytes() for name in copies}
    said = capsys.readouterr().out.splitlines()
    assert f"2 starting networks from {work_dir}/initial_specs.json" in said
    assert f"prior: {len(accuracies)} networks of 1 earlier search" in said


def test_other_content_for_the_same_flag_is_refused(starting, begin):
    config, path, prior = starting
    before, said = begin(config)
    assert said[0] == f"2 starting networks from {path}"
    lines = path.read_text().splitlines()
    path.write_text(lines[0])
    message = "must be what this search read at its first start"
    with pytest.raises(ConfigError, match=f"^--initial_specs={path}: .*{message}"):
        epnas_tf.search(config)

    moved = path.with_name("moved.json")
    moved.write_text(json.dumps([json.loads(line) for line in lines]))
    elsewhere = dataclasses.replace(config, initial_specs=str(moved))
    shutil.rmtree(prior / "trial_0000")
    with pytest.raises(ConfigError, match=f"^--prior={prior}: .*{message}"):
        epnas_tf.search(elsewhere)
    assert _files(config.work_dir) == before  # nothing was written

    after, said = begin(dataclasses.replace(elsewhere, prior=()))
    assert said[0] == f"2 starting networks from {moved}"
    assert f"--initial_specs={moved}\n--prior={prior}\n" in after["flags.txt"].decode()
    assert all(after[name] == before[name] for name in ("initial_specs.json", "prior.json"))


def test_more_networks_than_branches_name_the_flag_and_leave_no_work_dir(starting):
    config, path, _ = starting
    with pytest.raises(ConfigError, match=f"^--initial_specs={path}: .*say --branches=2"):
        epnas_tf.search(dataclasses.replace(config, branches=1))
    assert not pathlib.Path(config.work_dir).exists()


def test_overwriting_reads_anew_and_deletes_the_copies(starting, begin):
    config, _, prior = starting
    begin(config)
    shutil.rmtree(prior / "trial_0000")
    anew = dataclasses.replace(config, overwrite=True, initial_specs="")
    files, said = begin(anew)
    assert "initial_specs.json" not in files
    assert len(json.loads(files["prior.json"])[0]) == 3
    assert said == ["prior: 3 networks of 1 earlier search"]
    files, said = begin(dataclasses.replace(anew, prior=()))
    assert "prior.json" not in files
    assert said == []
    with pytest.raises(ConfigError, match=r"--prior=.* \(stored: \) \(another --work_dir begins"):
        epnas_tf.search(dataclasses.replace(anew, overwrite=False))


# Images in files, which may move


@pytest.fixture(name="photos")
def _photos(tmp_path):
    """A folder of two classes of ten images."""
    folder = tmp_path / "photos"
    for label, level in (("dark", 30), ("light", 200)):
        (folder / label).mkdir(parents=True)
        for number in range(10):
            image = np.full((8, 8, 1), level + number, np.uint8)
            content = tf.io.encode_png(image).numpy()
            (folder / label / f"{number}.png").write_bytes(content)
    return folder


def test_a_search_finds_its_images_from_anywhere_and_where_they_went(photos, monkeypatch, capsys):
    small = TINY | {"train_fraction": 1.0, "image_size": 8, "keep_models": 1}
    monkeypatch.chdir(photos.parent)
    config = SearchConfig(work_dir="search", **small | {"dataset": "folder:photos"})
    epnas_tf.search(dataclasses.replace(config, max_trials=1))
    work_dir = photos.parent / "search"
    assert f"--dataset=folder:{photos}\n" in (work_dir / "flags.txt").read_text()

    monkeypatch.chdir(work_dir)
    alone = ["", f"--work_dir={work_dir}"]
    asked = command_line.parse_to_go_on([*alone, "--max_trials=2", "--verbosity=0"])
    assert epnas_tf.search(asked).trials == 2

    moved = photos.rename(photos.with_name("elsewhere"))
    asked = command_line.parse_to_go_on([*alone, f"--dataset=folder:{moved}", "--max_trials=3"])
    assert epnas_tf.search(asked).trials == 3
    assert f"--dataset=folder:{moved}\n" in (work_dir / "flags.txt").read_text()

    (moved / "dark" / "0.png").unlink()
    capsys.readouterr()
    with pytest.raises(ConfigError, match="its images, labels or weights have changed"):
        epnas_tf.search(command_line.parse_to_go_on(alone))


@pytest.mark.parametrize("inside", ["", "search", "dark/search", "dark/../search"])
def test_a_work_dir_among_the_images_is_refused(photos, inside):
    before = _files(str(photos))
    config = SearchConfig(work_dir=str(photos / inside), dataset=f"folder:{photos}")
    with pytest.raises(ConfigError, match="--work_dir=.*: must not lie among the images of "):
        epnas_tf.search(config)
    assert _files(str(photos)) == before


def test_a_folder_beside_the_images_is_not_among_them(photos):
    work_dir = f"{photos}_search"
    small = TINY | {"train_fraction": 1.0, "image_size": 8, "max_trials": 1}
    assert epnas_tf.search(SearchConfig(work_dir=work_dir, **small)).trials == 1


# What is said at the beginning and the end


def test_the_schedule_that_children_get_is_said(tmp_path, capsys):
    settings = TINY | {
        "max_trials": 1,
        "verbosity": 1,
        "batch_size": 512,
        "epochs": 2,
        "rungs": (2,),
    }
    epnas_tf.search(SearchConfig(work_dir=str(tmp_path / "search"), **settings))
    second = capsys.readouterr().out.splitlines()[1]
    # A batch that a person names is kept as far as there are so many images.
    expected = "a child: epochs 2, batches of 216 (for so few images, not of 512), learning rate "
    assert second.startswith(expected)


def test_a_search_within_a_strategys_scope_is_refused_before_anything_is_written(tiny, tmp_path):
    config = dataclasses.replace(tiny, work_dir=str(tmp_path / "search"))
    with (
        tf.distribute.OneDeviceStrategy("CPU:0").scope(),
        pytest.raises(ConfigError, match="--strategy=none: strategy must be given to the search"),
    ):
        epnas_tf.search(config)
    assert not list(tmp_path.iterdir())
