"""The way of images to the replicas: how a batch is laid out, and what comes when."""

from __future__ import annotations

import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.data import augment, dataset
from epnas_tf.data.augment import Augmentation
from epnas_tf.data.dataset import Data
from epnas_tf.training import devices, drop_path, mixup, pipeline
from epnas_tf.training.pipeline import BatchShape
from epnas_tf.training.schedule import Schedule


def _plan(batch_size: int, micro: int = 0, epochs: int = 1) -> Schedule:
    return Schedule("test", epochs, batch_size, learning_rate=0.1, micro_batch_size=micro)


@pytest.fixture(name="data", scope="module")
def _data() -> Data:
    labels = np.arange(48) % 3
    images = np.arange(48 * 4, dtype=np.uint8).reshape(48, 2, 2, 1)
    return dataset.from_arrays(images, labels, (255 - images[:9], labels[:9]))


@pytest.mark.parametrize(
    ("batch", "micro", "replicas", "shape"),
    [(12, 0, 1, (1, 1, 12)), (12, 3, 1, (1, 4, 3)), (12, 3, 2, (2, 2, 3)), (12, 0, 4, (4, 1, 3))],
)
def test_a_batch_is_cut_into_replicas_and_micro_batches(batch, micro, replicas, shape):
    found = pipeline.batch_shape(_plan(batch, micro), replicas)
    assert found == BatchShape(*shape)
    assert found.size == batch


@pytest.mark.parametrize(("batch", "micro", "replicas"), [(12, 0, 5), (12, 4, 2)])
def test_a_batch_that_does_not_divide_is_refused(batch, micro, replicas):
    with pytest.raises(ValueError, match=r"^batch_size must be a multiple of .*, got 12") as raised:
        pipeline.batch_shape(_plan(batch, micro), replicas)
    assert raised.value.setting == "batch_size"


def test_each_epoch_is_another_order_of_the_images(data):
    orders, passes = pipeline._orders(len(data.train), _plan(len(data.train), epochs=2), seed=1)
    assert passes.tolist() == [[0] * 48, [1] * 48]
    assert [sorted(order) for order in orders.tolist()] == [list(range(len(data.train)))] * 2
    assert orders[0].tolist() != orders[1].tolist()


def test_epochs_of_fewer_images_cut_one_stream_of_whole_passes():
    short = dataclasses.replace(_plan(4, epochs=3), epoch_images=18)
    orders, passes = pipeline._orders(22, short, seed=1)
    assert orders.shape == (3, 16)  # whole batches
    every, _ = pipeline._orders(22, _plan(1, epochs=3), seed=1)
    assert orders.ravel().tolist() == every.ravel()[:48].tolist()
    assert passes.ravel().tolist() == [0] * 22 + [1] * 22 + [2] * 4
    longer, _ = pipeline._orders(22, dataclasses.replace(short, epochs=9), seed=1)
    assert longer[:3].tolist() == orders.tolist()


@pytest.mark.parametrize("epoch_images", [0, 22, 23])
def test_an_epoch_of_all_images_is_a_pass_that_leaves_out_what_fills_no_batch(epoch_images):
    plan = dataclasses.replace(_plan(4, epochs=2), epoch_images=epoch_images)
    orders, passes = pipeline._orders(22, plan, seed=1)
    every, _ = pipeline._orders(22, _plan(1, epochs=2), seed=1)
    assert orders.tolist() == every[:, :20].tolist()
    assert passes.tolist() == [[0] * 20, [1] * 20]


def test_a_batch_above_an_epochs_images_is_refused():
    plan = dataclasses.replace(_plan(8), epoch_images=7)
    with pytest.raises(ValueError, match="at most the 7 training images of an epoch, got 8"):
        pipeline._orders(22, plan, seed=1)


def test_images_are_varied_by_the_pass_they_come_in(data):
    varied = dataclasses.replace(data, augmentation=Augmentation(pad=1))
    plan = dataclasses.replace(_plan(4, epochs=12), epoch_images=8)  # two passes over 48
    batches = pipeline.training_batches(varied, plan, devices.make_strategy("none"), seed=5)
    shown = np.concatenate([next(batches)[0].numpy()[0] for _ in range(24)])
    order, passes = pipeline._orders(48, plan, seed=5)
    keys = augment.keys(5, 2)
    places, numbers = order.ravel(), passes.ravel()
    images = tf.gather(varied.train.tensors[0], places)
    expected = augment.augment(images, places, keys[numbers], varied.augmentation, 255.0)
    expected = augment.normalised(expected, varied.mean, varied.std)
    np.testing.assert_array_equal(shown, expected)


def _taken(data: Data, plan: Schedule, count: int, **arguments) -> list[np.ndarray]:
    """Returns what batches are made of, their images in the order in which they came."""
    none = devices.make_strategy("none")
    batches = pipeline.training_batches(data, plan, none, seed=5, **arguments)
    taken = [next(batches) for _ in range(count)]
    parts = [np.concatenate(part) for part in zip(*taken, strict=True)]
    return [part.reshape(-1, *part.shape[2:]) for part in parts]


@pytest.mark.parametrize("weighted", [False, True])
def test_blended_images_are_those_of_a_training_without_in_pairs(data, weighted):
    if weighted:
        train = data.train.weighted(np.linspace(0, 2, 48))
        data = dataclasses.replace(data, train=train)
    data = dataclasses.replace(data, augmentation=Augmentation(pad=1))
    plan = dataclasses.replace(_plan(4, epochs=4), epoch_images=18)  # two passes over 48
    plain = _taken(data, plan, 16)
    blended = _taken(data, dataclasses.replace(plan, mixup=0.5), 16)
    assert len(blended) == len(plain) == (3 if weighted else 2)
    plain[1] = np.eye(3)[plain[1]]
    shares, partners = mixup.plan(0.5, 4, 4, 4, seed=5)
    share = np.repeat(shares, 4)
    for one, found in zip(plain, blended, strict=True):
        own = share.reshape(-1, *[1] * (one.ndim - 1))
        np.testing.assert_allclose(found, own * one + (1 - own) * one[partners], atol=1e-5)
    assert (np.sort(blended[1], 1)[:, 1] > 0.01).sum() > 10  # of two classes


@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("micro", [0, 2])
def test_what_is_blended_and_dropped_is_the_same_in_any_layout_and_from_any_start(
    data, micro, start
):
    plan = dataclasses.replace(_plan(4, epochs=2), mixup=0.5, drop_path=0.4)
    depths = {"depths": (0.5, 1.0)}
    whole = _taken(data, plan, 8, **depths)
    pieces = dataclasses.replace(plan, micro_batch_size=micro)
    found = _taken(data, pieces, 8 - start, start=start, **depths)
    for one, other in zip(whole, found, strict=True):
        np.testing.assert_array_equal(one[4 * start :], other)


def test_the_factors_of_paths_come_last_keyed_by_image_pass_and_update(data):
    plan = dataclasses.replace(_plan(4, epochs=4), epoch_images=18, drop_path=0.4)
    images, labels, factors = _taken(data, plan, 16, depths=(0.5, 1.0))
    for one, other in zip((images, labels), _taken(data, plan, 16), strict=True):
        np.testing.assert_array_equal(one, other)
    order, passes = pipeline._orders(48, plan, seed=5)
    draw = drop_path.factors_function(0.4, (0.5, 1.0), updates=16, passes=2, seed=5)
    update = np.arange(order.size, dtype=np.int32) // 4
    given = (tf.constant(each) for each in (order.ravel(), passes.ravel(), update))
    np.testing.assert_array_equal(factors, draw(*given))
    assert passes.max() == 1 and 0 < (factors == 0).sum() < factors.size / 2


@pytest.mark.parametrize("pipelines", [1, 2])
def test_the_pieces_of_a_batch_go_around_the_replicas(pipelines):
    shape, order = BatchShape(replicas=2, micro_steps=2, micro_batch=3), np.arange(24)[None]
    shares = [
        pipeline._of_pipeline(
            order, shape, types.SimpleNamespace(num_input_pipelines=pipelines, input_pipeline_id=i)
        )[0].tolist()
        for i in range(pipelines)
    ]
    first = [[0, 1, 2, 6, 7, 8], [12, 13, 14, 18, 19, 20]]
    second = [[3, 4, 5, 9, 10, 11], [15, 16, 17, 21, 22, 23]]
    if pipelines == 2:
        assert shares == [sum(first, []), sum(second, [])]
    else:
        assert shares == [first[0] + second[0] + first[1] + second[1]]


@pytest.mark.parametrize("batch_size", [4, 9, 100])
def test_an_evaluation_passes_every_image_once(data, batch_size):
    none = devices.make_strategy("none")
    batches, steps = pipeline.evaluation_batches(data.validation, data, none, batch_size)
    labels, weights = [], []
    for _ in range(steps):
        _, batch_labels, batch_weights = next(batches)
        labels += batch_labels.numpy().tolist()
        weights += batch_weights.numpy().tolist()
    assert labels[:9] == data.validation.labels.tolist()
    assert weights == [1.0] * 9 + [0.0] * (len(labels) - 9)
    assert steps == -(-9 // min(batch_size, 9))
