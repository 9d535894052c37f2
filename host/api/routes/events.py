"""API route of events, for programs that poll instead of using webhooks."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Annotated, Any

import msgspec
from flask_babel import lazy_gettext as _l
from msgspec import Meta, Raw

from host.api.http import cursors
from host.api.http.call import Call
from host.api.http.declare import Wire, route
from host.api.http.errors import CursorError, QueryError
from host.api.shapes import Cursor
from host.core import clock, db
from host.core.errors import LobbyError
from host.events import reading, writing
from host.events.bodies.building import OutgoingBody, build
from host.events.bodies.choosing import EVERYTHING, heard
from host.events.reading import Position, Recorded
from host.queue import policy
from host.users.api_keys import Scope
from host.web.request_helpers import config

LIST = "events"
EVENT_SCOPES = (Scope.CONVERSATIONS_READ, Scope.MESSAGES_READ, Scope.CONTACTS_READ)
NEEDED = {
    "account": Scope.SETTINGS_READ,
    "assistant": Scope.AUTOMATION_READ,
    "contact": Scope.CONTACTS_READ,
    "conversation": Scope.CONVERSATIONS_READ,
    "label": Scope.CONVERSATIONS_READ,
    "team": Scope.CONVERSATIONS_READ,
}
"""The scope a key needs to see events, by the first part of the name of the built-in event. All others, also
of notes and rules, are about messages.
"""
LONGEST_WAIT = 25
LOOK_SECONDS = 0.5
"""Polling interval for events of other processes while a request waits."""
MOST_READ = 200


class EventsGoneError(LobbyError):
    """The events after that cursor have been removed."""

    code = "events_gone"
    status = 410
    title = _l("Events no longer available")
    default_sentence = _l("Some events after this cursor have been deleted.")
    default_next_step = _l("Start without a cursor, and read what you missed from the conversations.")


class Event(Wire, frozen=True):
    """One event, as webhook endpoints get it."""

    id: Annotated[
        str, Meta(description="The same as the header `webhook-id`.", examples=["evt_aWdfZAG1c0FB"])
    ]
    event: str
    data: dict[str, Any]
    at: Annotated[datetime, Meta(description="When Lobby recorded it.")]


class Events(Wire, frozen=True):
    """Events, in the order they happened."""

    data: list[Event]
    next: Annotated[Cursor, Meta(description="Cursor for later events; also set if there are none.")]
    more: Annotated[bool, Meta(description="Whether there are more now.")]


class EventQuery(Wire, frozen=True):
    """The position to begin at, and the size of the page."""

    after: Annotated[
        str | None,
        Meta(description="`next` from a response. Without it, events from now on are returned."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=200, description="The maximum number of results.")] = 100
    wait: Annotated[
        int,
        Meta(
            ge=0,
            le=LONGEST_WAIT,
            description=(
                "Seconds to wait for an event if there is none yet. If too many requests are "
                "waiting, the response is immediate."
            ),
        ),
    ] = 0


class _Waiting:
    """Number of waiting requests in this process: each holds a thread that pages also need."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def enter(self, most: int) -> bool:
        with self._lock:
            if self._count >= most:
                return False
            self._count += 1
            return True

    def leave(self) -> None:
        with self._lock:
            self._count -= 1


_waiting = _Waiting()


@route(
    "GET",
    "/events",
    tag="Events",
    summary="List events",
    scope=EVENT_SCOPES,
    limited=True,
    query=EventQuery,
    answer=Events,
    errors=(QueryError, CursorError, EventsGoneError),
)
def list_events(call: Call, query: EventQuery) -> bytes:
    """The same events that webhook endpoints get, with the same ids, without needing a public address.

    Continue with the `next` of the last response to miss nothing. If a channel has its own event, it replaces
    the general one.

    A key sees the events that its scopes cover: those of conversations with `conversations:read`, of messages
    with `messages:read`, of contacts with `contacts:read`, of assistants with `automation:read`, of accounts
    with `settings:read`. A key that is limited to some accounts sees those of these accounts.
    """
    position = _position(query.after)
    until = clock.monotonic() + query.wait
    awake = threading.Event()
    writing.listen(awake)
    while True:
        if position is None:
            with db.read() as session:
                position = reading.newest(session)
        found, end, more = _read(call, position, query.limit)
        left = until - clock.monotonic()
        if found or more or left <= 0 or not _waiting.enter(max(1, config().threads // 4)):
            return _answer(found, end, more)
        position = end
        try:
            awake.wait(min(left, LOOK_SECONDS))
            awake.clear()
        finally:
            _waiting.leave()


def _position(after: str | None) -> Position | None:
    """Return the position of a cursor; None: start now."""
    if after is None:
        return None
    place, id_, made_at = cursors.read_numbers(LIST, after, "after")
    if made_at < (clock.now() - policy.RECORD_KEPT).timestamp():
        raise EventsGoneError(field="after")
    with db.read() as session:
        # A desk restored elsewhere has other positions for the same events.
        moved = reading.place_of(session, id_)
    return Position(place if moved is None else moved, id_)


def _read(
    call: Call, position: Position, limit: int
) -> tuple[list[tuple[Recorded, OutgoingBody]], Position, bool]:
    """Return up to *limit* bodies after *position*, the end position, and whether there may be more.

    Several bodies of one event are always on the same page.
    """
    with db.read() as session:
        batch = reading.after(session, position, min(limit, MOST_READ), workspace_id=call.workspace_id)
        found = [
            (event, told)
            for event, bodies in build(session, batch.events, call.directory, config().public_url)
            if call.may(NEEDED.get(event.kind.partition(".")[0], Scope.MESSAGES_READ))
            for told in heard([EVERYTHING], bodies, both_names=False)
            if call.accounts is None or told.body.account_id in call.accounts
        ]
    return found, batch.end, batch.more


def _answer(found: list[tuple[Recorded, OutgoingBody]], end: Position, more: bool) -> bytes:
    data = []
    for event, told in found:
        body = _decoder.decode(told.body.body)
        data.append({"id": told.body.id, "event": body.event, "data": body.data, "at": event.at})
    made_at = int(clock.now().timestamp())
    following = cursors.write_numbers(LIST, end.place, end.event_id, made_at)
    return msgspec.json.encode({"data": data, "next": following, "more": more})


class _Body(msgspec.Struct):
    event: str
    data: Raw


_decoder = msgspec.json.Decoder(_Body)
