"""One update of a network's weights, as every replica runs it.

Gradients of micro-batches are summed inside the replica, then all-reduced, clipped and applied once
(DECISIONS 16). Keras' own `Optimizer.apply` would all-reduce a second time, after a clipping that
saw one replica's share; so the reduced gradients are handed to `Optimizer.update_step`, the part of
a Keras optimizer that is its rule, in the way `apply` itself does it: once for each variable,
across replicas.
"""

from __future__ import annotations

import epnas_tf.backend

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from epnas_tf.training.averages import Averages
from epnas_tf.training.schedule import Schedule

# What a float16 network's loss is multiplied by while gradients are taken: those below 6e-8 would
# be 0. A power of two, which rounds nothing, and fixed: a scale that adapts is a state, which every
# replica would have to carry through this loop. Single gradients may be up to 64; an update with a
# larger one, infinite by then, is left out. bfloat16 has the range of float32 and needs none.
_LOSS_SCALE = 1024.0

# (images, labels, learning rate[, weights]) of a replica -> its shares of the batch's mean loss and
# of the images classified correctly.
ReplicaStep = Callable[..., tuple[Any, Any]]


def make_optimizer(
    model: keras.Model, schedule: Schedule, strategy: tf.distribute.Strategy
) -> keras.optimizers.SGD:
    """Returns the optimizer of a training, with all its variables."""
    with strategy.scope():
        optimizer = keras.optimizers.SGD(
            schedule.learning_rate, momentum=float(schedule.momentum), nesterov=schedule.nesterov
        )
        # Variables made while tracing would trace everything twice (KERAS_TUNER section 7).
        optimizer.build(model.trainable_variables)
    return optimizer


def train_step_function(
    model: keras.Model,
    schedule: Schedule,
    strategy: tf.distribute.Strategy,
    *,
    optimizer: keras.optimizers.SGD | None = None,
    averages: Averages | None = None,
    halved: bool = False,
    jit_compile: bool = False,
) -> ReplicaStep:
    """Returns the function that `strategy.run` runs for an update; all its variables exist by then.

    It takes images [micro steps, micro batch, h, w, c], labels int32 [micro steps, micro batch] or
    shares of the classes [micro steps, micro batch, classes], a learning rate (float32 scalar) and,
    where images have weights in the loss, these, float32 [micro steps, micro batch]; whatever else
    the model takes beside images comes last. It returns float32 scalars. The model ends in logits,
    or in those and the ones of an auxiliary head, and was built in the strategy's scope. Where no
    optimizer of `make_optimizer` is given, it makes one. Averages take in the network after each
    update. The network may see images `halved` in height and width.

    Raises:
      ValueError: jit_compile is asked for under a strategy of several replicas (TPUs compile
        anyway, MirroredStrategy cannot).
    """
    if jit_compile and strategy.num_replicas_in_sync > 1:
        raise ValueError("jit_compile must be off where there is more than one replica")
    if optimizer is None:
        optimizer = make_optimizer(model, schedule, strategy)
    variables = [variable.value for variable in model.trainable_variables]
    scale = _loss_scale(model)
    factors = [_rate_factor(variable, schedule) for variable in model.trainable_variables]
    micro_step = _micro_step_function(model, variables, schedule, scale, halved)
    # MirroredStrategy reduces batch-norm statistics by a call that may not stand in a loop.
    unroll = isinstance(strategy, tf.distribute.MirroredStrategy)

    def apply(strategy: Any, gradients: list[Any], learning_rate: Any, *finite: Any) -> None:
        def update(factor: float, variable: Any, gradient: Any, rate: Any, *finite: Any) -> None:
            if finite:
                tf.cond(*finite, lambda: update(factor, variable, gradient, rate), lambda: None)
            else:
                rate = rate if factor == 1 else factor * rate
                optimizer.update_step(gradient, variable, rate)

        for variable, gradient, factor in zip(variables, gradients, factors, strict=True):
            arguments = (gradient, learning_rate, *finite)
            scaled = functools.partial(update, factor)
            strategy.extended.update(variable, scaled, arguments, group=False)
        if averages is not None:
            averages.take_in(strategy)

    def step(images: Any, labels: Any, learning_rate: Any, *weights: Any) -> tuple[Any, Any]:
        batch = (images, labels, *weights)
        loss, correct, gradients = _summed(micro_step, variables, batch, unroll)
        replica = tf.distribute.get_replica_context()
        if strategy.num_replicas_in_sync > 1:
            gradients = replica.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        finite = []
        if scale is not None:
            gradients = [gradient / scale for gradient in gradients]
            finite = [_all_finite(gradients)]
        gradients = _decayed_and_clipped(gradients, variables, schedule)
        replica.merge_call(apply, args=(gradients, learning_rate, *finite))
        return loss, correct

    step = tf.autograph.experimental.do_not_convert(step)
    return tf.function(step, autograph=False, jit_compile=True) if jit_compile else step


def predict_step_function(model: keras.Model) -> Callable[..., Any]:
    """Returns the function of images, and what comes with them, that says their classes.

    The answer is the label of each image's largest logit: float32 of the static shape [images].
    """

    def step(images: Any, *_: Any) -> Any:
        return tf.cast(_labels(model(images, training=False)), tf.float32)

    return tf.autograph.experimental.do_not_convert(step)


def _micro_step_function(
    model: keras.Model,
    variables: list[Any],
    schedule: Schedule,
    scale: float | None,
    halved: bool,
) -> Callable[..., tuple[Any, Any, list[Any]]]:
    """Returns the function of one micro-batch's (loss, correct, gradients), each to be summed.

    Gradients are those of the loss times `scale`, where one is given; an auxiliary head adds its
    own loss to what they are of, not to the loss that is returned.
    """
    cross_entropy = _cross_entropy(model, schedule.label_smoothing)
    # Of what comes with the images, the model takes so much itself.
    inner = len(model.inputs) - 1

    def outputs_of(images: Any, *others: Any) -> list[Any]:
        if halved:
            images = tf.nn.avg_pool2d(images, 2, 2, "SAME")
        # Calling the model itself would refuse another size than it was made for.
        call = model.call if halved else model
        return tf.nest.flatten(call([images, *others] if others else images, training=True))

    def micro_step(images: Any, labels: Any, *others: Any) -> tuple[Any, Any, list[Any]]:
        weights, taken = others[: len(others) - inner], others[len(others) - inner :]
        with tf.GradientTape() as tape:
            logits, *auxiliary = outputs_of(images, *taken)
            # Over the global batch, so that shares of micro-batches and replicas add up to a mean.
            # So it is with weights too: over their sum, shares of other batches would not add up.
            loss = cross_entropy(labels, logits, *weights) / schedule.batch_size
            target = loss
            for more in auxiliary:
                own = cross_entropy(labels, more, *weights) / schedule.batch_size
                target += schedule.auxiliary_weight * own
        zero = tf.UnconnectedGradients.ZERO
        seed = None if scale is None else tf.constant(scale, loss.dtype)
        gradients = tape.gradient(target, variables, seed, unconnected_gradients=zero)
        correct = tf.reduce_sum(_hits(labels, logits))
        return tf.cast(loss, tf.float32), correct, gradients

    return micro_step


def _rate_factor(variable: keras.Variable, schedule: Schedule) -> float:
    """Returns what a variable's rate is multiplied by; "beta" is batch norm's bias."""
    return schedule.bias_rate if variable.name == "beta" else 1.0


def _cross_entropy(model: keras.Model, smoothing: float) -> Callable[..., Any]:
    """Returns the function of (labels, logits[, weights]) that sums the images' losses.

    Labels are numbers, or shares of the classes.
    """
    traits = {"from_logits": True, "reduction": "sum", "dtype": model.outputs[0].dtype}
    of_numbers = keras.losses.SparseCategoricalCrossentropy(**traits)
    of_shares = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing, **traits)

    def summed(labels: Any, logits: Any, *weights: Any) -> Any:
        if not smoothing and labels.dtype.is_integer:
            return of_numbers(labels, logits, *weights)
        return of_shares(_shares(labels, logits), logits, *weights)

    return summed


def _summed(
    micro_step: Callable[..., tuple[Any, Any, list[Any]]],
    variables: list[Any],
    batch: tuple[Any, ...],
    unroll: bool,
) -> tuple[Any, Any, list[Any]]:
    """Returns the sums of micro_step over the leading axis of what a batch is made of."""
    steps = batch[0].shape[0]
    if steps == 1 or unroll:
        total = micro_step(*(part[0] for part in batch))
        for index in range(1, steps):
            total = _plus(total, micro_step(*(part[index] for part in batch)))
        return total

    def body(index: Any, *total: Any) -> tuple[Any, ...]:
        loss, correct, *gradients = total
        summed = _plus((loss, correct, gradients), micro_step(*(part[index] for part in batch)))
        return index + 1, summed[0], summed[1], *summed[2]

    zeros = [tf.zeros(variable.shape, variable.dtype) for variable in variables]
    _, loss, correct, *gradients = tf.while_loop(
        lambda index, *_: index < steps,
        body,
        (tf.constant(0), tf.constant(0.0), tf.constant(0.0), *zeros),
        parallel_iterations=1,
        maximum_iterations=steps,
    )
    return loss, correct, gradients


def _plus(left: tuple[Any, Any, list[Any]], right: tuple[Any, Any, list[Any]]) -> Any:
    return tf.nest.map_structure(tf.add, left, right)


def _decayed_and_clipped(
    gradients: list[Any], variables: list[Any], schedule: Schedule
) -> list[Any]:
    """Adds the gradient of the L2 term and clips by the global norm, as ENAS does.

    Kernels are the variables of rank 2 and more; biases and batch norm have rank 1.
    """
    if schedule.weight_decay:
        gradients = [
            gradient + schedule.weight_decay * variable if len(variable.shape) > 1 else gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        ]
    if schedule.clip_norm:
        gradients, _ = tf.clip_by_global_norm(gradients, schedule.clip_norm)
    return gradients


def _loss_scale(model: keras.Model) -> float | None:
    """Returns what the loss is multiplied by while gradients are taken, None for nothing."""
    kinds = {getattr(layer, "compute_dtype", None) for layer in model._flatten_layers()}
    return _LOSS_SCALE if "float16" in kinds else None


def _all_finite(tensors: list[Any]) -> Any:
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors])


def _shares(labels: Any, logits: Any) -> Any:
    """Returns labels as shares of the classes that the logits are of."""
    if labels.dtype.is_integer:
        return tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return tf.cast(labels, logits.dtype)


def _hits(labels: Any, logits: Any) -> Any:
    """Returns by how much each image was classified correctly: 0 or 1, a blended one's share."""
    found = _labels(logits)
    if labels.dtype.is_integer:
        return tf.cast(tf.equal(found, labels), tf.float32)
    return tf.gather(labels, found, batch_dims=1)


def _labels(logits: Any) -> Any:
    return tf.argmax(logits, -1, tf.int32)
