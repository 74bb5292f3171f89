"""Trainings of the study of proxies: what is trained from what, and what is noted of it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from epnas_tf.architecture.budget import Budget
from epnas_tf.data import dataset as data_lib
from epnas_tf.modeling import build_model
from epnas_tf.sharing import rules
from epnas_tf.studies import rank_networks, rank_training
from epnas_tf.studies.rank_networks import STEPS
from epnas_tf.studies.rank_table import TRUTH
from epnas_tf.training.evaluate import Evaluation, Evaluator


@pytest.fixture(name="networks", scope="module")
def _networks():
    """Twelve networks: of each pattern two of each step."""
    budget = Budget((32, 32, 3), 10, rank_networks.limits())
    return rank_networks.candidates(12, budget)


@pytest.fixture(name="data", scope="module")
def _data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
    return data_lib.from_arrays(images, np.arange(60) % 10, validation_split=0.5)


@pytest.fixture(name="evaluated")
def _evaluated(monkeypatch, data):
    """What was evaluated: spec, seed, labels and what generation it read; nothing is trained."""
    asked = []

    def evaluate(self, spec, seed, keep=None, sharing=None):
        read = (None, None) if sharing is None else (sharing.labels, sharing.store.generation)
        asked.append((spec, seed, *read))
        return Evaluation(0.5, 0.5, "trained", seconds=1.0, warm_share=0.25)

    monkeypatch.setattr(Evaluator, "evaluate", evaluate)
    monkeypatch.setattr(rank_training, "_data", data, raising=False)
    return asked


def test_the_truth_and_its_proxies_share_no_seed():
    """A proxy with a seed of the truth would agree with it in its noise too."""
    truth = {*rank_training.METHODS[TRUTH].seeds}
    assert len(truth) == 2
    for name, method in rank_training.METHODS.items():
        assert name == TRUTH or not truth & {*method.seeds}


def test_a_training_is_noted_with_its_network_method_and_seed(evaluated, networks):
    row = rank_training.run(networks[0], "batch_32", 2)
    assert (row["key"], row["method"], row["seed"]) == (networks[0].key, "batch_32", 2)
    assert (row["accuracy"], row["step"], row["inherited"]) == (0.5, 0, None)
    ((spec, *_),) = evaluated
    assert spec == networks[0].spec


def test_each_method_and_seed_trains_a_network_with_a_seed_of_its_own(evaluated, networks):
    for name, seed in (("batch_32", 2), ("batch_32", 3), ("batch_64", 2), ("batch_32", 2)):
        rank_training.run(networks[0], name, seed)
    seeds = [seed for _, seed, *_ in evaluated]
    assert seeds[0] == seeds[3]
    assert len(set(seeds)) == 3


def test_half_of_the_channels_are_trained_under_the_networks_own_key(evaluated, networks):
    row = rank_training.run(networks[0], "half_channels", 2)
    ((spec, *_),) = evaluated
    assert spec == rank_networks.with_half_channels(networks[0].spec) != networks[0].spec
    assert row["key"] == networks[0].key


def test_a_network_that_broke_down_is_noted_without_losses(evaluated, networks, monkeypatch):
    monkeypatch.setattr(
        Evaluator, "evaluate", lambda self, spec, seed, **_: Evaluation(0.1, 0.1, "not_finite")
    )
    row = rank_training.run(networks[0], "batch_32", 2)
    assert (row["accuracy"], row["losses"], row["training_accuracies"]) == (0.1, [], [])
    assert row["batch_norm_gap"] is None


@pytest.mark.parametrize("pattern", ["layerwise", "module"])
@pytest.mark.parametrize("name", ["batch_32_dictionary", "batch_32_lineage"])
def test_a_step_reads_what_the_steps_before_it_left(evaluated, networks, pattern, name):
    mine = [network for network in networks if network.spec.pattern == pattern]
    rows = rank_training.run_job(mine, name, 2)
    assert [row["key"] for row in rows] == [network.key for network in mine]
    read = [generation for *_, generation in evaluated]
    assert read == [network.step for network in mine]
    assert {*read} == {*range(STEPS)}
    assert [row["inherited"] for row in rows] == [0.25] * len(mine)


def test_only_lineage_follows_layers_by_the_names_they_were_born_with(evaluated, networks):
    mine = [network for network in networks if network.spec.pattern == "layerwise"]
    for name in ("batch_32_dictionary", "batch_32_lineage"):
        rank_training.run_job(mine, name, 2)
    labels = [found for _, _, found, _ in evaluated]
    by_number, by_lineage = labels[: len(mine)], labels[len(mine) :]
    assert {*by_number} == {rules.by_number}
    assert rules.by_number not in by_lineage


def test_fresh_networks_are_trained_one_by_one(evaluated, networks):
    rows = rank_training.run_job(networks, "plain_4", 2)
    assert [row["key"] for row in rows] == [network.key for network in networks]
    assert [labels for _, _, labels, _ in evaluated] == [None] * len(networks)


def test_the_gap_looks_and_leaves_the_model_as_it_was(data, networks):
    model = build_model(networks[0].spec, (8, 8, 3), 10, seed=1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):  # far from any batch's own
            layer.moving_mean.assign(layer.moving_mean + 5.0)
    before = model.get_weights()
    gap = rank_training.batch_norm_gap(model, data)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert gap == rank_training.batch_norm_gap(model, data)
    assert -1 <= gap <= 1


def test_a_worker_trains_on_the_studys_images_with_one_thread(monkeypatch, data):
    asked, threads = [], []
    monkeypatch.setattr(data_lib, "load", lambda *a, **named: asked.append((a, named)) or data)
    monkeypatch.setattr(rank_training.devices, "use_threads", threads.append)
    monkeypatch.setattr(rank_training, "_data", None, raising=False)
    rank_training.start_worker("sets", 0.25)
    assert asked == [(("cifar10",), {"data_dir": "sets", "train_fraction": 0.25, "seed": 0})]
    assert threads == [1]
    assert rank_training._data is data
