"""Images of every scale: one type and one value of white for all splits."""

import numpy as np
import pytest

from epnas_tf.data import augment, dataset, pixels
from tests.data.images import noise

_BYTES = noise(12, 4, 4, 3)
# Resized images: not whole, a little beyond 0..255 by overshoot.
_RESIZED = _BYTES * 0.99 + 0.3


@pytest.mark.parametrize(
    ("images", "kind", "scale"),
    [
        (_BYTES, np.uint8, 255),
        (_BYTES.astype(np.int64), np.uint8, 255),
        (_BYTES.astype(np.float64), np.uint8, 255),
        (_BYTES // 200, np.uint8, 255),  # black and nearly black
        (_RESIZED, np.float32, 255),
        (_RESIZED * 1.1 - 12, np.float32, 255),
        (_BYTES / 255, np.float32, 1),
        (_BYTES > 100, np.float32, 1),
        ((_BYTES - 127.0) / 60, np.float32, 1),  # standardised
        (_BYTES.astype(np.uint16) * 257, np.float32, 65535),
        (_BYTES.astype(np.int32) * 16, np.float32, 4095),
        (_BYTES * 257.0, np.float32, 65535),
        (_BYTES.astype(np.float16) / 255, np.float32, 1),
    ],
)
def test_values_stay_and_white_is_known(images, kind, scale):
    (found,), full_scale = pixels.to_one_scale({"x": images})
    assert (found.dtype, full_scale) == (kind, scale)
    np.testing.assert_allclose(found, images.astype(np.float32), rtol=1e-6)


def test_grey_images_get_a_channel():
    assert pixels.to_one_scale({"x": _BYTES[..., 0]})[0][0].shape == (12, 4, 4, 1)


@pytest.mark.parametrize(
    ("train", "held"),
    [
        (_BYTES, _BYTES // 200),  # a dark split alone would look like shares
        (_BYTES.astype(np.float32), _RESIZED),
        (_BYTES, _BYTES.astype(np.int64)),
        (_BYTES.astype(np.uint16) * 257, _BYTES.astype(np.uint16)),
        (_RESIZED, _RESIZED / 20 + 2),
    ],
)
def test_splits_are_of_one_type_and_scale(train, held):
    for given in ({"x": train, "held": held}, {"held": held, "x": train}):
        found, scale = pixels.to_one_scale(given)
        assert len({each.dtype for each in found}) == 1
        assert scale > 1
        for each, original in zip(found, given.values(), strict=True):
            np.testing.assert_allclose(each, original.astype(np.float32), rtol=1e-6)


@pytest.mark.parametrize("shares", [_BYTES / 255, _BYTES > 100])
def test_splits_of_different_scales_are_refused(shares):
    with pytest.raises(ValueError, match=r"x and held must be on one scale, .* 25\d and 1$"):
        pixels.to_one_scale({"x": _BYTES, "held": shares})


def test_resized_images_vary_as_bytes_do():
    """Images of `image_dataset_from_directory` got a hundredth of the brightness they should."""
    labels = np.arange(12) % 2
    of_bytes = dataset.from_arrays(_BYTES, labels, validation_split=0.5)
    resized = dataset.from_arrays(_RESIZED, labels, validation_split=0.5)
    bright = augment.Augmentation(brightness=0.1)
    for source in (of_bytes, resized):
        images = np.repeat(source.train.images[:1], 20, axis=0)
        keys = np.repeat(augment.keys(0, 1), 20, axis=0)
        index = np.arange(20, dtype=np.int32)
        shown = augment.augment(images, index, keys, bright, source.full_scale).numpy()
        assert 0.02 < np.abs(shown - images / np.float32(255)).mean() < 0.08
    assert resized.mean == pytest.approx([m * 0.99 + 0.3 / 255 for m in of_bytes.mean], abs=0.2)
    assert max(resized.std) < 1
