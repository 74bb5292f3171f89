"""Prints how far two replicas' weights are from one device's after three steps, a line per spec."""

from __future__ import annotations

import sys

import keras
import numpy as np
import tensorflow as tf

from epnas_tf.architecture.spec import spec_from_json
from epnas_tf.modeling import build_model
from epnas_tf.training import devices
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.step import train_step_function

SHAPE, CLASSES, BATCH, STEPS = (8, 8, 3), 5, 8, 3
SCHEDULE = Schedule("test", epochs=1, batch_size=BATCH, learning_rate=0.1)


def trained_weights(spec, strategy):
    with strategy.scope():
        model = build_model(spec, SHAPE, CLASSES, seed=1, synchronized=True, dtype_policy="float64")
    step = train_step_function(model, SCHEDULE, strategy)
    share = BATCH // strategy.num_replicas_in_sync
    rng = np.random.default_rng(0)
    images = rng.standard_normal((STEPS, BATCH, *SHAPE))
    labels = rng.integers(0, CLASSES, (STEPS, BATCH)).astype(np.int32)

    def shares(values):
        def part(context):
            first = context.replica_id_in_sync_group * share
            return tf.constant(values[None, first : first + share])

        return strategy.experimental_distribute_values_from_function(part)

    @tf.function(autograph=False)
    def update(images, labels):
        strategy.run(step, args=(images, labels, tf.constant(0.1)))

    for index in range(STEPS):
        update(shares(images[index]), shares(labels[index]))
    return model.get_weights()


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    keras.config.set_floatx("float64")
    two = devices.make_strategy("mirrored")
    assert two.num_replicas_in_sync == 2
    for text in sys.argv[1:]:
        spec = spec_from_json(text)
        pair = [
            trained_weights(spec, strategy) for strategy in (two, devices.make_strategy("none"))
        ]
        print(max(np.abs(left - right).max() for left, right in zip(*pair, strict=True)))


if __name__ == "__main__":
    main()
