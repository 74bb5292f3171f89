"""Where a training begins and pauses: one that goes on has the bits of one from the start."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec, Spec
from epnas_tf.data import dataset
from epnas_tf.data.augment import Augmentation
from epnas_tf.data.dataset import Data
from epnas_tf.modeling import build_model
from epnas_tf.training import devices, state, trainer
from epnas_tf.training.epochs import Place
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.state import State
from epnas_tf.training.trainer import TrainResult
from tests.data.images import noise

_LAYERWISE = LayerwiseSpec((LayerSpec("conv2d", 3, channels=4, activation="relu"),), stem_filters=2)
_MODULE = CellSpec((BranchSpec("conv-none", 1, channels=2),), filters=2)
_DEEP = CellSpec((BranchSpec("conv-conv", 1, channels=2, src2=0),), filters=2)  # has paths to drop
# Of 72 images the first has 9 updates per epoch and falls after 14, the other 5 and after 8.
_SHORT = Schedule("test", 2, 8, learning_rate=0.1, warmup_epochs=1, decay="trapezoid")
_PARTS = dataclasses.replace(_SHORT, epoch_images=40, ema_decay=0.9)
_MIXED = dataclasses.replace(_PARTS, mixup=0.4, auxiliary_weight=0.4)


@pytest.fixture(name="data", scope="module")
def _data() -> Data:
    images, labels = noise(81, 8, 8), np.arange(81) % 3
    found = dataset.from_arrays(images[9:], labels[9:], (images[:9], labels[:9]))
    return dataclasses.replace(found, augmentation=Augmentation(pad=1, flip=True))


def _trained(
    spec: Spec, data: Data, plan: Schedule, seed: int = 3, **arguments
) -> tuple[keras.Model, TrainResult]:
    model = build_model(spec, data.input_shape, data.num_classes, seed=seed)
    none = devices.make_strategy("none")
    result = trainer.train(model, data, plan, none, seed=seed, **arguments)
    return model, dataclasses.replace(result, train_seconds=0, setup_seconds=0)


@pytest.fixture(name="short", scope="module")
def _short(data) -> tuple[keras.Model, TrainResult, State]:
    """A short training that was watched, and where its rate began to fall."""
    states: list[State] = []
    found = _trained(_LAYERWISE, data, _SHORT, on_state=states.append, validate_each_epoch=True)
    return *found, states[1]


@pytest.mark.parametrize(
    ("spec", "plan"), [(_LAYERWISE, _SHORT), (_MODULE, _PARTS), (_MODULE, _MIXED)]
)
def test_a_training_that_goes_on_has_the_bits_of_one_from_the_start(data, short, spec, plan):
    states: list[State] = [short[2]]
    first = {"on_state": states.append, "validate_each_epoch": True}
    longer = dataclasses.replace(plan, epochs=6)
    if spec != _LAYERWISE:
        states.clear()
        _trained(spec, data, plan, **first)
    (shorter,) = (each for each in states if each.updates % plan.steps_per_epoch(72))
    assert shorter.updates == plan.falls_from(plan.steps_per_epoch(72))  # within an epoch
    states.clear()
    whole, wanted = _trained(spec, data, longer, **first)
    others = [each.digest for each in states if each.updates > shorter.updates]
    states.clear()
    stored = state.from_bytes(state.to_bytes(shorter))
    rest, found = _trained(spec, data, longer, **first, state=stored)
    assert found == wanted
    _same_weights(whole, rest)
    assert [each.digest for each in states] == others


_COSINE = dataclasses.replace(_SHORT, decay="cosine", ema_decay=0.9, low_resolution=0.4)


_WHOLE = {"drop_path": 0.4, "auxiliary_weight": 0.4, "mixup": 0.2, "low_resolution": 0.0}


@pytest.mark.parametrize(
    ("spec", "plan"),
    [
        (_LAYERWISE, _COSINE),
        (_LAYERWISE, _PARTS),
        (_DEEP, dataclasses.replace(_COSINE, **_WHOLE)),
    ],
)
def test_a_training_goes_on_from_each_of_its_states(data, spec, plan):
    states: list[State] = []
    told = {"validate_each_epoch": True}
    whole, wanted = _trained(spec, data, plan, **told, on_state=states.append)
    steps = plan.steps_per_epoch(72)
    falls = {plan.falls_from(steps)} if plan.decay == "trapezoid" else set()
    assert [each.updates for each in states] == sorted({steps, 2 * steps} | falls)
    for stored in (state.from_bytes(state.to_bytes(each)) for each in states):
        rest, found = _trained(spec, data, plan, **told, state=stored)
        assert dataclasses.replace(found, hits=None) == dataclasses.replace(wanted, hits=None)
        np.testing.assert_array_equal(found.hits, wanted.hits)
        _same_weights(whole, rest)


def _same_weights(one: keras.Model, other: keras.Model) -> None:
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_no_state_is_handed_out_of_a_loss_that_is_no_number(data):
    states: list[State] = []
    plan = dataclasses.replace(_COSINE, learning_rate=1e30, clip_norm=0.0, warmup_epochs=0)
    _, found = _trained(_LAYERWISE, data, plan, on_state=states.append)
    assert not found.finite and len(states) == len(found.epochs) - 1


def test_whoever_takes_the_state_changes_no_bit(data, short):
    (one, watched, _), (other, alone) = short, _trained(_LAYERWISE, data, _SHORT)
    assert watched.validation_accuracy == alone.validation_accuracy
    assert [each.loss for each in watched.epochs] == [each.loss for each in alone.epochs]
    _same_weights(one, other)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 4}, "the same training, it has seed 3, not 4"),
        ({"plan": dataclasses.replace(_SHORT, learning_rate=0.2)}, "it has schedule .*0.1.*0.2"),
        ({"plan": dataclasses.replace(_SHORT, epochs=1)}, "at most 9 updates .* of 2, got 14"),
        ({"spec": _MODULE}, "it has network 'layerwise_.*', not 'module_.*'"),
    ],
)
def test_the_state_of_another_training_is_refused(data, short, changes, reason):
    arguments = {"spec": _LAYERWISE, "data": data, "plan": _SHORT} | changes
    with pytest.raises(ValueError, match=reason):
        _trained(**arguments, state=short[2])


@pytest.mark.parametrize(
    ("done", "falls", "cuts"),
    [
        (0, -1, [[0, 10], [0, 6, 10], [0, 10]]),
        (0, 14, [[0, 10], [0, 4, 10], [0, 10]]),
        (12, 14, [[2, 4, 10], [0, 10]]),
        (14, 14, [[4, 10], [0, 10]]),
        (0, 10, [[0, 10], [0, 10], [0, 10]]),  # between two epochs nothing is cut
    ],
)
def test_an_epoch_is_cut_where_it_begins_and_pauses(done, falls, cuts):
    place = Place(None, None)
    place.updates, place._pause = done, falls
    others = [0, 16] if falls < 0 else []
    assert [place.cuts(epoch, 10, others) for epoch in range(done // 10, 3)] == cuts
