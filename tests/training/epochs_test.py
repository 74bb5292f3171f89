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
from epnas_tf.fields import SettingError
from epnas_tf.modeling import build_model
from epnas_tf.training import devices, state, trainer
from epnas_tf.training.epochs import Place
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.state import State
from epnas_tf.training.trainer import TrainResult
from tests.data.images import noise

_LAYERWISE = LayerwiseSpec((LayerSpec("conv2d", 3, channels=4, activation="relu"),), stem_filters=2)
_MODULE = CellSpec((BranchSpec("conv-none", 1, channels=2),), filters=2)
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
    return *found, states[0]


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
    whole, wanted = _trained(spec, data, longer, **first)
    stored = state.from_bytes(state.to_bytes(states[0]))
    rest, found = _trained(spec, data, longer, **first, state=stored)
    assert states[0].updates % plan.steps_per_epoch(72) > 0  # in the middle of an epoch
    assert found == wanted
    for one, other in zip(whole.get_weights(), rest.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(states) == 3 and states[1].digest == states[2].digest != states[0].digest


def test_whoever_takes_the_state_changes_no_bit(data, short):
    (one, watched, _), (other, alone) = short, _trained(_LAYERWISE, data, _SHORT)
    assert watched.validation_accuracy == alone.validation_accuracy
    assert [each.loss for each in watched.epochs] == [each.loss for each in alone.epochs]
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 4}, "the same training, it has seed 3, not 4"),
        ({"plan": dataclasses.replace(_SHORT, learning_rate=0.2)}, "it has schedule .*0.1.*0.2"),
        ({"plan": dataclasses.replace(_SHORT, epochs=1)}, "at most 9 updates, .* got 14"),
        ({"spec": _MODULE}, "it has network 'layerwise_.*', not 'module_.*'"),
    ],
)
def test_the_state_of_another_training_is_refused(data, short, changes, reason):
    arguments = {"spec": _LAYERWISE, "data": data, "plan": _SHORT} | changes
    with pytest.raises(ValueError, match=reason):
        _trained(**arguments, state=short[2])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"decay": "cosine"}, "decay must be trapezoid where .* got cosine"),
        ({"low_resolution": 0.5}, "low_resolution must be 0 where .* got 0.5"),
        ({"drop_path": 0.4}, "drop_path must be 0 where .* got 0.4"),
    ],
)
def test_some_schedules_have_no_place_to_go_on_from(data, changes, reason):
    plan = dataclasses.replace(_SHORT, **changes)
    with pytest.raises(SettingError, match=reason):
        _trained(_LAYERWISE, data, plan, on_state=lambda _: None)


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
    place.updates, place._falls_from = done, falls
    others = [0, 16] if falls < 0 else []
    assert [place.cuts(epoch, 10, others) for epoch in range(done // 10, 3)] == cuts
