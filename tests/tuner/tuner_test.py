"""EPNASTuner as Keras Tuner's users know tuners: real children, a second each."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import os
import pathlib
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_tuner import errors

from epnas_tf.architecture import cost_rules
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace
from epnas_tf.data.arrays import Split
from epnas_tf.fields import ConfigError, SettingError
from epnas_tf.modeling import layers
from epnas_tf.searching.settings import PAPER
from epnas_tf.training import pipeline, trainer
from epnas_tf.training.evaluate import Evaluation, Evaluator
from epnas_tf.training.schedule import Schedule
from epnas_tf.tuner import durable, run_limits
from epnas_tf.tuner import tuner as tuner_lib
from epnas_tf.tuner.durable import Status
from epnas_tf.tuner.generations import Generations
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.workdir import storage
from tests.data.images import noise, pairs


def _log(tuner):
    """Returns the trials without what a clock says."""
    return [
        (r.assignment.attempt, r.proposal, r.result, r.outcome.uses)
        for r in tuner.oracle.completed()
    ]


# The search that many tests look at.


def test_every_trial_is_trained(searched):
    records = searched.oracle.completed()
    assert [record.slot.name for record in records] == [
        f"e01s0{step}b{branch}" for step in range(3) for branch in range(2)
    ]
    assert all(record.trained for record in records)
    assert all(
        record.outcome.seconds > 0 and record.outcome.overhead_seconds > 0 for record in records
    )
    assert max(record.outcome.accuracy for record in records) > 0.4


def test_only_the_best_weights_are_on_disk(searched):
    best = [record.slot.name for record in searched.oracle.best()[:2]]
    folder = pathlib.Path(searched.work_dir.models)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.weights.h5" for name in best
    )


def test_results_summary_prints_the_table(searched, capsys):
    searched.results_summary()
    lines = capsys.readouterr().out.splitlines()
    best = searched.oracle.best()
    assert lines[0] == f"{len(best)} networks trained, {len(best)} of them within the limits"
    assert lines[1].split()[:4] == ["rank", "slot", "accuracy", "reward"]
    listed = [line.split()[1] for line in lines[2 : 2 + len(best)]]
    assert listed == [record.slot.name for record in best]
    searched.results_summary(2)
    assert len(capsys.readouterr().out.splitlines()) == len(lines) - len(best) + 2


def test_a_second_search_has_nothing_left_to_do(searched, data, monkeypatch):
    monkeypatch.setattr(Evaluator, "evaluate", None)
    before = _log(searched)
    searched.search(data)
    assert _log(searched) == before


def test_two_searches_in_one_process_are_the_same(searched, make_tuner, data, plan):
    tuner = make_tuner(schedule=plan)
    tuner.search(data)
    assert _log(tuner) == _log(searched)


def test_overwrite_begins_anew(quick, make_tuner, data):
    make_tuner().search(data)
    assert len(make_tuner().oracle.trials) == 6
    tuner = make_tuner(overwrite=True)
    assert len(tuner.oracle.trials) == 0
    assert not storage.exists(tuner.work_dir.trials_csv)
    tuner.search(data)
    assert len(tuner.oracle.completed()) == 6


def test_a_line_a_trial_is_printed(quick, make_tuner, data, capsys):
    make_tuner(verbose=1).search(data)
    head, *lines = capsys.readouterr().out.split("\n[")
    assert head.startswith(
        "arrays: 72 training and 24 validation images of 8x8x1, 3 classes; at mo"
    )
    assert "\nexpected: at most 6 networks, " in head  # as of a command
    assert [line.split(" | ")[0] for line in lines][-2:] == ["5/6] e01s02b0", "6/6] e01s02b1"]
    assert "\nthe first step took " in lines[1]
    assert len(lines) == 6
    make_tuner(verbose=1, overwrite=True).search(data, verbose=0)
    assert capsys.readouterr().out == ""


def test_verbosity_2_prints_the_networks(quick, make_tuner, data, capsys):
    tuner = make_tuner()
    tuner.search(data, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    specs = [record.proposal.spec.to_json() for record in tuner.oracle.completed()]
    assert [line.strip() for line in lines if line.startswith("    {")] == specs


def test_search_space_summary_names_fields_and_choices(make_tuner, capsys):
    make_tuner().search_space_summary()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Search space: layerwise, at most 4 items"
    assert "  op: conv2d, max_pool" in lines
    assert "  channels: 4, 8, 16" in lines
    assert "  src2: an earlier output" in lines


@pytest.mark.parametrize("name", ["optimizer", "distribution_strategy", "metrics", "tuner_id"])
def test_what_keras_tuners_tuners_take_besides_is_refused(make_tuner, name):
    with pytest.raises(TypeError, match=name):
        make_tuner(**{name: None})


# What search() takes


@pytest.fixture(name="seen")
def _seen(quick, make_tuner, plan, monkeypatch):
    """Returns a function that searches with these arguments and gives the evaluator made of it."""
    evaluators = []
    evaluate = Evaluator.evaluate

    def watch(self, spec, seed, keep=None, **_):
        evaluators.append(self)
        return evaluate(self, spec, seed, keep)

    monkeypatch.setattr(Evaluator, "evaluate", watch)

    def seen(*arguments, **keywords):
        tuner = make_tuner(overwrite=True, schedule=plan)
        tuner.search(*arguments, **keywords)
        assert len(tuner.oracle.completed()) == 6
        return evaluators[-1]

    return seen


def test_arrays_as_fit_takes_them(seen, images):
    x, y = images
    data = seen(x[:60], y[:60], validation_data=(x[60:], y[60:])).data
    assert pairs(data.train) == pairs(Split(x[:60], y[:60]))
    assert pairs(data.validation) == pairs(Split(x[60:], y[60:]))
    assert (data.num_classes, data.test) == (3, None)


def test_callbacks_are_refused_and_the_cure_is_named(make_tuner, images):
    tuner = make_tuner()
    with pytest.raises(ValueError, match="callbacks must be left out: .*stop_hopeless"):
        tuner.search(*images, callbacks=[keras.callbacks.EarlyStopping()])
    assert tuner.oracle.trials == {}


def test_epochs_and_batch_size_map_to_the_schedule(seen, images, plan):
    found = seen(*images, epochs=5, batch_size=4).schedule
    # The rate keeps its ratio to the batch: half of it.
    assert (found.epochs, found.batch_size, found.learning_rate) == (5, 4, 0.025)
    found = seen(*images, epochs=None, batch_size=None, callbacks=None).schedule
    assert found.epochs == plan.epochs


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_zero_epochs_or_images_are_refused(make_tuner, images, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        make_tuner().search(*images, **{name: 0})


def test_a_batch_suits_the_images(seen, images):
    # 78 images remain of 96: a sixteenth is 4, of which batch norm makes nothing.
    assert seen(*images).schedule.batch_size == 8
    assert seen(*images, batch_size=78).schedule.batch_size == 78


def test_the_estimate_counts_every_epochs_images(seen, images):
    assert seen(*images, epochs=3, validation_split=0.25).budget.images == 3 * 72


def test_a_space_for_images_of_another_size_is_refused(make_tuner):
    x = noise(40, 9, 8)
    tuner = make_tuner()
    with pytest.raises(ValueError, match=r"for images of \(8, 8\) pixels, got \(9, 8\)"):
        tuner.search(x, np.arange(40) % 2)
    assert tuner.oracle.trials == {}
    assert not storage.exists(tuner.work_dir.project)


# The end of the time there is


def test_a_child_is_ended_at_the_limit_and_run_again(searched, make_tuner, data, plan, monkeypatch):
    tuner = make_tuner(max_hours=1.0, schedule=plan)
    now, heard = [0.0], []

    def on_updates(updates):
        heard.append(updates)
        if any(durable.values(t)["slot"] == "e01s00b1" for t in tuner.oracle.trials.values()):
            now[0] = 3600.5

    with monkeypatch.context() as patch:
        patch.setattr(run_limits.RunWatch, "elapsed", lambda watch: now[0])
        patch.setattr(tuner.console.progress, "on_updates", on_updates)
        tuner.search(data)
    assert heard[-1].done < heard[-1].total  # within its training
    assert tuner.oracle.stopped_by == "max_hours=1"
    assert [record.slot.name for record in tuner.oracle.completed()] == ["e01s00b0"]
    assert tuner.oracle.trials["0001"].message == durable.STOPPED

    again = make_tuner(max_trials=2, schedule=plan)
    again.search(data)
    records = again.oracle.completed()
    assert [(r.assignment.attempt, r.assignment.deaths) for r in records] == [(1, 0), (2, 0)]
    assert [r.result for r in records] == [r.result for r in searched.oracle.completed()[:2]]


# Networks that come again

_AGAIN = {"seed": 2, "episodes": 3, **vars(PAPER)}


@pytest.fixture(name="evaluated")
def _evaluated(monkeypatch):
    """Gives networks an accuracy that follows from the seed, and weights; returns their keys."""
    keys = []

    class Network:
        def save_weights(self, path):
            pathlib.Path(path).write_text("weights")

    def evaluate(self, spec, seed, keep=None, **_):
        keys.append(spec.key)
        keep(Network())
        accuracy = seed % 9973 / 9973
        return Evaluation(accuracy, self.budget.reward(accuracy, spec), "trained", seconds=1.0)

    monkeypatch.setattr(Evaluator, "evaluate", evaluate)
    return keys


def _first_slots(records):
    """Returns of each trial the slot that trained its network in an earlier step, or None."""
    return [
        next(
            (
                earlier.slot.name
                for earlier in records
                if earlier.proposal.spec == record.proposal.spec
                and (earlier.slot.episode, earlier.slot.step)
                < (record.slot.episode, record.slot.step)
            ),
            None,
        )
        for record in records
    ]


def test_a_network_of_an_earlier_step_is_not_trained_again(evaluated, make_tuner, data):
    tuner = make_tuner(**_AGAIN)
    tuner.search(data)
    records = tuner.oracle.completed()
    assert [record.proposal.reuse for record in records] == _first_slots(records)
    reused = [record for record in records if record.proposal.reuse]
    assert len(reused) > 1, "no network came twice"
    assert evaluated == [r.proposal.spec.key for r in records if r not in reused]
    for record in reused:
        first = tuner.oracle.log.find(record.proposal.reuse)
        assert record.result == dataclasses.replace(first.result, slot=record.slot)
        assert (record.outcome.seconds, first.outcome.seconds) == (0.0, 1.0)
        assert record.outcome.overhead_seconds > 0
    rows = csv.DictReader(storage.read_text(tuner.work_dir.trials_csv).splitlines())
    assert [row["reused"] or None for row in rows] == _first_slots(records)


def test_a_repeated_network_is_trained_again_where_that_is_asked(evaluated, make_tuner, data):
    tuner = make_tuner(**_AGAIN, reuse_duplicates=False)
    tuner.search(data)
    records = tuner.oracle.completed()
    assert any(_first_slots(records)), "no network came twice"
    assert evaluated == [record.proposal.spec.key for record in records]
    assert all(record.outcome.seconds == 1.0 for record in records)


def test_the_first_trial_keeps_place_and_weights(evaluated, make_tuner, data):
    tuner = make_tuner(**_AGAIN, keep_models=99)
    tuner.search(data)
    records = tuner.oracle.completed()
    best = tuner.oracle.best()
    firsts = {record.proposal.reuse for record in records} - {None}
    assert len(best) == len({record.proposal.spec for record in records})
    assert not any(record.proposal.reuse for record in best)
    # A network that came twice in one step was trained twice: the better one is listed.
    assert firsts & {record.slot.name for record in best}
    assert [durable.values(t)["slot"] for t in tuner.oracle.get_best_trials(99)] == [
        record.slot.name for record in best
    ]
    assert storage.names(tuner.work_dir.models) == sorted(f"{r.slot.name}.weights.h5" for r in best)


def test_another_search_in_the_folder_is_told_by_the_setting(evaluated, make_tuner, data):
    make_tuner().search(data)
    with pytest.raises(ValueError, match="reuse_duplicates is True, asked for False"):
        make_tuner(reuse_duplicates=False).search(data)


def test_a_worker_remembers_what_it_never_saw(quick, make_tuner, data, space):
    tuner = make_tuner(seed=2, **vars(PAPER))
    tuner.search(data)
    (reused,) = (record for record in tuner.oracle.completed() if record.proposal.reuse)
    trial = tuner.oracle.get_trial(reused.trial_id)
    tuner._oracle = EPNASOracle(space, seed=2)  # as in a worker: it has no trials
    metrics = tuner.run_trial(trial)
    assert metrics["seconds"] == 0  # it was not trained
    assert (metrics["accuracy"], metrics["reward"]) == (
        reused.outcome.accuracy,
        reused.result.reward,
    )
    assert metrics["status"] == 0.0


# What may go wrong


def _stumbling(monkeypatch, error, times):
    """Lets the first evaluations raise an error; those after them are as before."""
    real, calls = Evaluator.evaluate, itertools.count()

    def stumble(self, spec, seed, keep=None, **_):
        if next(calls) < times:
            raise error
        return real(self, spec, seed, keep)

    monkeypatch.setattr(Evaluator, "evaluate", stumble)


_EXPECTED = [
    MemoryError(),
    tf.errors.ResourceExhaustedError(None, None, "out of memory"),
    tf.errors.UnavailableError(None, None, "gone"),
    tf.errors.AbortedError(None, None, "gone"),
    tf.errors.DataLossError(None, None, "a truncated record"),
    tf.errors.DeadlineExceededError(None, None, "too slow"),
    tf.errors.UnknownError(None, None, "a generator's own"),
]


@pytest.mark.parametrize("error", _EXPECTED, ids=lambda error: type(error).__name__)
def test_an_expected_failure_is_tried_again(quick, make_tuner, data, monkeypatch, error):
    tuner = make_tuner()
    _stumbling(monkeypatch, error, times=2)
    tuner.search(data)
    first, second = tuner.oracle.completed()[:2]
    assert (first.assignment.attempt, first.trial_id, first.result.status) == (3, "0002", "trained")
    assert (second.assignment.attempt, second.trial_id) == (1, "0003")
    failed = [t for t in tuner.oracle.trials.values() if t.status == Status.FAILED]
    assert [trial.trial_id for trial in failed] == ["0000", "0001"]
    assert type(error).__name__ in failed[0].message  # with its traceback


def test_after_max_attempts_it_is_scored_at_chance(quick, make_tuner, data, monkeypatch):
    tuner = make_tuner(max_attempts=3, constraints=[Constraint("params", lower=10**6)])
    _stumbling(monkeypatch, MemoryError("no room"), times=3)
    tuner.search(data)
    first = tuner.oracle.completed()[0]
    assert (first.slot.name, first.assignment.attempt, first.result.status) == (
        "e01s00b0",
        3,
        "failed",
    )
    assert first.outcome.reason == "no room"
    assert first.outcome.accuracy == pytest.approx(1 / 3)
    assert first.result.reward == pytest.approx(
        tuner.oracle.budget.reward(1 / 3, first.proposal.spec)
    )
    assert first.result.reward < 1 / 3
    # It is nobody's parent and in no list of the best.
    assert "e01s00b0" not in {record.proposal.parent for record in tuner.oracle.completed()}
    assert "e01s00b0" not in {record.slot.name for record in tuner.oracle.best()}
    assert ",failed," in storage.read_text(tuner.work_dir.trials_csv)


def test_an_unexpected_error_stops_the_search(quick, make_tuner, data, monkeypatch):
    error = ValueError("a bug")
    with monkeypatch.context() as patch:
        tuner = make_tuner()
        _stumbling(patch, error, times=1)
        with pytest.raises(
            errors.FatalError, match=r"trial e01s00b0 failed: ValueError\('a bug'\)"
        ) as caught:
            tuner.search(data)
    assert caught.value.__cause__ is error
    tuner.search(data)  # in the same process
    assert len(tuner.oracle.completed()) == 6


def test_an_unexpected_error_is_resumed_by_the_next_run(quick, make_tuner, data, monkeypatch):
    whole = make_tuner("whole")
    whole.search(data)
    with monkeypatch.context() as patch:
        _stumbling(patch, ValueError("a bug"), times=1)
        with pytest.raises(errors.FatalError):
            make_tuner().search(data)
    tuner = make_tuner()
    tuner.search(data)
    assert [entry[1:] for entry in _log(tuner)] == [entry[1:] for entry in _log(whole)]


def test_networks_far_over_the_limits_are_not_trained(make_tuner, data, monkeypatch):
    monkeypatch.setattr(trainer, "train", None)
    tuner = make_tuner(constraints=[Constraint("params", upper=10)])
    tuner.search(data)
    assert {record.result.status for record in tuner.oracle.completed()} == {"over_limits"}
    assert tuner.oracle.best() == []
    assert tuner.get_best_models() == []


def test_networks_that_take_too_long_are_not_trained(make_tuner, data, monkeypatch):
    monkeypatch.setattr(trainer, "train", None)
    tuner = make_tuner(machine_gflops=1e-6, max_child_minutes=1e-3)
    tuner.search(data)
    assert {record.result.status for record in tuner.oracle.completed()} == {"too_long"}


# A space of the user's own


def _scaled(layer, inputs, context):
    return keras.layers.Rescaling(layer.get("factor"), name=context.name("scale"))(inputs)


def _mixed(layer, inputs, context):
    outputs = layers.conv_bn(inputs, inputs.shape[-1], (layer.width, 1), context)
    return layers.activation(outputs, "relu", context)


def _mixed_cost(layer, shape):
    convolution = cost_rules.conv_cost(shape, shape, (layer.width, 1))
    return convolution + cost_rules.batch_norm_cost(shape[2])


_OWN_OPS = {"scale": OpDef(("factor",)), "mix": OpDef(("width",), cost=_mixed_cost)}
_OWN_SPACE = SearchSpace(
    "layerwise",
    (
        Field("op", tuple(_OWN_OPS)),
        Field("factor", (2, 3), scaled=True),
        Field("width", (1, 3, 5), ordered=True, scaled=True),
        Field("src2"),
    ),
    max_items=4,
    parts=2,
    ops=_OWN_OPS,
    stem_filters=4,
)


def test_an_own_space_is_searched(make_tuner, images):
    tuner = make_tuner(
        space=_OWN_SPACE,
        builders={"scale": _scaled, "mix": _mixed},
        schedule=Schedule("test", epochs=1, batch_size=8, learning_rate=0.05),
        constraints=[Constraint("params", upper=150)],
    )
    tuner.search(*images)
    records = tuner.oracle.completed()
    assert all(record.trained for record in records)
    assert {layer.op for r in records for layer in r.proposal.spec.layers} == {"scale", "mix"}
    model = tuner.get_best_models()[0]
    best = tuner.oracle.best()[0]
    assert sum(np.prod(v.shape) for v in model.trainable_weights) == best.outcome.uses["params"]


def test_an_operation_without_a_builder_is_named_before_training(make_tuner, images):
    tuner = make_tuner(space=_OWN_SPACE, builders={"mix": _mixed})
    with pytest.raises(ValueError, match=r"builders must cover every op .* \['scale'\]"):
        tuner.search(*images)
    assert tuner.oracle.trials == {}


def test_a_graph_around_a_search_is_refused_before_anything_is_written(
    make_tuner, images, tmp_path
):
    tuner = make_tuner()
    before = sorted(tmp_path.rglob("*"))
    with tf.Graph().as_default(), pytest.raises(ConfigError, match="must execute eagerly"):
        tuner.search(*images)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_an_own_builder_cannot_build_is_not_tried_again(make_tuner, images, capsys):
    def picky(layer, inputs, context):
        raise ValueError("too narrow")

    own = {"space": _OWN_SPACE, "builders": {"scale": picky, "mix": picky}}
    tuner = make_tuner(**own, max_trials=1, verbose=1)
    tuner.search(*images)
    (trial,) = tuner.oracle.trials.values()
    (record,) = tuner.oracle.completed()
    reason = f"network {record.proposal.spec.key} cannot be built: too narrow"
    assert (trial.status, trial.message) == (Status.COMPLETED, reason)
    assert (record.assignment.attempt, record.result.status, record.outcome.reason) == (
        1,
        "failed",
        reason,
    )
    assert f" | not trained: failed ({reason}) | " in capsys.readouterr().out
    (again,) = make_tuner(**own, max_trials=1).oracle.completed()
    assert again == record


# Two replicas


_MIRRORED = """
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import epnas_tf
config = epnas_tf.SearchConfig(
    work_dir=sys.argv[1], strategy="mirrored", policy="random", branches=1, episodes=1, steps=1,
    epochs=1, batch_size=64, channels=(4,), filter_widths=(1,), activations=("relu",),
    layer_types=("conv2d",), max_layers=2, stem_filters=4, machine_gflops=16, verbosity=0,
)
result = epnas_tf.search(config)
from epnas_tf.training import devices
assert devices.make_strategy("mirrored").num_replicas_in_sync == 2
print("found", result.trials, len(result.networks), result.test_accuracy)
"""


def test_a_search_over_two_replicas(tmp_path):
    finished = subprocess.run(
        [sys.executable, "-c", _MIRRORED, str(tmp_path / "mirrored")],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    words = finished.stdout.splitlines()[-1].split()
    assert words[:2] == ["found", "2"]
    assert 1 <= int(words[2]) <= 2  # the same network may come again
    assert 0 <= float(words[3]) <= 1


def test_expected_failures_are_listed_and_no_more():
    names = sorted(kind.__name__ for kind in tuner_lib.EXPECTED_FAILURES)
    assert names == [
        *("AbortedError", "DataLossError", "DeadlineExceededError", "MemoryError"),
        *("ResourceExhaustedError", "UnavailableError", "UnknownError"),
    ]


def test_a_trial_is_in_a_file_of_its_own(searched):
    best = searched.oracle.get_best_trials()[0]
    assert durable.values(best)["spec"] == searched.oracle.best()[0].proposal.spec.to_json()
    assert storage.exists(os.path.join(searched.work_dir.path, f"trial_{best.trial_id}/trial.json"))


# Two searches in one folder


def test_a_second_search_while_one_runs_is_refused(quick, make_tuner, data, monkeypatch):
    evaluate, refused = Evaluator.evaluate, []

    def meddle(self, spec, seed, keep=None, **_):
        with pytest.raises(BlockingIOError):
            make_tuner().search(data)
        refused.append(spec)
        return evaluate(self, spec, seed, keep)

    tuner = make_tuner()
    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "evaluate", meddle)
        tuner.search(data)
    assert len(refused) == len(tuner.oracle.completed()) == len(tuner.oracle.trials) == 6
    make_tuner().search(data)  # now it may


def test_the_lock_is_free_after_an_error(quick, make_tuner, data, monkeypatch):
    with monkeypatch.context() as patch:
        _stumbling(patch, ValueError("a bug"), times=1)
        with pytest.raises(errors.FatalError):
            make_tuner().search(data)
    with storage.exclusive(make_tuner().work_dir.lock):
        pass


def test_a_tuner_made_before_another_ones_search_takes_it_over(quick, make_tuner, data):
    early = make_tuner()
    tuner = make_tuner()
    tuner.search(data)
    files = sorted(pathlib.Path(tuner.project_dir).rglob("trial.json"))
    before = {path: path.read_bytes() for path in files}
    early.search(data)
    assert {path: path.read_bytes() for path in files} == before
    assert _log(early) == _log(tuner)


# Bad children


def test_bad_children_in_a_row_do_not_end_a_search(quick, make_tuner, data, monkeypatch):
    tuner = make_tuner(max_attempts=1, episodes=2)
    _stumbling(monkeypatch, MemoryError("no room"), times=5)
    tuner.search(data)
    statuses = [record.result.status for record in tuner.oracle.completed()]
    assert statuses == ["failed"] * 5 + ["trained"] * 5
    with open(tuner.work_dir.trials_csv) as file:
        reasons = [row["reason"] for row in csv.DictReader(file)]
    assert reasons == ["no room"] * 5 + [""] * 5


def test_a_pipeline_that_throws_once_costs_an_attempt(make_tuner, data, plan, monkeypatch):
    real, calls = pipeline.training_batches, itertools.count()

    def throwing(*args):
        batches = real(*args)
        if next(calls) == 1:
            raise tf.errors.DataLossError(None, None, "a truncated record")
        return batches

    monkeypatch.setattr(pipeline, "training_batches", throwing)
    tuner = make_tuner(schedule=plan, max_trials=3)
    tuner.search(data)
    records = tuner.oracle.completed()
    assert [(r.assignment.attempt, r.result.status) for r in records] == [
        *((1, "trained"), (2, "trained"), (1, "trained"))
    ]


def test_a_child_that_is_too_large_is_scored_without_training(make_tuner, data, monkeypatch):
    monkeypatch.setattr(trainer, "train", None)
    tuner = make_tuner(max_child_memory=1.0, max_trials=2)
    tuner.search(data)
    for record in tuner.oracle.completed():
        assert (record.result.status, record.outcome.seconds) == ("too_large", 0.0)
        assert record.outcome.accuracy == pytest.approx(1 / 3)


@pytest.mark.parametrize("where", ["constructor", "search"])
def test_a_search_within_a_strategys_scope_is_refused_before_anything_is_written(
    make_tuner, images, tmp_path, where
):
    scope = tf.distribute.OneDeviceStrategy("CPU:0").scope
    message = "the scope of a OneDeviceStrategy around it instead: give strategy=..."
    if where == "constructor":
        with scope(), pytest.raises(ValueError, match=message):
            make_tuner()
    else:
        tuner = make_tuner()
        with scope(), pytest.raises(ValueError, match=message):
            tuner.search(*images)
    assert not list(tmp_path.rglob("*.json"))


def test_overwriting_deletes_nothing_where_the_scope_is_refused(make_tuner, tmp_path):
    kept = tmp_path / "search" / "project.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    scope = tf.distribute.OneDeviceStrategy("CPU:0").scope
    with scope(), pytest.raises(ValueError, match="give strategy"):
        make_tuner(overwrite=True)
    assert kept.read_text() == "{}"


def test_a_tuner_may_be_made_within_the_scope_of_the_strategy_it_is_given(make_tuner):
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        assert make_tuner(strategy=strategy).strategy is strategy


# Rungs

_RUNGS = {"rungs": (2, 4), "promotion_share": 0.5}


@pytest.fixture(name="trained")
def _trained(quick, monkeypatch):
    """Returns of each network that is evaluated how that was asked for."""
    calls, evaluate = [], Evaluator.evaluate

    def watch(self, spec, seed, keep=None, **how):
        calls.append({"spec": spec, "seed": seed} | how)
        return evaluate(self, spec, seed, keep, **how)

    monkeypatch.setattr(Evaluator, "evaluate", watch)
    return calls


def test_what_rises_is_trained_for_longer_from_the_same_seed_and_alone(trained, make_tuner, data):
    """It has no shared parameters and is held against no curve."""
    tuner = make_tuner(**_RUNGS, parameter_sharing="dictionary", stop_hopeless=0.1)
    nothing = types.SimpleNamespace(offers=(), store=None)
    tuner.session.share = lambda *_: None
    tuner._oracle.listeners[0] = tuner.session.share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Generations, "sharing", lambda self, assignment: nothing)
        tuner.search(data)
    first = {}
    risen = 0
    for call in trained:
        if call["epochs"] == 2:
            first.setdefault(call["spec"], call["seed"])
            assert call["sharing"] is nothing and call["stop_rule"] is not None
        else:
            assert (call["epochs"], call["seed"]) == (4, first[call["spec"]])
            assert call["sharing"] is call["stop_rule"] is None
            risen += 1
    records = tuner.oracle.completed()
    assert risen == sum(record.slot.rung for record in records) > 0
    assert {record.outcome.epochs for record in records} == {2, 4}
    rows = list(csv.DictReader(storage.read_text(tuner.work_dir.trials_csv).splitlines()))
    assert {(row["rung"], row["epochs"]) for row in rows} == {("0", "2"), ("1", "4")}
    assert all(row["parent"] == row["action"] == "" for row in rows if row["rung"] == "1")
    assert {row["wave"] for row in rows if row["rung"] == "1"} <= {"1", "2"}
    steps = storage.read_text(tuner.work_dir.steps).splitlines()
    assert sum(json.loads(line)["risen"] for line in steps) == risen
    best = json.loads(storage.read_text(tuner.work_dir.best))
    assert (best["rung"], best["epochs"], best["slot"][-2:]) == (1, 4, "r1")


@pytest.mark.parametrize(
    ("rungs", "epochs", "expected"),
    [((), 2, [2, 6, 18]), ((5,), 5, [5]), ((2, 5, 11), 2, [2, 5, 11])],
)
def test_rungs_are_multiples_of_the_schedules_epochs_or_as_given(
    quick, make_tuner, data, plan, rungs, epochs, expected
):
    tuner = make_tuner(rungs=rungs, max_trials=1)
    with pytest.raises(RuntimeError, match=r"search\(\) must be called first"):
        tuner.epochs_at(0)
    tuner = make_tuner(rungs=rungs, max_trials=1, schedule=dataclasses.replace(plan, epochs=epochs))
    tuner.search(data)
    assert [tuner.epochs_at(rung) for rung in range(len(expected))] == expected


def test_the_lowest_rung_says_the_epochs_where_nothing_else_does(quick, make_tuner, data, images):
    tuner = make_tuner(rungs=(5, 7), max_trials=1)
    tuner.search(data)
    assert tuner.schedule.epochs == 5
    make_tuner("other", rungs=(5, 7), max_trials=1).search(*images, epochs=5)


def test_rungs_that_begin_with_other_epochs_are_refused(make_tuner, images, plan, tmp_path):
    message = r"rungs must begin with the schedule's epochs \(2\), got 3,9"
    with pytest.raises(SettingError, match=message):
        make_tuner(rungs=(3, 9), schedule=plan).search(*images)
    message = r"rungs must begin with the schedule's epochs \(4\), got 3,9"
    with pytest.raises(SettingError, match=message):
        make_tuner(rungs=(3, 9)).search(*images, epochs=4)
    assert not list(tmp_path.rglob("project.json"))


def test_other_rungs_are_another_search(quick, make_tuner, data):
    make_tuner(rungs=(2, 4), max_trials=1).search(data)
    with pytest.raises(ValueError, match=r"rungs is \[2, 4\], asked for \[2\]"):
        make_tuner(rungs=(2,)).search(data)
