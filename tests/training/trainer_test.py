from __future__ import annotations

import dataclasses
import math

import keras
import numpy as np
import pytest

from epnas_tf import interrupts
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.data import dataset
from epnas_tf.data.augment import Augmentation
from epnas_tf.data.dataset import Data
from epnas_tf.modeling import build_model
from epnas_tf.training import devices, loop, trainer
from epnas_tf.training.epochs import EpochResult, Updates
from epnas_tf.training.schedule import Schedule, fit_to, for_dataset, schedule
from epnas_tf.training.trainer import TrainResult

NONE = devices.make_strategy("none")


@pytest.fixture(scope="module")
def digits() -> Data:
    return dataset.load("digits")


def conv_net(source: Data, widths: tuple[int, ...] = (4, 4), momentum: float = 0.9) -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = h = keras.Input(source.input_shape)
    for index, width in enumerate(widths):
        stride = 2 if index == 2 else 1
        h = keras.layers.Conv2D(width, 3, stride, padding="same", use_bias=False)(h)
        h = keras.layers.BatchNormalization(momentum=momentum, epsilon=1e-5)(h)
        h = keras.layers.ReLU()(h)
    h = keras.layers.GlobalAveragePooling2D()(h)
    return keras.Model(inputs, keras.layers.Dense(source.num_classes)(h))


def linear_net(source: Data, dtype: str = "float64") -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input(source.input_shape, dtype=dtype)
    h = keras.layers.Flatten(dtype=dtype)(inputs)
    return keras.Model(inputs, keras.layers.Dense(source.num_classes, dtype=dtype)(h))


def short(**overrides: float) -> Schedule:
    plan = {"epochs": 1, "batch_size": 512, "learning_rate": 0.1} | overrides
    return schedule("plain", **plan)


def run(model: keras.Model, source: Data, plan: Schedule, seed: int = 3) -> TrainResult:
    return trainer.train(model, source, plan, NONE, seed=seed)


def largest_difference(left: keras.Model, right: keras.Model) -> float:
    pairs = zip(left.get_weights(), right.get_weights(), strict=True)
    return max(float(np.abs(one - two).max()) for one, two in pairs)


def test_two_steps_change_every_weight(digits: Data) -> None:
    model = conv_net(digits)
    before = model.get_weights()
    result = run(model, digits, short())
    assert (result.steps, result.finite, len(result.epochs)) == (2, True, 1)
    for old, variable in zip(before, model.weights, strict=True):
        assert np.abs(old - variable).max() > 0, variable.path


def test_the_same_seed_gives_the_same_bits(digits: Data) -> None:
    first, again, other = conv_net(digits), conv_net(digits), conv_net(digits)
    results = [run(first, digits, short()), run(again, digits, short())]
    run(other, digits, short(), seed=4)
    assert largest_difference(first, again) == 0
    assert results[0].epochs == results[1].epochs
    assert largest_difference(first, other) > 1e-4


def test_the_test_part_changes_nothing(digits: Data) -> None:
    with_test, without = conv_net(digits), conv_net(digits)
    run(with_test, digits, short())
    run(without, dataclasses.replace(digits, test=None), short())
    assert largest_difference(with_test, without) == 0


@pytest.mark.parametrize("clip_norm", [0.0, 0.3])
def test_updates_are_nesterov_with_l2_on_kernels_and_one_clipping(
    digits: Data, clip_norm: float
) -> None:
    source = dataclasses.replace(digits, augmentation=Augmentation())
    model = linear_net(source)
    plan = short(weight_decay=0.1, clip_norm=clip_norm, micro_batch_size=128)
    kernel, bias = model.get_weights()
    (order,), _ = trainer.pipeline._orders(len(source.train), plan, 3)
    pixels = (source.train.images / np.float32(255) - np.float32(source.mean)) / np.float32(
        source.std
    )
    momenta = [np.zeros_like(kernel), np.zeros_like(bias)]
    norms = []
    # The cosine of two updates: full rate, then half.
    for rate, indices in zip((0.1, 0.05), order.reshape(2, 512), strict=True):
        x = pixels[indices].reshape(512, -1).astype(np.float64)
        logits = x @ kernel + bias
        odds = np.exp(logits - logits.max(1, keepdims=True))
        error = odds / odds.sum(1, keepdims=True) - np.eye(10)[source.train.labels[indices]]
        gradients = [x.T @ error / 512 + 0.1 * kernel, error.mean(0)]
        norms.append(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
        if clip_norm:
            gradients = [gradient * min(1, clip_norm / norms[-1]) for gradient in gradients]
        momenta = [0.9 * m - rate * g for m, g in zip(momenta, gradients, strict=True)]
        kernel, bias = (
            weight + 0.9 * m - rate * g
            for weight, m, g in zip((kernel, bias), momenta, gradients, strict=True)
        )
    assert min(norms) > 0.3
    run(model, source, plan)
    np.testing.assert_allclose(model.get_weights()[0], kernel, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], bias, atol=1e-6)


def test_micro_batches_give_the_weights_of_one_piece(digits: Data) -> None:
    whole, pieces = linear_net(digits), linear_net(digits)
    results = [
        run(whole, digits, short(epochs=2, clip_norm=0.3)),
        run(pieces, digits, short(epochs=2, clip_norm=0.3, micro_batch_size=64)),
    ]
    assert largest_difference(whole, pieces) < 1e-7
    assert results[0].epochs[-1].accuracy == pytest.approx(results[1].epochs[-1].accuracy)
    assert results[0].epochs[-1].loss == pytest.approx(results[1].epochs[-1].loss, rel=1e-5)


def test_micro_batches_with_batch_norm_run(digits: Data) -> None:
    model = conv_net(digits)
    assert run(model, digits, short(micro_batch_size=128)).finite


def test_loss_and_accuracy_are_means_over_the_epochs_images(digits: Data) -> None:
    source = dataclasses.replace(digits, augmentation=Augmentation())
    model = linear_net(source, "float32")
    plan = short(batch_size=len(source.train), learning_rate=1e-9)
    (epoch,) = run(model, source, plan).epochs
    pixels = (source.train.images / 255.0 - source.mean) / source.std
    logits = model.predict(pixels, verbose=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(source.train.labels, logits)
    assert epoch.loss == pytest.approx(float(loss), rel=1e-5)
    assert epoch.accuracy == pytest.approx((logits.argmax(1) == source.train.labels).mean())


def test_the_first_updates_may_see_images_of_half_the_size(digits: Data) -> None:
    source = dataclasses.replace(digits, augmentation=Augmentation())
    keras.utils.set_random_seed(1)
    inputs = keras.Input((None, None, 1))
    h = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    free = keras.Model(
        inputs, keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(h)), name="free"
    )
    model = keras.Model(image := keras.Input(source.input_shape), free(image))
    plan = short(learning_rate=1e-9, low_resolution=0.5)  # of two updates the first
    (epoch,) = run(model, source, plan).epochs
    (order,), _ = trainer.pipeline._orders(len(source.train), plan, 3)
    pixels = ((source.train.images / 255.0 - source.mean) / source.std)[order]
    half = pixels[:512].reshape(512, 4, 2, 4, 2, 1).mean((2, 4))
    logits = np.concatenate([free.predict(part, verbose=0) for part in (half, pixels[512:])])
    labels = source.train.labels[order]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    assert epoch.loss == pytest.approx(float(loss), rel=1e-5)
    assert epoch.accuracy == pytest.approx((logits.argmax(1) == labels).mean())


@pytest.mark.parametrize("micro_batch_size", [0, 100])
def test_class_weights_change_the_loss_as_by_hand(digits: Data, micro_batch_size: int) -> None:
    others, threes = (np.flatnonzero((digits.train.labels == 3) == is_3) for is_3 in (False, True))
    kept = np.concatenate([others[:380], threes[:20]])
    train = digits.train.take(kept).weighted(np.linspace(0, 2, 400))
    source = dataclasses.replace(digits, train=train, augmentation=Augmentation())
    model = linear_net(source, "float32")
    plan = short(batch_size=400, learning_rate=1e-9, micro_batch_size=micro_batch_size)
    (plain,) = run(model, source, plan).epochs
    (balanced,) = run(model, source, dataclasses.replace(plan, class_weight="balanced")).epochs
    pixels = (train.images / 255.0 - source.mean) / source.std
    logits = model.predict(pixels, verbose=0).astype(np.float64)
    each = np.log(np.exp(logits).sum(1)) - logits[np.arange(400), train.labels]
    own = np.linspace(0, 2, 400)
    by_class = 400 / (10 * np.bincount(train.labels))[train.labels]
    assert by_class.max() == 2.0  # of the 20 images of class 3
    assert plain.loss == pytest.approx((own * each).sum() / 400, rel=1e-5)
    assert balanced.loss == pytest.approx((own * by_class * each).sum() / 400, rel=1e-5)
    assert balanced.accuracy == plain.accuracy
    assert plain.accuracy == pytest.approx((logits.argmax(1) == train.labels).mean())


def test_accuracies_come_from_one_count_by_class(digits: Data) -> None:
    kept = np.flatnonzero(digits.validation.labels != 7)
    source = dataclasses.replace(digits, validation=digits.validation.take(kept))
    model = linear_net(source, "float32")
    result = run(model, source, short())
    pixels = (source.validation.images / 255.0 - source.mean) / source.std
    right = model.predict(pixels, verbose=0).argmax(1) == source.validation.labels
    hits = trainer.class_hits(model, source.validation, source, NONE, 64)
    shares = [right[source.validation.labels == label].mean() for label in hits.shares]
    assert list(hits.shares) == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert list(hits.shares.values()) == shares
    assert result.validation_accuracy == hits.accuracy == right.sum() / len(right)
    assert result.balanced_accuracy == hits.balanced_accuracy == pytest.approx(np.mean(shares))
    assert list(result.hits) == list(hits.hits) == list(right)  # image by image, in their order


@pytest.mark.parametrize("batch_size", [64, 1000])
def test_labels_are_those_of_the_largest_logits_in_the_order_of_the_images(
    digits: Data, batch_size: int
) -> None:
    model = linear_net(digits, "float32")
    pixels = (digits.test.images / 255.0 - digits.mean) / digits.std
    labels = trainer.predicted(model, digits.test, digits, NONE, batch_size)
    assert labels.dtype == np.int32
    assert labels.tolist() == model.predict(pixels, verbose=0).argmax(1).tolist()
    assert len(set(labels.tolist())) > 3


@pytest.mark.parametrize("batch_size", [64, 359, 1000])
def test_accuracy_counts_every_example_once(digits: Data, batch_size: int) -> None:
    model = linear_net(digits, "float32")
    run(model, digits, short())
    pixels = (digits.test.images / 255.0 - digits.mean) / digits.std
    right = model.predict(pixels, verbose=0).argmax(1) == digits.test.labels
    assert 0 < right.mean() < 1
    measured = trainer.accuracy(model, digits.test, digits, NONE, batch_size)
    assert measured == pytest.approx(right.mean())


def test_validation_is_measured_after_the_last_epoch(digits: Data) -> None:
    model = conv_net(digits)
    result = trainer.train(model, digits, short(epochs=2), NONE, seed=0, validate_each_epoch=True)
    measured = trainer.accuracy(model, digits.validation, digits, NONE)
    assert result.validation_accuracy == measured
    assert [epoch.validation_accuracy is None for epoch in result.epochs] == [False, False]
    assert result.epochs[-1].validation_accuracy == measured
    rarely = run(conv_net(digits), digits, short(epochs=2))
    assert [epoch.validation_accuracy is None for epoch in rarely.epochs] == [True, False]
    assert rarely.validation_accuracy == rarely.epochs[-1].validation_accuracy


def test_whoever_listens_hears_of_updates_and_changes_no_bit(digits: Data) -> None:
    heard: list[Updates] = []
    models = [conv_net(digits), conv_net(digits)]
    alone = run(models[0], digits, short(epochs=2))
    listened = trainer.train(
        models[1], digits, short(epochs=2), NONE, seed=3, on_updates=heard.append
    )
    assert largest_difference(*models) == 0
    assert listened.epochs == alone.epochs
    assert [(each.epoch, each.epochs, each.total) for each in heard] == [
        (epoch, 2, 4) for epoch in sorted(each.epoch for each in heard)
    ]
    done = [each.done for each in heard]
    assert done == sorted(set(done)) and done[-1] == 4 and 2 in done  # the end of each epoch
    assert heard[-1].accuracy == listened.epochs[1].accuracy


def test_the_sum_of_losses_and_the_last_training_accuracy_come_with_the_epochs() -> None:
    epochs = (EpochResult(0, 2.0, 0.25), EpochResult(1, 0.5, 0.75))
    result = TrainResult(epochs, 0.5, 0.5, 2, 1.0, 1.0, True)
    assert (result.loss_sum, result.train_accuracy) == (2.5, 0.75)
    lost = (*epochs, EpochResult(2, math.nan, 0.1))
    assert dataclasses.replace(result, epochs=lost, finite=False).loss_sum == math.inf


def test_averaged_weights_are_measured_and_stored_and_train_on_as_without(digits: Data) -> None:
    models = [conv_net(digits) for _ in range(3)]
    plain = trainer.train(models[0], digits, short(epochs=2), NONE, seed=3)
    plan = short(epochs=2, ema_decay=0.5)
    averaged = trainer.train(models[1], digits, plan, NONE, seed=3, validate_each_epoch=True)
    assert [each.loss for each in averaged.epochs] == [each.loss for each in plain.epochs]
    assert averaged.validation_accuracy == averaged.epochs[-1].validation_accuracy
    stored = trainer.accuracy(models[1], digits.validation, digits, NONE)
    assert averaged.validation_accuracy == stored
    assert largest_difference(models[0], models[1]) > 1e-3
    ended = trainer.train(models[2], digits, plan, NONE, seed=3, on_epoch=lambda _: True)
    assert ended.validation_accuracy == averaged.epochs[0].validation_accuracy


SKIPPED = LayerwiseSpec(
    (
        LayerSpec("conv2d", 3, channels=8, activation="relu"),
        LayerSpec("conv2d", 3, channels=8, activation="relu", src2=1),
        LayerSpec("conv2d", 3, channels=8, activation="relu", src2=2),
    ),
    stem_filters=8,
)
REGULARISED = {"mixup": 0.2, "drop_path": 0.3, "auxiliary_weight": 0.4}


def skipped_net(source: Data) -> keras.Model:
    return build_model(SKIPPED, source.input_shape, source.num_classes, seed=1)


def test_what_regularises_gives_the_same_bits_again_and_the_plain_network(digits: Data) -> None:
    source = dataclasses.replace(digits, augmentation=Augmentation(pad=1, cutout=3))
    plan = short(epochs=2, **REGULARISED)
    models = [skipped_net(source) for _ in range(2)]
    names = [variable.path for variable in models[0].variables]
    results = [run(model, source, plan) for model in models]
    assert results[0].epochs == results[1].epochs
    assert largest_difference(*models) == 0
    assert [variable.path for variable in models[0].variables] == names
    measured = trainer.accuracy(models[0], source.validation, source, NONE)
    assert results[0].validation_accuracy == measured


def test_each_of_what_regularises_changes_the_training(digits: Data) -> None:
    plain = skipped_net(digits)
    run(plain, digits, short())
    for setting, value in REGULARISED.items():
        other = skipped_net(digits)
        run(other, digits, short(**{setting: value}))
        assert largest_difference(plain, other) > 1e-5, setting


def test_what_regularises_lets_digits_be_learnt(digits: Data) -> None:
    plan = dataclasses.replace(fit_to(for_dataset("digits"), len(digits.train)), **REGULARISED)
    assert run(skipped_net(digits), digits, plan).validation_accuracy >= 0.8


def test_training_ends_when_on_epoch_says_so(digits: Data) -> None:
    seen: list[int] = []

    def second(epoch: EpochResult) -> bool:
        seen.append(epoch.epoch)
        return epoch.epoch == 1

    result = trainer.train(conv_net(digits), digits, short(epochs=5), NONE, seed=0, on_epoch=second)
    assert seen == [0, 1] and result.steps == 4


def test_a_loss_that_is_no_number_ends_training(digits: Data) -> None:
    plan = short(epochs=4, learning_rate=1e30, clip_norm=0.0)
    result = run(conv_net(digits), digits, plan)
    assert not result.finite and len(result.epochs) < 4
    assert result.validation_accuracy == 0.1


def test_xla_compiles_the_step(digits: Data) -> None:
    model, plan = conv_net(digits, (4,)), short(micro_batch_size=256)
    result = trainer.train(model, digits, plan, NONE, seed=3, jit_compile=True)
    reference = conv_net(digits, (4,))
    run(reference, digits, plan)
    assert result.finite and largest_difference(model, reference) < 1e-4


def test_digits_are_learnt_in_seconds(digits: Data) -> None:
    model = conv_net(digits, (16, 16, 32, 32))
    assert model.count_params() < 20_000
    plan = fit_to(for_dataset("digits"), len(digits.train))
    assert run(model, digits, plan).validation_accuracy >= 0.97


def test_batch_norm_needs_a_short_memory(digits: Data) -> None:
    """DECISIONS 6: after 40 updates a momentum of 0.99 still averages its initial values in."""
    accuracies = {}
    for momentum in (0.9, 0.99):
        model = conv_net(digits, (16, 16, 32), momentum)
        result = run(model, digits, short(epochs=5, batch_size=128))
        accuracies[momentum] = result.validation_accuracy
        assert result.steps == 40
        assert result.epochs[-1].accuracy > 0.6
    assert accuracies[0.9] > 0.6
    assert accuracies[0.9] > accuracies[0.99] + 0.15


def test_a_batch_that_does_not_fit_is_refused(digits: Data) -> None:
    with pytest.raises(ValueError, match="at most the 1079 training images, got 2000"):
        run(conv_net(digits), digits, short(batch_size=2000))


def test_how_often_training_may_be_stopped_changes_nothing(digits, monkeypatch) -> None:
    results, models = [], []
    for patience in (0.0, 1e9):  # an update at a time, and all at once
        monkeypatch.setattr(loop, "_PATIENCE_SECONDS", patience)
        models.append(conv_net(digits))
        results.append(run(models[-1], digits, short(epochs=2, batch_size=64)))
    assert results[0].epochs == results[1].epochs
    assert largest_difference(*models) == 0.0


def test_validation_is_stopped_between_two_batches(digits, monkeypatch) -> None:
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise interrupts.Stopped(15)

    monkeypatch.setattr(interrupts, "check", check)
    monkeypatch.setattr(loop, "_PATIENCE_SECONDS", 0.0)
    model, strategy = conv_net(digits), devices.make_strategy("none")
    with pytest.raises(interrupts.Stopped):
        trainer.accuracy(model, digits.validation, digits, strategy, batch_size=64)
    assert len(digits.validation) > 2 * 64


def test_training_is_stopped_between_two_updates(digits, monkeypatch) -> None:
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise interrupts.Stopped(15)

    monkeypatch.setattr(interrupts, "check", check)
    monkeypatch.setattr(loop, "_PATIENCE_SECONDS", 0.0)
    with pytest.raises(interrupts.Stopped):
        run(conv_net(digits), digits, short(batch_size=64))
    assert len(calls) == 3  # an update each: in the middle of the first epoch
