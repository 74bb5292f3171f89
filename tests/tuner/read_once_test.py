"""What a search reads once: copied at its first start, read from the copy, never exchanged."""

from __future__ import annotations

import itertools
import json
import os

import pytest

from epnas_tf.architecture import initial
from epnas_tf.fields import SettingError
from epnas_tf.randomness import generator
from epnas_tf.searching import prior as prior_lib
from epnas_tf.searching.prior import PriorTrial
from epnas_tf.tuner import read_once
from epnas_tf.tuner.tuner import EPNASTuner
from epnas_tf.workdir import copies, project_file, storage
from epnas_tf.workdir.layout import COPIES


@pytest.fixture(name="networks", scope="module")
def _networks(space):
    """Six different networks of the space."""
    rng, drawn = generator(0, "read once"), {}
    while len(drawn) < 6:
        drawn.setdefault(initial.starting_spec(space, rng, lambda _: 0.0, frozenset(drawn)))
    return tuple(drawn)


@pytest.fixture(name="given", scope="module")
def _given(networks):
    """What a search is given to read."""
    trials = tuple(PriorTrial(spec, n / 10, n / 20) for n, spec in enumerate(networks[2:5]))
    return {"initial_specs": networks[:2], "prior": (trials, trials[:1])}


def _read(tuner):
    return {name: getattr(tuner.oracle, name) for name in COPIES}


def _held(tuner):
    return [name for name in COPIES if storage.exists(tuner.work_dir.copy(name))]


def test_it_is_copied_at_the_first_start_and_its_hash_is_the_projects(
    quick, make_tuner, data, given
):
    tuner = make_tuner(**given, max_trials=1)
    tuner.plan(data)
    assert os.listdir(tuner.work_dir.path) == []  # looking writes nothing
    tuner.search(data)
    stored = project_file.read(tuner.work_dir)
    assert stored.copies.keys() == {*COPIES}
    assert _held(tuner) == [*COPIES]
    specs = json.loads(storage.read_text(tuner.work_dir.copy("initial_specs")))
    assert specs == [spec.to_dict() for spec in given["initial_specs"]]
    (trials, one) = json.loads(storage.read_text(tuner.work_dir.copy("prior")))
    assert len(one) == 1
    assert trials[1] == {
        "spec": given["prior"][0][1].spec.to_dict(),
        "accuracy": 0.1,
        "reward": 0.05,
    }


@pytest.mark.parametrize("again", [[], ["prior"], ["initial_specs"], [*COPIES]])
def test_who_goes_on_has_it_whether_it_is_given_again_or_not(quick, make_tuner, data, given, again):
    make_tuner(**given, max_trials=1).search(data)
    tuner = make_tuner(**{name: given[name] for name in again}, max_trials=2)
    assert _read(tuner) == given
    before = storage.read_text(tuner.work_dir.project)
    tuner.search(data)
    assert storage.read_text(tuner.work_dir.project) == before
    assert len(tuner.oracle.completed()) == 2


def test_without_it_nothing_of_it_is_written(quick, make_tuner, data):
    tuner = make_tuner(max_trials=1)
    tuner.search(data)
    assert _held(tuner) == []
    assert "copies" not in json.loads(storage.read_text(tuner.work_dir.project))
    assert _read(make_tuner()) == {"initial_specs": (), "prior": ()}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("role", ["chief", "worker"])
def test_other_content_is_refused_by_name_with_the_cure(
    quick, make_tuner, data, given, name, role, monkeypatch
):
    make_tuner(**given, max_trials=1).search(data)
    if role == "worker":
        monkeypatch.setattr(EPNASTuner, "_is_worker", lambda self: True)
    message = rf"^{name} must be what this search read at its first start \(.*{name}\.json\), got "
    with pytest.raises(SettingError, match=message) as caught:
        make_tuner(**{name: given[name][:1]})
    assert "left out, the search goes on with what it read" in str(caught.value)


@pytest.mark.parametrize("name", COPIES)
def test_a_search_that_began_without_is_not_given_it_later(quick, make_tuner, data, given, name):
    make_tuner(max_trials=1).search(data)
    with pytest.raises(SettingError, match=f"^{name} must be left out: the search in .* began"):
        make_tuner(**{name: given[name]})
    make_tuner(**{name: given[name]}, overwrite=True, max_trials=1).search(data)
    tuner = make_tuner(overwrite=True)
    assert _held(tuner) == []


def test_an_earlier_search_may_have_gone_on_meanwhile(quick, make_tuner, data, given, networks):
    make_tuner(**given, max_trials=1).search(data)
    more, one = given["prior"]
    more += (PriorTrial(networks[5], 0.9, 0.9),)
    tuner = make_tuner(prior=(more, one))
    assert tuner.oracle.prior == given["prior"]  # what was read once stands
    changed = (PriorTrial(networks[2], 0.9, 0.9), *more[1:])
    with pytest.raises(SettingError, match="^prior must be what this search read"):
        make_tuner(prior=(changed, one))


def test_of_a_large_prior_what_tells_most_is_kept_and_given_again(
    quick, make_tuner, data, given, monkeypatch
):
    real = prior_lib.most_telling
    kinds = [
        kind if kind.name != "prior" else type(kind)(**vars(kind) | {"kept": lambda p: real(p, 2)})
        for kind in read_once._KINDS
    ]
    monkeypatch.setattr(read_once, "_KINDS", tuple(kinds))
    kept = real(given["prior"], 2)
    assert len(kept[0]) == 2
    tuner = make_tuner(**given, max_trials=1)
    tuner.search(data)
    assert tuner.oracle.prior == kept
    for again in ({}, {"prior": given["prior"]}):
        assert make_tuner(**again).oracle.prior == kept


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_that_is_lost_or_changed_is_asked_for_and_written_again(
    quick, make_tuner, data, given, name
):
    tuner = make_tuner(**given, max_trials=1)
    tuner.search(data)
    path = tuner.work_dir.copy(name)
    whole = storage.read_text(path)
    storage.write_atomic(path, "[]")
    with pytest.raises(ValueError, match=rf"{name}\.json is corrupt or not written by this search"):
        make_tuner()
    storage.remove(path)
    with pytest.raises(ValueError, match=rf"{name}\.json must be there, .*give {name} again"):
        make_tuner()
    again = make_tuner(**{name: given[name]}, max_trials=2)
    assert not storage.exists(path)  # looking writes nothing
    again.search(data)
    assert storage.read_text(path) == whole


@pytest.mark.parametrize(
    "content",
    [
        *(
            "{}",
            "[]",
            "[1]",
            "[[]]",
            "null",
            '[{"pattern": "module", "branches": [{"op": "conv-conv"}]}]',
        ),
        '[[{"spec": {}, "accuracy": 1, "reward": 1}]]',
    ],
)
@pytest.mark.parametrize("name", COPIES)
def test_a_hostile_copy_is_refused_though_its_hash_is_right(
    quick, make_tuner, data, given, name, content
):
    tuner = make_tuner(**given, max_trials=1)
    tuner.search(data)
    storage.write_atomic(tuner.work_dir.copy(name), content)
    project = project_file.read(tuner.work_dir)
    project.copies[name] = copies.digest(content)
    project_file.write(tuner.work_dir, project)
    with pytest.raises(ValueError, match=rf"{name}\.json is corrupt or not written by this search"):
        make_tuner()


def test_a_kill_at_any_write_of_the_first_start_loses_nothing(
    make_tuner, quick, data, given, die_at, killed
):
    for moment in itertools.count():
        project = f"killed{moment}"
        tuner = make_tuner(project, **given, max_trials=1)
        die_at(moment)
        try:
            tuner.search(data)
        except killed:
            die_at(-1)
        else:
            break
        began = storage.exists(tuner.work_dir.project)
        assert began == (moment > len(COPIES))
        assert len(_held(tuner)) == min(moment, len(COPIES))
        again = make_tuner(project, **({} if began else given), max_trials=1)
        again.search(data)
        assert _read(again) == given
        assert _held(again) == [*COPIES]
    assert moment > 4


def test_another_process_that_began_meanwhile_has_read_it_for_both(quick, make_tuner, data, given):
    late, same = make_tuner(max_trials=2), make_tuner(**given, max_trials=2)
    make_tuner(**given, max_trials=1).search(data)
    for tuner in (same, late):
        tuner.search(data)
        assert _read(tuner) == given
    other = make_tuner("other", prior=given["prior"][:1])
    plan = other.plan(data)
    os.rename(late.work_dir.path, other.work_dir.path)
    with pytest.raises(SettingError, match="^prior must be what this search read"):
        other.run(plan)


# What is said


def test_what_was_read_is_said_in_a_line_each(make_tuner, given):
    tuner = make_tuner(**given)
    assert read_once.lines(tuner.oracle, tuner.work_dir, {}) == [
        f"2 starting networks from {tuner.work_dir.path}/initial_specs.json",
        "prior: 4 networks of 2 earlier searches",
    ]
    said = {"initial_specs": ["one from x", "two from y"]}
    assert read_once.lines(tuner.oracle, tuner.work_dir, said)[:2] == ["one from x", "two from y"]
    assert read_once.lines(make_tuner().oracle, tuner.work_dir, said) == []
    assert read_once.specs_line(given["initial_specs"][:1], "x") == "1 starting network from x"
    assert read_once.prior_line(given["prior"][:1]) == "prior: 3 networks of 1 earlier search"


def test_the_headline_says_it(quick, make_tuner, data, given, capsys):
    make_tuner(**given, max_trials=1, verbose=1).search(data)
    lines = capsys.readouterr().out.splitlines()
    assert "prior: 4 networks of 2 earlier searches" in lines[:8]
    assert any(line.startswith("2 starting networks from ") for line in lines[:8])


# What an oracle is given


def test_an_oracle_refuses_what_cannot_be_started_from(make_tuner, given, networks):
    with pytest.raises(SettingError, match=r"^initial_specs must be at most 2, .*--branches=3"):
        make_tuner(initial_specs=networks[:3])
    with pytest.raises(SettingError, match="^prior must be of networks of the space: search 1"):
        make_tuner(prior=[[]])


def test_more_than_a_copy_holds_is_refused_before_anything_is_written(
    make_tuner, data, given, monkeypatch
):
    monkeypatch.setattr(storage, "MAX_TEXT_BYTES", 300)
    tuner = make_tuner(prior=given["prior"])
    with pytest.raises(SettingError, match="^prior must be smaller: its JSON must have at most"):
        tuner.plan(data)
    assert os.listdir(tuner.work_dir.path) == []
