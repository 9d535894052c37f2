"""Where a listener is, and which events wait for each other; shared by both clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from lobby_client._event import Event
from lobby_client.errors import APIConnectionError, RateLimitedError, ServerError, UnreadableAnswerError

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between attempts: the last one from then on."""
WAIT_SECONDS = 25
"""How long a request waits for events."""
MOST_WAITING = 1000
"""The most events that wait for one that failed; with as many, none are fetched."""
TEMPORARY = (APIConnectionError, RateLimitedError, ServerError, UnreadableAnswerError)
"""Errors of a desk that is asked again."""


@dataclass
class Position:
    """Where a listener is. ``dataclasses.asdict`` makes JSON of it, and ``Position(**json)`` reads that.

    :param cursor: the page that is being handled begins here; None: nothing was asked yet.
    :param handled: ids of the events of that page that were handled.
    :param waiting: events that wait for one that failed, with that, as JSON; oldest first.
    """

    cursor: Optional[str] = None
    handled: list[str] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)


def related(one: Event, other: Event) -> bool:
    """Return whether two events are of one conversation."""
    return not keys_of(one).isdisjoint(keys_of(other))


def keys_of(event: Event) -> set[str]:
    """Return what names an event's conversation: its id, and the customer on a channel, or only one."""
    data: Mapping[str, Any] = event.data
    keys = set()
    id_ = data.get("id" if event.event.startswith("conversation.") else "conversationId")
    if isinstance(id_, str) and id_:
        keys.add(f"conversation {id_}")
    customer = data.get("from", data.get("to"))
    if isinstance(customer, str) and customer:
        keys.add(f"customer {data.get('channelId')} {customer}")
    return keys or {f"event {event.id}"}


def pause_of(attempt: int) -> float:
    """Return the seconds after an attempt, counted from 0."""
    return PAUSES[min(attempt, len(PAUSES) - 1)]
