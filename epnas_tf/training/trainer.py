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
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from epnas_tf import global_state, interrupts
from epnas_tf.data.dataset import Data, Split
from epnas_tf.training import batch_norm, pipeline, step
from epnas_tf.training.accuracies import ClassHits
from epnas_tf.training.schedule import Schedule, learning_rate_at

# Time in the graph after which Python sees whether somebody wants to stop. It changes no result.
_PATIENCE_SECONDS = 1.0

# Images per forward pass of an evaluation: no gradients are kept, so memory is no concern.
_EVALUATION_BATCH = 256


@dataclasses.dataclass(frozen=True)
class EpochResult:
    """One epoch of the schedule.

    Attributes:
      epoch: counted from 0.
      loss: mean cross-entropy over the epoch's images, each times its weight where images have
        weights, without the L2 term.
      accuracy: share of the epoch's images classified correctly, in training mode.
      validation_accuracy: after the epoch, where it was asked for and after the last planned one.
    """

    epoch: int
    loss: float
    accuracy: float
    validation_accuracy: float | None = None


@dataclasses.dataclass(frozen=True)
class Updates:
    """How far a training run is.

    Attributes:
      epoch: the running one, counted from 0.
      epochs: planned.
      done: updates so far, over all epochs.
      total: updates of all planned epochs.
      accuracy: share of the running epoch's images classified correctly so far.
    """

    epoch: int
    epochs: int
    done: int
    total: int
    accuracy: float


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
    """

    epochs: tuple[EpochResult, ...]
    validation_accuracy: float
    balanced_accuracy: float
    steps: int
    train_seconds: float
    setup_seconds: float
    finite: bool

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

    Raises:
      ValueError: the batch does not fit the training split or the replicas.
    """
    start = time.perf_counter()
    with global_state.set_aside(), batch_norm.fused(model):
        run_steps = _steps_function(model, data, schedule, strategy, seed, jit_compile)
        validate = _hits_function(model, data.validation, data, strategy, _EVALUATION_BATCH)
    ready = time.perf_counter()

    rates = _learning_rates(schedule, schedule.steps_per_epoch(len(data.train)))
    run_epoch = _Epochs(run_steps, rates, schedule.batch_size, on_updates)
    epochs: list[EpochResult] = []
    for epoch, epoch_rates in enumerate(rates):
        loss, hits = run_epoch(epoch)
        correct = float(hits / np.float32(len(epoch_rates) * schedule.batch_size))
        finite = math.isfinite(loss)
        last = epoch + 1 == len(rates)
        measured = validate() if finite and (last or validate_each_epoch) else None
        accurate = None if measured is None else measured.accuracy
        epochs.append(EpochResult(epoch, loss, correct, accurate))
        stop = on_epoch is not None and on_epoch(epochs[-1])
        if stop or not finite:
            break
    chance = 1 / data.num_classes
    found = (measured or validate()) if finite else None
    return TrainResult(
        epochs=tuple(epochs),
        validation_accuracy=chance if found is None else found.accuracy,
        balanced_accuracy=chance if found is None else found.balanced_accuracy,
        steps=len(epochs) * rates.shape[1],
        train_seconds=time.perf_counter() - ready,
        setup_seconds=ready - start,
        finite=finite,
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


class _Pace:
    """Cuts a loop in the graph into calls short enough to be stopped in between."""

    def __init__(self) -> None:
        self._steps = 1

    def __call__(self, steps: int) -> Iterator[slice]:
        """Yields the parts of so many steps; each must have been run when the next is asked for."""
        start = 0
        while start < steps:
            began = time.perf_counter()
            part = slice(start, min(start + self._steps, steps))
            yield part
            each = (time.perf_counter() - began) / (part.stop - start)
            self._steps = max(1, int(_PATIENCE_SECONDS / max(each, 1e-6)))
            start = part.stop
            interrupts.check()


class _Epochs:
    """Runs the updates of an epoch."""

    def __init__(
        self,
        run_steps: Callable[[Any, Any, Any], tuple[Any, Any]],
        rates: np.ndarray,
        batch_size: int,
        on_updates: Callable[[Updates], None] | None,
    ):
        self._run_steps = run_steps
        self._rates, self._batch_size = rates, batch_size
        self._on_updates = on_updates
        self._pace = _Pace()

    def __call__(self, epoch: int) -> tuple[float, np.float32]:
        """Returns the mean loss of an epoch's updates and the number of hits."""
        rates = self._rates[epoch]
        loss, hits = tf.constant(0.0), tf.constant(0.0)
        for part in self._pace(len(rates)):
            loss, hits = self._run_steps(tf.constant(rates[part]), loss, hits)
            float(loss)  # waits for the graph
            if self._on_updates is not None:
                self._on_updates(self._updates(epoch, part.stop, float(hits)))
        return float(loss.numpy() / np.float32(len(rates))), hits.numpy()

    def _updates(self, epoch: int, done: int, hits: float) -> Updates:
        epochs, steps = self._rates.shape
        accuracy = hits / (done * self._batch_size)
        return Updates(epoch, epochs, epoch * steps + done, epochs * steps, accuracy)


def _learning_rates(schedule: Schedule, steps_per_epoch: int) -> np.ndarray:
    """Returns float32 [epochs, steps per epoch]."""
    total = schedule.epochs * steps_per_epoch
    rates = [learning_rate_at(update, schedule, steps_per_epoch) for update in range(total)]
    return np.array(rates, np.float32).reshape(schedule.epochs, steps_per_epoch)


def _steps_function(
    model: keras.Model,
    data: Data,
    schedule: Schedule,
    strategy: tf.distribute.Strategy,
    seed: int,
    jit_compile: bool,
) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """Returns the graph that runs an update per learning rate.

    It takes the rates [n] and the sums so far of losses and of images classified correctly, and
    returns the sums with those of its updates.

    TensorFlow's graph optimizer stays on: without it a child starts 0.22 s earlier (0.68 s for
    0.90), but an update of a 6-layer convolutional net takes 68 ms for 54; separable nets do not
    care.
    """
    batches = pipeline.training_batches(data, schedule, strategy, seed)
    update = step.train_step_function(model, schedule, strategy, jit_compile=jit_compile)

    number = tf.TensorSpec([], tf.float32)

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.float32), number, number], autograph=False
    )
    def run_steps(rates: Any, loss: Any, correct: Any) -> tuple[Any, Any]:
        steps = tf.shape(rates)[0]

        def body(index: Any, loss: Any, correct: Any) -> tuple[Any, Any, Any]:
            images, labels, *weights = next(batches)
            shares = strategy.run(update, args=(images, labels, rates[index], *weights))
            more_loss, more_correct = _sums(strategy, shares)
            return index + 1, loss + more_loss, correct + more_correct

        _, loss, correct = _loop(steps, body, loss, correct)
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
    images = np.bincount(split.labels, minlength=data.num_classes)
    batches, all_steps = pipeline.evaluation_batches(split, data, strategy, batch_size)
    predict = step.predict_step_function(model)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)], autograph=False)
    def count_correct(steps: Any) -> Any:
        def body(index: Any, correct: Any) -> tuple[Any, Any]:
            shares = strategy.run(predict, args=next(batches))
            return index + 1, correct + _sums(strategy, shares)

        return _loop(steps, body, tf.zeros([data.num_classes]))[1]

    counted = count_correct.get_concrete_function()
    counted(tf.constant(0))  # no steps: optimises the graph
    pace = _Pace()

    def measure() -> ClassHits:
        chunks = (chunk.stop - chunk.start for chunk in pace(all_steps))
        correct = np.zeros(data.num_classes)
        for chunk in chunks:
            correct += counted(tf.constant(chunk)).numpy()
        return ClassHits(correct, images)

    return measure


def _loop(steps: Any, body: Callable[..., Any], *state: Any) -> Any:
    """Runs body(index, *state) this many times, in the graph."""
    return tf.while_loop(
        lambda index, *_: index < steps, body, (tf.constant(0), *state), parallel_iterations=1
    )


def _sums(strategy: tf.distribute.Strategy, shares: Any) -> Any:
    """Sums what each replica returned."""
    return tf.nest.map_structure(
        lambda share: strategy.reduce(tf.distribute.ReduceOp.SUM, share, axis=None), shares
    )
