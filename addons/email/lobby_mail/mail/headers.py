"""Read the headers of a mail tolerantly: a mistake may cost a word, never the message."""

from __future__ import annotations

import binascii
import re
import string
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.policy import Compat32
from email.utils import getaddresses, parsedate_to_datetime
from functools import wraps
from itertools import dropwhile, islice, takewhile
from typing import Any, TypeVar

from ..addresses import normal
from . import repair
from .charsets import bare, decode

R = TypeVar("R")

MAX_HEADER = 32 * 1024
MAX_PARAMETERS = 4 * 1024
"""Maximum bytes of a header with parameters, because the package scans it once per parameter."""
MAX_REFERENCES = 50
MAX_HINTS = 10
"""Number of parts to search for a charset for headers that declare none."""
UNKNOWN_SENDER = "unknown@invalid"

_ID = re.compile(r"<([^<>\s]{1,500})>")
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?(.{0,4000}?)\?=", re.DOTALL)
_PLAIN = r"[^\s\"(),:;<>@\[\\\]]"
_ADDRESS = re.compile(rf"(?<![^\s\"(),:;<>\[\]]){_PLAIN}{{1,64}}@{_PLAIN}{{1,255}}+(?!@)")
_ATOM = r"[A-Za-z0-9_+-]{1,64}"
_BARE = rf"{_ATOM}(?:\.{_ATOM}){{0,9}}@{_ATOM}(?:\.{_ATOM}){{0,9}}"
_SIMPLE = re.compile(rf"(?:((?:{_ATOM} ){{1,8}})?<(?P<one>{_BARE})>|(?P<bare>{_BARE}))\Z")
"""A single address as in most headers, with or without a name, which needs no parser."""
_LETTERS = (string.ascii_letters + string.digits + "+/").encode()
_BASE64 = re.compile(rb"[A-Za-z0-9+/]++={0,2}\Z")
_SURE = 24
"""Letters from which text in nothing but the letters of base64 is base64, rather than a long word."""
_NO_TEXT = re.compile(rb"[\x01-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_NOT_BASE64 = bytes(sorted(set(range(256)) - set(_LETTERS)))
_PADDED = re.compile(rb"([^=]*+)=+")
_PADDING = re.compile(rb"=+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class _CutPolicy(Compat32):
    """The tolerant parser with a limit on the length of headers, because the package takes quadratic time."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[: MAX_PARAMETERS if name.lower().startswith("content-") else MAX_HEADER]

    def header_fetch_parse(self, name: str, value: str) -> str:
        """Return a header unparsed, because the package replaces bytes outside ASCII, even in file names."""
        return value


_POLICY = _CutPolicy()


class _Mail(Message):
    """A mail or a part that looks up and parses each header once.

    The package scans all headers for each lookup, and parsing a mail takes a hundred lookups.
    """

    _payload: object

    def __init__(self, policy: _CutPolicy = _POLICY) -> None:
        super().__init__(policy)
        self._lines: dict[str, list[str]] | None = None
        self._known: dict[tuple[str, ...], Any] = {}

    def set_raw(self, name: str, value: str) -> None:
        self._lines, self._known = None, {}
        super().set_raw(name, value)

    def lines(self) -> dict[str, list[str]]:
        """Return all values of each header, by its name in lower case."""
        lines = self._lines
        if lines is None:
            lines = self._lines = {}
            for name, value in self.raw_items():
                lines.setdefault(name.lower(), []).append(str(value))
        return lines

    def once(self, read: Callable[[Message, str], R], name: str) -> R:
        """Return the cached result of *read* for the header *name*."""
        key = read.__name__, name
        found: R | None = self._known.get(key)
        if found is None:
            found = self._known[key] = read(self, name)
        return found

    def get(self, name: str, failobj: Any = None) -> Any:
        found = self.lines().get(name.lower())
        return found[0] if found else failobj

    def get_content_type(self) -> str:
        return self.once(_content_type, "content-type")

    def get_param(
        self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True
    ) -> Any:
        written = self.get(header)
        if written is None or ";" not in written:
            return failobj
        key = "", param, header.lower(), str(unquote)
        if key not in self._known:
            written = super().get_param(param, None, header, unquote)
            self._known[key] = _label(written) if param == "charset" and written else written
        found = self._known[key]
        return failobj if found is None else found

    def undecoded(self) -> bytes:
        """Return the body as it arrived, where the package would decode raw bytes by the charset."""
        payload = self._payload
        return payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b""


def undecoded(part: Message) -> bytes:
    """Return the body of a part of :func:`parse_mail` as it arrived, still encoded."""
    assert isinstance(part, _Mail)
    return part.undecoded()


def _label(written: str | tuple[str | None, str | None, str]) -> str:
    """Return the bare name of a charset, because the package raises for one outside ASCII."""
    return bare(written[2] if isinstance(written, tuple) else written)


def _content_type(message: Message, _name: str) -> str:
    return Message.get_content_type(message)


def parse_mail(data: bytes) -> Message:
    """Parse a mail. It accepts almost any bytes, but the package raises for some."""
    return message_from_bytes(repair.repaired(data), _Mail, policy=_POLICY)


def once(read: Callable[[Message, str], R]) -> Callable[[Message, str], R]:
    """Cache *read*, a function of a mail and the name of a header, per header.

    A result for the whole mail uses an empty name.
    """

    @wraps(read)
    def read_once(message: Message, name: str) -> R:
        return message.once(read, name) if isinstance(message, _Mail) else read(message, name)

    return read_once


def raw(message: Message, name: str) -> str:
    """Return the first header *name*, unfolded, with bytes outside ASCII read as UTF-8."""
    value = _first(message, name)
    return value if value.isascii() else _as_utf8(value)


def all_raw(message: Message, name: str) -> Iterator[str]:
    """Yield each header *name* from the top, in the form that :func:`raw` returns."""
    for value in _written(message, name):
        yield _as_utf8(_unfolded(value))


def _as_utf8(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _written(message: Message, name: str) -> list[str]:
    """Return each header *name* unparsed, with bytes outside ASCII as surrogates."""
    name = name.lower()
    if isinstance(message, _Mail):
        return message.lines().get(name, [])
    return [str(value) for key, value in message.raw_items() if key.lower() == name]


def _first(message: Message, name: str) -> str:
    found = _written(message, name)
    return _unfolded(found[0]) if found else ""


def _unfolded(value: str) -> str:
    return value[:MAX_HEADER].replace("\r", "").replace("\n", "")


def text(message: Message, name: str, length: int) -> str:
    """Return the header *name* with encoded words decoded, on one line, cut to *length*."""
    return _line(message, name)[:length]


@once
def _line(message: Message, name: str) -> str:
    return _plain(_words(_read(message, name)))


def _read(message: Message, name: str) -> str:
    """Return the first header *name*, with bytes outside ASCII read in the charset of the mail's text."""
    return _decode_bytes(_first(message, name), message)


def _decode_bytes(value: str, message: Message) -> str:
    if value.isascii():
        return value
    return decode(value.encode("utf-8", "surrogateescape"), hint=_charset_of_text(message))


def _charset_of_text(message: Message) -> str:
    for part in islice(message.walk(), MAX_HINTS):
        found = parameter(part, "charset", "Content-Type")
        if found:
            return found
    return ""


def parameter(part: Message, name: str, header: str) -> str:
    """Return a parameter of a header, decoded from any of its three encodings, or an empty string."""
    value = part.get_param(name, "", header)
    if isinstance(value, tuple):
        charset, _, written = value
        return decode(written.encode("latin-1", "surrogateescape"), charset or "utf-8")
    return value if name == "charset" else _words(_decode_bytes(value, part))


def file_name(part: Message) -> str:
    """Return the file name that a part declares, on one line."""
    written = parameter(part, "filename", "Content-Disposition") or parameter(part, "name", "Content-Type")
    return _plain(written)


def _words(value: str) -> str:
    """Return *value* with its encoded words decoded (RFC 2047). Broken ones stay encoded."""
    if "=?" not in value:
        return value
    out: list[str] = []
    held, charset, position = b"", "", 0
    for match in _ENCODED_WORD.finditer(value):
        gap = value[position : match.start()]
        name = match[1].partition("*")[0].lower()
        if gap.strip() or name != charset or not position:
            out.append(decode(held, charset))
            held, charset = b"", name
            out.append(gap if gap.strip() or not position else "")
        written = match[3].encode("utf-8", "replace")
        held += base64_decoded(written) if match[2] in "bB" else _q_decoded(written)
        position = match.end()
    return "".join([*out, decode(held, charset), value[position:]])


def _q_decoded(written: bytes) -> bytes:
    return binascii.a2b_qp(written.replace(b" ", b"_"), header=True)


def base64_decoded(written: bytes) -> bytes:
    """Return *written* decoded. An extra character or a missing end loses only itself.

    If another encoded text follows the first, as when programs join parts, both are decoded. Plain text that
    follows is ignored.
    """
    first = _PADDED.match(written)
    if first is None:
        return _of_quads(written.translate(None, _NOT_BASE64))
    rest = b"".join(written[first.end() :].split(b"\r\n"))
    out = [_of_quads(first[1].translate(None, _NOT_BASE64))]
    if len(rest) % 4 == 0 and len(rest.translate(None, _NOT_BASE64)) + rest.count(b"=") == len(rest):
        out += map(_of_quads, _PADDING.split(rest))
    return b"".join(out)


def base64_text(written: bytes, decoded: bytes) -> bytes:
    """Return the text of a part labelled base64: *decoded*, or as much of *written* as makes a text.

    Some programs label plain text that way, and some lists add a plain footer to the encoded text.
    """
    lines = [line.strip() for line in written.split(b"\n")]
    letters = b"".join(lines)
    if not letters or (len(letters) >= _SURE and len(letters) % 4 == 0 and _BASE64.match(letters)):
        return decoded
    first = next(line for line in lines if line)
    foreign = len(first.rstrip(b"=").translate(None, _LETTERS))
    is_damaged = b" " in first or foreign > len(first) // 10
    if decoded and not (is_damaged and not _is_utf8(decoded)) and not _NO_TEXT.search(decoded):
        return decoded
    encoded = b"".join(takewhile(_BASE64.match, dropwhile(lambda line: not line, lines)))
    if len(encoded) >= _SURE:
        return base64_decoded(encoded)
    return written


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _of_quads(letters: bytes) -> bytes:
    whole = letters[:-1] if len(letters) % 4 == 1 else letters
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


def _plain(value: str) -> str:
    return " ".join(_CONTROL.sub(" ", value).split())


def addresses(message: Message, name: str) -> list[tuple[str, str]]:
    """Return (name, address) of the usable addresses in the header *name*."""
    return list(_people(message, name))


@once
def _people(message: Message, name: str) -> list[tuple[str, str]]:
    written = _read(message, name)
    if not written:
        return []
    simple = _SIMPLE.match(written)
    found = (
        [(simple[1] or "", simple["one"] or simple["bare"])]
        if simple
        else _tolerant(lambda: getaddresses([written]), [])
    )
    pairs = [(_plain(_words(label))[:255], normal(address)) for label, address in found]
    usable = [(label, address) for label, address in pairs if address is not None]
    return usable or _found_in_words(_words(written))


def _found_in_words(written: str) -> list[tuple[str, str]]:
    """Return the first address in a malformed header, with the rest as its name.

    An example is ``From: Mia Rossi mia@example.org``.
    """
    for match in islice(_ADDRESS.finditer(written), 10):
        address = normal(match[0])
        if address is not None:
            rest = written[: match.start()] + " " + written[match.end() :]
            return [(_plain(rest).strip(" <>[]()\"',;:")[:255], address)]
    return []


def _tolerant(
    read: Callable[[], list[tuple[str, str]]], default: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    try:
        return read()
    except (ValueError, IndexError, TypeError, AttributeError, RecursionError):
        return default


def sender(message: Message, own: Collection[str] = ()) -> tuple[str, str]:
    """Return the (name, address) to reply to.

    That is Reply-To if it names one person and the mail is not from a list, else From, Sender or Return-Path.
    Nothing proves either, see :mod:`.lists` for mails whose From a list rewrote.

    :param own: our addresses. One is only returned if the mail is from us and names no one else.
    """
    authors = addresses(message, "From")
    authors = [one for one in authors if one[1] not in own] or authors
    answers = [one for one in addresses(message, "Reply-To") if one[1] not in own]
    if len(answers) == 1 and not is_from_list(message):
        name, address = answers[0]
        return name or next((n for n, a in authors if a == address), ""), address
    for source in (authors, addresses(message, "Sender"), addresses(message, "Return-Path")):
        if source:
            return source[0]
    return "", UNKNOWN_SENDER


def authors(message: Message) -> set[str]:
    """Return all addresses in the From and Sender headers."""
    return {address for name in ("From", "Sender") for _, address in addresses(message, name)}


def is_from_list(message: Message) -> bool:
    """Return whether a mail came through a list. ``List-Post: NO`` means that nobody can write to one."""
    return bool(raw(message, "List-Id")) or raw(message, "List-Post").strip().upper() not in {"", "NO"}


def message_id(message: Message) -> str | None:
    """Return the Message-ID without its angle brackets, or None without a usable one."""
    value = raw(message, "Message-ID")
    found = _ID.search(value)
    if found:
        return found.group(1)
    bare = value.strip()
    return bare if 0 < len(bare) <= 500 and " " not in bare and bare.isprintable() else None


def references(message: Message) -> tuple[str, ...]:
    """Return the ids of the mails this one answers, nearest first."""
    nearest = _ID.findall(raw(message, "In-Reply-To"))
    further = reversed(_ID.findall(raw(message, "References")))
    return tuple(dict.fromkeys([*nearest, *further]))[:MAX_REFERENCES]


def date(message: Message) -> datetime | None:
    """Return the Date header in UTC, or None if it is missing or invalid."""
    value = raw(message, "Date")
    try:
        parsed = parsedate_to_datetime(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _names(message: Message) -> Iterable[str]:
    return message.lines() if isinstance(message, _Mail) else map(str.lower, message)


def is_automatic(message: Message) -> bool:
    """Return whether a program sent this mail automatically, so that no automatic answer may follow."""
    return _is_automatic(message, "")


@once
def _is_automatic(message: Message, _name: str) -> bool:
    precedence = raw(message, "Precedence").strip().lower()
    return (
        is_of_program(message)
        or precedence in {"bulk", "list"}
        or any(name.startswith("list-") for name in _names(message))
        or bool(raw(message, "X-Auto-Response-Suppress"))
    )


def is_of_program(message: Message) -> bool:
    """Return whether a program wrote this mail, rather than a person whose mail a list passed on."""
    submitted = raw(message, "Auto-Submitted").strip().lower()
    return (
        submitted not in {"", "no"}
        or raw(message, "Precedence").strip().lower() in {"junk", "auto_reply"}
        or message.get_content_type() == "multipart/report"
        or bool(raw(message, "X-Autoreply"))
        or raw(message, "Return-Path").strip() == "<>"
    )
