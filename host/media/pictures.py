"""Remove metadata from pictures, such as place, time, author and camera.

Nothing is recompressed. JPEG, PNG, WebP and GIF are read segment by segment and written again with only the
segments needed to show the picture. The orientation stays, as the only entry of a new metadata block. Data
after the end of the picture (a video, another picture, an archive) is left out.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import msgspec

if TYPE_CHECKING:
    from PIL import Image

from host.media import picture_size

MAX_PIXELS = {"JPEG": 50_000_000, "PNG": 25_000_000, "WEBP": 25_000_000, "GIF": 25_000_000}
"""Maximum pixels, so that decoding takes at most about 150 MB; a JPEG is decoded at an eighth of its size."""
MAX_SCANS = 64
"""Maximum scans of a progressive JPEG: decoding each, however small, takes as long as the whole picture."""
_ORIENTATION = 0x0112
_DECODING = threading.BoundedSemaphore(2)
"""Limits the number of pictures decoded at a time, because of their memory use."""

# Segments needed to show a picture. All others are removed.
_PNG_KEPT = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP"),
    *(b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT"),
}
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_GIF_KEPT = {b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012"}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class PictureError(Exception):
    """The bytes are not a complete picture of their type. The error's text gives the reason, for a log."""


class TooManyPixelsError(PictureError):
    """Decoding the picture would take too much memory."""


class CleanPicture(msgspec.Struct, frozen=True):
    """A picture without metadata.

    :param width: and *height*: displayed size in pixels.
    """

    content: bytes
    width: int
    height: int


def clean(content: bytes, content_type: str) -> CleanPicture:
    """Return the picture *content* without metadata, after decoding it once to check that it is complete.

    :param content_type: one of ``image/jpeg``, ``image/png``, ``image/gif``, ``image/webp``, as sniffed.
    :raises TooManyPixelsError: for more than :data:`MAX_PIXELS`, before decoding.
    :raises PictureError: if it is truncated, damaged, or not of that type.
    """
    try:
        kept = _STRIP[content_type](content)
    except (IndexError, struct.error, ValueError) as error:
        raise PictureError("its pieces do not fit together") from error
    width, height = _decoded(kept, content_type)
    if orientation_of(kept) in {5, 6, 7, 8}:
        width, height = height, width
    return CleanPicture(kept, width, height)


def measured(file: BinaryIO) -> tuple[int, int] | None:
    """Return the displayed width and height of the picture in *file*; None if it is not a picture."""
    file.seek(0)
    said = picture_size.size_of(file.read(picture_size.HEAD))
    if said is not None and said[0] * said[1] > picture_size.MOST_PIXELS:
        return said
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _opened(file, tuple(MAX_PIXELS)) as image:
                width, height = image.size
                turned = image.format in {"JPEG", "WEBP"} and image.getexif().get(_ORIENTATION) in {
                    5,
                    6,
                    7,
                    8,
                }
    except Exception:  # noqa: BLE001 - a decoder may raise anything for hostile bytes
        return None
    return (height, width) if turned else (width, height)


def orientation_of(content: bytes) -> int:
    """Return the EXIF orientation of a picture, 1 to 8; 1 if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _opened(io.BytesIO(content), tuple(MAX_PIXELS)) as image:
                if _too_large(image):
                    return 1  # a PNG is decoded to find its metadata
                value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - a decoder may raise anything for hostile bytes
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


@contextmanager
def decoding(content: bytes) -> Iterator[Image.Image]:
    """Open a picture returned by :func:`clean` for decoding; only a few at a time."""
    with _DECODING, _opened(io.BytesIO(content), tuple(MAX_PIXELS)) as image:
        yield image


def _opened(file: BinaryIO, formats: tuple[str, ...]) -> Image.Image:
    from PIL import Image  # imported here because it takes 2 MB, and many desks process no picture for days

    try:
        return Image.open(file, formats=formats)
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError("more pixels than Pillow allows") from error


def _decoded(content: bytes, content_type: str) -> tuple[int, int]:
    name = content_type.removeprefix("image/").upper()
    try:
        with _DECODING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _opened(io.BytesIO(content), (name,)) as image:
                width, height = image.size
                if _too_large(image):
                    raise TooManyPixelsError(f"{width} by {height} pixels")
                # A JPEG can be decoded at an eighth of its size, which still detects truncation.
                image.draft(None, (max(1, width // 8), max(1, height // 8)))
                image.load()
    except PictureError:
        raise
    except Exception as error:
        # A decoder may raise any exception; all of them mean a bad picture.
        raise PictureError(f"it cannot be decoded: {type(error).__name__}") from error
    return width, height


def _too_large(image: Image.Image) -> bool:
    width, height = image.size
    return width * height > MAX_PIXELS.get(image.format or "", 0)


def _exif(orientation: int) -> bytes:
    """Return TIFF metadata with one entry: the orientation."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)


def _jpeg(content: bytes) -> bytes:
    """Return a JPEG with only its tables, frames and scans, its colour profile and Adobe's colour marker."""
    orientation = orientation_of(content)
    out = bytearray(b"\xff\xd8")
    if orientation != 1:
        block = b"Exif\0\0" + _exif(orientation)
        out += b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    at, scans = 2, 0
    while True:
        if content[at] != 0xFF:
            raise ValueError("no marker where one must be")
        while content[at + 1] == 0xFF:
            at += 1
        marker = content[at + 1]
        if marker == 0xD9:
            return bytes(out + b"\xff\xd9")
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        length = struct.unpack(">H", content[at + 2 : at + 4])[0]
        end = at + 2 + length
        if length < 2 or end > len(content):
            raise ValueError("a piece is longer than the file")
        if _keep_segment(marker, content[at + 4 : end]):
            out += content[at:end]
        at = end
        if marker == 0xDA:
            scans += 1
            if scans > MAX_SCANS:
                raise ValueError("it is drawn in too many passes")
            at = _end_of_scan(content, at)
            out += content[end:at]


def _keep_segment(marker: int, body: bytes) -> bool:
    if marker == 0xFE:
        return False
    if not 0xE0 <= marker <= 0xEF:
        return True
    return (
        (marker == 0xE0 and body.startswith(b"JFIF\0"))
        or (marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"))
        or (marker == 0xEE and body.startswith(b"Adobe"))
    )


def _end_of_scan(content: bytes, at: int) -> int:
    """Return the position of the next marker that is neither a stuffed byte nor a restart."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise ValueError("a scan does not end")
        following = content[at + 1]
        if following == 0 or 0xD0 <= following <= 0xD7:
            at += 2
        elif following == 0xFF:
            at += 1
        else:
            return at


def _png(content: bytes) -> bytes:
    orientation = orientation_of(content)
    out = bytearray(_PNG_SIGNATURE)
    at = len(_PNG_SIGNATURE)
    while True:
        length, name = struct.unpack(">I4s", content[at : at + 8])
        end = at + 12 + length
        if end > len(content):
            raise ValueError("a piece is longer than the file")
        if name in _PNG_KEPT:
            out += content[at:end]
        if name == b"IHDR" and orientation != 1:
            out += _png_chunk(b"eXIf", _exif(orientation))
        if name == b"IEND":
            return bytes(out)
        at = end


def _png_chunk(name: bytes, body: bytes) -> bytes:
    from zlib import crc32

    return struct.pack(">I4s", len(body), name) + body + struct.pack(">I", crc32(name + body))


def _webp(content: bytes) -> bytes:
    orientation = orientation_of(content)
    whole = 8 + struct.unpack("<I", content[4:8])[0]
    if whole > len(content):
        raise ValueError("it is cut off")
    chunks: list[tuple[bytes, bytes]] = []
    at = 12
    while at + 8 <= whole:
        name, length = struct.unpack("<4sI", content[at : at + 8])
        if at + 8 + length > whole:
            raise ValueError("a piece is longer than the file")
        if name in _WEBP_KEPT:
            chunks.append((name, content[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    if chunks and chunks[0][0] == b"VP8X":
        flags = chunks[0][1][0] & ~0b0000_1100
        if orientation != 1:
            flags |= 0b0000_1000
            chunks.append((b"EXIF", _exif(orientation)))
        chunks[0] = (b"VP8X", bytes([flags]) + chunks[0][1][1:])
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _gif(content: bytes) -> bytes:
    """Return a GIF with its frames, timing and loop, without comments and application data."""
    flags = content[10]
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    out = bytearray(content[:at])
    while True:
        start, introducer = at, content[at]
        if introducer == 0x3B:
            return bytes(out + b"\x3b")
        if introducer == 0x2C:
            local = content[at + 9]
            at += 10 + (3 << ((local & 7) + 1) if local & 0x80 else 0) + 1
            at = _blocks_end(content, at)
            out += content[start:at]
        elif introducer == 0x21:
            label = content[at + 1]
            first = content[at + 3 : at + 3 + content[at + 2]]
            at = _blocks_end(content, at + 2)
            if label == 0xF9 or (label == 0xFF and first in _GIF_KEPT):
                out += content[start:at]
        else:
            raise ValueError("no block where one must be")


def _blocks_end(content: bytes, at: int) -> int:
    """Return the end of the sub-blocks that begin at *at*."""
    while length := content[at]:
        at += 1 + length
    return at + 1


_STRIP: dict[str, Callable[[bytes], bytes]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _webp,
    "image/gif": _gif,
}
