"""Networks trained by one recipe: how, what goes on, and what is noted."""

from __future__ import annotations

import concurrent.futures
import json
import signal

import pytest

from epnas_tf import interrupts, randomness
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.fields import ConfigError
from epnas_tf.final import run
from epnas_tf.studies import (
    cores,
    courses,
    final_recipes,
    known_networks,
    recipes,
    resumable,
    retraining,
)
from epnas_tf.studies.block_networks import Block, BlockNetwork, Conv
from epnas_tf.training import devices
from epnas_tf.training.epochs import Epochs
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.workdir import storage
from tests.studies.pools import DirectPool


def _network(channels: int) -> LayerwiseSpec:
    return LayerwiseSpec((LayerSpec("conv2d", 1, channels=channels, activation="relu"),), 2)


_NETWORKS = {"a": _network(2), "b": _network(4)}


@pytest.fixture(autouse=True)
def _any_threads(monkeypatch):
    """TensorFlow has started here, perhaps with others."""
    monkeypatch.setattr(retraining.devices, "use_threads", lambda count: count)


@pytest.fixture(name="recipe", scope="module")
def _recipe():
    return recipes.parse(["--train_fraction=0.1", "--schedule=plain", "--epochs=1"])


@pytest.fixture(name="other", scope="module")
def _other():
    return recipes.parse(["--train_fraction=0.1", "--schedule=plain", "--epochs=2"])


@pytest.fixture(name="trained")
def _trained(monkeypatch):
    """What was trained, in order; nothing really is."""
    asked = []

    def start(recipe, states):
        assert states.is_dir()
        monkeypatch.setattr(retraining, "_loaded", recipe, raising=False)

    def train(name, spec, seed):
        asked.append((name, seed))
        known = {"key": spec.key, "recipe": retraining._loaded.text, "seed": seed}
        numbers = {"accuracy": 0.5, "test": None, "all_seconds": 2.0}
        return [{"network": name} | known | numbers]

    monkeypatch.setattr(retraining, "start_worker", start)
    monkeypatch.setattr(retraining, "train", train)
    return asked


def test_a_network_is_trained_measured_and_noted(recipe, tmp_path, capsys):
    path = tmp_path / "new" / "rows.jsonl"
    retraining.train_missing(path, recipe, {"a": _NETWORKS["a"]}, range(1))
    (row,) = resumable.read(path)
    assert (row["network"], row["key"]) == ("a", _NETWORKS["a"].key)
    assert (row["recipe"], row["seed"], row["status"]) == (recipe.text, 0, "trained")
    assert (len(row["losses"]), len(row["training_accuracies"])) == (1, 1)
    assert 0 < row["accuracy"] < 1
    assert 0 < row["test"] < 1
    assert row["all_seconds"] > row["seconds"] > 0
    assert "1 of 1: a, seed 0: validation 0." in capsys.readouterr().out


def test_a_spec_is_trained_as_a_search_trains_it(recipe):
    """To the bit: figures of studies are of the footing of a search's."""
    data, plan = recipe.load()
    budget, strategy = Budget(data.input_shape, data.num_classes), devices.make_strategy("none")
    seed = randomness.seed_of(0, "rescore")
    expected = Evaluator(data, plan, strategy, budget).evaluate(_NETWORKS["b"], seed)
    found, _ = retraining.trained(_NETWORKS["b"], recipe.course(), 0)
    assert found.epochs == expected.training.epochs
    assert found.accuracy == expected.accuracy
    other, _ = retraining.trained(_NETWORKS["b"], recipe.course(), 1)
    assert other.epochs != found.epochs


def test_a_network_of_blocks_learns_by_the_same_recipe(tmp_path):
    recipe = recipes.parse(["--train_fraction=0.3", "--schedule=plain", "--epochs=6"])
    path = tmp_path / "rows.jsonl"
    network = known_networks.resnet8(4)
    retraining.train_missing(path, recipe, {"resnet8": network}, [0])
    (row,) = resumable.read(path)
    assert (row["network"], row["key"], row["status"]) == ("resnet8", network.key, "trained")
    cost = network.cost((8, 8, 1), 10)
    assert (row["params"], row["flops"]) == (cost.params, cost.flops)
    assert (row["traffic_bytes"], row["intensity"]) == (cost.traffic_bytes, cost.intensity)
    assert row["test"] > 0.5
    assert row["losses"][-1] < 0.75 * row["losses"][0]


@pytest.fixture(name="final", scope="module")
def _final():
    flags = ["--dataset=digits", "--train_fraction=0.1", "--epochs=3", "--epoch_images=64"]
    return final_recipes.parse("short", flags)


def test_to_the_end_a_spec_has_the_figures_of_epnas_retrain(final, tmp_path):
    (tmp_path / "b.json").write_text(_NETWORKS["b"].to_json())
    settings = {"dataset": "digits", "train_fraction": 0.1, "epochs": 3, "epoch_images": 64}
    places = {"spec": str(tmp_path / "b.json"), "out_dir": str(tmp_path / "out")}
    expected = run.retrain(**settings, **places, recipe="short", verbosity=0)
    path = tmp_path / "rows.jsonl"
    retraining.train_missing(path, final, {"b": _NETWORKS["b"]}, [0])
    (row,) = resumable.read(path)
    assert row["test"] == round(expected.accuracy, 6)
    assert (row["status"], row["accuracy"], len(row["losses"])) == ("trained", None, 3)


def test_a_training_that_was_cut_off_goes_on_after_its_last_epoch(final, tmp_path, monkeypatch):
    network = {"small": BlockNetwork((Block((Conv(3, 2, stride=2),)),))}
    whole, path = tmp_path / "whole.jsonl", tmp_path / "rows.jsonl"
    retraining.train_missing(whole, final, network, [0])
    assert not whole.with_suffix(".states").exists()

    write, written = storage.write_atomic, []

    def once(name, content):
        write(name, content)
        written.append(name)
        raise interrupts.Stopped(signal.SIGTERM)

    monkeypatch.setattr(storage, "write_atomic", once)
    with pytest.raises(interrupts.Stopped):
        retraining.train_missing(path, final, network, [0])
    monkeypatch.undo()
    monkeypatch.setattr(retraining.devices, "use_threads", lambda count: count)
    assert written == [str(state) for state in path.with_suffix(".states").iterdir()]
    assert retraining.rows_of(path, final, network, [0]) == []
    runs = []
    run_epoch = Epochs.__call__
    monkeypatch.setattr(Epochs, "__call__", lambda *args: runs.append(args[1]) or run_epoch(*args))
    retraining.train_missing(path, final, network, [0])
    assert runs == [1, 2]
    times = ("seconds", "all_seconds")
    (expected,), (row,) = resumable.read(whole), resumable.read(path)
    assert {key: row[key] for key in row if key not in times} == {
        key: expected[key] for key in expected if key not in times
    }
    assert not path.with_suffix(".states").exists()


def test_a_state_that_cannot_be_read_is_told(final, tmp_path):
    path, network = tmp_path / "rows.jsonl", _NETWORKS["a"]
    states = path.with_suffix(".states")
    states.mkdir()
    state = retraining._state_file(states, network.key, final.text, 0)
    state.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=rf"{state.name}: .*\(delete it to begin anew\)"):
        retraining.train_missing(path, final, {"a": network}, [0])


def test_to_the_end_what_has_no_finite_loss_is_told(tmp_path):
    rate = ["--dataset=digits", "--train_fraction=0.1", "--epochs=1", "--learning_rate=1e30"]
    recipe = final_recipes.parse("short", [*rate, "--clip_norm=0"])
    retraining.start_worker(recipe, tmp_path)
    (row,) = retraining.train("a", _NETWORKS["a"], 0)
    assert (row["status"], row["accuracy"], row["test"]) == ("not_finite", 0.1, None)


def test_what_has_no_finite_loss_is_told(recipe, monkeypatch, tmp_path):
    class Diverged:
        finite, validation_accuracy, epochs, train_seconds = False, 0.1, (), 1.0

    monkeypatch.setattr(courses.trainer, "train", lambda *_, **__: Diverged)
    retraining.start_worker(recipe, tmp_path)
    (row,) = retraining.train("a", _NETWORKS["a"], 0)
    assert (row["status"], row["accuracy"], row["test"]) == ("not_finite", 0.1, None)
    assert row["losses"] == []


def test_only_what_is_missing_is_trained_seed_by_seed(recipe, other, trained, tmp_path):
    path = tmp_path / "rows.jsonl"
    retraining.train_missing(path, recipe, {"a": _NETWORKS["a"]}, [0])
    retraining.train_missing(path, recipe, _NETWORKS, [0, 1])
    assert trained == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    trained.clear()
    retraining.train_missing(path, recipe, _NETWORKS, [0, 1])
    assert trained == []
    retraining.train_missing(path, other, _NETWORKS, [0])
    assert trained == [("a", 0), ("b", 0)]


def test_a_study_that_was_cut_off_goes_on(recipe, trained, tmp_path):
    path = tmp_path / "rows.jsonl"
    retraining.train_missing(path, recipe, _NETWORKS, [0])
    path.write_text(path.read_text()[:-5])
    trained.clear()
    retraining.train_missing(path, recipe, _NETWORKS, [0])
    assert trained == [("b", 0)]
    assert [row["network"] for row in resumable.read(path)] == ["a", "b"]


def test_a_network_of_two_names_is_trained_once_and_told_by_each(recipe, trained, tmp_path):
    path = tmp_path / "rows.jsonl"
    twice = {"a": _NETWORKS["a"], "winner": _NETWORKS["a"]}
    retraining.train_missing(path, recipe, twice, [0])
    assert trained == [("a", 0)]
    winner = {"winner": _NETWORKS["a"]}
    (row,) = retraining.rows_of(path, recipe, winner, [0])
    assert row["network"] == "winner"


def test_rows_of_others_do_not_count(recipe, other, trained, tmp_path):
    path = tmp_path / "rows.jsonl"
    retraining.train_missing(path, recipe, _NETWORKS, [0, 1])
    assert retraining.rows_of(path, other, _NETWORKS, [0]) == []
    assert len(retraining.rows_of(path, recipe, _NETWORKS, [1])) == 2
    assert retraining.rows_of(path, recipe, {"c": _network(8)}, [0]) == []


def test_processes_side_by_side_are_pinned(recipe, trained, tmp_path, monkeypatch):
    pinned = []
    monkeypatch.setattr(cores, "usable", lambda: [3, 5])
    monkeypatch.setattr(cores, "pin", pinned.append)
    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", DirectPool)
    path = tmp_path / "rows.jsonl"
    retraining.train_missing(path, recipe, _NETWORKS, [0], jobs=2)
    assert trained == [("a", 0), ("b", 0)]
    assert pinned == [3, 5]


def test_what_is_left_is_estimated_by_the_networks_work(capsys):
    """After 10 s for a network of a third of the work, 20 s are left."""
    times = iter([100.0, 110.0, 131.0])
    units = [("a", _NETWORKS["a"], 0), ("b", _NETWORKS["b"], 0)]
    rows = [
        {"network": name, "key": spec.key, "seed": seed, "accuracy": 0.5}
        | {"test": 0.25, "all_seconds": 9.0}
        for name, spec, seed in units
    ]
    ratio = retraining._work(_NETWORKS["b"]) / retraining._work(_NETWORKS["a"])
    told = list(retraining._told(iter(rows), units, clock=lambda: next(times)))
    assert json.dumps(told) == json.dumps(rows)
    assert capsys.readouterr().out.splitlines() == [
        f"1 of 2: a, seed 0: validation 0.5000, test 0.2500 (9 s), "
        f"about {round(10 * ratio)} seconds to go",
        "2 of 2: b, seed 0: validation 0.5000, test 0.2500 (9 s)",
    ]


def test_validation_images_that_were_trained_on_are_not_told(capsys):
    row = {"network": "a", "key": _NETWORKS["a"].key, "seed": 0, "accuracy": None}
    rows = iter([row | {"test": 0.25, "all_seconds": 9.0}])
    list(retraining._told(rows, [("a", _NETWORKS["a"], 0)]))
    assert capsys.readouterr().out == "1 of 1: a, seed 0: test 0.2500 (9 s)\n"
