"""The size of an image by the first bytes of its file."""

import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.data import image_header

_IMAGE = np.zeros((37, 53, 3), np.uint8)
_RIFF = b"RIFF\0\0\0\0WEBP"
_HEADS = {
    "png": tf.io.encode_png(_IMAGE).numpy(),
    "jpeg": tf.io.encode_jpeg(_IMAGE).numpy(),
    "gif87": b"GIF87a" + struct.pack("<HHBBB", 53, 37, 0, 0, 0),
    "gif89": b"GIF89a" + struct.pack("<HHBBB", 53, 37, 0, 0, 0),
    "bmp": b"BM" + bytes(16) + struct.pack("<ii", 53, 37),
    "bmp from the top": b"BM" + bytes(16) + struct.pack("<ii", 53, -37),
    # As Pillow writes the three kinds of WebP.
    "webp": _RIFF + b"VP8 " + bytes(7) + b"\x9d\x01\x2a" + struct.pack("<HH", 53, 37 + 2**14),
    "webp lossless": _RIFF + b"VP8L" + bytes(4) + b"\x2f" + struct.pack("<I", 52 + (36 << 14)),
    "webp extended": _RIFF + b"VP8X" + bytes(8) + b"\x34\0\0" + b"\x24\0\0",
}


def _gif(screen: tuple[int, int], *frames: tuple[int, int], table: int = 0) -> bytes:
    """A GIF of black frames, with tables of colours and an extension before each frame."""
    colours = bytes(3 * 2 ** (1 + table % 8)) if table else b""
    content = b"GIF89a" + struct.pack("<HHBBB", *screen, table, 0, 0) + colours
    for frame in frames:
        content += b"\x21\xf9\x04" + bytes(4) + b"\0"
        content += b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, table) + colours
        content += b"\x02" + b"\x02\x4c\x01" + b"\0"
    return content + b"\x3b"


@pytest.mark.parametrize("table", [0, 0x80, 0x87])
def test_all_frames_of_a_gif_count(table):
    assert image_header.pixels(_gif((53, 37), table=table)) == 53 * 37
    assert image_header.pixels(_gif((53, 37), (53, 37), table=table)) == 53 * 37
    assert image_header.pixels(_gif((1, 1), (900, 700), table=table)) == 900 * 700
    assert image_header.pixels(_gif((53, 37), *[(5, 7)] * 20, table=table)) == 20 * 53 * 37


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
