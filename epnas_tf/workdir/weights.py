"""A trained network as a file of weights, and as a compiled model for those who use it."""

from __future__ import annotations

import os
import tempfile

import keras
import tensorflow as tf

from epnas_tf.modeling.build import with_normalisation
from epnas_tf.workdir import storage
from epnas_tf.workdir.project_file import Project

_FILE = "network.weights.h5"  # Keras goes by the name's end


def save_weights(network: keras.Model, path: str) -> None:
    """Writes a network's weights, atomically and to any path."""
    with tempfile.TemporaryDirectory() as folder:  # Keras writes to a local path alone
        local = os.path.join(folder, _FILE)
        network.save_weights(local)
        storage.write_atomic(path, storage.read_bytes(local))


def load_weights(network: keras.Model, path: str) -> None:
    """Reads a network's weights; raises ValueError where the file is torn or foreign."""
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, _FILE)
        storage.write_atomic(local, storage.read_bytes(path))
        try:
            network.load_weights(local)
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(f"{path} is torn or foreign: {error!r:.200}") from error


def compiled(
    network: keras.Model, project: Project, strategy: tf.distribute.Strategy
) -> keras.Model:
    """Returns a compiled model that normalises a project's images and runs a network of them."""
    images, plan = project.images, project.schedule
    with strategy.scope():
        model = with_normalisation(network, images.full_scale, images.mean, images.std)
        optimizer = keras.optimizers.SGD(plan.learning_rate, plan.momentum, plan.nesterov)
        optimizer.build(model.trainable_variables)  # so that a saved model reloads in silence
        model.compile(
            optimizer,
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
    return model
