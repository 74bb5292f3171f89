"""The fuzzer: no reader fails it, it finds what was planted, and it repeats itself."""

from __future__ import annotations

import itertools
import json
import sys
import time
from unittest import mock

import pytest

from epnas_tf import untrusted
from tests.fuzzing import changes, fuzz, running, targets, with_atheris


def _target(read, name="planted", seeds=(b'{"a": 1}',), **settings):
    return targets.Target(name, seeds, read, [changes.changed_json], **settings)


def _run(monkeypatch, inputs=100_000, seed=0, names=(), planted=None, atheris_seconds=0):
    if planted is not None:
        monkeypatch.setattr(fuzz, "all_targets", lambda folder: planted)
    return fuzz.run(names, inputs, seed, atheris_seconds)


def test_every_reader_gives_data_or_its_documented_error(tmp_path):
    with running.quiet():
        tallies = running.fuzz(fuzz.all_targets(str(tmp_path)), 4000, seed=0)
    readers = (
        "spec json trial module_trial values metrics project starts prior steps trials_csv best "
        "index offer final state export"
    )
    assert list(tallies) == [*readers.split(), "flags", "flagfile", "arguments", "npz", "image"]
    for name, tally in tallies.items():
        assert tally.accepted > 0, name
        assert tally.refused > tally.accepted / 10, name
    assert 3900 < sum(tally.accepted + tally.refused for tally in tallies.values()) < 4100


def test_the_first_inputs_are_valid_and_the_others_follow_from_the_seed(tmp_path):
    for target in fuzz.all_targets(str(tmp_path)):
        made = [targets.input_of(target, 3, number) for number in range(40)]
        assert made[: len(target.seeds)] == list(target.seeds)
        assert [targets.input_of(target, 3, number) for number in range(40)] == made
        other = [targets.input_of(target, 4, number) for number in range(40)]
        assert other[len(target.seeds) :] != made[len(target.seeds) :]


def test_a_planted_crash_ends_the_run_and_is_shown(monkeypatch, capsys):
    def read(data):
        if b"\0" in data:
            raise KeyError("planted")
        return data.startswith(b"{")

    assert _run(monkeypatch, 500, 7, planted=[_target(read)]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("planted, --seed=7, input ")
    assert shown.rstrip().endswith("KeyError: 'planted'")
    number = int(shown.split("input ")[1].split(":")[0])
    assert b"\0" in targets.input_of(_target(read), 7, number)


def test_a_reader_without_its_limits_is_found_out(monkeypatch, capsys):
    monkeypatch.setattr(untrusted, "parse_json", json.loads)
    assert _run(monkeypatch, 20_000, names=["spec"]) == 1
    assert capsys.readouterr().err.startswith("spec, --seed=0, input ")


def test_what_takes_too_long_or_too_much_is_a_crash(monkeypatch):
    def hang(_):
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(running, "_MAX_SECONDS", 0.05)
    with pytest.raises(running.CrashError, match=r"it took longer than 0\.05 seconds"):
        running.check(_target(hang), b"", "here")
    peaks = itertools.count(step=2**31)
    monkeypatch.setattr(running, "_peak_memory", lambda: next(peaks))
    with pytest.raises(running.CrashError, match="it took more than 1073741824 bytes"):
        running.check(_target(bool), b"x", "here")


def test_a_valid_input_that_is_refused_is_a_crash():
    with pytest.raises(running.CrashError, match="a valid input was refused"):
        running.fuzz([_target(lambda _: False)], 1, 0)


def test_only_the_documented_errors_are_refusals():
    def read(_):
        raise ValueError("x")

    assert not running.check(_target(read), b"", "here")
    with pytest.raises(running.CrashError, match="ValueError: x"):
        running.check(_target(read, refusals=(KeyError,)), b"", "here")


def test_long_inputs_are_shown_shortened():
    def read(_):
        raise KeyError("x")

    with pytest.raises(running.CrashError) as caught:
        running.check(_target(read), b"y" * 10**6, "here")
    assert len(str(caught.value)) < 5000
    assert "... (1000000 bytes)" in str(caught.value)


def test_the_table_counts_by_target(monkeypatch, capsys):
    planted = [_target(lambda _: True, "a", share=1), _target(lambda d: d == b"", "b", [b""] * 3)]
    assert _run(monkeypatch, 11, planted=planted) == 0
    heads, _, first, second, every = capsys.readouterr().out.splitlines()
    assert heads == "| target | inputs | accepted | refused | seconds |"
    assert first.startswith("| a | 1 | 1 | 0 | 0.")
    assert second.startswith("| b | 10 | ")
    assert every.startswith("| all | 11 | ")


def test_unknown_targets_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="--targets must be of a, got b, c"):
        _run(monkeypatch, names=["a", "c", "b"], planted=[_target(bool, "a")])


def test_atheris_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "atheris", None)
    with pytest.raises(ValueError, match="needs the package atheris"):
        _run(monkeypatch, atheris_seconds=9, planted=[_target(bool)])


def test_atheris_takes_one_target(monkeypatch):
    monkeypatch.setitem(sys.modules, "atheris", mock.Mock())
    with pytest.raises(ValueError, match="takes one target"):
        _run(monkeypatch, atheris_seconds=9, planted=[_target(bool, "a"), _target(bool, "b")])


def test_atheris_begins_with_the_valid_inputs(monkeypatch, tmp_path):
    atheris = mock.Mock()
    atheris.Mutate.side_effect = lambda data, size: data[:size]
    monkeypatch.setattr(with_atheris, "_instrument", lambda _: None)
    monkeypatch.setitem(sys.modules, "atheris", atheris)
    with_atheris.run([_target(lambda d: d == b"1")], seed=4, seconds=9, folder=str(tmp_path))
    (arguments, read), options = atheris.Setup.call_args
    assert {"-seed=5", "-max_total_time=9", f"{tmp_path}/corpus"} <= set(arguments)
    assert (tmp_path / "corpus" / "0").read_bytes() == b'{"a": 1}'
    assert (read(b"1"), read(b"2")) == (True, False)
    change = options["custom_mutator"]
    assert change(b"abc", 2, 1) == b"ab"
    assert change(b'{"a": 1}', 50, 2) == change(b'{"a": 1}', 50, 2) != b'{"a": 1}'
    atheris.Fuzz.assert_called_once()
