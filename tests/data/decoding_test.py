"""Pixels as a viewer shows them, of what phones, scanners and painting programs save."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from epnas_tf.data import decoding
from epnas_tf.data.decoding import UnreadableImageError, decode

# Corners tell how an image is turned.
_PHOTO = np.full((6, 10, 3), 90, np.uint8)
_PHOTO[:3, :5] = (250, 0, 0)
_PHOTO[3:, 5:] = (0, 0, 250)


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_photographs_are_turned_as_their_exif_says(form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    how = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(form, {})
    content = saved(Image.fromarray(_PHOTO), form, exif=exif.tobytes(), **how)
    shown = decode(content).astype(int)
    turned = {
        1: _PHOTO,
        2: _PHOTO[:, ::-1],
        3: _PHOTO[::-1, ::-1],
        4: _PHOTO[::-1],
        5: _PHOTO.swapaxes(0, 1),
        6: np.rot90(_PHOTO, -1),
        7: np.rot90(_PHOTO, 2).swapaxes(0, 1),
        8: np.rot90(_PHOTO),
    }[orientation]
    assert shown.shape == turned.shape
    assert np.abs(shown - turned).mean() < 6


def _with_opacity(mode):
    pixels = np.zeros((4, 4, {"LA": 2, "RGBA": 4}[mode]), np.uint8)
    pixels[..., 0] = 100
    pixels[:2, :, -1] = 255
    pixels[3, :, -1] = 51
    return Image.fromarray(pixels, mode)


@pytest.mark.parametrize(
    ("form", "mode"), [("PNG", "LA"), ("PNG", "RGBA"), ("WEBP", "RGBA"), ("TIFF", "RGBA")]
)
def test_what_is_transparent_shows_white(form, mode):
    how = {"lossless": True, "exact": True} if form == "WEBP" else {}
    shown = decode(saved(_with_opacity(mode), form, **how))
    assert shown.shape == (4, 4, 1 if mode == "LA" else 3)
    assert set(shown[:2, :, 0].flat) == {100}
    assert set(shown[2, :, 0].flat) == {255}
    assert set(shown[3, :, 0].flat) == {round(100 * 0.2 + 255 * 0.8)}


@pytest.mark.parametrize("form", ["GIF", "PNG"])
def test_a_transparent_colour_of_a_table_shows_white(form):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 1), 1)
    shown = decode(saved(image, form, transparency=0))
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert shown[1, 1].tolist() == [200, 100, 50]


@pytest.mark.parametrize("form", ["TIFF", "PPM", "TGA", "JPEG2000", "AVIF"])
def test_what_tensorflow_cannot_decode_pillow_does(form):
    best = {"AVIF": {"quality": 100, "subsampling": "4:4:4"}}
    shown = decode(saved(Image.fromarray(_PHOTO), form, **best.get(form, {})))
    assert shown.shape == _PHOTO.shape
    assert np.abs(shown.astype(int) - _PHOTO).mean() < 12


def test_what_tensorflow_decodes_keeps_its_pixels():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    for content in (tf.io.encode_jpeg(pixels).numpy(), tf.io.encode_png(pixels[..., :1]).numpy()):
        np.testing.assert_array_equal(decode(content), tf.io.decode_image(content))


def test_16_bits_and_1_become_8():
    deep = Image.fromarray((np.arange(16, dtype=np.uint16) * 4369).reshape(4, 4))
    np.testing.assert_array_equal(decode(saved(deep, "TIFF"))[..., 0].ravel(), np.arange(16) * 17)
    assert set(decode(saved(Image.new("1", (3, 3), 1), "TIFF")).flat) == {255}


def test_a_heic_photograph_is_read_or_says_what_is_missing(monkeypatch):
    content = b"\0\0\0\x18ftypheic" + bytes(40)
    monkeypatch.setattr(decoding, "_readable", lambda: ["JPEG"])
    with pytest.raises(UnreadableImageError, match="pip install pillow-heif"):
        decode(content)
    monkeypatch.undo()
    pillow_heif = pytest.importorskip("pillow_heif")
    kept = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(np.tile(_PHOTO, (8, 8, 1)))).save(kept)
    assert decode(kept.getvalue()).shape == (48, 80, 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an image"),
        (b"a note", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image"),
        (b"\xff\xd8\xff and no more", "not an image"),
        (saved(Image.fromarray(_PHOTO), "TIFF")[:90], "not an image"),
        (saved(Image.new("F", (3, 3)), "TIFF"), "holds floats"),
    ],
)
def test_what_is_no_image_says_why(content, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        decode(content)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_too_many_pixels_are_not_decoded(form, monkeypatch):
    content = saved(Image.new("L", (300, 300)), form)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 300 * 299)
    with pytest.raises(UnreadableImageError, match="at most 89700 pixels, has 90000"):
        decode(content)
