"""What a search is to read once: found by its paths, read, put in words."""

from __future__ import annotations

import dataclasses
import json

import pytest

from epnas_tf.architecture import initial
from epnas_tf.randomness import generator
from epnas_tf.searching.prior import PriorTrial
from epnas_tf.tuner import earlier, sources
from epnas_tf.tuner.earlier import Earlier


@pytest.fixture(name="networks", scope="module")
def _networks(space):
    rng, drawn = generator(0, "sources"), {}
    while len(drawn) < 5:
        drawn.setdefault(initial.starting_spec(space, rng, lambda _: 0.0, frozenset()))
    return tuple(drawn)


def _file(folder, *specs):
    path = folder / "starts.json"
    path.write_text(json.dumps([spec.to_dict() for spec in specs]))
    return str(path)


def test_networks_of_a_file_are_read_and_counted(tmp_path, space, networks):
    path = _file(tmp_path, *networks[:3])
    assert sources.read_initial_specs(path, space) == (
        networks[:3],
        [f"3 starting networks from {path}"],
    )


def test_repeated_ones_are_left_out_which_is_said(tmp_path, space, networks):
    first, second = networks[:2]
    path = _file(tmp_path, first, second, first, second)
    found, said = sources.read_initial_specs(path, space)
    assert found == (first, second)
    assert said == [f"2 starting networks from {path} (2 repeated, left out)"]


def test_a_wrong_one_is_named_by_its_place_in_the_file(tmp_path, space, networks):
    wrong = dataclasses.replace(networks[0], stem_filters=5)
    path = _file(tmp_path, networks[1], networks[1], wrong)
    with pytest.raises(ValueError, match="^network 3 of 3: stem_filters must be 4, as the space"):
        sources.read_initial_specs(path, space)


def _earlier(networks, others):
    trials = tuple(PriorTrial(spec, n / 10, n / 10) for n, spec in enumerate(networks))
    return Earlier(trials, others)


def test_each_earlier_search_is_read_and_what_is_left_out_is_said(space, networks, monkeypatch):
    found = {"a": _earlier(networks[:3], 0), "b": _earlier(networks, 2)}
    monkeypatch.setattr(earlier, "read", lambda path, space: found[path])
    prior, said = sources.read_prior(["a", "b"], space)
    assert prior == (found["a"].trials, found["b"].trials)
    assert said == [
        "prior: 8 networks of 2 earlier searches",
        "prior: 5 of 7 networks of b are of this space",
    ]
    monkeypatch.setattr(
        sources.prior_lib, "most_telling", lambda prior: tuple(t[:4] for t in prior)
    )
    prior, said = sources.read_prior(["b", "a"], space)
    assert prior == (found["b"].trials, found["a"].trials)  # all, to be held against the copy
    assert said == [
        "prior: 7 networks of 2 earlier searches",
        "prior: 5 of 7 networks of b are of this space",
        "prior: of b the best and the newest 4 of 5 networks",
    ]


def test_the_files_that_a_setting_names_are_known():
    assert sources.marks_of("") == sources.marks_of(()) == []
    assert sources.marks_of("starts.json") == ["starts.json"]
    assert sources.marks_of(("a", "b")) == ["a/project.json", "b/project.json"]
