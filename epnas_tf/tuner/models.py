"""Keras models of specs and trials, as a tuner hands them out: of pixels, compiled."""

from __future__ import annotations

import epnas_tf.backend

from collections.abc import Mapping
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf

from epnas_tf import global_state
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec, spec_from_json
from epnas_tf.data.labels import Classes
from epnas_tf.modeling.build import with_normalisation
from epnas_tf.modeling.layers import Builder
from epnas_tf.training import evaluate
from epnas_tf.training.schedule import Schedule
from epnas_tf.tuner import durable, session
from epnas_tf.tuner.durable import Trial
from epnas_tf.tuner.session import Session
from epnas_tf.tuner.settings import TunerSettings
from epnas_tf.tuner.trial_data import Assignment
from epnas_tf.workdir import storage, weights


class Models:
    """Makes the models of a search whose images are known."""

    def __init__(
        self,
        search: Session,
        space: SearchSpace,
        settings: TunerSettings,
        strategy: tf.distribute.Strategy,
        builders: Mapping[str, Builder],
    ):
        """Makes the maker of models.

        Args:
          search: knows the images.
          space: of the networks.
          settings: how children are built.
          strategy: where models are made.
          builders: Keras builders of the space's operations.
        """
        self._session, self._space, self._settings = search, space, settings
        self._strategy, self._builders = strategy, builders

    def untrained(self, spec: Spec, seed: int = 0) -> keras.Model:
        """Returns a spec's untrained network of normalised images."""
        known = self._session.known_project()
        budget = self._session.budget(known.images, known.machine_gflops)
        policy = self._settings.dtype_policy
        return evaluate.build_child(spec, budget, self._strategy, self._builders, seed, policy)

    def trained(self, trial: Trial) -> keras.Model:
        """Returns a trial's trained network; raises ValueError if its weights are not there."""
        assignment = Assignment.from_values(durable.values(trial), self._space)
        work_dir = self._session.work_dir
        path = work_dir.model(assignment.slot.name)
        if not storage.exists(path):
            raise ValueError(
                f"weights of {assignment.slot.name} are not in {work_dir.models}; those of "
                f"the best {self._settings.keep_models} are kept (keep_models)"
            )
        network = self.untrained(assignment.proposal.spec)
        weights.read_into(network, path)
        return network

    def of_pixels(self, network: keras.Model) -> keras.Model:
        """Returns a compiled model that normalises images and runs the network (logits out)."""
        known = self._session.known_project()
        images, plan = known.images, session.schedule_of(known)
        with self._strategy.scope():
            model = with_normalisation(network, images.full_scale, images.mean, images.std)
            _compile(model, plan, images.one_hot, self._settings.dtype_policy)
        return model

    def encode_labels(self, y: Any) -> np.ndarray:
        """Returns labels as the models take them (`EPNASTuner.encode_labels`)."""
        images = self._session.known_project().images
        labels = Classes(images.class_names, images.one_hot).encode(y)
        return np.eye(images.num_classes, dtype=np.float32)[labels] if images.one_hot else labels


class SpecHyperModel(keras_tuner.HyperModel):
    """Builds the network of a trial's hyperparameters, as `tuner.hypermodel.build(hp)`."""

    def __init__(self, models: Models):
        super().__init__()
        self._models = models

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the untrained network that `hp["spec"]` holds as JSON, ready for `fit`."""
        return self._models.of_pixels(self._models.untrained(spec_from_json(hp.get("spec"))))


@global_state.set_aside()
def _compile(model: keras.Model, plan: Schedule, one_hot: bool, dtype_policy: str) -> None:
    float32 = global_state.FLOAT32
    optimizer = keras.optimizers.SGD(plan.learning_rate, plan.momentum, plan.nesterov)
    if dtype_policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)  # so that a saved model reloads in silence
    losses, metrics = keras.losses, keras.metrics
    loss = losses.CategoricalCrossentropy if one_hot else losses.SparseCategoricalCrossentropy
    measure = metrics.CategoricalAccuracy if one_hot else metrics.SparseCategoricalAccuracy
    # XLA leaves out roundings to 16 bits, and its accuracy would not be the one reported.
    compiled = "auto" if dtype_policy == float32 else False
    model.compile(
        optimizer,
        loss(from_logits=True, dtype=float32),
        metrics=[measure(name="accuracy", dtype=float32)],
        jit_compile=compiled,
    )
