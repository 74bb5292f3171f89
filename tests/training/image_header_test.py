"""The size of an image by the first bytes of its file."""

import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.training import image_header

_IMAGE = np.zeros((37, 53, 3), np.uint8)
_RIFF = b"RIFF\0\0\0\0WEBP"
_HEADS = {
    "png": tf.io.encode_png(_IMAGE).numpy(),
    "jpeg": tf.io.encode_jpeg(_IMAGE).numpy(),
    "gif87": b"GIF87a" + struct.pack("<HH", 53, 37),
    "gif89": b"GIF89a" + struct.pack("<HH", 53, 37),
    "bmp": b"BM" + bytes(16) + struct.pack("<ii", 53, 37),
    "bmp from the top": b"BM" + bytes(16) + struct.pack("<ii", 53, -37),
    # As Pillow writes the three kinds of WebP.
    "webp": _RIFF + b"VP8 " + bytes(7) + b"\x9d\x01\x2a" + struct.pack("<HH", 53, 37 + 2**14),
    "webp lossless": _RIFF + b"VP8L" + bytes(4) + b"\x2f" + struct.pack("<I", 52 + (36 << 14)),
    "webp extended": _RIFF + b"VP8X" + bytes(8) + b"\x34\0\0" + b"\x24\0\0",
}


@pytest.mark.parametrize("content", _HEADS.values(), ids=_HEADS)
def test_the_size_is_that_of_the_head(content):
    assert image_header.pixels(content) == 37 * 53


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff"]
)
def test_where_the_head_says_nothing_there_is_no_size(content):
    assert image_header.pixels(content) == 0


@settings(derandomize=True, database=None, deadline=None)
@given(head=st.sampled_from(sorted(_HEADS.values())), cut=st.integers(0, 40), tail=st.binary())
def test_any_bytes_have_a_size(head, cut, tail):
    assert image_header.pixels(head[:cut] + tail) >= 0
