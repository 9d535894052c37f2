"""Text as pages show it: addresses as links named by host and path, long texts cut at whole letters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import regex

LABEL = 48
MOST = 50
"""Most links of one text; later ones stay text."""

_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"\u201c\u201d\u00ab\u00bb]{2,2000}", re.IGNORECASE)
_TRAILING = ".,:;!?'\u2019\u2026"
_PAIRS = {")": "(", "]": "[", "}": "{"}
_INVISIBLE = re.compile("[\x00-\x1f\x7f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text.

    :param href: the http or https address it leads to; empty: none.
    :param names: whether it mentions somebody; *user*: the id of the member; 0: it is a team.
    """

    text: str
    href: str = ""
    names: bool = False
    user: int = 0


def spans(text: str) -> tuple[Span, ...]:
    """Return *text* as stretches of plain text and links; the links' texts name host and path."""
    return tuple(_spans(text))


def _spans(text: str) -> Iterator[Span]:
    start = 0
    for number, match in enumerate(_ADDRESS.finditer(text)):
        if number == MOST:
            break
        before = text[match.start() - 1 : match.start()]
        written = _trimmed(match.group())
        href = safe(written if "://" in written else f"https://{written}")
        if href is None or before.isalnum() or before in {"@", "/"}:
            continue
        if match.start() > start:
            yield Span(text[start : match.start()])
        yield Span(label(href), href)
        start = match.start() + len(written)
    if start < len(text):
        yield Span(text[start:])


def _trimmed(address: str) -> str:
    """Return *address* without the punctuation of the sentence around it."""
    while address:
        last = address[-1]
        if last in _TRAILING or (last in _PAIRS and address.count(last) > address.count(_PAIRS[last])):
            address = address[:-1]
        else:
            break
    return address


def plain(text: str) -> str:
    """Return *text* with each address replaced by the host and path it leads to."""
    return "".join(span.text for span in spans(text))


def safe(address: object) -> str | None:
    """Return *address* if it is safe as a link: http or https, with a host and no password. Else None."""
    if not isinstance(address, str) or len(address) > 8000 or _INVISIBLE.search(address):
        return None
    address = address.strip()
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in {"http", "https"} or not host or "@" in parts.netloc:
        return None
    return address if _ascii(host) else None


def host_of(address: str) -> str:
    """Return the host of a safe address: without ``www.``, in ASCII so that none looks like another."""
    host = _ascii(urlsplit(address).hostname or "") or ""
    return host.removeprefix("www.") or host


def label(address: str) -> str:
    """Return host and path of a safe address, at most :data:`LABEL` characters of them."""
    path = _INVISIBLE.sub("", unquote(urlsplit(address).path, errors="replace")).rstrip("/")
    shown = host_of(address) + re.sub(":/{2,}", ":", path)
    return shown if len(shown) <= LABEL else shown[: LABEL - 1] + "\u2026"


def _ascii(host: str) -> str | None:
    if host.isascii():
        return host.lower() if re.fullmatch(r"[a-z0-9._\[\]:-]+", host.lower()) else None
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None


EDGE = 40
TAIL = 60
START = 240

_GRAPHEME = regex.compile(r"\X")


def edges(text: str) -> str:
    """Return the beginning and the end of *text*."""
    letters = _GRAPHEME.findall(text)
    if len(letters) <= 2 * EDGE + 10:
        return text
    return f"{''.join(letters[:EDGE]).rstrip()} … {''.join(letters[-EDGE:]).lstrip()}"


def tail(text: str) -> str:
    """Return the end of *text*."""
    letters = _GRAPHEME.findall(text)
    return text if len(letters) <= TAIL else f"… {''.join(letters[-TAIL:]).lstrip()}"


def start(text: str, length: int = START) -> str:
    """Return the beginning of *text*: at most *length* letters of it."""
    letters = _GRAPHEME.findall(text)
    return text if len(letters) <= length else f"{''.join(letters[:length]).rstrip()} …"
