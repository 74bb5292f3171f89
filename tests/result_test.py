"""What a search found and how its end is told: test accuracy, best.json, what is printed."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

import epnas_tf
from epnas_tf import resolve
from epnas_tf.config import SearchConfig
from epnas_tf.result import SearchResult
from epnas_tf.training import devices, trainer
from epnas_tf.workdir import best_json, storage
from epnas_tf.workdir.layout import WorkDir
from tests.tiny_search import TINY


@pytest.fixture(name="tiny", scope="module")
def _tiny(tmp_path_factory) -> SearchConfig:
    """A search of its starting networks alone."""
    work_dir = tmp_path_factory.mktemp("result") / "search"
    return SearchConfig(work_dir=str(work_dir), **TINY | {"max_trials": 2})


@pytest.fixture(name="found", scope="module")
def _found(tiny) -> SearchResult:
    return epnas_tf.search(tiny)


@pytest.fixture(name="copied")
def _copied(found, tiny, tmp_path) -> SearchConfig:
    """The search in a folder that a test may change, without its test accuracy."""
    shutil.copytree(tiny.work_dir, tmp_path / "copy")
    config = dataclasses.replace(tiny, work_dir=str(tmp_path / "copy"))
    flags_file = WorkDir(config.work_dir).flags
    text = storage.read_text(flags_file).replace(tiny.work_dir, config.work_dir)
    storage.write_atomic(flags_file, text)
    best_file = WorkDir(config.work_dir).best
    best = json.loads(storage.read_text(best_file))
    del best["test_accuracy"]
    storage.write_atomic(best_file, json.dumps(best))
    return config


def test_a_result_without_networks_has_no_best():
    assert SearchResult((), None, 0, "x").best is None


def test_the_test_accuracy_is_that_of_the_best_network(found, tiny):
    data = resolve.load_data(tiny)
    model = epnas_tf.build_model(found.best.spec, data.input_shape, data.num_classes)
    model.load_weights(WorkDir(tiny.work_dir).model(found.best.slot))
    none = devices.make_strategy("none")
    assert trainer.accuracy(model, data.validation, data, none) == found.best.accuracy
    assert trainer.accuracy(model, data.test, data, none) == found.test_accuracy


def test_a_test_accuracy_that_was_not_stored_is_measured(found, copied):
    result = epnas_tf.search(copied)
    assert result.test_accuracy == found.test_accuracy
    best = json.loads(storage.read_text(WorkDir(copied.work_dir).best))
    assert best["test_accuracy"] == result.test_accuracy


def test_best_json_is_written_once_at_the_end(found, copied, monkeypatch):
    """A kill between two writes would leave it without the test accuracy that was measured."""
    written = []
    real = best_json.write
    monkeypatch.setattr(best_json, "write", lambda *what: (written.append(what[1]), real(*what)))
    epnas_tf.search(copied)
    assert [best.test_accuracy for best in written] == [found.test_accuracy]


def test_a_corrupt_best_json_is_written_anew(found, copied):
    storage.write_atomic(WorkDir(copied.work_dir).best, "{")
    assert epnas_tf.search(copied) == dataclasses.replace(found, work_dir=copied.work_dir)
    assert best_json.read(WorkDir(copied.work_dir)).test_accuracy == found.test_accuracy


def test_the_accuracy_of_another_network_is_not_taken_for_the_bests(found, copied):
    """As after more trials, where a better one was found."""
    best = best_json.read(WorkDir(copied.work_dir))
    other = dataclasses.replace(best, slot="e01s00b7", test_accuracy=0.123)
    best_json.write(WorkDir(copied.work_dir), other)
    assert epnas_tf.search(copied).test_accuracy == found.test_accuracy


def test_without_the_best_weights_there_is_no_test_accuracy(found, copied, capsys):
    slot = found.best.slot
    storage.remove(WorkDir(copied.work_dir).model(slot))
    result = epnas_tf.search(copied)
    assert result.test_accuracy is None
    assert result.networks == found.networks
    assert f"no test accuracy: the weights of {slot} are gone\n" in capsys.readouterr().out


def test_where_no_network_keeps_the_limits_the_nearest_is_named(tmp_path, capsys):
    settings = TINY | {"max_trials": 2, "max_params": 9, "skip_over": 1.0}
    result = epnas_tf.search(SearchConfig(work_dir=str(tmp_path / "search"), **settings))
    assert result.best is None
    said = capsys.readouterr().out.splitlines()[-2]
    assert said.startswith("no trained network keeps the limits; the nearest of all is e01s00b")
    assert said.endswith(" > 9 (loosen the limits, or narrow the space)")
