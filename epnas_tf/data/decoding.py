"""An image file's content as pixels, the way a viewer shows them (DECISIONS 68).

TensorFlow decodes what it can, Pillow the rest. Photographs are turned as their EXIF data say, what
is transparent shows white. Every reader of image files comes through here, so that a network sees
the same pixels in a search and in use.
"""

from __future__ import annotations

import functools
import io

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

from epnas_tf.data import image_header

try:
    import pillow_heif
except ImportError:  # an extra
    pillow_heif = None

# An image of more takes 0.4 GB and more while it is decoded and resized.
MAX_PIXELS = 2**27

# What Pillow may take a file for: nothing that runs other programs, as PostScript would.
_FORMATS = {"JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "TGA", "JPEG2000", "AVIF", "HEIF"}
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"mif1", b"msf1")
_ORIENTATION = 0x0112

# What is laid under transparent pixels.
GROUND = 255


class UnreadableImageError(ValueError):
    """A content that is no image, or none that may be decoded; says why."""


def decode(content: bytes) -> np.ndarray:
    """Returns uint8 [h, w, 1] of a grey image, [h, w, 3] of a coloured one.

    Raises:
      UnreadableImageError: it cannot be decoded, or is of too many pixels.
    """
    _check_size(image_header.pixels(content))
    try:
        image = tf.io.decode_image(content, expand_animations=False).numpy()
    except (tf.errors.OpError, ValueError):
        return _by_pillow(content)
    if image.shape[2] in (1, 3) and _is_transparent(content):
        return _by_pillow(content)  # TensorFlow gives such pixels a colour of its own
    return _turned(_opaque(image), _orientation(content))


def _check_size(pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise UnreadableImageError(f"must have at most {MAX_PIXELS} pixels, has {pixels}")


def _opaque(image: np.ndarray) -> np.ndarray:
    """Lays an image [h, w, 2 or 4], whose last channel is its opacity, on the ground."""
    if image.shape[2] in (1, 3):
        return image
    colour, opacity = image[..., :-1], image[..., -1:]
    if (opacity == 255).all():
        return colour
    shares = opacity.astype(np.float32) / 255
    return np.rint(colour * shares + GROUND * (1 - shares)).astype(np.uint8)


def _turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """Returns the image as its EXIF orientation, 1 to 8, shows it."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _orientation(content: bytes) -> int:
    """Returns how a photograph is to be turned, 1 where it does not say."""
    if b"Exif" not in content and b"eXIf" not in content and b"EXIF" not in content:
        return 1
    try:
        return int(_opened(content).getexif().get(_ORIENTATION, 1))
    except Exception:  # a hostile file makes Pillow raise whatever it likes
        return 1


def _is_transparent(content: bytes) -> bool:
    """Says whether an image of a table of colours, such as a GIF, has a transparent one."""
    if not content.startswith(b"GIF"):
        return False
    try:
        return "transparency" in _opened(content).info
    except Exception:  # as above
        return False


def _by_pillow(content: bytes) -> np.ndarray:
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS and "HEIF" not in _readable():
        raise UnreadableImageError("is a HEIC photograph: pip install pillow-heif lets it be read")
    try:
        image = _opened(content)
        _check_size(image.width * image.height)
        return _pixels(ImageOps.exif_transpose(image))
    except UnreadableImageError:
        raise
    except Exception as error:  # a hostile file makes Pillow raise whatever it likes
        raise UnreadableImageError("not an image that can be read") from error


def _opened(content: bytes) -> Image.Image:
    # Pillow's warnings stay: to catch them is for one thread, and images are read by several.
    return Image.open(io.BytesIO(content), formats=_readable())


@functools.cache
def _readable() -> list[str]:
    """Returns the formats that Pillow reads as it is installed here."""
    Image.init()
    if pillow_heif is not None:
        pillow_heif.register_heif_opener()
    return sorted(_FORMATS & {*Image.OPEN})


def _pixels(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16 bits per pixel, in whatever order
        eight_bits = np.clip(np.asarray(image).astype(np.int64) // 257, 0, 255)
        return eight_bits.astype(np.uint8)[..., None]
    if image.mode == "F":
        raise UnreadableImageError("holds floats, which have no full scale: save it with 8 bits")
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., None]
    if image.mode in ("LA", "La"):
        return _opaque(np.asarray(image.convert("LA")))
    if image.has_transparency_data:
        return _opaque(np.asarray(image.convert("RGBA")))
    return np.asarray(image.convert("RGB"))
