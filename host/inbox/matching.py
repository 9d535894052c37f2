"""Which of our unconfirmed messages an echo is about."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from host.inbox.cleaning import clean
from host.inbox.incoming import FUTURE
from host.inbox.rows import Person
from host.sdk.capabilities import MEDIA_KINDS
from host.sdk.messages import MessageEchoed, MessageKind

CLOCK_SKEW = timedelta(seconds=5)
CLOCK_AHEAD = FUTURE
"""How far ahead of the provider's our clock may have been at the attempt, where the words are the same."""

_MAY_COME_BACK_AS: dict[str, frozenset[MessageKind]] = {
    MessageKind.TEMPLATE: frozenset({MessageKind.UNSUPPORTED, MessageKind.SHARE}),
    MessageKind.SHARE: frozenset({MessageKind.UNSUPPORTED}),
    MessageKind.STICKER: frozenset({MessageKind.UNSUPPORTED}),
    MessageKind.FILE: frozenset({MessageKind.UNSUPPORTED}),
}
"""Kinds a provider's echo may be read as, because nobody documents how it looks."""


def take(rows: list[Any], echo: MessageEchoed, person: Person) -> Any | None:
    """Take the oldest of *rows*, our unconfirmed messages, that *echo* may be about; the likeliest first.

    A text is known by its words. What has none is known by its kind and the number of its files, within the
    attempt: an echo of another kind is somebody's at the provider's own app.

    The same words from before the attempt come last: our clock may have been ahead then, and if it was not,
    the customer has got these words once, from the provider's own app, as whoever wrote them here wanted.
    """
    for alike, skew in ((_the_same, CLOCK_SKEW), (_possibly, CLOCK_SKEW), (_same_words, CLOCK_AHEAD)):
        found = _first(rows, echo, person, alike, skew)
        if found is not None:
            return found
    return None


def _first(
    rows: list[Any],
    echo: MessageEchoed,
    person: Person,
    alike: Callable[[Any, MessageEchoed], bool],
    skew: timedelta,
) -> Any | None:
    for index, row in enumerate(rows):
        if row.identity_id == person.id and row.attempted_at <= echo.sent_at + skew and alike(row, echo):
            return rows.pop(index)
    return None


def _the_same(row: Any, echo: MessageEchoed) -> bool:
    if row.kind != echo.kind:
        return False
    if row.kind == MessageKind.TEXT:
        return comparable(row.text) == comparable(echo.text)
    return row.kind not in MEDIA_KINDS or row.files == len(echo.attachments)


def _same_words(row: Any, echo: MessageEchoed) -> bool:
    return row.kind == MessageKind.TEXT and _the_same(row, echo)


def _possibly(row: Any, echo: MessageEchoed) -> bool:
    return not echo.text and echo.kind in _MAY_COME_BACK_AS.get(row.kind, ())


def comparable(text: str) -> str:
    """Return *text* so that two ways of writing it down are equal: composed, white space collapsed."""
    return " ".join(unicodedata.normalize("NFC", clean(text)).split())
