"""The way of images from a dataset split to the replicas: order, augmentation, static batches.

Every replica gets its own elements of shape [micro steps, micro batch, ...] from one stream, so
that the same graph runs under every strategy. The order is one of passes over the split, each a
permutation keyed by (seed, pass). Where an epoch is a pass, what is left after the last whole batch
waits for another pass; where it is less, epochs cut the stream of passes and leave nothing out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from epnas_tf import randomness
from epnas_tf.data import augment
from epnas_tf.data.dataset import Data, Split
from epnas_tf.fields import SettingError
from epnas_tf.training import drop_path, mixup
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.weights import loss_weights


@dataclasses.dataclass(frozen=True)
class BatchShape:
    """How an update's images are laid out: replicas x micro steps x micro batch."""

    replicas: int
    micro_steps: int
    micro_batch: int

    @property
    def size(self) -> int:
        """Images per update."""
        return self.replicas * self.micro_steps * self.micro_batch


def batch_shape(schedule: Schedule, replicas: int) -> BatchShape:
    """Returns how the schedule's batch is laid out on this many replicas.

    Raises:
      SettingError: the batch does not divide evenly.
    """
    share, rest = divmod(schedule.batch_size, replicas)
    micro = schedule.micro_batch_size or share
    if rest or share % micro:
        raise SettingError(
            "batch_size",
            f"must be a multiple of replicas x micro_batch_size = {replicas} x "
            f"{schedule.micro_batch_size or 1}, got {schedule.batch_size}",
        )
    return BatchShape(replicas, share // micro, micro)


def training_batches(
    data: Data,
    schedule: Schedule,
    strategy: tf.distribute.Strategy,
    seed: int,
    start: int = 0,
    depths: Sequence[float] = (),
) -> Any:
    """Returns an iterator of (images, labels) over all epochs of the schedule, for each replica.

    Images are float32 [micro steps, micro batch, h, w, c], augmented and normalised, labels int32
    [micro steps, micro batch]; of blended images they are shares of the classes, float32 [micro
    steps, micro batch, classes]. Where images have weights in the loss, these come third, float32
    [micro steps, micro batch]. Where paths of such `depths` may be dropped, what each is multiplied
    by comes last, float32 [micro steps, micro batch, paths]. The first `start` batches are left
    out.

    Raises:
      SettingError: the training split holds less than one batch, or the batch is not divisible.
    """
    shape = batch_shape(schedule, strategy.num_replicas_in_sync)
    streams, examples = _examples(data, schedule, seed, depths)
    streams = [values[None, start * schedule.batch_size :] for values in streams]
    calls = tf.data.AUTOTUNE if _accelerated(strategy) else None

    def made(*entries: Any) -> Any:
        images, *others = examples(*entries)
        return augment.normalised(images, data.mean, data.std), *others

    def per_replica(context: tf.distribute.InputContext) -> tf.data.Dataset:
        ours = [_of_pipeline(values, shape, context) for values in streams]
        batched = tuple(values.reshape(-1, shape.micro_batch) for values in ours)
        dataset = tf.data.Dataset.from_tensor_slices(batched).map(made, num_parallel_calls=calls)
        dataset = dataset.batch(shape.micro_steps, drop_remainder=True)
        return _endless(dataset, strategy)

    return iter(strategy.distribute_datasets_from_function(per_replica))


def evaluation_batches(
    split: Split, data: Data, strategy: tf.distribute.Strategy, batch_size: int
) -> tuple[Any, int]:
    """Returns an endless iterator of (images, labels, weights) for each replica.

    Examples come in the split's order, `batch_size` at a time over all replicas; the last batch is
    filled with examples of weight 0. Also returns the number of batches of one pass.
    """
    replicas = strategy.num_replicas_in_sync
    each = -(-min(batch_size, len(split)) // replicas)
    shape = BatchShape(replicas, 1, each)
    steps = -(-len(split) // shape.size)
    order = np.zeros((1, steps * shape.size), np.int32)
    order[0, : len(split)] = np.arange(len(split))
    weights = np.zeros(order.shape, np.float32)
    weights[0, : len(split)] = 1.0
    images, labels = split.tensors

    def batch(indices: Any, weight: Any) -> Any:
        image = augment.scaled(tf.gather(images, indices), data.full_scale)
        return augment.normalised(image, data.mean, data.std), tf.gather(labels, indices), weight

    def per_replica(context: tf.distribute.InputContext) -> tf.data.Dataset:
        ours = [_of_pipeline(values, shape, context)[0] for values in (order, weights)]
        dataset = tf.data.Dataset.from_tensor_slices(tuple(ours))
        dataset = dataset.batch(each, drop_remainder=True).map(batch)
        return _endless(dataset, strategy)

    return iter(strategy.distribute_datasets_from_function(per_replica)), steps


def _examples(
    data: Data, schedule: Schedule, seed: int, depths: Sequence[float]
) -> tuple[list[np.ndarray], Callable[..., Any]]:
    """Returns what the images of a training are made from, and the function that makes some.

    The first are arrays with an entry for each image, in the order in which they come; the function
    takes the entries of a batch.
    """
    streams = [values.ravel() for values in _orders(len(data.train), schedule, seed)]
    order, passes = streams
    count = int(passes.max()) + 1
    varied = _varied_function(data, schedule, augment.keys(seed, count))
    if not schedule.mixup and not depths:
        return streams, varied
    size, steps = schedule.batch_size, schedule.steps_per_epoch(len(data.train))
    streams.append(np.arange(len(order), dtype=np.int32) // size)  # the update
    if schedule.mixup:
        shares, partners = mixup.plan(schedule.mixup, schedule.epochs, steps, size, seed)
        shares = tf.constant(shares)
        streams += [order[partners], passes[partners]]
    updates = schedule.epochs * steps
    factors = drop_path.factors_function(schedule.drop_path, depths, updates, count, seed)

    def examples(index: Any, of_pass: Any, update: Any, *partner: Any) -> Any:
        parts = varied(index, of_pass)
        if partner:
            parts = mixup.blended(tf.gather(shares, update), parts, varied(*partner))
        return (*parts, factors(index, of_pass, update)) if depths else parts

    return streams, examples


def _varied_function(data: Data, schedule: Schedule, keys: np.ndarray) -> Callable[..., Any]:
    """Returns the function of (indices, passes) that makes images, labels and weights, if any.

    Images are varied and of full scale 1; labels are rows of shares where they are blended.
    """
    # Captured, not embedded: a constant in the graph would be copied with it.
    images, labels = data.train.tensors
    weights = loss_weights(data.train, schedule.class_weight, data.num_classes)
    others = () if weights is None else (tf.constant(weights),)
    how = data.augmentation

    def varied(index: Any, of_pass: Any) -> tuple[Any, ...]:
        key = tf.gather(keys, of_pass)
        shown = augment.augment(tf.gather(images, index), index, key, how, data.full_scale)
        if how.cutout:
            shown = augment.cut_out(shown, index, key, how.cutout, data.mean)
        label = tf.gather(labels, index)
        if schedule.mixup:
            label = tf.one_hot(label, data.num_classes)
        return shown, label, *(tf.gather(other, index) for other in others)

    return varied


def _orders(count: int, schedule: Schedule, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns which example comes when, and in which pass: int32 [epochs, images used per epoch].

    A longer training of the same schedule begins with the stream of a shorter one.
    """
    images = schedule.images_per_epoch(count)
    used = schedule.steps_per_epoch(count) * schedule.batch_size
    if not used:
        held = f"{images} training images" + " of an epoch" * (images < count)
        raise SettingError("batch_size", f"must be at most the {held}, got {schedule.batch_size}")
    of_a_pass, total = used if images == count else count, schedule.epochs * used
    passes = -(-total // of_a_pass)
    order, of_which = streams = np.empty((2, passes, of_a_pass), np.int32)
    for number in range(passes):
        shuffled = randomness.generator(seed, "order", number).permutation(count)
        order[number], of_which[number] = shuffled[:of_a_pass], number
    order, of_which = streams.reshape(2, -1)[:, :total].reshape(2, schedule.epochs, used)
    return order, of_which


def _of_pipeline(
    order: np.ndarray, shape: BatchShape, context: tf.distribute.InputContext
) -> np.ndarray:
    """Returns the share of [epochs, examples] that this input pipeline feeds to its replicas.

    A batch is cut into micro-batches of all replicas, and these among the replicas: synchronized
    batch norm then sees the same images as on one replica with larger micro-batches. The pieces of
    a host's replicas follow each other in its stream.
    """
    epochs, pipelines = len(order), context.num_input_pipelines
    layout = (shape.micro_steps, shape.replicas, shape.micro_batch)
    pieces = order.reshape(epochs, -1, *layout).swapaxes(2, 3)
    pieces = pieces.reshape(epochs, -1, pipelines, shape.size // pipelines)
    return pieces[:, :, context.input_pipeline_id].reshape(epochs, -1)


def _accelerated(strategy: tf.distribute.Strategy) -> bool:
    """Whether an accelerator trains, which outruns one thread of input.

    Where a CPU trains, one thread makes 20,000 images of 32x32x3 per second and leaves the rest of
    it alone; tf.data's own choice of threads takes a fifth more of its time for the same images,
    with 8x8 pixels a half more.
    """
    on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    return on_tpu or bool(tf.config.list_logical_devices("GPU"))


def _endless(dataset: tf.data.Dataset, strategy: tf.distribute.Strategy) -> tf.data.Dataset:
    """Repeats the data set, so that no strategy adds ops that look for its end."""
    options = tf.data.Options()
    options.deterministic = True
    # The stream is already cut for each host.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # Its thread can hold up the end of a child for half a second.
    options.autotune.enabled = _accelerated(strategy)
    return dataset.repeat().prefetch(2).with_options(options)
