from __future__ import annotations

import contextlib
import gc
import itertools
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import func_graph, ops

from epnas_tf.data import dataset
from epnas_tf.training import devices, memory, schedule, trainer
from tests.data.images import noise


def live_graphs() -> int:
    return sum(isinstance(thing, func_graph.FuncGraph) for thing in gc.get_objects())


def train_child(source: dataset.Data, on_updates=None) -> float:
    inputs = keras.Input(source.input_shape)
    # swish is a custom gradient: what the registry would keep.
    h = keras.layers.Conv2D(4, 3, activation="swish")(inputs)
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(h))
    plan = schedule.Schedule("s", epochs=1, batch_size=8, learning_rate=0.1)
    model = keras.Model(inputs, outputs)
    none = devices.make_strategy("none")
    result = trainer.train(model, source, plan, none, seed=0, on_updates=on_updates)
    return result.epochs[-1].loss


def test_graphs_of_children_do_not_pile_up() -> None:
    x = noise(16, 6, 6)
    source = dataset.from_arrays(x, np.arange(16) % 2, (255 - x, np.arange(16) % 2))
    graphs, entries = [], []
    for _ in range(12):
        with memory.child_graphs():
            train_child(source)
        graphs.append(live_graphs())
        entries.append(len(ops.gradient_registry._registry))
    assert graphs[2:] == graphs[1:-1], graphs
    assert entries[1:] == entries[:-1]


def test_graphs_of_children_that_end_in_an_exception_do_not_pile_up() -> None:
    x = noise(16, 6, 6)
    source = dataset.from_arrays(x, np.arange(16) % 2, (255 - x, np.arange(16) % 2))
    graphs, entries = [], []
    for _ in range(4):
        with contextlib.suppress(ZeroDivisionError), memory.child_graphs():
            train_child(source, on_updates=lambda updates: 1 / 0)
        graphs.append(live_graphs())
        entries.append(len(ops.gradient_registry._registry))
    # The first may sweep up what earlier tests left.
    assert graphs[2:] == graphs[1:-1], graphs
    assert entries[2:] == entries[1:-1]


def test_what_was_there_before_lives_on() -> None:
    inputs = keras.Input((4,))
    policy = keras.Model(inputs, keras.layers.Dense(2, activation="swish")(inputs))
    gradient = tf.function(lambda x: tf.gradients(policy(x), x)[0])
    before = gradient(tf.ones((1, 4)))
    with memory.child_graphs():
        keras.Sequential([keras.layers.Dense(1)])(tf.ones((1, 4)))
    np.testing.assert_array_equal(before, gradient(tf.ones((1, 4))))
    gradient(tf.ones((2, 4)))  # traced anew


def test_a_tensorflow_without_the_registry_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ops, "gradient_registry")
    with memory.child_graphs():
        pass


def test_the_users_precision_stays() -> None:
    x = noise(16, 6, 6)
    source = dataset.from_arrays(x, np.arange(16) % 2, (255 - x, np.arange(16) % 2))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    seen = []
    try:
        for _ in range(4):
            with memory.child_graphs():
                train_child(source)
                seen.append(keras.layers.Dense(2).compute_dtype)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)
    assert seen == ["bfloat16"] * 4


def test_unnamed_layers_have_the_same_names_in_every_child() -> None:
    names = []
    for _ in range(3):
        with memory.child_graphs():
            names.append([keras.layers.Dense(2).name, keras.layers.Dense(2).name])
    assert names == [["dense", "dense_1"]] * 3


def test_graphs_of_before_are_seldom_optimised_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras' clear_session empties the cache that holds what is ready to run."""
    double = tf.function(lambda x: 2 * x)
    double(tf.ones(3))
    kernels = context.context()
    cleared = []
    monkeypatch.setattr(type(kernels), "clear_kernel_cache", lambda self: cleared.append(self))
    monkeypatch.setattr(memory, "_ended", itertools.count(1))
    for ended in range(1, 2 * memory.EMPTIED_EVERY + 1):
        with memory.child_graphs():
            if ended == 1:
                keras.layers.Dense(2)(tf.ones((1, 2)))
        assert cleared == [kernels] * (ended // memory.EMPTIED_EVERY)


def test_emptied_caches_change_no_result() -> None:
    x = np.random.default_rng(0).integers(0, 255, (32, 6, 6, 1)).astype(np.uint8)
    source = dataset.from_arrays(x, np.arange(32) % 2, (255 - x, np.arange(32) % 2))
    inputs = keras.Input((4,))
    policy = keras.Sequential([inputs, keras.layers.Dense(2, activation="swish")])
    act = tf.function(lambda x: policy(x))
    before, losses = act(tf.ones((1, 4))), []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        losses.append(train_child(source))
        memory._empty_caches()
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(before, act(tf.ones((1, 4))))


@pytest.mark.parametrize("system", ["win32", "darwin", "linux"])
def test_memory_is_given_back_where_that_can_be_asked(
    monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    asked = []
    monkeypatch.setattr(memory.sys, "platform", system)
    library = types.SimpleNamespace(malloc_trim=asked.append)
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: library)
    memory._empty_caches()
    assert asked == ([0] if system == "linux" else [])
    del library.malloc_trim  # as in musl
    memory._empty_caches()
