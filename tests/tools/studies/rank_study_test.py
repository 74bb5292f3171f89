"""rank_study: its networks, resuming, and its report on rows whose correlations are known."""

from __future__ import annotations

import concurrent.futures
import functools
import json
import math
from unittest import mock

import pytest
from absl import app, flags

from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import CellSpec
from epnas_tf.studies import rank_table, resumable
from epnas_tf.studies.rank_table import Network, Study

# Other commands have flags of the same names, and a process has one set of them: this command gets
# its own.
_FLAGS = flags.FlagValues()
_OWN = {
    name: functools.partial(getattr(flags, name), flag_values=_FLAGS)
    for name in ("DEFINE_string", "DEFINE_float", "DEFINE_integer", "DEFINE_list", "DEFINE_bool")
}
with mock.patch.multiple(flags, **_OWN):
    try:
        from epnas_tf.tools.studies import rank_study
    except ImportError:  # from a checkout
        from tools.studies import rank_study

_COUNT = 12


@pytest.fixture(name="budget", scope="module")
def _budget():
    return Budget((32, 32, 3), 10, rank_study.limits())


@pytest.fixture(name="found", scope="module")
def _found(budget):
    return rank_study.candidates(_COUNT, budget)


def _set_flags(**values):
    """Sets these flags of the command, all others to their defaults."""
    _FLAGS.unparse_flags()
    _FLAGS(["rank_study", *(f"--{name}={value}" for name, value in values.items())])


# --- networks ------------------------------------------------------------------------------------


def test_candidates_are_distinct_and_within_the_limits(found, budget):
    assert len({candidate.key for candidate in found}) == len(found) == _COUNT
    assert all(budget.feasible(candidate.spec) for candidate in found)
    patterns = [isinstance(candidate.spec, CellSpec) for candidate in found]
    assert patterns == [False] * (_COUNT // 2) + [True] * (_COUNT // 2)
    assert found == rank_study.candidates(_COUNT, budget)


def test_steps_are_in_order_and_parents_of_earlier_ones(found):
    for half in (found[: _COUNT // 2], found[_COUNT // 2 :]):
        assert [candidate.step for candidate in half] == [0, 0, 1, 1, 2, 2]
        steps = {candidate.key: candidate.step for candidate in half}
        for candidate in half:
            if candidate.step:
                assert steps[candidate.parent] < candidate.step
                assert candidate.action is not None
            else:
                assert (candidate.parent, candidate.action) == ("", None)


def test_half_channels_are_half(found, budget):
    for candidate in found:
        spec, half = candidate.spec, rank_study.with_half_channels(candidate.spec)
        if isinstance(spec, CellSpec):
            assert half.width_multiplier == spec.width_multiplier / 2
            assert half.filters == spec.filters // 2
        else:
            assert half.stem_filters == spec.stem_filters // 2
            channels = [layer.channels for layer in spec.layers]
            assert [layer.channels for layer in half.layers] == [c and c // 2 for c in channels]
        assert budget.cost(half).params < budget.cost(spec).params


# --- runs ----------------------------------------------------------------------------------------


class _Pool:
    """Does in this process, at once, what a pool of processes would."""

    def __init__(self, *arguments):
        del arguments

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        return None

    def shutdown(self, cancel_futures):
        assert cancel_futures

    def submit(self, function, *arguments):
        future = concurrent.futures.Future()
        try:
            future.set_result(function(*arguments))
        except RuntimeError as error:
            future.set_exception(error)
        return future


@pytest.fixture(name="trained")
def _trained(monkeypatch):
    """What was trained, in order; nothing really is."""
    _set_flags()
    jobs = []

    def run(candidate, name, seed):
        jobs.append((candidate.key, name, seed))
        return {"key": candidate.key, "method": name, "seed": seed}

    monkeypatch.setattr(rank_study, "run", run)
    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", _Pool)
    return jobs


def test_only_what_is_missing_is_trained(found, trained, tmp_path, capsys):
    path = tmp_path / "runs.jsonl"
    rank_study.train_missing(path, found, ["plain_4"], 1)
    assert trained == [(candidate.key, "plain_4", 2) for candidate in found]
    kept = path.read_text("utf-8")
    trained.clear()
    rank_study.train_missing(path, found, ["truth", "plain_4"], 1)
    assert trained == [(c.key, "truth", seed) for seed in (0, 1) for c in found]
    assert path.read_text("utf-8").startswith(kept)
    trained.clear()
    rank_study.train_missing(path, found, ["truth", "plain_4"], 1)
    assert trained == []
    assert "0 runs to do" in capsys.readouterr().out
    assert len(resumable.read(path)) == 3 * _COUNT


# --- the report ----------------------------------------------------------------------------------


def _run(key, method, seed, accuracy, seconds=1.0, **more):
    row = {"key": key, "method": method, "seed": seed, "accuracy": accuracy}
    row |= {"losses": [2.0, 1.0 - accuracy], "training_accuracies": [0.1, 1 - accuracy]}
    row |= {"inherited": None}
    return row | {"batch_norm_gap": 0.01, "seconds": 0.1, "all_seconds": seconds} | more


def _rows(networks):
    """The proxy "exact" orders as the truth, "reversed" against it, "exact_dictionary" by its own.

    Training accuracies always fall with accuracy, and losses do too.
    """
    rows = []
    for index, network in enumerate(networks):
        accuracy = 0.4 + 0.02 * index
        rows += [_run(network.key, "truth", s, accuracy + 0.001 * s, 10.0 + 10 * s) for s in (0, 1)]
        rows.append(_run(network.key, "exact", 2, accuracy / 2, 3.0))
        rows.append(_run(network.key, "reversed", 2, 1 - accuracy, 7.5, batch_norm_gap=None))
        flattered = accuracy / 2 + (0.5 if network.step == 2 else 0)
        share = 0.9 if network.step == 2 else 0.3 * network.step
        more = {"inherited": share, "step": network.step}
        rows.append(_run(network.key, "exact_dictionary", 2, flattered, **more))
    return rows


@pytest.fixture(name="networks")
def _networks():
    return [
        Network(f"n{i}", "layerwise" if i < 10 else "module", i % 3, 1e4 + i, 1e6 - i)
        for i in range(20)
    ]


_SEEDS = {"truth": (0, 1), "exact": (2,), "unstarted": (2,)}


def test_lines_have_the_known_correlations_and_costs(networks):
    study = Study(_rows(networks), networks, _SEEDS)
    lines = {(line.method, line.score): line for line in rank_table.lines(study, networks)}
    values = {at: round(line.agreement.spearman.value, 9) for at, line in lines.items()}
    assert [at for at in values if at[0] in ("truth", "size")] == [
        ("truth", "one seed against the other"),
        ("size", "parameters"),
        ("size", "FLOPs"),
    ]
    assert values["truth", "one seed against the other"] == 1
    assert (values["size", "parameters"], values["size", "FLOPs"]) == (1, -1)
    assert [values["exact", score] for score in rank_table.SCORES] == [1, 1, -1]
    assert [values["reversed", score] for score in rank_table.SCORES] == [-1, -1, 1]
    assert 0 < values["exact_dictionary", rank_table.ACCURACY] < 1
    assert not any(name == "unstarted" for name, _ in lines)

    exact = lines["exact", rank_table.ACCURACY]
    assert exact.cost == pytest.approx(3 / 15)
    assert lines["reversed", rank_table.ACCURACY].cost == pytest.approx(7.5 / 15)
    assert exact.agreement.top5_recall == 1
    assert lines["reversed", rank_table.ACCURACY].agreement.top5_recall == 0
    assert exact.accuracy == pytest.approx((0.4 + 0.02 * 9.5) / 2)
    assert exact.batch_norm_gap == pytest.approx(0.01)
    assert lines["reversed", rank_table.ACCURACY].batch_norm_gap is None
    assert lines["exact", "last training accuracy"].accuracy is None


def test_missing_runs_are_left_out_and_counted(networks):
    rows = [
        row
        for row in _rows(networks)
        if (row["key"], row["method"], row["seed"]) not in {("n0", "truth", 1), ("n1", "exact", 2)}
    ]
    study = Study(rows, networks, _SEEDS)
    assert [network.key for network in study.networks] == [f"n{i}" for i in range(1, 20)]
    lines = {(line.method, line.score): line for line in rank_table.lines(study, study.networks)}
    exact = lines["exact", rank_table.ACCURACY]
    assert (exact.agreement.networks, exact.missing) == (18, 1)
    assert lines["reversed", rank_table.ACCURACY].missing == 0
    text = rank_table.report(study)
    assert "19 of 20 networks have their truth" in text
    assert "| exact | validation accuracy | 18 | 1 | 0.200 | 1.00 [1.00, 1.00] |" in text


def test_runs_of_other_networks_do_not_count_and_the_last_of_two_does(networks):
    rows = [*_rows(networks), _run("stranger", "exact", 2, 0.9), _run("n0", "exact", 2, 0.99)]
    study = Study(rows, networks, _SEEDS)
    truth, proxy = study.pairs("exact", networks)
    assert len(truth) == 20
    assert proxy[0] == 0.99


def test_a_run_that_broke_down_comes_last(networks):
    rows = _rows(networks)
    for row in rows:
        if row["method"] == "exact" and row["key"] == "n19":
            row |= {"losses": [math.nan], "training_accuracies": []}
    study = Study(rows, networks, _SEEDS)
    for score in ("minus sum of training losses", "last training accuracy"):
        assert study.pairs("exact", networks, rank_table.SCORES[score])[1][19] == -math.inf
    assert "| exact | minus sum of training losses | 20 | 0 |" in rank_table.report(study)


def test_patterns_stand_alone(networks):
    study = Study(_rows(networks), networks, _SEEDS)
    _, layerwise, module = rank_table.report(study).split("alone")
    for part in (layerwise, module):
        assert "| exact | validation accuracy | 10 | 0.200 | 1.00 [1.00, 1.00] | 1.00 |" in part


def test_inherited_parameters_flatter_the_step_that_has_them(networks):
    study = Study(_rows(networks), networks, _SEEDS)
    assert rank_table.inheritance(study, "exact") is None
    found = rank_table.inheritance(study, "exact_dictionary")
    assert found.shares == pytest.approx({0: 0.0, 1: 0.3, 2: 0.9})
    assert found.shifts[2] > 0 > found.shifts[0]
    assert sum(found.shifts[network.step] for network in networks) == pytest.approx(0)
    assert found.bias > 0.5
    assert "| exact_dictionary | 0.00 | 0.30 | 0.90 |" in rank_table.report(study)
    assert rank_table.inheritance(study, "reversed") is None


def test_the_cost_is_that_of_the_timings_where_there_are_any(networks):
    timings = [_run("n3", "truth", 0, 0.5, 40.0), _run("n3", "exact", 0, 0.5, 4.0)]
    study = Study(_rows(networks), networks, _SEEDS, timings)
    assert study.cost("exact", networks) == pytest.approx(0.1)
    assert math.isnan(study.cost("reversed", networks))


@pytest.mark.parametrize("done", [0, 2, 3])
def test_a_study_that_has_just_begun_is_reported(networks, done):
    keys = {network.key for network in networks[:done]}
    rows = [row for row in _rows(networks) if row["key"] in keys]
    text = rank_table.report(Study(rows, networks, _SEEDS))
    assert f"{done} of 20 networks have their truth" in text
    assert ("needs at least 3" in text) == (done < 3)


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture(name="command")
def _command(tmp_path, found, budget):
    """Runs the command on a study that is done, training nothing."""
    rows = _rows(rank_study.networks_of(found, budget))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "runs.jsonl").write_text(lines, "utf-8")

    def run(**values):
        _set_flags(work_dir=tmp_path, networks=_COUNT, report_only=True, **values)
        rank_study.main(["rank_study"])

    return run


def test_the_command_reports_what_is_there(command, capsys):
    command()
    text = capsys.readouterr().out
    assert f"{_COUNT} of {_COUNT} networks have their truth" in text
    assert "| exact | validation accuracy | 12 | 0 | 0.200 | 1.00 [1.00, 1.00] |" in text
    assert "runs to do" not in text


def test_the_plot_is_drawn(command, tmp_path):
    pytest.importorskip("matplotlib")
    command(plot=tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").stat().st_size > 1_000


def test_curves_of_others_are_reported(command, tmp_path, capsys):
    folder = tmp_path / "curves"
    folder.mkdir()
    # Ever ordered as in the end, the better half far above the other.
    curves = [[0.1 * e + 0.002 * i + 0.3 * (i >= 12) for e in range(1, 5)] for i in range(24)]
    (folder / "list.json").write_text(json.dumps(curves), "utf-8")
    named = {f"net{i}": curve for i, curve in enumerate(curves)}
    (folder / "named.json").write_text(json.dumps(named), "utf-8")
    command(curves=folder)
    text = capsys.readouterr().out
    for name in ("list", "named"):
        assert f"| {name} | 1.00 after 1 | 1.00 after 2 |" in text
        for margin in rank_study.STOP_MARGINS:
            assert f"| {name} | {margin:g} | " in text
    row = next(line for line in text.splitlines() if line.startswith("| list | 0.1 |"))
    _, _, _, stopped, saved, top5, harmed, tenth, _ = map(str.strip, row.split("|"))
    assert 5 < float(stopped.rstrip("%")) < 50
    assert 0 < float(saved.rstrip("%")) < float(stopped.rstrip("%"))
    assert (top5, harmed, tenth) == ("0.00", "0%", "0.00 of 3")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "must be a folder of .*json, there are none"),
        ("[[0.1, 0.2], [0.1]]", "at least 3 curves, got 2"),
        ("[0.1, 0.2]", "must hold a list or a dictionary of lists of numbers"),
        ("{", "must hold a list or a dictionary of lists of numbers"),
    ],
)
def test_bad_curves_are_refused(command, tmp_path, content, words):
    if content is not None:
        (tmp_path / "bad.json").write_text(content, "utf-8")
    with pytest.raises(app.UsageError, match=words):
        command(curves=tmp_path)


def test_leftovers_are_refused(command):
    command()
    with pytest.raises(app.UsageError, match="'leftover' is no flag"):
        rank_study.main(["rank_study", "leftover"])
