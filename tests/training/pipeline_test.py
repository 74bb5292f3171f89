"""The way of images to the replicas: how a batch is laid out, and what comes when."""

from __future__ import annotations

import types

import numpy as np
import pytest

from epnas_tf.data import dataset
from epnas_tf.data.dataset import Data
from epnas_tf.training import devices, pipeline
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
    orders = pipeline._orders(len(data.train), _plan(len(data.train), epochs=2), seed=1)
    assert [sorted(order) for order in orders.tolist()] == [list(range(len(data.train)))] * 2
    assert orders[0].tolist() != orders[1].tolist()


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
