"""A child's way through the dictionary: what it starts from, what it leaves.

Logical devices must be configured before TensorFlow starts, so that replicas are looked at in a
process of their own: this file as a program prints what the test reads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data
from epnas_tf.sharing import graph, rules
from epnas_tf.sharing.access import Sharing
from epnas_tf.sharing.store import ParamStore
from epnas_tf.training import devices, evaluate
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.training.schedule import Schedule

_SPEC = LayerwiseSpec((LayerSpec("conv2d", 3, None, 8, "relu"),), stem_filters=4)
_SCHEDULE = Schedule("test", epochs=2, batch_size=8, learning_rate=0.1)


def _four_classes() -> Data:
    """Four classes that differ in brightness, so that two epochs learn something."""
    rng = np.random.default_rng(1)
    labels = np.arange(160) % 4
    images = 40 + 50 * labels[:, None, None, None] + rng.integers(-20, 20, (160, 8, 8, 1))
    return data_lib.from_arrays(images.astype(np.uint8), labels, validation_split=0.25)


@pytest.fixture(name="data", scope="module")
def _data() -> Data:
    return _four_classes()


def _evaluator(data: Data, *limits: Constraint, schedule: Schedule = _SCHEDULE) -> Evaluator:
    budget = Budget(data.input_shape, data.num_classes, limits)
    return Evaluator(data, schedule, tf.distribute.get_strategy(), budget)


def _sharing(store: ParamStore, slot: str, attempt: int = 1) -> Sharing:
    return Sharing(store, rules.by_number, slot, attempt)


def test_a_child_starts_where_another_ended(data, tmp_path):
    store = ParamStore(str(tmp_path))
    evaluator = _evaluator(data)
    first = _sharing(store, "e01s00b0", attempt=2)
    fresh = evaluator.evaluate(_SPEC, 0, sharing=first)
    assert fresh.warm_share == 0
    (offer,) = first.offers
    assert offer.name == "e01s00b0-2"
    assert store.entries == []  # not before the step is whole
    store.commit(1, first.offers)
    assert {entry.source for entry in store.entries} == {"e01s00b0"}
    assert {entry.accuracy for entry in store.entries} == {fresh.accuracy}

    second = _sharing(store, "e01s01b0")
    child = evaluator.evaluate(_SPEC, 1, sharing=second)
    alone = evaluator.evaluate(_SPEC, 1)
    assert (child.warm_share, alone.warm_share) == (1, 0)
    assert child.training is not None
    assert alone.training is not None
    assert child.training.epochs[0].loss < alone.training.epochs[0].loss
    assert len(second.offers) == 1
    assert second.offers[0].digest != offer.digest


def test_what_is_offered_is_what_was_trained(data, tmp_path):
    store, kept = ParamStore(str(tmp_path)), []
    sharing = _sharing(store, "e01s00b0")
    evaluator = _evaluator(data)
    evaluator.evaluate(_SPEC, 0, keep=lambda m: kept.append(graph.weights_of(m)), sharing=sharing)
    store.commit(1, sharing.offers)
    found = {
        f"{entry.label}_{role}": named
        for entry in store.entries
        for role, named in store.load(entry).items()
    }
    assert found.keys() == kept[0].keys()
    for name, values in kept[0].items():
        assert all((found[name][key] == value).all() for key, value in values.items())


def test_without_a_dictionary_a_child_is_as_it_was(data, tmp_path):
    evaluator, weights = _evaluator(data), []
    for sharing in (None, _sharing(ParamStore(str(tmp_path)), "e01s00b0")):
        evaluator.evaluate(
            _SPEC, 0, keep=lambda m: weights.append(m.get_weights()), sharing=sharing
        )
    assert all((a == b).all() for a, b in zip(*weights, strict=True))


@pytest.mark.parametrize(
    ("limits", "schedule", "status"),
    [
        ((Constraint("params", upper=100),), _SCHEDULE, "over_limits"),
        ((), Schedule("test", 1, 8, 1e30, clip_norm=0.0), "not_finite"),
    ],
)
def test_an_untrained_child_offers_nothing(data, tmp_path, limits, schedule, status):
    sharing = _sharing(ParamStore(str(tmp_path)), "e01s00b0")
    evaluator = _evaluator(data, *limits, schedule=schedule)
    assert evaluator.evaluate(_SPEC, 0, sharing=sharing).status == status
    assert sharing.offers == []
    assert list(tmp_path.iterdir()) == []


def test_replicas_hold_the_warm_start():
    # Two devices whose operations each take all cores wait for one another.
    one_thread = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | one_thread,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures == {"replicas": 2, "offers": 1, "share": 1.0, "differing": []}


def main() -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)
    data = _four_classes()
    strategy = devices.make_strategy("mirrored")
    budget = Budget(data.input_shape, data.num_classes)
    one_epoch = Schedule("test", epochs=1, batch_size=16, learning_rate=0.1)
    trained = {}
    with tempfile.TemporaryDirectory() as folder:
        store = ParamStore(folder)
        source = _sharing(store, "e01s00b0")
        Evaluator(data, one_epoch, strategy, budget).evaluate(
            _SPEC, 0, keep=lambda model: trained.update(graph.weights_of(model)), sharing=source
        )
        store.commit(1, source.offers)
        model = evaluate.build_child(_SPEC, budget, strategy, seed=1)
        share = _sharing(store, "e01s01b0").begin(model)
    differing = [
        variable.path
        for layer in model.layers
        for variable in layer.weights
        for replica in strategy.experimental_local_results(variable.value)
        if (replica.numpy() != trained[layer.name][variable.name]).any()
    ]
    figures = {
        "replicas": len(strategy.experimental_local_results(model.weights[0].value)),
        "offers": len(source.offers),
        "share": share,
        "differing": differing,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
