"""Open winmail.dat: the files and the text that Outlook packs into one part (TNEF, MS-OXTNEF)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import rtf
from .charsets import decode

MAX_FILES = 500
MAX_VALUES = 20_000
"""Maximum number of attributes and properties of one winmail.dat; each may have only twelve bytes."""
MAX_TEXT = 2 * 1024 * 1024

_SIGNATURE = b"\x78\x9f\x3e\x22"
_NAMES = {"winmail.dat", "win.dat"}
_TYPES = {"application/ms-tnef", "application/vnd.ms-tnef"}
_OUTLOOKS_OWN = ("ipm.note", "ipm.microsoft mail.note")
"""Message classes of a mail. Other classes are appointments, tasks or contacts, with their own fields."""

# Attributes.
_CLASS, _BODY, _DATA, _TITLE = 0x8008, 0x800C, 0x800F, 0x8010
_BEGINS_FILE, _PROPERTIES, _FILE_PROPERTIES, _CODEPAGE = 0x9002, 0x9003, 0x9005, 0x9007
_MEANINGLESS = {
    *(0x0000, 0x0001, 0x0002, 0x0006, 0x0007, 0x0008, 0x0009, 0x8000, 0x8004, 0x8005, 0x8006, 0x8007, 0x8009),
    *(0x800A, 0x800B, 0x800D, 0x8011, 0x8012, 0x8013, 0x8020, 0x9001, 0x9004, 0x9006, 0x9008),
}
"""Attributes that only repeat the mail's headers, or describe how a file is drawn."""
# Properties.
_P_CLASS, _P_TEXT, _P_RTF, _P_HTML, _P_CODEPAGE = 0x001A, 0x1000, 0x1009, 0x1013, 0x3FDE
_P_SHOWN, _P_DATA, _P_SHORT, _P_LONG, _P_TYPE, _P_ID = 0x3001, 0x3701, 0x3704, 0x3707, 0x370E, 0x3712
# Types of properties. _MANY marks several values; properties from _NAMED on have a name.
_STRING, _UNICODE, _OBJECT, _BINARY, _MANY, _NAMED = 0x001E, 0x001F, 0x000D, 0x0102, 0x1000, 0x8000
_LENGTHS = {
    **dict.fromkeys((0x0000, 0x0001, 0x0003, 0x0004, 0x000A), 4),
    **dict.fromkeys((0x0002, 0x000B), 2),
    **dict.fromkeys((0x0005, 0x0006, 0x0007, 0x0014, 0x0040), 8),
    0x0048: 16,
}


@dataclass(slots=True)
class File:
    """A file of a winmail.dat."""

    name: str = ""
    content_type: str = ""
    content_id: str = ""
    content: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class Opened:
    """The contents of a winmail.dat, as far as they could be read.

    :ivar html: its text as HTML; empty if it has none, or only *text*.
    :ivar whole: whether everything in it was extracted.
    """

    files: list[File] = field(default_factory=list)
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    whole: bool = False


class _BrokenError(ValueError):
    """The data is truncated or invalid."""


def is_one(content: bytes, content_type: str, name: str) -> bool:
    """Return whether a file is a winmail.dat."""
    return content[:4] == _SIGNATURE and (content_type in _TYPES or name.lower() in _NAMES)


def read(content: bytes) -> Opened:
    """Return the contents of a winmail.dat. Never raises; takes linear time.

    A mail or an object inside it stays unopened, and *whole* is then false.
    """
    reading = _Reading()
    try:
        reading.take(memoryview(content))
    except (_BrokenError, struct.error):
        reading.complete = False
    return reading.settled()


class _Reading:
    def __init__(self) -> None:
        self.opened = Opened()
        self._codepage = "cp1252"
        self._html_codepage = "utf-8"
        self._class = ""
        self._rtf = self._html = b""
        self._values = 0
        self.complete = True

    def take(self, data: memoryview) -> None:
        place = 6
        while place < len(data):
            self._count()
            name, length = struct.unpack_from("<xHxxI", data, place)
            begin = place + 9
            value = data[begin : begin + length]
            (check,) = struct.unpack_from("<H", data, begin + length)
            if sum(value) & 0xFFFF != check:
                self.complete = False
            self._attribute(name, value)
            place = begin + length + 2

    def settled(self) -> Opened:
        """Decode the text and return everything found; *whole* is true if it is complete."""
        opened = self.opened
        if not opened.html and self._html:
            opened.html = decode(self._html.rstrip(b"\0"), self._html_codepage)
        if not opened.html and self._rtf:
            try:
                is_html, words = rtf.read(rtf.decompressed(self._rtf, MAX_TEXT))
            except rtf.RtfError:
                self.complete = False
            else:
                opened.html, opened.text = (words, opened.text) if is_html else ("", words or opened.text)
        if any(file.content is None for file in opened.files):
            opened.files = [file for file in opened.files if file.content is not None]
            self.complete = False
        is_mail = not self._class or self._class.lower().startswith(_OUTLOOKS_OWN)
        holds = bool(opened.files or opened.text.strip() or opened.html.strip())
        opened.whole = self.complete and is_mail and holds
        return opened

    def _count(self) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _BrokenError("too many values")

    def _attribute(self, name: int, value: memoryview) -> None:
        if name == _CODEPAGE and len(value) >= 4:
            self._codepage = _named(struct.unpack_from("<I", value)[0])
        elif name == _CLASS:
            self._class = self._string(value)
        elif name == _BODY:
            self.opened.text = self._string(value)
        elif name == _PROPERTIES:
            for id_, kind, found in self._properties(value):
                self._property(id_, kind, found)
        elif name == _BEGINS_FILE:
            if len(self.opened.files) >= MAX_FILES:
                raise _BrokenError("too many files")
            self.opened.files.append(File())
        elif name in {_DATA, _TITLE, _FILE_PROPERTIES}:
            self._of_file(name, value)
        elif name not in _MEANINGLESS:
            self.complete = False

    def _of_file(self, name: int, value: memoryview) -> None:
        if not self.opened.files:
            raise _BrokenError("a file that has not begun")
        file = self.opened.files[-1]
        if name == _DATA:
            file.content = bytes(value)
        elif name == _TITLE:
            file.name = file.name or self._string(value)
        else:
            self._describe(file, value)

    def _describe(self, file: File, properties: memoryview) -> None:
        names: dict[int, str] = {}
        for id_, kind, value in self._properties(properties):
            if id_ == _P_DATA and kind == _BINARY:
                file.content = bytes(value)
            elif id_ == _P_DATA:  # a mail, or an object of another program
                file.content, self.complete = None, False
            elif kind in {_STRING, _UNICODE}:
                names[id_] = self._string(value, kind)
        file.name = names.get(_P_LONG) or file.name or names.get(_P_SHORT) or names.get(_P_SHOWN, "")
        file.content_type, file.content_id = names.get(_P_TYPE, ""), names.get(_P_ID, "")

    def _property(self, id_: int, kind: int, value: memoryview) -> None:
        if id_ == _P_CODEPAGE and len(value) >= 4:
            self._html_codepage = _named(struct.unpack_from("<I", value)[0])
        elif id_ == _P_CLASS:
            self._class = self._class or self._string(value, kind)
        elif id_ == _P_TEXT:
            self.opened.text = self._string(value, kind) or self.opened.text
        elif id_ == _P_RTF:
            self._rtf = bytes(value)
        elif id_ == _P_HTML and kind in {_STRING, _UNICODE}:
            self.opened.html = self._string(value, kind)
        elif id_ == _P_HTML:
            self._html = bytes(value)

    def _properties(self, data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
        """Yield id, type and value of each property, without those that have a name or several values."""
        (count,) = struct.unpack_from("<I", data)
        place = 4
        for _ in range(count):
            self._count()
            kind, id_ = struct.unpack_from("<HH", data, place)
            place += 4
            if id_ >= _NAMED:
                (is_string,) = struct.unpack_from("<I", data, place + 16)
                (length,) = struct.unpack_from("<I", data, place + 20)
                place += 24 + (_padded(length) if is_string else 0)
            plain = kind & ~_MANY
            many = 1
            if kind & _MANY or plain not in _LENGTHS:
                (many,) = struct.unpack_from("<I", data, place)
                place += 4
            if many != 1 and not kind & _MANY:
                raise _BrokenError("a property has one value")
            value = data[:0]
            begin = place
            for _ in range(many):
                self._count()
                if plain in _LENGTHS:
                    length = _LENGTHS[plain]
                elif plain in {_STRING, _UNICODE, _OBJECT, _BINARY}:
                    (length,) = struct.unpack_from("<I", data, place)
                    place += 4
                else:
                    raise _BrokenError("a property of an unknown type")
                value = data[place : place + length]
                if len(value) < length:
                    raise _BrokenError("a property ends too soon")
                place += length if plain in _LENGTHS else _padded(length)
            place = begin + _padded(place - begin)
            if id_ < _NAMED and not kind & _MANY:
                yield id_, kind, value

    def _string(self, value: memoryview, kind: int = _STRING) -> str:
        charset = "utf-16-le" if kind == _UNICODE else self._codepage
        return decode(bytes(value), charset).partition("\0")[0]


def _padded(length: int) -> int:
    return length + -length % 4


def _named(codepage: int) -> str:
    """Return Python's name for a Windows codepage."""
    known = {65001: "utf-8", 20127: "ascii", 20866: "koi8-r", 1200: "utf-16-le", 50220: "iso-2022-jp"}
    if 28591 <= codepage <= 28606:
        return f"iso-8859-{codepage - 28590}"
    return known.get(codepage) or f"cp{codepage}"
