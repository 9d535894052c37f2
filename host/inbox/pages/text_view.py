"""Text on pages: URLs become links with host and path as text, long texts are cut between graphemes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import msgspec
import regex

from host.sdk.formatting import addresses, ascii_host, safe

__all__ = ["Span", "edges", "host_of", "label", "plain", "safe", "spans", "start", "tail"]

LABEL = 48

_INVISIBLE = re.compile("[\x00-\x1f\x7f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


class Span(msgspec.Struct, frozen=True):
    """A span of text.

    :param href: the http or https URL of a link; otherwise empty.
    :param names: whether it is a mention; *user*: the id of the member, 0 for a team.
    """

    text: str
    href: str = ""
    names: bool = False
    user: int = 0


def spans(text: str) -> tuple[Span, ...]:
    """Return *text* as spans of plain text and links; the text of a link is its host and path."""
    return tuple(_spans(text))


def _spans(text: str) -> Iterator[Span]:
    start = 0
    for begins, ends, href in addresses(text):
        if begins > start:
            yield Span(text[start:begins])
        yield Span(label(href), href)
        start = ends
    if start < len(text):
        yield Span(text[start:])


def plain(text: str) -> str:
    """Return *text* with each URL replaced by its host and path."""
    return "".join(span.text for span in spans(text))


def host_of(address: str) -> str:
    """Return the host of a safe URL: without ``www.``, and in ASCII so that lookalikes differ."""
    host = ascii_host(urlsplit(address).hostname or "") or ""
    return host.removeprefix("www.") or host


def label(address: str) -> str:
    """Return host and path of a safe URL, at most :data:`LABEL` characters of them."""
    path = _INVISIBLE.sub("", unquote(urlsplit(address).path, errors="replace")).rstrip("/")
    shown = host_of(address) + re.sub(":/{2,}", ":", path)
    return shown if len(shown) <= LABEL else shown[: LABEL - 1] + "\u2026"


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
    """Return the beginning of *text*: at most *length* graphemes."""
    letters = _GRAPHEME.findall(text)
    return text if len(letters) <= length else f"{''.join(letters[:length]).rstrip()} …"
