"""Trains a Keras model and measures it: our own loop in the graph, the same under every strategy.

Keras' `fit` fails or slows down under several strategies, traces twice and leaks (KERAS_TUNER
sections 5 to 7), so Keras gives the layers, the loss and the optimizer here, and the loop is a
`tf.function` over `strategy.run`. The model returns logits and is built in the strategy's scope,
with synchronized batch norm where there is more than one replica.
"""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from epnas_tf import global_state
from epnas_tf.data.dataset import Data, Split
from epnas_tf.modeling.training_model import training_model
from epnas_tf.training import accuracies, batch_norm, loop, pipeline, step
from epnas_tf.training.accuracies import ClassHits
from epnas_tf.training.averages import Averages
from epnas_tf.training.epochs import EpochResult, Epochs, Place, RunSteps, Updates, learning_rates
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.state import State, Training

# Images per forward pass of an evaluation: no gradients are kept, so memory is no concern.
_EVALUATION_BATCH = 256


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """What a training run gave.

    Attributes:
      epochs: the epochs that were run.
      validation_accuracy: after the last epoch run (DECISIONS 9); chance where not finite.
      balanced_accuracy: mean of the classes' validation accuracies then; chance where not finite.
      steps: updates.
      train_seconds: time of training and validation steps.
      setup_seconds: time before the first of them: input, variables, tracing.
      finite: whether every epoch's loss was a finite number; training stops at one that was not.
      hits: which validation images it classified correctly then, bool [images]; None where not
        finite.
    """

    epochs: tuple[EpochResult, ...]
    validation_accuracy: float
    balanced_accuracy: float
    steps: int
    train_seconds: float
    setup_seconds: float
    finite: bool
    hits: np.ndarray | None = dataclasses.field(default=None, compare=False, repr=False)

    @property
    def train_accuracy(self) -> float:
        """Share of the last epoch's images classified correctly, in training mode."""
        return self.epochs[-1].accuracy

    @property
    def loss_sum(self) -> float:
        """Sum of the epochs' mean training losses: the lower, the faster a network learns.

        The estimate of training speed of Ru et al. (https://arxiv.org/abs/2006.04492); infinite
        where a loss was not finite.
        """
        return sum(epoch.loss for epoch in self.epochs) if self.finite else math.inf


@global_state.tensorflow_set_aside()
def train(
    model: keras.Model,
    data: Data,
    schedule: Schedule,
    strategy: tf.distribute.Strategy,
    *,
    seed: int,
    jit_compile: bool = False,
    validate_each_epoch: bool = False,
    on_epoch: Callable[[EpochResult], bool | None] | None = None,
    on_updates: Callable[[Updates], None] | None = None,
    state: State | None = None,
    on_state: Callable[[State], None] | None = None,
) -> TrainResult:
    """Trains a model on the training split and measures it on the validation split.

    Args:
      model: maps images of `data.input_shape` to logits.
      data: its test split is not touched.
      schedule: fitted to the training split (`schedule.fit_to`).
      strategy: from `devices.make_strategy`.
      seed: the order of images and their augmentation depend on it alone. The initial weights
        are the model's own.
      jit_compile: whether XLA compiles the step; one replica only.
      validate_each_epoch: whether to measure validation accuracy after every epoch, rather than
        after the last alone.
      on_epoch: called after each epoch; a true answer makes it the last.
      on_updates: called about once a second, and after each epoch's updates; changes nothing. What
        it raises ends the training and is passed on.
      state: of this training, or of a shorter one that was the same up to there: this one goes on
        from it, to the bits that it would have had from its start. Epochs of the state are no more
        told.
      on_state: called with the state after each epoch, and where the rate of a trapezoid begins to
        fall: from there a longer training can go on.

    Raises:
      ValueError: the batch does not fit the training split or the replicas, or the state is of
        another training.
    """
    start = time.perf_counter()
    place = Place(state, on_state)
    with strategy.scope():
        trained = training_model(
            model,
            drop_path=schedule.drop_path > 0,
            auxiliary_head=schedule.auxiliary_weight > 0,
            seed=seed,
            synchronized=strategy.num_replicas_in_sync > 1,
        )
    with global_state.set_aside(), batch_norm.fused(trained.model):
        optimizer = step.make_optimizer(trained.model, schedule, strategy)
        averages = Averages(model, schedule.ema_decay, strategy)
        if state is not None or on_state is not None:
            variables = [*trained.model.variables, *optimizer.momentums, *averages.variables]
            place.enter(_training(model, data, schedule, seed), variables, strategy)
        steps = schedule.steps_per_epoch(len(data.train))
        first = min(place.updates, schedule.epochs * steps - 1)  # of a whole one, which runs none
        batches = pipeline.training_batches(data, schedule, strategy, seed, first, trained.depths)
        low_until = schedule.low_until(steps)
        runs = {}
        for begins, halved in {0: True, low_until: False}.items():  # of one place the last
            update = step.train_step_function(
                trained.model,
                schedule,
                strategy,
                optimizer=optimizer,
                averages=averages,
                halved=halved,
                jit_compile=jit_compile,
            )
            runs[begins] = _steps_function(batches, update, strategy)
        validate = _hits_function(model, data.validation, data, strategy, _EVALUATION_BATCH)
    ready = time.perf_counter()

    rates = learning_rates(schedule, steps)
    run_epoch = Epochs(runs, rates, schedule.batch_size, on_updates, place)
    epochs, done = place.epochs, place.updates
    finite, measured = True, None  # where all epochs are the state's
    for epoch in range(len(epochs), len(rates)):
        loss, hits = run_epoch(epoch)
        correct = float(hits / np.float32(rates.shape[1] * schedule.batch_size))
        finite = math.isfinite(loss)
        done = (epoch + 1) * rates.shape[1]
        measured = None
        if finite and (done == rates.size or validate_each_epoch):
            with averages.shown(done):
                measured = validate()
        accurate = None if measured is None else measured.accuracy
        epochs.append(EpochResult(epoch, loss, correct, accurate))
        stop = on_epoch is not None and on_epoch(epochs[-1])
        if finite:
            place.epoch_ended(done)
        if stop or not finite:
            break
    chance = 1 / data.num_classes
    averages.put(done)
    found = (measured or validate()) if finite else None
    return TrainResult(
        epochs=tuple(epochs),
        validation_accuracy=chance if found is None else found.accuracy,
        balanced_accuracy=chance if found is None else found.balanced_accuracy,
        steps=done,
        train_seconds=time.perf_counter() - ready,
        setup_seconds=ready - start,
        finite=finite,
        hits=None if found is None else found.hits,
    )


@global_state.set_aside()
def accuracy(
    model: keras.Model,
    split: Split,
    data: Data,
    strategy: tf.distribute.Strategy,
    batch_size: int = _EVALUATION_BATCH,
) -> float:
    """Returns the share of a split's images that the model classifies correctly."""
    return class_hits(model, split, data, strategy, batch_size).accuracy


def class_hits(
    model: keras.Model,
    split: Split,
    data: Data,
    strategy: tf.distribute.Strategy,
    batch_size: int = _EVALUATION_BATCH,
) -> ClassHits:
    """Returns how many of a split's images of each class the model classifies correctly."""
    return _hits_function(model, split, data, strategy, batch_size)()


def predicted(
    model: keras.Model,
    split: Split,
    data: Data,
    strategy: tf.distribute.Strategy,
    batch_size: int = _EVALUATION_BATCH,
) -> np.ndarray:
    """Returns the label that the model gives to each image of a split, int32 [images]."""
    return _labels_function(model, split, data, strategy, batch_size)()


def _training(model: keras.Model, data: Data, schedule: Schedule, seed: int) -> Training:
    """Returns what a state of this training is of."""
    steps, images = schedule.steps_per_epoch(len(data.train)), data.train.fingerprint
    variation = dataclasses.asdict(data.augmentation)
    return Training(model.name, seed, schedule, steps, images, variation)


def _steps_function(
    batches: Any, update: step.ReplicaStep, strategy: tf.distribute.Strategy
) -> RunSteps:
    """Returns the graph that runs an update, on the next batch, per learning rate.

    It takes the rates [n] and the sums so far of losses and of images classified correctly, and
    returns the sums with those of its updates.

    TensorFlow's graph optimizer stays on: without it a child starts 0.22 s earlier (0.68 s for
    0.90), but an update of a 6-layer convolutional net takes 68 ms for 54; separable nets do not
    care.
    """
    number = tf.TensorSpec([], tf.float32)

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.float32), number, number], autograph=False
    )
    def run_steps(rates: Any, loss: Any, correct: Any) -> tuple[Any, Any]:
        steps = tf.shape(rates)[0]

        def body(index: Any, loss: Any, correct: Any) -> tuple[Any, Any, Any]:
            images, labels, *weights = next(batches)
            shares = strategy.run(update, args=(images, labels, rates[index], *weights))
            more_loss, more_correct = loop.over_replicas(strategy, shares)
            return index + 1, loss + more_loss, correct + more_correct

        _, loss, correct = loop.repeat(steps, body, loss, correct)
        return loss, correct

    # Called as a whole, or TensorFlow warns that it traces often: once a network is meant.
    prepared = run_steps.get_concrete_function()
    prepared(tf.zeros([0]), tf.constant(0.0), tf.constant(0.0))  # no steps: optimises the graph
    return prepared


def _hits_function(
    model: keras.Model,
    split: Split,
    data: Data,
    strategy: tf.distribute.Strategy,
    batch_size: int,
) -> Callable[[], ClassHits]:
    """Returns the function that measures the model as it is."""
    labels = _labels_function(model, split, data, strategy, batch_size)

    def measure() -> ClassHits:
        return accuracies.class_hits(labels() == split.labels, split.labels, data.num_classes)

    return measure


def _labels_function(
    model: keras.Model,
    split: Split,
    data: Data,
    strategy: tf.distribute.Strategy,
    batch_size: int,
) -> Callable[[], np.ndarray]:
    """Returns the function that lets the model, as it is, label the images of a split."""
    batches, all_steps = pipeline.evaluation_batches(split, data, strategy, batch_size)
    predict, replicas = step.predict_step_function(model), strategy.num_replicas_in_sync

    def in_its_row(*batch: Any) -> Any:  # a sum over replicas then lays their labels side by side
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.one_hot(replica, replicas)[:, None] * predict(*batch)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)], autograph=False)
    def find_labels(steps: Any) -> Any:
        def body(index: Any, found: Any) -> tuple[Any, Any]:
            shares = strategy.run(in_its_row, args=next(batches))
            labels = loop.over_replicas(strategy, shares)
            return index + 1, tf.tensor_scatter_nd_update(found, [[index]], labels[None])

        each = -(-min(batch_size, len(split)) // replicas)
        return loop.repeat(steps, body, tf.zeros([all_steps, replicas, each]))[1]

    found = find_labels.get_concrete_function()
    found(tf.constant(0))  # no steps: optimises the graph
    pace = loop.Pace()

    def classify() -> np.ndarray:
        chunks = (chunk.stop - chunk.start for chunk in pace(0, all_steps))
        labels = [found(tf.constant(chunk)).numpy()[:chunk].ravel() for chunk in chunks]
        return np.concatenate(labels)[: len(split)].astype(np.int32)

    return classify
