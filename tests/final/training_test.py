"""Any network is trained by a recipe: on which images, for how long, from which state."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from epnas_tf.data import arrays, dataset
from epnas_tf.data.dataset import Data
from epnas_tf.fields import SettingError
from epnas_tf.final import recipes, training
from epnas_tf.final.settings import BOTH, TRAIN, Recipe
from epnas_tf.training import trainer
from epnas_tf.training.state import StateError

_RECIPE = Recipe(
    schedule="plain", epochs=3, batch_size=32, learning_rate=0.1, ema_decay=0.9, brightness=0.5
)


@pytest.fixture(name="digits", scope="module")
def _digits() -> Data:
    return dataset.load("digits", train_fraction=0.2)


def _network(name: str = "mine") -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 1))
    h = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    h = keras.layers.BatchNormalization(momentum=0.9)(h)
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(h)), name=name)


def test_the_validation_part_is_trained_on_where_a_test_part_is_there(digits):
    parts = training.parts_of(digits, _RECIPE)
    assert (parts.measured_on, parts.validates) == ("test", False)
    assert parts.measured is digits.test
    assert len(parts.data.train) == len(digits.train) + len(digits.validation)
    images = np.concatenate([digits.train.images, digits.validation.images])
    assert (parts.data.mean, parts.data.std) == arrays.channel_statistics(images, 255.0)
    assert parts.data.augmentation.brightness == 0.5
    assert parts.data.augmentation.pad == digits.augmentation.pad


def test_else_it_is_measured_on(digits):
    alone = training.parts_of(digits, dataclasses.replace(_RECIPE, train_on=TRAIN))
    assert (alone.measured_on, alone.validates) == ("test", True)
    assert alone.data.train is digits.train
    without = dataclasses.replace(digits, test=None)
    parts = training.parts_of(without, _RECIPE)
    assert (parts.measured_on, parts.validates) == ("validation", True)
    assert parts.data.train is digits.train and parts.measured is digits.validation
    with pytest.raises(SettingError, match="train_on must be train where there is no test part"):
        training.parts_of(without, dataclasses.replace(_RECIPE, train_on=BOTH))


def test_a_recipes_batch_suits_the_images_and_a_persons_own_stays(digits):
    data = training.parts_of(digits, _RECIPE).data
    recipe = recipes.read("default")
    plan = training.plan_of(recipe, data)
    assert plan.batch_size == len(data.train) // 16 < recipe.batch_size
    assert plan.learning_rate == pytest.approx(0.1 * plan.batch_size / 128)
    assert (plan.epochs, plan.ema_decay, plan.weight_decay) == (100, 0.999, 5e-4)
    assert training.plan_of(recipe, data, named=True).batch_size == 128


@pytest.mark.parametrize("train_on", [TRAIN, BOTH])
def test_a_network_of_ones_own_is_trained_and_goes_on_to_the_same_bits(digits, tmp_path, train_on):
    recipe = dataclasses.replace(_RECIPE, train_on=train_on)
    parts = training.parts_of(digits, recipe)
    plan = training.plan_of(recipe, parts.data, named=True)
    path, told, networks = str(tmp_path / "state.npz"), [], [_network(), _network()]
    whole = training.train(networks[0], parts, plan, seed=3)

    def stop(epochs):
        told.append(len(epochs))
        if len(epochs) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(_network(), parts, plan, seed=3, state_file=path, on_epochs=stop)
    for _ in range(2):  # the second time from the state of the last epoch
        rest = training.train(
            networks[1], parts, plan, seed=3, state_file=path, on_epochs=lambda e: told.append(e[:])
        )
        for one, other in zip(networks[0].get_weights(), networks[1].get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        assert rest.epochs == whole.epochs
        np.testing.assert_array_equal(rest.measurement.confusion, whole.measurement.confusion)
        assert rest.validation_accuracy == whole.validation_accuracy
    # Told were epochs 1 and 2, the second of them without its state, then 2 and 3 once more.
    assert told[:2] == [1, 2] and told[2:] == [list(whole.epochs[:2]), list(whole.epochs)]
    assert len(whole.epochs) == 3 and whole.plan == plan
    validated = [each.validation_accuracy is not None for each in whole.epochs]
    assert validated == [train_on == TRAIN] * 3
    if train_on == TRAIN:
        assert whole.validation_accuracy == whole.epochs[-1].validation_accuracy
    else:
        assert whole.validation_accuracy is None


def test_the_measurement_is_of_the_network_as_it_is_left(digits):
    parts = training.parts_of(digits, _RECIPE)
    network, plan = _network(), training.plan_of(_RECIPE, parts.data)
    found = training.train(network, parts, plan, seed=3)
    pixels = (digits.test.images / 255.0 - parts.data.mean) / parts.data.std
    labels = network.predict(pixels, verbose=0).argmax(1)
    assert found.measurement.accuracy == (labels == digits.test.labels).mean()
    assert found.measurement.confusion[3, 8] == ((digits.test.labels == 3) & (labels == 8)).sum()


def test_the_test_part_is_measured_once_and_at_the_end(digits, monkeypatch):
    parts = training.parts_of(digits, dataclasses.replace(_RECIPE, train_on=TRAIN))
    events, real = [], trainer.predicted
    monkeypatch.setattr(
        trainer, "predicted", lambda *args: events.append(len(args[1])) or real(*args)
    )
    plan = training.plan_of(_RECIPE, parts.data)
    training.train(_network(), parts, plan, seed=3, on_epochs=lambda e: events.append("epoch"))
    assert events == ["epoch"] * 3 + [len(digits.test)]


def test_a_loss_that_is_no_number_is_said_and_leaves_the_state_before(digits, tmp_path):
    recipe = dataclasses.replace(_RECIPE, learning_rate=1e30, clip_norm=0.0)
    parts = training.parts_of(digits, recipe)
    plan = training.plan_of(recipe, parts.data, named=True)
    with pytest.raises(
        SettingError, match=r"learning_rate must be lower.* the loss of epoch \d is"
    ):
        training.train(_network(), parts, plan, seed=3)


def test_the_state_of_another_training_is_refused(digits, tmp_path):
    parts, path = training.parts_of(digits, _RECIPE), str(tmp_path / "state.npz")
    plan = dataclasses.replace(training.plan_of(_RECIPE, parts.data), epochs=1)
    training.train(_network(), parts, plan, seed=3, state_file=path)
    with pytest.raises(StateError, match="it has network 'mine', not 'other'"):
        training.train(_network("other"), parts, plan, seed=3, state_file=path)
    (tmp_path / "state.npz").write_bytes(b"torn")
    with pytest.raises(StateError, match="is corrupt"):
        training.train(_network(), parts, plan, seed=3, state_file=path)
