"""The size of a picture, read from its first bytes without decoding.

A few hundred kilobytes can contain a picture of 60,000 by 60,000 pixels, which takes a browser gigabytes to
show. It is stored unchanged and can be saved, but no page shows it.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from flask_babel import lazy_gettext as _l

from host.core.errors import LobbyError

MOST_PIXELS = 100_000_000
"""Maximum pixels of a picture that is shown: a browser needs about 400 MB for it."""
HEAD = 1024 * 1024
"""Bytes searched for the size: in a JPEG, camera metadata can precede it."""

_PNG = b"\x89PNG\r\n\x1a\n"
_NOT_FRAMES = {0xC4, 0xC8, 0xCC}


class TooLargeToShowError(LobbyError):
    """A picture with so many pixels that showing it would freeze the browser."""

    code = "too_many_pixels"
    status = 422
    title = _l("This image is too large to show")
    default_sentence = _l("It has more than 100 million pixels, which is too much for a browser.")
    default_next_step = _l("If you trust the sender, download it and open it in an image viewer.")


def size_of(head: bytes) -> tuple[int, int] | None:
    """Return the width and height stated in a picture that begins with *head*, or None."""
    try:
        if head.startswith(_PNG):
            width, height = struct.unpack(">II", head[16:24])
        elif head.startswith((b"GIF87a", b"GIF89a")):
            width, height = struct.unpack("<HH", head[6:10])
        elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            width, height = _webp(head)
        elif head.startswith(b"\xff\xd8"):
            width, height = _jpeg(head)
        else:
            return None
    except (struct.error, IndexError, ValueError):
        return None
    return width, height


def too_large(head: bytes) -> bool:
    """Return whether a picture that begins with *head* has more than :data:`MOST_PIXELS`."""
    found = size_of(head)
    return found is not None and found[0] * found[1] > MOST_PIXELS


def check(file: BinaryIO) -> None:
    """Check the beginning of *file*, and rewind it.

    :raises TooLargeToShowError: if it is a picture with more than :data:`MOST_PIXELS`.
    """
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    if too_large(head):
        raise TooLargeToShowError()


def _webp(head: bytes) -> tuple[int, int]:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = struct.unpack("<I", head[21:25])[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("no WebP we know")


def _jpeg(head: bytes) -> tuple[int, int]:
    at = 2
    while True:
        while head[at] == 0xFF and head[at + 1] == 0xFF:
            at += 1
        if head[at] != 0xFF:
            raise ValueError("no marker where one must be")
        marker = head[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += (
            2
            if marker == 0x01 or 0xD0 <= marker <= 0xD8
            else 2 + struct.unpack(">H", head[at + 2 : at + 4])[0]
        )
