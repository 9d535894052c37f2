"""Read live events: those a browser missed, and their frames."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.events.kinds.conversations import NOTE_DELETED
from host.events.kinds.messages import MESSAGE_DELETED, MESSAGE_UNSENT
from host.events.models import DomainEvent
from host.events.writing import EVERYBODY
from host.queue import policy
from host.users import reach
from host.users.reach import Accounts

LATE = timedelta(seconds=10)
"""How late an event may become visible: transactions may commit in another order than their ids."""
MAX_REPLAY = 500


class Event(msgspec.Struct, frozen=True):
    """A change, as sent to browsers. Events without a topic are not sent."""

    id: int
    workspace_id: int
    topic: str
    payload: str

    def frame(self) -> bytes:
        """Return the event as a frame of a server-sent event stream."""
        return f"id: {self.id}\nevent: {self.topic}\ndata: {self.payload}\n\n".encode()


class Missed(msgspec.Struct, frozen=True):
    """Events since an id.

    :param resync: whether the page must reload because events were deleted or are too many.
    :param last: the newest id.
    """

    events: Sequence[Event]
    last: int
    resync: bool = False


class SentEvents(msgspec.Struct, frozen=True):
    """The events a browser received before its stream began, which the stream must not repeat.

    :param up_to: everything up to this id, if ids become visible in order; otherwise 0.
    """

    ids: frozenset[int] = frozenset()
    up_to: int = 0

    def __contains__(self, id_: int) -> bool:
        return id_ <= self.up_to or id_ in self.ids


def newest_id(session: Session) -> int:
    """Return the id of the newest event, 0 if there is none yet."""
    return session.scalar(sa.select(sa.func.max(DomainEvent.id))) or 0


def missed(session: Session, workspace_id: int, after: int, accounts: Accounts = None) -> Missed:
    """Return events of a workspace after the event *after*, oldest first.

    :param accounts: the accounts its reader sees; None for all.

    An event may be repeated, which is harmless because the client loads the named objects again.
    """
    last = newest_id(session)
    at = session.scalar(sa.select(DomainEvent.at).where(DomainEvent.id == after))
    if after != last and (at is None or at < clock.now() - policy.LIVE_KEPT):
        # Events for browsers alone may have been deleted. Nothing was missed before the oldest event.
        oldest = session.scalar(sa.select(sa.func.min(DomainEvent.id))) or 1
        if after != oldest - 1:
            return Missed((), last, resync=after > 0 or last > 0)
    since = DomainEvent.id > after
    if at is not None and session.get_bind().dialect.name != "sqlite":
        since = sa.or_(since, DomainEvent.at > at - LATE)
    query = (
        _select.where(
            DomainEvent.workspace_id.in_([workspace_id, EVERYBODY]),
            DomainEvent.topic.is_not(None),
            since,
            DomainEvent.id != after,
        )
        .order_by(DomainEvent.id)
        .limit(MAX_REPLAY + 1)
    )
    events = [_event(row) for row in session.execute(query)]
    if len(events) > MAX_REPLAY:
        return Missed((), last, resync=True)
    return Missed(narrowed(session, events, accounts), last)


def newer(session: Session, after: int, limit: int) -> list[Event]:
    """Return up to *limit* events of all workspaces after *after*, oldest first."""
    query = _select.where(DomainEvent.id > after).order_by(DomainEvent.id).limit(limit)
    return [_event(row) for row in session.execute(query)]


def narrowed(session: Session, found: Sequence[Event], accounts: Accounts) -> list[Event]:
    """Return the events of *found* that a person who sees *accounts* may receive; None for all.

    Events are left out unless they name one of these accounts or a conversation on one, or tell people that
    they may see more or less than before.
    """
    if accounts is None:
        return list(found)
    named_in = {event.id: msgspec.json.decode(event.payload) for event in found}
    conversations = {id_ for ids in named_in.values() if (id_ := ids.get("conversation")) is not None}
    account_of = reach.accounts_of(session, conversations) if conversations else {}
    return [
        event
        for event in found
        if event.workspace_id == EVERYBODY
        or event.topic == "access"
        or named_in[event.id].get("account", account_of.get(named_in[event.id].get("conversation")))
        in accounts
    ]


def named(session: Session, ids: Sequence[int]) -> list[Event]:
    """Return the events of *ids* that are visible by now, oldest first."""
    query = _select.where(DomainEvent.id.in_(ids)).order_by(DomainEvent.id)
    return [_event(row) for row in session.execute(query)]


_select = sa.select(
    DomainEvent.id,
    DomainEvent.workspace_id,
    DomainEvent.topic,
    DomainEvent.kind,
    DomainEvent.account_id,
    DomainEvent.conversation_id,
    DomainEvent.message_id,
    DomainEvent.data,
)
_IDS = {
    "account": ("account",),
    "catch_up": ("account",),
    "conversation": ("conversation",),
    "presence": ("conversation",),
    "notice": ("conversation",),
    "addons": (),
    "erased": ("account", "conversation"),
    "access": (),
}
"""The ids browsers receive, by topic."""
_OTHER_IDS = ("conversation", "message")
_WITH_FACTS = frozenset({"presence", "notice", "erased", "access"})
"""Topics whose facts browsers receive too."""
_EMPTIED = frozenset({MESSAGE_UNSENT, MESSAGE_DELETED, NOTE_DELETED})
"""Kinds after which a message has no content left, so that copies of it are removed."""


def _event(row: Any) -> Event:
    topic = row.topic or ""
    ids = {name: getattr(row, f"{name}_id") for name in _IDS.get(topic, _OTHER_IDS)}
    payload = {name: id_ for name, id_ in ids.items() if id_ is not None}
    if topic == "state" and row.data is not None:
        payload["state"] = msgspec.json.decode(row.data)["state"]
    if topic in _WITH_FACTS and row.data is not None:
        payload |= msgspec.json.decode(row.data)
    if row.kind in _EMPTIED:
        payload["emptied"] = True
    return Event(row.id, row.workspace_id, topic, msgspec.json.encode(payload).decode())
