"""API route of events, for programs that poll instead of using webhooks."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, cast

import msgspec
from flask_babel import lazy_gettext as _l
from msgspec import Meta, Raw

from host.api.http import log_cursors
from host.api.http.call import Call
from host.api.http.declare import DEPRECATED, Id, Router, Wire
from host.api.http.errors import CursorError, QueryError
from host.api.http.log_cursors import EventsGoneError
from host.api.shapes import Cursor
from host.core import clock, db
from host.events import reading, writing
from host.events.bodies import samples
from host.events.bodies.building import OutgoingBody, build
from host.events.bodies.choosing import EVERYTHING, heard
from host.events.reading import Position, Recorded
from host.users.api_keys import Scope
from host.web.request_helpers import config

LIST = "events"
EVENT_SCOPES = (Scope.CONVERSATIONS_READ, Scope.MESSAGES_READ, Scope.CONTACTS_READ)
routes = Router("Events", read=EVENT_SCOPES)
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

    cursor: Annotated[
        str | None,
        Meta(description="`next` from a response. Without it, events from now on are returned."),
    ] = None
    after: Annotated[str | None, Meta(description="Use `cursor`.", extra_json_schema=DEPRECATED)] = None
    events: (
        Annotated[
            str,
            Meta(
                max_length=2000,
                description="Only these, separated by commas; `message.*` matches all that begin with it.",
                examples=["message.received,conversation.*"],
            ),
        ]
        | None
    ) = None
    account: Annotated[
        Id | None, Meta(description="Only events of this account, and those of no account.")
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


@routes.get("/events", "List events", limited=True, errors=(CursorError, EventsGoneError))
def list_events(call: Call, query: EventQuery) -> Events:
    """The same events that webhook endpoints get, with the same ids, without needing a public address.

    Continue with the `next` of the last response to miss nothing. If a channel has its own event, it replaces
    the general one.

    A key sees the events that its scopes cover: those of conversations with `conversations:read`, of messages
    with `messages:read`, of contacts with `contacts:read`, of assistants with `automation:read`, of accounts
    with `settings:read`. A key that is limited to some accounts sees those of these accounts.
    """
    if query.cursor is not None and query.after is not None:
        raise QueryError(_l("Send `cursor` or `after`, not both."), field="after")
    field = "after" if query.cursor is None else "cursor"
    wanted = _patterns(call, query.events)
    name, text = call.list_name(LIST), query.after if query.cursor is None else query.cursor
    position: Position | None = None
    if text is not None:
        with db.read() as session:
            position = log_cursors.read(session, name, text, field)
    until = clock.monotonic() + query.wait
    awake = threading.Event()
    writing.listen(awake)
    while True:
        if position is None:
            with db.read() as session:
                position = reading.newest(session)
        found, end, more = _read(call, position, query.limit, wanted, query.account)
        left = until - clock.monotonic()
        if found or more or left <= 0 or not _waiting.enter(max(1, config().threads // 4)):
            return _answer(name, found, end, more)
        position = end
        try:
            awake.wait(min(left, LOOK_SECONDS))
            awake.clear()
        finally:
            _waiting.leave()


def _patterns(call: Call, text: str | None) -> Collection[str]:
    """Return the names and patterns of events in a parameter; without one, that of all.

    :raises QueryError: if there is no such event.
    """
    if text is None:
        return [EVERYTHING]
    names = [kind.name for kind in samples.everything(call.directory.adapters)]
    known = {EVERYTHING, *names, *(f"{name.partition('.')[0]}.*" for name in names)}
    wanted = {one.strip() for one in text.split(",")}
    if unknown := sorted(wanted - known):
        raise QueryError(_l("There is no event %(name)s.", name=unknown[0][:60]), field="events")
    return wanted


def _read(
    call: Call, position: Position, limit: int, wanted: Collection[str], account_id: int | None
) -> tuple[list[tuple[Recorded, OutgoingBody]], Position, bool]:
    """Return up to *limit* bodies after *position*, the end position, and whether there may be more.

    Several bodies of one event are always on the same page.
    """
    with db.read() as session:
        batch = reading.after(session, position, min(limit, MOST_READ), workspace_id=call.workspace_id)
        events = [one for one in batch.events if account_id is None or one.account_id in {None, account_id}]
        found = [
            (event, told)
            for event, bodies in build(session, events, call.directory, config().public_url)
            if call.may(NEEDED.get(event.kind.partition(".")[0], Scope.MESSAGES_READ))
            for told in heard(wanted, bodies, both_names=False)
            if call.accounts is None or told.body.account_id in call.accounts
        ]
    return found, batch.end, batch.more


def _answer(name: str, found: list[tuple[Recorded, OutgoingBody]], end: Position, more: bool) -> Events:
    data = []
    for event, told in found:
        body = _decoder.decode(told.body.body)
        data.append(Event(id=told.body.id, event=body.event, data=cast(Any, body.data), at=event.at))
    return Events(data=data, next=log_cursors.write(name, end), more=more)


class _Body(msgspec.Struct):
    event: str
    data: Raw


_decoder = msgspec.json.Decoder(_Body)
