"""What is measured of the best network at a search's end: once, by class, and never an error."""

from __future__ import annotations

import dataclasses

import pytest

from epnas_tf.training import trainer
from epnas_tf.tuner import last_measures
from epnas_tf.tuner.session import Session
from epnas_tf.workdir import best_json, storage


def _split_names(tuner, data, *names):
    splits = {"validation": data.validation, "test": data.validation}
    return last_measures.of_best(tuner, data, {name: splits[name] for name in names})


def test_the_best_network_is_measured_by_class(searched, data):
    best = best_json.read(searched.work_dir)
    shares = best.per_class_accuracy["validation"]
    assert list(shares) == ["0", "1", "2"]
    assert sum(shares.values()) / 3 == pytest.approx(best.validation_accuracy)  # 8 of each
    assert (best.test_accuracy, best.largest_class) == (None, None)
    tested = _split_names(searched, data, "validation", "test")
    assert tested.test_accuracy == best.validation_accuracy
    assert tested.per_class_accuracy == {"validation": shares, "test": shares}


def test_what_is_said_already_is_not_measured_again(searched, data, monkeypatch):
    monkeypatch.setattr(trainer, "class_hits", None)
    best = best_json.read(searched.work_dir)
    assert _split_names(searched, data, "validation") == best
    with pytest.raises(TypeError):
        _split_names(searched, data, "test")


@pytest.mark.parametrize(("content", "reason"), [(None, "are gone"), ("x", "is corrupt or not")])
def test_without_weights_the_search_has_its_result_all_the_same(
    searched, data, monkeypatch, tmp_path, capsys, content, reason
):
    other = tmp_path / "best.weights.h5"
    if content:
        other.write_text(content)
    monkeypatch.setattr(type(searched.work_dir), "model", lambda *_: str(other))
    best = _split_names(searched, data, "validation", "test")
    assert best == best_json.read(searched.work_dir)
    assert reason in capsys.readouterr().out


def test_of_another_network_nothing_is_taken_over(searched, data, monkeypatch):
    best = best_json.read(searched.work_dir)
    other = dataclasses.replace(best, slot="e09s01b0", test_accuracy=0.5)
    for content in (other, None):
        monkeypatch.setattr(best_json, "read", lambda _, content=content: content)
        assert _split_names(searched, data, "validation") == best


def test_a_worker_writes_nothing(searched, data):
    storage.remove(searched.work_dir.best)
    session = searched.session
    searched.session = Session(searched.oracle, searched.work_dir, searched.settings)
    last_measures.store(searched, data)
    assert not storage.exists(searched.work_dir.best)
    searched.session = session
    last_measures.store(searched, data)
    assert best_json.read(searched.work_dir).per_class_accuracy
