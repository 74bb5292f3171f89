"""How large an image says that it is, read from its file without decoding it.

A file of some kilobytes may decode to gigabytes: whoever reads files of others looks here first.
"""

from __future__ import annotations

import math
import struct

import tensorflow as tf

_PNG, _BMP, _JPEG = b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff"
_EXTENSION, _FRAME = 0x21, 0x2C
_GIF = b"GIF8"  # TensorFlow cares for no more


def pixels(content: bytes) -> int:
    """Returns height times width, of a GIF for all its frames; 0 where the file does not say."""
    try:
        if content.startswith(_GIF):
            return _gif(content)
        width, height = _size(content)
    except (struct.error, IndexError, tf.errors.OpError):
        return 0
    return abs(width * height)  # a BMP's height is below 0 where its first row is the top


def _size(content: bytes) -> tuple[int, int]:
    if content.startswith(_PNG):
        return _numbers(">II", content, 16)
    if content.startswith(_BMP):
        return _numbers("<ii", content, 18)
    if content.startswith(_JPEG):
        height, width, _ = tf.io.extract_jpeg_shape(content).numpy().tolist()
        return width, height
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _webp(content)
    return 0, 0


def _gif(content: bytes) -> int:
    """Returns the largest area, of the screen or a frame, times the number of frames.

    TensorFlow decodes all frames, also where one is asked for.
    """
    areas = [math.prod(_numbers("<HH", content, 6))]
    at = 13 + _table_size(content[10])
    while at < len(content) and content[at] in (_EXTENSION, _FRAME):
        if content[at] == _FRAME:
            areas.append(math.prod(_numbers("<HH", content, at + 5)))
            at += 11 + _table_size(content[at + 9])
        else:
            at += 2
        while at < len(content) and content[at]:  # blocks that begin with their length
            at += 1 + content[at]
        at += 1
    return max(areas) * max(len(areas) - 1, 1)


def _table_size(flags: int) -> int:
    """Returns the bytes of a GIF's table of colours, which its flags tell of."""
    return 3 * 2 ** (1 + flags % 8) if flags & 0x80 else 0


def _webp(content: bytes) -> tuple[int, int]:
    kind = content[12:16]
    if kind == b"VP8X":  # each a number of 24 bits, less 1
        less_1 = [int.from_bytes(content[at : at + 3], "little") for at in (24, 27)]
        return 1 + less_1[0], 1 + less_1[1]
    if kind == b"VP8L":  # each 14 bits, less 1
        (bits,) = struct.unpack_from("<I", content, 21)
        return 1 + bits % 2**14, 1 + (bits >> 14) % 2**14
    width, height = _numbers("<HH", content, 26)
    return width % 2**14, height % 2**14  # the upper bits scale


def _numbers(layout: str, content: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(layout, content, at)
    return first, second
