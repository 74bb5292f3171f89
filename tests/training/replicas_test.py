"""Two logical CPUs give one device's weights.

Logical devices must be configured before TensorFlow starts, so that the comparisons run in a
process of their own: this file as a program prints what the tests read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.data import dataset
from epnas_tf.modeling import build_model
from epnas_tf.training import devices, trainer
from epnas_tf.training.schedule import schedule

KINDS = {
    # name: (batch norm, micro-batch on one device, micro-batch on each of two replicas)
    "micro-batches on the replicas": (False, 0, 16),
    "micro-batches of weighted images on the replicas": (False, 0, 16),
    "synchronized batch norm": (True, 0, 0),
    "synchronized batch norm on micro-batches": (True, 32, 16),
    "averages and all else": (True, 0, 0),
    "blended images of dropped paths and an auxiliary head": (True, 32, 16),
}
EXTRAS = {
    "averages and all else": {
        "ema_decay": 0.5,
        "bias_rate": 8.0,
        "label_smoothing": 0.1,
        "low_resolution": 0.5,
    },
    "blended images of dropped paths and an auxiliary head": {
        "mixup": 0.4,
        "drop_path": 0.4,
        "auxiliary_weight": 0.4,
    },
}


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
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
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_two_replicas_give_one_devices_weights(
    figures: dict[str, dict[str, float]], kind: str
) -> None:
    assert figures[kind]["replicas"] == 2
    assert figures[kind]["moved"] > 1e-3
    assert figures[kind]["difference"] < (1e-5 if KINDS[kind][0] else 1e-7)
    assert figures[kind]["accuracy difference"] < 1e-9
    assert 0 < figures[kind]["hits"] < 64
    assert figures[kind]["other hits"] == 0  # image by image


def test_a_training_on_two_replicas_goes_on_to_the_bits_of_one_from_the_start(figures) -> None:
    assert figures["gone on"] == {"replicas": 2, "difference": 0.0, "updates": 2}


def with_skip(source: dataset.Data) -> keras.Model:
    layers = (LayerSpec("conv2d", 3, channels=4, activation="elu"),) * 2
    spec = LayerwiseSpec((*layers, layers[0].replace("src2", 1)), stem_filters=4)
    traits = {"seed": 1, "synchronized": True, "dtype_policy": "float64"}
    return build_model(spec, source.input_shape, source.num_classes, **traits)


def net(source: dataset.Data, batch_norm: bool) -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = h = keras.Input(source.input_shape)
    h = keras.layers.Conv2D(7, 3)(h)
    if batch_norm:
        h = keras.layers.BatchNormalization(momentum=0.9, synchronized=True)(h)
    h = keras.layers.ReLU()(h)
    h = keras.layers.GlobalAveragePooling2D()(h)
    return keras.Model(inputs, keras.layers.Dense(source.num_classes)(h), name="net")


def compare(
    source: dataset.Data, batch_norm: bool, *micro: int, **extras: float
) -> dict[str, float]:
    weights, accuracies, hits, replicas = [], [], [], []
    for name, micro_batch_size in zip(("none", "mirrored"), micro, strict=True):
        strategy = devices.make_strategy(name)
        with strategy.scope():
            model = with_skip(source) if "drop_path" in extras else net(source, batch_norm)
        before = model.get_weights()
        plan = schedule(
            "plain",
            epochs=1,
            batch_size=64,
            micro_batch_size=micro_batch_size,
            clip_norm=0.3,
            **extras,
        )
        result = trainer.train(model, source, plan, strategy, seed=4)
        weights.append(model.get_weights())
        accuracies.append(result.validation_accuracy)
        hits.append(result.hits)
        replicas.append(strategy.num_replicas_in_sync)

    return {
        "replicas": replicas[1],
        "moved": distance(before, weights[0]),
        "difference": distance(*weights),
        "accuracy difference": abs(accuracies[0] - accuracies[1]),
        "hits": int(hits[0].sum()),
        "other hits": int((hits[0] != hits[1]).sum()),
    }


def distance(left: list[np.ndarray], right: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(left, right, strict=True))


def gone_on(source: dataset.Data) -> dict[str, float]:
    strategy, states, weights = devices.make_strategy("mirrored"), [], []
    plan = schedule("plain", epochs=1, batch_size=64, decay="trapezoid", decay_share=0.5)
    for _ in range(2):
        with strategy.scope():
            model = net(source, batch_norm=True)
        start = {"state": states[0]} if states else {"on_state": states.append}
        trainer.train(model, source, plan, strategy, seed=3, **start)
        weights.append(model.get_weights())
    replicas, updates = strategy.num_replicas_in_sync, states[0].updates
    return {"replicas": replicas, "difference": distance(*weights), "updates": updates}


def main() -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)
    keras.config.set_floatx("float64")
    rng = np.random.default_rng(0)
    labels = np.arange(320) % 10
    images = 20 * labels[:, None, None] + rng.integers(0, 70, (320, 8, 8))
    sources = {
        weighted: dataset.from_arrays(
            images, labels, sample_weight=np.arange(320) % 4 if weighted else None
        )
        for weighted in (False, True)
    }
    found = {
        kind: compare(sources["weighted" in kind], *KINDS[kind], **EXTRAS.get(kind, {}))
        for kind in KINDS
    }
    print(json.dumps(found | {"gone on": gone_on(sources[False])}))


if __name__ == "__main__":
    main()
