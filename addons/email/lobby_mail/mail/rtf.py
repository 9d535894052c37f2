"""Read RTF in mails: its text, or the HTML that Outlook embeds in it (MS-OXRTFEX)."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from .charsets import decode

MAX_DEPTH = 1000

_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
"""Initial dictionary of compressed RTF (MS-OXRTFCP)."""
_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,9})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)|[\r\n]+",
    re.DOTALL,
)
_SKIPPED = frozenset(
    """colortbl stylesheet info pict object listtable listoverridetable revtbl rsidtbl generator themedata
    colorschememapping datastore latentstyles xmlnstbl nonshppict objdata""".split()  # noqa: SIM905
)
_CHARACTERS = {
    **dict.fromkeys(("par", "line", "row", "sect", "page"), "\n"),
    **{"tab": "\t", "cell": " ", "nestcell": " ", "emdash": "—", "endash": "–", "bullet": "•"},
    **{"lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "emspace": "\u2003"},
    **{"enspace": "\u2002", "zwj": "\u200d", "zwnj": "\u200c"},
}
_SYMBOLS = {b"~": "\xa0", b"_": "\u2011", b"-": "\xad", b"\n": "\n", b"\r": "\n"}
_CHARSETS = {
    **{0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950"},
    **{161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257"},
    **{204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850"},
}
_LINK = re.compile(r'HYPERLINK\s+"((?:https?://|mailto:)[^"\s]{1,2000})"', re.IGNORECASE)


class RtfError(ValueError):
    """The data is not RTF, or too large."""


def decompressed(data: bytes, most: int) -> bytes:
    """Return RTF from Outlook, decompressed (``LZFu``) or stored (``MELA``).

    :raises RtfError: if it is broken or has more than *most* bytes.
    """
    if len(data) < 16:
        raise RtfError("too short")
    size, raw_size, kind = struct.unpack_from("<II4s", data)
    if raw_size > most:
        raise RtfError("too long")
    stored = data[16 : size + 4]
    if kind == b"MELA":
        return stored[:raw_size]
    if kind != b"LZFu":
        raise RtfError("not compressed RTF")
    out = bytearray(_DICTIONARY)
    if not _expand(stored, out, most) and len(out) - len(_DICTIONARY) < raw_size:
        raise RtfError("it ends too soon")
    return bytes(out[len(_DICTIONARY) :])


def _expand(stored: bytes, out: bytearray, most: int) -> bool:
    """Decompress *stored* into *out*, after the dictionary; return whether it has an end marker."""
    place, end, most = 0, len(stored), most + len(out)
    while place < end:
        control = stored[place]
        place += 1
        if len(out) > most:
            raise RtfError("too long")
        for bit in range(8):
            if not control >> bit & 1:
                out += stored[place : place + 1]
                place += 1
                continue
            pair = int.from_bytes(stored[place : place + 2], "big")
            place += 2
            # The window is a ring of 4096 bytes, with zeros after the dictionary until the text fills it.
            back = (len(out) - (pair >> 4)) % 4096
            if place > end or not back:
                return place <= end
            for _ in range((pair & 15) + 2):
                out.append(out[-back] if back <= len(out) else 32)
    return False


def read(source: bytes) -> tuple[bool, str]:
    """Return whether an RTF contains HTML, and that HTML or its text. Takes time proportional to its length.

    :raises RtfError: if it is not RTF, or nested too deeply.
    """
    if not source.startswith(b"{\\rtf"):
        raise RtfError("not RTF")
    reader = _Reader(is_html=b"\\fromhtml" in source[:400])
    reader.take(source)
    return reader.is_html, reader.words().strip("\0 \r\n")


class _Group(NamedTuple):
    """The state of a group, until its brace closes.

    :ivar skips: its text is not shown; ``field``: it contains the link's target.
    :ivar beside: whether it repeats the HTML as RTF.
    :ivar link: the link target of this group's field; *since*: index of its first output.
    """

    skips: str = ""
    beside: bool = False
    font: int = -1
    width: int = 1
    link: str = ""
    since: int = 0


class _Reader:
    def __init__(self, *, is_html: bool) -> None:
        self.is_html = is_html
        self._out: list[str] = []
        self._pending = bytearray()
        self._group = _Group()
        self._outer: list[_Group] = []
        self._codepage = "cp1252"
        self._fonts: dict[int, str] = {}
        self._defines = -1
        self._left = 0
        """Number of fallback characters left to skip after the last \\u."""
        self._starred = False
        self._instruction: list[str] = []

    def words(self) -> str:
        self._flush()
        text = "".join(self._out)
        # Surrogate halves, as \u writes characters above U+FFFF.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def take(self, source: bytes) -> None:
        place = 0
        while place < len(source):
            found = _TOKEN.match(source, place)
            if found is None:
                place += 1
                continue
            place = found.end()
            word, number, code, symbol, brace, literal = found.groups()
            if word is not None:
                name, value = word.decode(), int(number) if number else None
                if name == "bin":
                    place += max(0, value or 0)
                else:
                    self._word(name, value)
            elif brace is not None:
                self._brace(brace == b"{")
            elif symbol == b"*":
                self._starred = True
            elif symbol in _SYMBOLS:
                self._say(_SYMBOLS[symbol])
            else:
                self._bytes(bytes.fromhex(code.decode()) if code else symbol or literal or b"")

    def _brace(self, opens: bool) -> None:
        self._flush()
        self._starred, self._left = False, 0
        if opens:
            if len(self._outer) >= MAX_DEPTH:
                raise RtfError("nested too deeply")
            self._outer.append(self._group)
            self._group = self._group._replace(link="", since=len(self._out))
            return
        ended = self._group
        self._group = self._outer.pop() if self._outer else _Group()
        if ended.skips == "field" != self._group.skips:
            found = _LINK.search("".join(self._instruction))
            self._instruction = []
            # The field is the group that contains the instruction's group.
            self._group = self._group._replace(link=found.group(1) if found else "")
        elif ended.link and not ended.skips and not self.is_html:
            shown = "".join(self._out[ended.since :]).strip()
            bare = ended.link.removeprefix("mailto:")
            if shown not in {ended.link, bare}:
                self._out.append(f" ({bare})")

    def _word(self, name: str, value: int | None) -> None:
        starred, self._starred = self._starred, False
        if name == "u" and value is not None:
            self._say(chr(value % 65_536))
            self._left = self._group.width
            return
        if self._pending:
            self._flush()
        self._left = 0
        if name == "htmltag" and self.is_html:
            return  # its text is the HTML
        if name == "fldinst":
            self._group = self._group._replace(skips=self._group.skips or "field")
        elif name == "htmlrtf":
            self._group = self._group._replace(beside=self.is_html and value != 0)
        elif name == "fonttbl":
            self._group = self._group._replace(skips="fonts")
        elif name in _SKIPPED or starred:
            self._group = self._group._replace(skips="all")
        elif name in _CHARACTERS:
            self._say(_CHARACTERS[name])
        elif value is not None:
            self._set(name, value)

    def _set(self, name: str, value: int) -> None:
        if name == "ansicpg":
            self._codepage = "utf-8" if value == 65001 else f"cp{value}"
        elif name == "uc":
            self._group = self._group._replace(width=min(max(0, value), 16))
        elif name == "f":
            self._defines = value
            self._group = self._group._replace(font=value)
        elif name == "fcharset" and self._group.skips == "fonts" and value in _CHARSETS:
            # 0 is the document's default charset.
            self._fonts[self._defines] = _CHARSETS[value] if value else self._codepage

    def _say(self, text: str) -> None:
        self._flush()
        self._left = 0
        if self._group.skips == "field":
            self._instruction.append(text)
        elif not self._group.skips and not self._group.beside:
            self._out.append(text)

    def _bytes(self, found: bytes) -> None:
        self._starred = False
        left = self._left
        self._left = max(0, left - len(found))
        found = found[left:]
        if found and (self._group.skips in {"", "field"}):
            self._pending += found

    def _flush(self) -> None:
        if self._pending:
            written, self._pending = bytes(self._pending), bytearray()
            left, text = self._left, decode(written, self._fonts.get(self._group.font, self._codepage))
            self._say(text)
            self._left = left
