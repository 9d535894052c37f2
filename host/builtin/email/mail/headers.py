"""Read the headers of a mail tolerantly: a mistake in them costs a word, never the message."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.policy import Compat32
from email.utils import getaddresses, parsedate_to_datetime

from ..addresses import normal
from .charsets import decode

MAX_HEADER = 32 * 1024
MAX_REFERENCES = 50
UNKNOWN_SENDER = "unknown@invalid"

_ID = re.compile(r"<([^<>\s]{1,500})>")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class _CutPolicy(Compat32):
    """The tolerant parser with a limit for the length of headers: the package takes quadratic time."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MAX_HEADER]


def parse_mail(data: bytes) -> Message:
    """Parse a mail. Almost any bytes give a message; some inputs make the package raise."""
    return message_from_bytes(data, policy=_CutPolicy())


def raw(message: Message, name: str) -> str:
    """Return the first header *name*, unfolded, with bytes outside ASCII read as UTF-8 or Latin-1."""
    return next(all_raw(message, name), "")


def all_raw(message: Message, name: str) -> Iterator[str]:
    """Yield each header *name* as :func:`raw` returns the first, from the top."""
    name = name.lower()
    for key, value in message.raw_items():
        if key.lower() == name:
            text = str(value)[:MAX_HEADER]
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            yield text.replace("\r", "").replace("\n", "")


def text(message: Message, name: str, length: int) -> str:
    """Return the header *name* with encoded words decoded, on one line, cut to *length*."""
    return _plain(_decoded(raw(message, name)))[:length]


def _decoded(value: str) -> str:
    try:
        parts = decode_header(value)
    except (HeaderParseError, ValueError, LookupError):
        return value
    return "".join(
        part if isinstance(part, str) else decode(part, charset or "ascii") for part, charset in parts
    )


def _plain(value: str) -> str:
    return " ".join(_CONTROL.sub(" ", value).split())


def addresses(message: Message, name: str) -> list[tuple[str, str]]:
    """Return (name, address) of the usable addresses in the header *name*."""
    found = _tolerant(lambda: getaddresses([raw(message, name)]), [])
    pairs = [(_plain(_decoded(label))[:255], normal(address)) for label, address in found]
    return [(label, address) for label, address in pairs if address is not None]


def _tolerant(
    read: Callable[[], list[tuple[str, str]]], default: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    try:
        return read()
    except (ValueError, IndexError, TypeError, AttributeError, RecursionError):
        return default


def sender(message: Message, own: Collection[str] = ()) -> tuple[str, str]:
    """Return (name, address) that an answer should go to.

    That is Reply-To where it names one person and the mail is not a list's, else From, else the envelope's.

    :param own: addresses of ours. An answer goes to one only where the mail is from us and names nobody else.
    """
    authors = addresses(message, "From")
    authors = [one for one in authors if one[1] not in own] or authors
    answers = [one for one in addresses(message, "Reply-To") if one[1] not in own]
    if len(answers) == 1 and not raw(message, "List-Id"):
        name, address = answers[0]
        return name or next((n for n, a in authors if a == address), ""), address
    for source in (authors, addresses(message, "Sender"), addresses(message, "Return-Path")):
        if source:
            return source[0]
    return "", UNKNOWN_SENDER


def authors(message: Message) -> set[str]:
    """Return every address the mail says it is from."""
    return {address for name in ("From", "Sender") for _, address in addresses(message, name)}


def message_id(message: Message) -> str | None:
    """Return the Message-ID without its angle brackets, or None where there is no usable one."""
    value = raw(message, "Message-ID")
    found = _ID.search(value)
    if found:
        return found.group(1)
    bare = value.strip()
    return bare if 0 < len(bare) <= 500 and " " not in bare and bare.isprintable() else None


def references(message: Message) -> tuple[str, ...]:
    """Return the ids this mail answers, nearest first."""
    nearest = _ID.findall(raw(message, "In-Reply-To"))
    further = reversed(_ID.findall(raw(message, "References")))
    return tuple(dict.fromkeys([*nearest, *further]))[:MAX_REFERENCES]


def date(message: Message) -> datetime | None:
    """Return the Date header in UTC, or None where it is missing or nonsense."""
    value = raw(message, "Date")
    try:
        parsed = parsedate_to_datetime(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def is_automatic(message: Message) -> bool:
    """Tell whether a program wrote this mail by itself: nothing automatic may answer it."""
    submitted = raw(message, "Auto-Submitted").strip().lower()
    precedence = raw(message, "Precedence").strip().lower()
    return (
        (submitted not in {"", "no"})
        or precedence in {"bulk", "junk", "list", "auto_reply"}
        or any(name.lower().startswith("list-") for name in message)
        or message.get_content_type() == "multipart/report"
        or bool(raw(message, "X-Autoreply") or raw(message, "X-Auto-Response-Suppress"))
        or raw(message, "Return-Path").strip() == "<>"
    )
