from __future__ import annotations

import dataclasses
import math

import pytest

from epnas_tf.fields import SettingError
from epnas_tf.training import schedule as schedule_lib
from epnas_tf.training.schedule import (
    Schedule,
    changed,
    fit_to,
    for_dataset,
    learning_rate_at,
    of_settings,
    said_in,
    schedule,
)
from epnas_tf.training.settings import ScheduleSettings


def test_the_papers_schedules() -> None:
    plain, aggressive = schedule("plain"), schedule("aggressive")
    assert (plain.epochs, plain.batch_size, plain.learning_rate) == (20, 128, 0.05)
    assert (aggressive.epochs, aggressive.batch_size, aggressive.learning_rate) == (10, 1024, 0.5)
    assert (plain.warmup_epochs, aggressive.warmup_epochs) == (0, 1)
    for each in (plain, aggressive):
        assert (each.momentum, each.nesterov) == (0.9, True)
        assert (each.weight_decay, each.clip_norm, each.micro_batch_size) == (1e-4, 5.0, 0)


def test_overrides_replace_fields() -> None:
    assert schedule("plain", epochs=3).epochs == 3
    assert for_dataset("digits").epochs < 20
    assert for_dataset("digits", epochs=2).epochs == 2
    assert for_dataset("cifar10", "plain") == schedule("plain")
    assert for_dataset("digits", "aggressive") == schedule("aggressive")


def test_the_default_is_quick_but_for_sets_with_a_recipe_of_their_own() -> None:
    assert for_dataset("cifar10") == schedule("quick")
    assert for_dataset("digits").name == "plain"
    assert schedule("quick").epochs * 5 <= schedule("plain").epochs


@pytest.mark.parametrize(
    ("images", "epochs"), [(45_000, 3), (5_000, 3), (4_999, 4), (2_000, 8), (100, 40), (1, 40)]
)
def test_few_images_are_seen_more_often(images: int, epochs: int) -> None:
    assert for_dataset("folder:photos", images=images).epochs == epochs
    assert for_dataset("folder:photos", "quick", images, epochs=2).epochs == 2
    assert for_dataset("folder:photos", "plain", images).epochs == 20


@pytest.mark.parametrize(
    ("epoch_images", "images", "epochs"), [(0, 45_000, 3), (2_000, 45_000, 8), (2_000, 1_000, 15)]
)
def test_the_epochs_of_quick_go_by_its_images_per_epoch(epoch_images, images, epochs) -> None:
    plan = for_dataset("folder:photos", "quick", images, epoch_images=epoch_images)
    assert (plan.epochs, plan.epoch_images) == (epochs, epoch_images)


def test_quick_costs_the_same_whatever_the_number_of_images() -> None:
    plan = for_dataset("cifar10", images=45_000)
    assert (plan.images_per_epoch(45_000), plan.steps_per_epoch(45_000)) == (5_000, 156)
    assert plan.images(45_000) == plan.images(5_000) == 15_000
    assert for_dataset("cifar10", "plain", 45_000).images_per_epoch(45_000) == 45_000
    assert for_dataset("cifar10", images=4_000).images_per_epoch(4_000) == 4_000


def test_images_of_half_the_size_count_as_a_quarter() -> None:
    plan = schedule("plain", epochs=10, batch_size=10, low_resolution=0.4)
    assert (plan.images(100), plan.low_until(10)) == (400 // 4 + 600, 40)
    assert schedule("plain").low_until(351) == 0


def test_an_auxiliary_head_and_images_of_half_the_size_are_refused() -> None:
    with pytest.raises(SettingError, match="auxiliary_weight must be 0 with low_resolution.*0.4"):
        schedule("plain", low_resolution=0.4, auxiliary_weight=0.4)


def test_a_batch_fits_the_images_of_an_epoch() -> None:
    plan = schedule("plain", epoch_images=320)
    assert fit_to(plan, 45_000).batch_size == 20
    assert fit_to(plan, 45_000, named=True).batch_size == 128
    assert fit_to(schedule("plain", epoch_images=50), 45_000, named=True).batch_size == 50


@pytest.mark.parametrize(
    ("step", "rate"),
    # 2 epochs of warm-up and 4 of cosine, 2 steps each.
    [
        (0, 0.25),
        (1, 0.5),
        (3, 1.0),
        (4, 1.0),
        (6, 0.5 * (1 + math.cos(math.pi / 4))),
        (8, 0.5),
        (11, 0.5 * (1 + math.cos(7 * math.pi / 8))),
    ],
)
def test_learning_rate_is_a_warm_up_and_one_cosine(step: int, rate: float) -> None:
    plan = Schedule("s", epochs=6, batch_size=8, learning_rate=1.0, warmup_epochs=2)
    assert learning_rate_at(step, plan, steps_per_epoch=2) == pytest.approx(rate, abs=1e-12)


def test_learning_rate_without_warm_up_starts_at_the_top_and_ends_near_zero() -> None:
    plan = schedule("plain")
    assert learning_rate_at(0, plan, 351) == 0.05
    assert learning_rate_at(20 * 351 - 1, plan, 351) < 1e-8


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 0.25), (3, 1.0), (4, 1.0), (15, 1.0), (16, 1.0), (17, 0.75), (19, 0.25)]
)
def test_the_rate_of_a_trapezoid_is_constant_and_falls_at_the_end(step: int, rate: float) -> None:
    recipe = {"batch_size": 8, "learning_rate": 1.0, "warmup_epochs": 2, "decay": "trapezoid"}
    plan = Schedule("s", epochs=10, **recipe)
    assert plan.falls_from(2) == 16
    assert learning_rate_at(step, plan, steps_per_epoch=2) == pytest.approx(rate)


def test_a_longer_trapezoid_is_the_same_until_the_shorter_one_falls() -> None:
    short = schedule("quick", decay="trapezoid")
    longer = schedule("quick", decay="trapezoid", epochs=9)
    assert short.falls_from(156) == 3 * 156 - 94 < longer.falls_from(156)
    for step in (0, 200, short.falls_from(156)):
        assert learning_rate_at(step, short, 156) == learning_rate_at(step, longer, 156) == 0.05


@pytest.mark.parametrize(
    ("changes", "falls"), [({"decay_share": 0.01}, 9), ({"warmup_epochs": 9, "decay_share": 1}, 9)]
)
def test_the_last_update_falls_and_none_of_the_warm_up(changes, falls) -> None:
    plan = dataclasses.replace(schedule("plain", epochs=10, decay="trapezoid"), **changes)
    assert plan.falls_from(1) == falls


@pytest.mark.parametrize("step", [-1, 40])
def test_learning_rate_outside_the_schedule_is_refused(step: int) -> None:
    with pytest.raises(ValueError, match=r"step must be in 0\.\.39, got"):
        learning_rate_at(step, schedule("plain"), steps_per_epoch=2)


@pytest.mark.parametrize(
    ("batch", "micro", "images", "replicas", "fitted_batch", "fitted_micro"),
    [
        (128, 0, 45_000, 1, 128, 0),  # as asked
        (1024, 0, 45_000, 1, 1024, 0),
        (1024, 64, 4_500, 1, 256, 64),  # 281 rounded to micro-batches
        (1024, 0, 4_500, 1, 281, 0),
        (1024, 64, 4_500, 2, 256, 64),  # on both replicas
        (1024, 32, 500, 2, 31 // 2 * 2, 0),  # less than a micro-batch each: taken whole
        (128, 0, 1_079, 1, 67, 0),
        (128, 0, 33, 2, 8, 0),  # of fewer, batch norm makes nothing
        (128, 0, 10, 2, 8, 0),
        (128, 0, 5, 1, 5, 0),
        (4, 0, 1_000, 1, 4, 0),  # a schedule's own
        (128, 0, 40, 16, 16, 0),  # never less than one image per replica
    ],
)
def test_batch_fits_the_training_part(
    batch: int, micro: int, images: int, replicas: int, fitted_batch: int, fitted_micro: int
) -> None:
    plan = schedule("plain", batch_size=batch, micro_batch_size=micro, learning_rate=0.5)
    fitted = fit_to(plan, images, replicas)
    assert (fitted.batch_size, fitted.micro_batch_size) == (fitted_batch, fitted_micro)
    assert fitted.learning_rate == pytest.approx(0.5 * fitted_batch / batch)
    assert fitted.epochs == plan.epochs


@pytest.mark.parametrize(("batch", "micro", "expected"), [(64, 0, 64), (512, 0, 100), (96, 32, 96)])
def test_a_batch_that_a_person_names_is_kept_up_to_the_images(batch, micro, expected) -> None:
    plan = schedule("plain", batch_size=batch, micro_batch_size=micro)
    assert fit_to(plan, 100, named=True).batch_size == expected


def test_fitting_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one training image per replica \(2\), got 1"):
        fit_to(schedule("plain"), 1, replicas=2)
    with pytest.raises(ValueError, match="replicas must be at least 1, got 0"):
        fit_to(schedule("plain"), 1, replicas=0)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs must be at least 1, got 0"),
        ("batch_size", 0, "batch_size must be at least 1, got 0"),
        ("learning_rate", 0.0, "learning_rate must be positive, got 0.0"),
        ("learning_rate", math.nan, "learning_rate must be positive, got nan"),
        ("warmup_epochs", 21, r"warmup_epochs must be in 0\.\.epochs \(20\), got 21"),
        ("micro_batch_size", 48, r"must be 0 or divide batch_size \(128\), got 48"),
        ("epoch_images", -1, "epoch_images must be at least 0, got -1"),
        ("momentum", 1.0, r"momentum must be in \[0, 1\), got 1.0"),
        ("weight_decay", -1.0, "weight_decay must be at least 0, got -1"),
        ("clip_norm", -1.0, "clip_norm must be at least 0, got -1"),
    ],
)
def test_values_out_of_range_are_refused(field: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        schedule("plain", **{field: value})


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of .*plain.*, got 'fast'"):
        schedule("fast")


def test_only_known_schedules_are_adapted() -> None:
    assert {name for _, name in schedule_lib._ADAPTED} <= set(schedule_lib.SCHEDULES)


def test_a_new_batch_size_takes_the_rate_along_unless_one_is_given():
    plan = schedule("plain")
    assert changed(plan, batch_size=64).learning_rate == pytest.approx(0.025)
    assert changed(plan, batch_size=64, learning_rate=0.1).learning_rate == 0.1
    assert changed(plan, epochs=3).learning_rate == plan.learning_rate
    assert for_dataset("digits", batch_size=64).learning_rate == pytest.approx(0.1)


def test_settings_name_a_schedule_and_change_it() -> None:
    found = of_settings(ScheduleSettings(schedule="plain", epochs=3, ema_decay=0.5), "cifar10", 999)
    assert found == schedule("plain", epochs=3, ema_decay=0.5)
    assert of_settings(ScheduleSettings(), "digits") == for_dataset("digits")
    assert said_in(ScheduleSettings(schedule="plain", epoch_images=0)) == {"epoch_images": 0}


@pytest.mark.parametrize(
    ("changes", "epochs", "same"),
    [
        ({}, 20, 40),
        ({}, 30, 0),
        ({"warmup_epochs": 3}, 30, 6),
        ({"warmup_epochs": 3}, 1, 6),
        ({"decay": "trapezoid"}, 60, 32),
        ({"decay": "trapezoid"}, 10, 16),
        ({"decay": "trapezoid"}, 0, 1),
        ({"decay": "trapezoid", "low_resolution": 0.5}, 60, 0),
        ({"decay": "trapezoid", "drop_path": 0.5}, 60, 0),
    ],
)
def test_a_training_of_other_epochs_is_the_same_for_so_many_updates(changes, epochs, same) -> None:
    assert schedule("plain", **changes).same_until(epochs, steps_per_epoch=2) == same
