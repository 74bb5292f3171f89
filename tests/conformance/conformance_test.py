"""One suite for every operation, activation and branch type: what is promised of a network.

It builds, has the right output, costs what its spec says, trains, reloads equal, starts the same
each time, compiles under XLA with static shapes, and trains the same on two replicas as on one.
"""

from __future__ import annotations

import math
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.architecture.cost import cost
from epnas_tf.architecture.ops import ACTIVATIONS, BRANCHES, OPS
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec
from epnas_tf.modeling import build_model, cost_of_model
from epnas_tf.training import memory
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.step import train_step_function

SHAPE = (9, 7, 3)  # odd and oblong, so that rounding and a mix-up of axes show
CLASSES = 5
BATCH = 8
SCHEDULE = Schedule("test", epochs=1, batch_size=BATCH, learning_rate=0.1)

WIDTHS = (1, 3, 5, 7, 3)  # one for each activation
CHANNELS = (16, 24, 8, 12, 16)


def _convolutions(op):
    return tuple(
        LayerSpec(op, width=width, channels=channels, activation=activation)
        for width, channels, activation in zip(WIDTHS, CHANNELS, ACTIVATIONS, strict=True)
    )


def _pair(activation):
    """Returns a net of both convolutions with this activation, the second with a skip."""
    index = ACTIVATIONS.index(activation)
    first, second = _convolutions("conv2d")[index], _convolutions("dep_sep_conv2d")[index - 1]
    second = second.replace("activation", activation).replace("src2", 0)
    return LayerwiseSpec((first, second))


def _branch(op, **fields):
    values = {"width": 3, "pool": 2, "channels": 4, "src2": 0} | fields
    applying = (*BRANCHES[op].fields, "src1", "propagate")
    return BranchSpec(op, **{name: values[name] for name in applying if name in values})


def _one_type(op):
    """Returns a cell of a branch type that reads the cell's input, and again what came of it."""
    return CellSpec((_branch(op, propagate=0), _branch(op, src1=1, src2=0, width=5, pool=3)))


ALL_LAYERS = LayerwiseSpec(
    (
        *_convolutions("conv2d"),
        LayerSpec("max_pool", pool=2, src2=2),
        *_convolutions("dep_sep_conv2d"),
        LayerSpec("add", src2=6),
        LayerSpec("avg_pool", pool=3, src2=0),
        LayerSpec("add", src2=1),
    )
)
ALL_BRANCHES = CellSpec(
    tuple(_branch(op, src1=k // 2, src2=k) for k, op in enumerate(BRANCHES)), filters=8
)

# Every operation and activation once, for what takes seconds per network.
FEW_LAYERS = LayerwiseSpec(
    (
        *_convolutions("conv2d")[:3],
        LayerSpec("max_pool", pool=2, src2=2),
        *_convolutions("dep_sep_conv2d")[3:],
        LayerSpec("avg_pool", pool=3, src2=0),
        LayerSpec("add", src2=1),
    )
)
FEW_BRANCHES = CellSpec(
    (
        _branch("conv-maxpool"),
        _branch("conv-avgpool", src1=1, src2=0),
        _branch("1x7-7x1-none", src1=0),
    ),
    filters=8,
)

NETWORKS = {
    **{activation: _pair(activation) for activation in ACTIVATIONS},
    **{
        f"{op}{pool}": LayerwiseSpec((LayerSpec(op, pool=pool, src2=src2),))
        for op, pool, src2 in (("max_pool", 2, -1), ("max_pool", 3, 0), ("avg_pool", 3, -1))
    },
    "add": LayerwiseSpec((_convolutions("conv2d")[0], LayerSpec("add", src2=0))),
    "all_layers": ALL_LAYERS,
    **{op: _one_type(op) for op in BRANCHES},
    "all_branches": ALL_BRANCHES,
    "leaves": CellSpec(
        tuple(_branch(op, propagate=0) for op in ("conv-none", "maxpool-none", "conv-conv"))
    ),
    "deep_cells": CellSpec((_branch("conv-maxpool"),), 12, cells_per_stage=2, width_multiplier=1.5),
}


def test_the_networks_cover_the_spaces():
    layers = [layer for n in NETWORKS.values() if n.pattern == "layerwise" for layer in n.layers]
    assert {layer.op for layer in layers} == set(OPS)
    convolved = {(layer.op, layer.activation) for layer in layers if layer.activation}
    assert convolved == {(op, a) for op in ("conv2d", "dep_sep_conv2d") for a in ACTIVATIONS}
    branches = [branch for n in NETWORKS.values() if n.pattern == "module" for branch in n.branches]
    assert {branch.op for branch in branches} == set(BRANCHES)


@pytest.fixture(name="spec", params=NETWORKS.values(), ids=NETWORKS.keys(), scope="module")
def _spec(request):
    return request.param


@pytest.fixture(name="model", scope="module")
def _model(spec):
    with memory.child_graphs():
        yield build_model(spec, SHAPE, CLASSES, seed=1)


def _batch(steps=1, batch=BATCH, shape=SHAPE, dtype=np.float32):
    """Returns (images [steps, batch, h, w, c], labels [steps, batch])."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((steps, batch, *shape)).astype(dtype)
    return images, rng.integers(0, CLASSES, (steps, batch)).astype(np.int32)


def test_it_costs_what_its_spec_says(spec, model):
    counted = cost_of_model(model)
    assert model.output_shape == (None, CLASSES)
    assert counted == cost(spec, SHAPE, CLASSES)
    assert counted.params == sum(math.prod(w.shape) for w in model.trainable_weights)


def test_it_starts_the_same_each_time(spec, model):
    again = build_model(spec, SHAPE, CLASSES, seed=1)
    for first, second in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_step_moves_every_weight(spec, model):
    del spec
    images, labels = _batch()
    before = model.get_weights()
    step = train_step_function(model, SCHEDULE, tf.distribute.get_strategy())
    loss, _ = step(tf.constant(images), tf.constant(labels), tf.constant(0.1))
    assert np.isfinite(loss)
    assert not _unmoved(model, before)


def _unmoved(model, before):
    """Returns the names of the weights, batch norm's statistics included, that are as before."""
    pairs = zip(model.weights, model.get_weights(), before, strict=True)
    return [weight.path for weight, new, old in pairs if np.array_equal(new, old)]


def test_it_reloads_equal(spec, model, tmp_path):
    del spec
    path = tmp_path / "model.keras"
    model.save(path)
    images = _batch()[0][0]
    np.testing.assert_array_equal(keras.saving.load_model(path)(images), model(images))


@pytest.mark.parametrize("spec_", [FEW_LAYERS, FEW_BRANCHES], ids=["layers", "branches"])
def test_it_compiles_with_static_shapes_and_runs_under_xla(spec_, forbidden_ops):
    with memory.child_graphs():
        model = build_model(spec_, SHAPE, CLASSES, seed=1)
        step = train_step_function(model, SCHEDULE, tf.distribute.get_strategy(), jit_compile=True)
        arguments = (*map(tf.constant, _batch()), tf.constant(0.1))
        function = step.get_concrete_function(*arguments)
        assert forbidden_ops(function) == []
        tensors = [x for operation in function.graph.get_operations() for x in operation.outputs]
        floats = [tensor for tensor in tensors if tensor.dtype.is_floating]
        assert not [tensor for tensor in floats if not tensor.shape.is_fully_defined()]
        before = model.get_weights()
        loss, _ = step(*arguments)
        assert np.isfinite(loss)
        assert not _unmoved(model, before)


def test_two_replicas_train_as_one():
    # Devices are set up once per process. In float64, as rounding grows to 1e-2 in 13 steps else.
    specs = [spec.to_json() for spec in (FEW_LAYERS, FEW_BRANCHES)]
    script = pathlib.Path(__file__).with_name("two_replicas.py")
    done = subprocess.run(
        [sys.executable, str(script), *specs],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    differences = [float(line) for line in done.stdout.split()]
    assert len(differences) == len(specs)
    assert max(differences) < 1e-5, differences
