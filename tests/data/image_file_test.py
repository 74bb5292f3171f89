"""Image files at a network's size, in its channels."""

from __future__ import annotations

import concurrent.futures

import numpy as np
import pytest
from PIL import Image

from epnas_tf.data import image_file, image_header
from epnas_tf.data.decoding import UnreadableImageError
from tests.data.images import noise


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_resized_and_keeps_its_channels(tmp_path, channels):
    pixels = noise(1, 20, 30, channels)[0]
    Image.fromarray(pixels.squeeze()).save(tmp_path / "a.png")
    np.testing.assert_array_equal(image_file.read(tmp_path / "a.png", None), pixels)
    small = image_file.read(tmp_path / "a.png", (5, 6))
    assert (small.shape, small.dtype) == ((5, 6, channels), np.uint8)
    # Antialiased: each of the new pixels is a mean of many.
    assert small.std() < pixels.std() / 2
    np.testing.assert_allclose(small.mean((0, 1)), pixels.mean((0, 1)), atol=4)


def test_large_images_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    Image.fromarray(noise(1, 8, 8, 3)[0]).save(tmp_path / "a.png")
    monkeypatch.setattr(image_file, "_LARGE_PIXELS", 63)
    inside, most = [0], [0]
    decode = image_file.decoding.decode

    def watched(content):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        image = decode(content)
        inside[0] -= 1
        return image

    monkeypatch.setattr(image_file.decoding, "decode", watched)
    assert image_header.pixels((tmp_path / "a.png").read_bytes()) == 64
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: image_file.read(tmp_path / "a.png", (4, 4)), range(40)))
    assert most[0] == 1


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UnreadableImageError):
        image_file.read(tmp_path / "a.png", None)
    with pytest.raises(FileNotFoundError):
        image_file.read(tmp_path / "b.png", None)


def test_channels():
    colour, grey = noise(1, 4, 5, 3)[0], noise(1, 4, 5, 1)[0]
    assert image_file.of_channels(colour, 3) is colour
    assert image_file.of_channels(grey, 1) is grey
    shown = image_file.of_channels(grey, 3)
    np.testing.assert_array_equal(shown, np.concatenate([grey] * 3, axis=2))
    np.testing.assert_array_equal(image_file.of_channels(shown, 1), grey)
    pillows = np.asarray(Image.fromarray(colour).convert("L"))
    own = image_file.of_channels(colour, 1)[..., 0]
    assert abs(own.astype(int) - pillows.astype(int)).max() <= 1
