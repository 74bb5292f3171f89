"""What an earlier search found, read from its folder, whatever state that is in."""

from __future__ import annotations

import dataclasses
import json
import logging
import random
import shutil

import pytest

import epnas_tf
from epnas_tf.architecture.budget import FAILED, STATUSES
from epnas_tf.architecture.space import module_space
from epnas_tf.searching.prior import PriorTrial
from epnas_tf.tuner import earlier
from epnas_tf.workdir import project_file, storage
from epnas_tf.workdir.layout import WorkDir
from tests.fuzzing.changes import changed_bytes, changed_json
from tests.fuzzing.search_files import LAYERWISE, made_oracle

_SPACE = LAYERWISE


@pytest.fixture(name="played", scope="module")
def _played(tmp_path_factory):
    """The oracle of a search of ten trials in which nothing was trained."""
    oracle = made_oracle(str(tmp_path_factory.mktemp("played")), _SPACE)
    images = project_file.Images((8, 8, 1), ("a", "b"), False, 255.0, (0.5,), (0.25,))
    project = project_file.Project(images, 1.0, {})
    project_file.write(WorkDir(oracle._project_dir), project)
    return oracle


@pytest.fixture(name="folder")
def _folder(played, tmp_path):
    """A copy of its folder."""
    return shutil.copytree(played._project_dir, tmp_path / "earlier")


def _files(folder):
    return sorted(folder.glob("trial_*/trial.json"))


def _read(folder, space=_SPACE):
    return earlier.read(str(folder), space).trials


def _expected(played, count=10):
    first = {}
    for known in played.completed()[:count]:
        outcome = known.outcome
        trial = PriorTrial(known.proposal.spec, outcome.accuracy, outcome.reward)
        first.setdefault(known.spec_key, trial)
    return tuple(first.values())


def _change(path, change):
    state = json.loads(path.read_text())
    change(state)
    storage.write_atomic(str(path), json.dumps(state))


def test_the_trained_networks_come_in_the_order_of_their_slots_each_once(played, folder):
    found = epnas_tf.read_prior(str(folder), _SPACE)
    assert found == _expected(played)
    assert 5 < len(found) <= 10
    assert earlier.read(str(folder), _SPACE).others == 0


def test_a_repeated_network_counts_as_it_was_first(played, folder):
    files, first = _files(folder), played.completed()[0]
    spec = first.proposal.spec.to_json()
    _change(files[3], lambda state: state["hyperparameters"]["values"].update(spec=spec))
    (trial,) = (trial for trial in _read(folder) if trial.spec == first.proposal.spec)
    assert trial.accuracy == first.outcome.accuracy


def test_what_was_trained_for_longer_is_left_out(tmp_path):
    """Rewards of several rungs do not compare, even where that of the lowest is lost."""
    oracle = made_oracle(str(tmp_path), _SPACE, rungs=(1, 2))
    images = project_file.Images((8, 8, 1), ("a", "b"), False, 255.0, (0.5,), (0.25,))
    folder = tmp_path / "p"
    project_file.write(WorkDir(str(folder)), project_file.Project(images, 1.0, {}))
    risen = next(trial for trial in oracle.completed() if trial.slot.rung)
    own = [trial for trial in oracle.completed() if trial.slot.of_fold]
    assert {trial.spec for trial in _read(folder)} == {trial.proposal.spec for trial in own}
    lost = [trial for trial in own if trial.proposal.spec == risen.proposal.spec]
    for trial in lost:
        (folder / f"trial_{trial.trial_id}" / "trial.json").unlink()
    assert risen.proposal.spec not in {trial.spec for trial in _read(folder)}


def test_of_two_results_of_a_slot_the_later_counts(played, folder):
    known = played.completed()[0]
    again = folder / "trial_0010"
    again.mkdir()
    shutil.copy(_files(folder)[0], again)

    def other(state):
        state["trial_id"] = "0010"
        state["metrics"]["metrics"]["accuracy"]["observations"][0]["value"] = [0.875]

    _change(again / "trial.json", other)
    assert _read(folder)[0].spec == known.proposal.spec
    assert _read(folder)[0].accuracy == 0.875


def test_a_search_in_progress_may_be_read(played, folder):
    for path in _files(folder)[4:]:
        shutil.rmtree(path.parent)
    (folder / "trial_0004").mkdir()  # a trial that is about to begin
    assert _read(folder) == _expected(played, 4)
    state = json.loads(_files(folder)[0].read_text()) | {"status": "RUNNING", "score": None}
    (folder / "trial_0004" / "trial.json").write_text(json.dumps(state | {"trial_id": "0004"}))
    assert _read(folder) == _expected(played, 4)


def test_corrupt_trials_are_left_out_and_named(played, folder, caplog):
    files = _files(folder)
    files[8].write_text("{")
    _change(files[9], lambda state: state["metrics"]["metrics"].clear())
    assert _read(folder) == _expected(played, 8)
    warned = [record.getMessage() for record in caplog.records]
    named = [path for path in map(str, files) if any(path in text for text in warned)]
    assert named == [*map(str, files[8:])]
    assert all("is corrupt or not written by a search, is left out" in text for text in warned)


def test_networks_that_were_not_trained_are_left_out(played, folder):
    def untrained(state):
        status = state["metrics"]["metrics"]["status"]
        status["observations"][0]["value"] = [float(STATUSES.index(FAILED))]

    _change(_files(folder)[0], untrained)
    assert _read(folder) == _expected(played)[1:]


def test_networks_of_other_spaces_are_counted_and_left_out(folder):
    found = _read(folder)
    fewest = min(len(trial.spec.items) for trial in found)
    kept = earlier.read(str(folder), dataclasses.replace(_SPACE, max_items=fewest))
    assert 0 < len(kept.trials) < len(found)
    assert kept.others == len(found) - len(kept.trials)
    assert all(len(trial.spec.items) == fewest for trial in kept.trials)


def test_networks_are_taken_with_the_stem_of_the_space(folder):
    wider = _read(folder, dataclasses.replace(_SPACE, stem_filters=8))
    assert [trial.spec.stem_filters for trial in wider] == [8] * len(_read(folder))


def test_where_networks_were_compared_by_balanced_accuracy_it_counts(folder):
    for number, path in enumerate(_files(folder)):

        def balanced(state, share=number / 10):
            metrics = state["metrics"]["metrics"]
            metrics["balanced_accuracy"] = json.loads(json.dumps(metrics["accuracy"]))
            metrics["balanced_accuracy"]["observations"][0]["value"] = [share]

        _change(path, balanced)
    assert {trial.accuracy for trial in _read(folder)} <= {number / 10 for number in range(10)}


def test_a_folder_without_a_search_or_without_a_network_is_refused(folder, tmp_path):
    for other in (tmp_path / "none", tmp_path):
        with pytest.raises(ValueError, match="must be the work_dir of an earlier search, has no"):
            _read(other)
    message = r"must hold trained networks of this space, has \d+ trained networks and none"
    with pytest.raises(ValueError, match=message):
        _read(folder, module_space())
    (folder / "project.json").write_text("{")
    with pytest.raises(ValueError, match=r"project\.json is corrupt"):
        _read(folder)


def test_hostile_trials_are_left_out_whatever_they_hold(folder, caplog):
    caplog.set_level(logging.CRITICAL)
    path, rng = _files(folder)[0], random.Random(0)
    whole, before = path.read_bytes(), _read(folder)
    refused = 0
    for number in range(60):
        change = changed_json if number % 2 else changed_bytes
        path.write_bytes(change(rng, whole))
        found = _read(folder)
        refused += len(found) < len(before)
        for trial in found:
            _SPACE.check(trial.spec)
    assert refused > 10
