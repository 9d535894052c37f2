"""Traces of what addons do on the desk: what they react to, and which messages they wrote."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

MOST_AN_HOUR = 1000
"""Most changes of one addon in one workspace within an hour."""
HOUR = timedelta(hours=1)
REPLY_KEY = "addon-"
"""Beginning of the reply keys of messages that addons write; the slug follows."""


@dataclass(frozen=True, slots=True)
class Cause:
    """An event that is being handled; its ids and depth are those of the event log."""

    event_id: int
    root_id: int
    depth: int
    conversation_id: int | None


_handled: ContextVar[tuple[Cause, ...]] = ContextVar("handled", default=())


@contextmanager
def reacting_to(causes: Sequence[Cause]) -> Iterator[None]:
    """Take *causes* as what changes inside the block react to."""
    token = _handled.set(tuple(causes))
    try:
        yield
    finally:
        _handled.reset(token)


def cause_of(conversation_id: int | None) -> Cause | None:
    """Return the event that a change reacts to: the deepest of its conversation, else the deepest of all."""
    handled = _handled.get()
    same = [one for one in handled if one.conversation_id == conversation_id is not None]
    return max(same or handled, key=lambda one: one.depth, default=None)


def reply_key(slug: str, hashed: str) -> str:
    """Return the reply key of a message that the addon *slug* writes: at most 64 characters.

    :param hashed: SHA-256 of the addon's key, in hexadecimal.
    """
    short = base64.urlsafe_b64encode(bytes.fromhex(hashed)[:12]).decode()
    return f"{REPLY_KEY}{slug}-{short}"


def writer_of(key: str | None) -> str | None:
    """Return the slug of the addon that wrote a message, by its reply key; None: no addon did."""
    if key is None or not key.startswith(REPLY_KEY):
        return None
    return key.removeprefix(REPLY_KEY).partition("-")[0] or None
