from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.data import augment, dataset
from epnas_tf.data.augment import Augmentation, suited_to
from epnas_tf.data.settings import VariationSettings
from epnas_tf.fields import SettingError
from epnas_tf.training import devices, pipeline, schedule


def images(shape: tuple[int, ...] = (64, 12, 12, 3)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def augmented(
    pixels: np.ndarray, augmentation: Augmentation, index: int, seed: int = 0, epoch: int = 0
) -> np.ndarray:
    key = augment.keys(seed, epoch + 1)[epoch]
    arguments = tf.constant(pixels[None]), tf.constant([index]), tf.constant(key[None])
    return augment.augment(*arguments, augmentation, 255.0).numpy()[0]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((32, 32, 3), Augmentation(4, True, 0.1, 0.2)),
        ((64, 64, 3), Augmentation(4, True, 0.1, 0.2)),
        ((16, 24, 3), Augmentation(2, True, 0.1, 0.2)),
        ((8, 8, 1), Augmentation(1)),
        ((28, 28, 1), Augmentation(4)),
    ],
)
def test_augmentation_suits_the_images(shape: tuple[int, ...], expected: Augmentation) -> None:
    assert suited_to(shape) == expected


def test_digits_are_never_flipped() -> None:
    assert dataset.load("digits").augmentation == Augmentation(pad=1)
    assert not suited_to((32, 32, 3), flip=False).flip


def test_crops_are_windows_of_the_padded_image() -> None:
    image = images()[0]
    padded = np.pad(image, [(2, 2), (2, 2), (0, 0)]).astype(np.float32) / 255
    windows = {
        (top, left): padded[top : top + 12, left : left + 12]
        for top in range(5)
        for left in range(5)
    }
    seen = set()
    for index in range(60):
        crop = augmented(image, Augmentation(pad=2), index)
        seen |= {place for place, window in windows.items() if np.allclose(crop, window)}
    assert len(seen) > 15  # of 25 places


def test_half_of_the_images_are_flipped() -> None:
    image = images()[0]
    flipped = [
        np.allclose(augmented(image, Augmentation(flip=True), index) * 255, image[:, ::-1])
        for index in range(100)
    ]
    assert 30 < sum(flipped) < 70


def test_alternating_flips_begin_by_chance_and_then_take_turns() -> None:
    image, seen = images()[0], []
    for index in range(40):
        shown = [
            augmented(image, Augmentation(flip=True, alternating=True), index, epoch=epoch) * 255
            for epoch in range(3)
        ]
        flipped = [np.allclose(each, image[:, ::-1]) for each in shown]
        assert flipped[0] == (not flipped[1]) == flipped[2]
        by_chance = augmented(image, Augmentation(flip=True), index) * 255
        np.testing.assert_array_equal(shown[0], by_chance)
        seen.append(flipped[0])
    assert 8 < sum(seen) < 32
    still = augmented(image, Augmentation(alternating=True), 0, epoch=1) * 255
    np.testing.assert_allclose(still, image, rtol=1e-6)


def test_brightness_and_contrast_stay_within_their_bounds() -> None:
    image = images()[0]
    scaled = image.astype(np.float32) / 255
    for index in range(30):
        shift = augmented(image, Augmentation(brightness=0.1), index) - scaled
        assert np.ptp(shift) < 1e-5 and abs(shift.mean()) <= 0.1
        contrast = augmented(image, Augmentation(contrast=0.2), index)
        assert 0.8 - 1e-4 <= contrast.std() / scaled.std() <= 1.2 + 1e-4
        np.testing.assert_allclose(contrast.mean((0, 1)), scaled.mean((0, 1)), atol=1e-4)


def test_draws_depend_on_seed_epoch_and_example() -> None:
    image, every = images()[0], Augmentation(2, True, 0.1, 0.2)
    reference = augmented(image, every, index=3, seed=1, epoch=1)
    np.testing.assert_array_equal(reference, augmented(image, every, index=3, seed=1, epoch=1))
    for other in ({"index": 4}, {"seed": 2}, {"epoch": 0}):
        arguments = {"index": 3, "seed": 1, "epoch": 1} | other
        assert np.abs(reference - augmented(image, every, **arguments)).max() > 0.01


def cut(image: np.ndarray, side: int, index: int, seed: int = 0, epoch: int = 0) -> np.ndarray:
    key = augment.keys(seed, epoch + 1)[epoch]
    arguments = tf.constant(image[None]), tf.constant([index]), tf.constant(key[None])
    return augment.cut_out(*arguments, side, (0.25, 0.5, 0.75)).numpy()[0]


@pytest.mark.parametrize("side", [1, 3, 4, 9])
def test_a_square_with_its_centre_in_the_image_becomes_the_mean(side: int) -> None:
    image, centres = images()[0, :9].astype(np.float32) / 255, set()
    for index in range(300):
        cut_image = cut(image, side, index)
        inside = (cut_image == np.float32([0.25, 0.5, 0.75])).all(-1)
        np.testing.assert_array_equal(cut_image[~inside], image[~inside])
        rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
        tops = [at for at in range(9) if clipped(at, side, 9) == rows.tolist()]
        lefts = [at for at in range(12) if clipped(at, side, 12) == columns.tolist()]
        assert inside.sum() == len(rows) * len(columns)
        assert len(tops) == len(lefts) == 1
        centres.add((*tops, *lefts))
    assert len(centres) > 90  # of 108


def clipped(centre: int, side: int, size: int) -> list[int]:
    first = centre - side // 2
    return [at for at in range(first, first + side) if 0 <= at < size]


def test_a_cut_depends_on_seed_epoch_and_example_and_moves_no_other_draw() -> None:
    image = images()[0].astype(np.float32) / 255
    reference = cut(image, 5, index=3, seed=1, epoch=1)
    np.testing.assert_array_equal(reference, cut(image, 5, index=3, seed=1, epoch=1))
    for other in ({"index": 4}, {"seed": 2}, {"epoch": 0}):
        arguments = {"index": 3, "seed": 1, "epoch": 1} | other
        assert (reference != cut(image, 5, **arguments)).any()
    every = Augmentation(2, True, 0.1, 0.2)
    cutting = dataclasses.replace(every, cutout=5)
    shown = [augmented(images()[0], each, index=3) for each in (every, cutting)]
    np.testing.assert_array_equal(*shown)


def test_what_is_cut_out_is_zero_for_the_network_and_all_else_as_without() -> None:
    labels = np.arange(64) % 4
    source = dataset.from_arrays(images(), labels, (255 - images()[:9], labels[:9]))
    cutting = dataclasses.replace(source.augmentation, cutout=6)
    plan, none = schedule.Schedule("s", 1, 64, 0.1), devices.make_strategy("none")
    whole, with_holes = (
        next(pipeline.training_batches(each, plan, none, seed=5))[0].numpy()[0]
        for each in (source, dataclasses.replace(source, augmentation=cutting))
    )
    holes = (with_holes == 0).all(-1)
    np.testing.assert_array_equal(with_holes[~holes], whole[~holes])
    sizes = holes.sum((1, 2))
    assert sizes.min() >= 9 and sizes.max() == 36  # a corner of it at least, all of it at most


def test_a_square_larger_than_the_images_is_refused() -> None:
    source = dataset.from_arrays(images(), np.arange(64) % 4)
    fits = dataclasses.replace(source, augmentation=Augmentation(cutout=12))
    assert fits.augmentation.cutout == 12
    message = r"cutout must be at most the images' height and width \(12 x 12\), got 13"
    with pytest.raises(SettingError, match=message):
        dataclasses.replace(source, augmentation=Augmentation(cutout=13))


@pytest.mark.parametrize(("batch", "micro"), [(8, 0), (16, 0), (16, 4)])
def test_an_example_looks_the_same_whatever_its_batch(batch: int, micro: int) -> None:
    labels = np.arange(64) % 4
    source = dataset.from_arrays(images(), labels, (255 - images(), labels))
    labels = source.train.labels
    plan = schedule.Schedule("s", 2, batch, 0.1, micro_batch_size=micro)
    batches = pipeline.training_batches(source, plan, devices.make_strategy("none"), seed=5)
    key = augment.keys(5, 2)
    for epoch in range(2):
        order = pipeline._orders(64, plan, seed=5)[0][epoch]
        for step in range(64 // batch):
            shown, shown_labels = next(batches)
            assert shown.shape == (batch // (micro or batch), micro or batch, 12, 12, 3)
            index = order[step * batch + 2]
            expected = augment.augment(
                source.train.tensors[0][index][None],
                tf.constant([index]),
                key[epoch][None],
                source.augmentation,
                full_scale=255.0,
            )
            expected = augment.normalised(expected[0], source.mean, source.std)
            np.testing.assert_allclose(shown[0, 2], expected, atol=1e-5)
            assert shown_labels[0, 2] == labels[index]


def test_float_images_keep_their_scale() -> None:
    pixels = tf.constant(images()[0], tf.float32) * 3
    np.testing.assert_array_equal(augment.scaled(pixels, 1.0), pixels)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("pad", -1, "pad must be >= 0, got -1"),
        ("brightness", -0.1, "brightness must be >= 0, got -0.1"),
        ("contrast", 1.0, r"contrast must be in \[0, 1\), got 1.0"),
        ("cutout", -1, "cutout must be >= 0, got -1"),
    ],
)
def test_strengths_out_of_range_are_refused(field: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(**{field: value})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, Augmentation(4, True, 0.1, 0.2)),
        ({"flip": "false"}, Augmentation(4, False, 0.1, 0.2)),
        ({"crop_padding": 0, "brightness": 0, "contrast": 0}, Augmentation(0, True, 0.0, 0.0)),
        ({"alternating_flips": True}, Augmentation(4, True, 0.1, 0.2, True)),
        ({"alternating_flips": True, "flip": "false"}, Augmentation(4, False, 0.1, 0.2)),
        ({"crop_padding": 6, "contrast": 0.5}, Augmentation(6, True, 0.1, 0.5)),
        ({"cutout": 8}, Augmentation(4, True, 0.1, 0.2, cutout=8)),
    ],
)
def test_what_is_asked_for_takes_the_place_of_what_suits(asked, expected) -> None:
    assert augment.chosen(suited_to((32, 32, 3)), VariationSettings(**asked)) == expected
    assert augment.chosen(Augmentation(), VariationSettings(flip="true")).flip


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"flip": "maybe"}, "flip must be one of auto, true, false, got maybe"),
        ({"crop_padding": -2}, "crop_padding must be at least -1"),
        ({"contrast": 1.0}, "contrast must be at most 0.99"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_name(asked, message) -> None:
    with pytest.raises(SettingError, match=message):
        VariationSettings(**asked)
