"""Remove the metadata that phones write into MP4 and QuickTime videos: place, time, device.

Boxes with metadata are emptied but keep their size, so that no other box moves and nothing is recompressed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from host.core.storage import Readable

TYPES = frozenset({"video/mp4", "video/quicktime", "audio/mp4"})
MOST_HEADER = 16 * 1024 * 1024
"""Maximum size of a ``moov`` box, that of hours of video; a larger one is passed on unchanged."""

_CHUNK = 256 * 1024
_WALKED = frozenset({b"moov", b"trak"})
_FACTS = frozenset({b"udta", b"meta"})
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


class CleanedVideo:
    """A stream of the video *stream* with emptied metadata."""

    def __init__(self, stream: Readable) -> None:
        self._pieces = _pieces(stream)
        self._left = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to *size* bytes; -1 for all remaining ones."""
        while size < 0 or len(self._left) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._left += piece
        if size < 0:
            size = len(self._left)
        found, self._left = self._left[:size], self._left[size:]
        return found


def _pieces(stream: Readable) -> Iterator[bytes]:
    """Yield the boxes of a video; after invalid data, the rest is passed on unchanged."""
    while head := _exactly(stream, 8):
        size, name = _size_and_name(head)
        if size == 1:
            head += _exactly(stream, 8)
            size = int.from_bytes(head[8:], "big") if len(head) == 16 else 0
        if name in {b"moov", b"meta", b"udta", b"uuid"} and len(head) <= size <= MOST_HEADER:
            box = head + _exactly(stream, size - len(head))
            yield box if len(box) < size else _emptied(box, len(head), name)
            continue
        yield head
        left = size - len(head) if size >= len(head) else None  # 0 means up to the end of the file
        while left is None or left > 0:
            chunk = stream.read(_CHUNK if left is None else min(_CHUNK, left))
            if not chunk:
                return
            yield chunk
            left = None if left is None else left - len(chunk)


def _emptied(box: bytes, header: int, name: bytes) -> bytes:
    """Return a box with its metadata emptied."""
    if name in _FACTS or (name == b"uuid" and box[header : header + 16] == _XMP):
        return box[:4] + b"free" + box[8:header] + bytes(len(box) - header)
    if name not in _WALKED:
        return box
    out, at = bytearray(box[:header]), header
    while at + 8 <= len(box):
        size, inner = _size_and_name(box[at : at + 8])
        if not 8 <= size <= len(box) - at:
            break
        out += _emptied(box[at : at + size], 8, inner)
        at += size
    return bytes(out) + box[at:]


def _size_and_name(head: bytes) -> tuple[int, bytes]:
    if len(head) < 8:
        return 0, b""
    size, name = struct.unpack(">I4s", head)
    return size, name


def _exactly(stream: Readable, size: int) -> bytes:
    found = b""
    while len(found) < size and (chunk := stream.read(size - len(found))):
        found += chunk
    return found
