"""Cursors: positions in a list, as text a program sends back unchanged.

The name of a list includes its workspace (``Call.list_name``), so that a cursor of another workspace is
refused like one of another list. Cursors from before that, which only name the list, are read as well.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from datetime import UTC, datetime, timedelta

from host.api.http.errors import CursorError

Position = tuple[datetime, int]
"""A time and an id, by which lists are sorted."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMAT = struct.Struct(">qqI")


def write(kind: str, position: Position) -> str:
    """Return *position* in the list *kind* as text of 27 characters, safe in a URL."""
    at, id_ = position
    micros = (at - _EPOCH) // timedelta(microseconds=1)
    packed = _FORMAT.pack(micros, id_, _check(kind, micros, id_))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read(kind: str, text: str, field: str) -> Position:
    """Return the position that *text* names in the list *kind*.

    :param field: the parameter it came in, for errors.
    :raises CursorError: for anything :func:`write` did not create for that list.
    """
    try:
        packed = base64.b64decode(text.encode("ascii") + b"=", altchars=b"-_", validate=True)
        micros, id_, check = _FORMAT.unpack(packed)
        if check in _checks(kind, micros, id_):
            return _EPOCH + timedelta(microseconds=micros), id_
    except (ValueError, binascii.Error, struct.error, OverflowError):
        pass
    raise CursorError(field=field)


_NUMBERS = struct.Struct(">qqqI")


def write_numbers(kind: str, *numbers: int) -> str:
    """Return three *numbers*, a position in the list *kind*, as text that is safe in a URL."""
    packed = _NUMBERS.pack(*numbers, _check(kind, *numbers))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_numbers(kind: str, text: str, field: str) -> tuple[int, int, int]:
    """Return the numbers in *text* from :func:`write_numbers`.

    :raises CursorError: for anything else.
    """
    try:
        padding = b"=" * (-len(text) % 4)
        packed = base64.b64decode(text.encode("ascii") + padding, altchars=b"-_", validate=True)
        first, second, third, check = _NUMBERS.unpack(packed)
        if check in _checks(kind, first, second, third):
            return first, second, third
    except (ValueError, binascii.Error, struct.error):
        pass
    raise CursorError(field=field)


def write_text(kind: str, position: str) -> str:
    """Return *position*, a provider's cursor in the list *kind*, as text that is safe in a URL."""
    check = zlib.crc32(f"{kind} {position}".encode())
    return base64.urlsafe_b64encode(check.to_bytes(4, "big") + position.encode()).decode().rstrip("=")


def read_text(kind: str, text: str, field: str) -> str:
    """Return the position in *text* from :func:`write_text`.

    :raises CursorError: for anything else.
    """
    try:
        padding = b"=" * (-len(text) % 4)
        packed = base64.b64decode(text.encode("ascii") + padding, altchars=b"-_", validate=True)
        position = packed[4:].decode()
    except (ValueError, binascii.Error):
        raise CursorError(field=field) from None
    if zlib.crc32(f"{kind} {position}".encode()) != int.from_bytes(packed[:4], "big"):
        raise CursorError(field=field)
    return position


def _check(kind: str, *numbers: int) -> int:
    """Return a checksum. A cursor is not secret, but using one of another list is a mistake to report."""
    return zlib.crc32(" ".join([kind, *map(str, numbers)]).encode())


def _checks(kind: str, *numbers: int) -> set[int]:
    return {_check(kind, *numbers), _check(kind.partition(" of ")[0], *numbers)}
