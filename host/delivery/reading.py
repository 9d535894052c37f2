"""Reading the journal for its pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import clock, db
from host.accounts.models import Workspace
from host.channels.models import ChannelAccount
from host.delivery import finding
from host.delivery.finding import Wanted, in_state
from host.delivery.models import EventState, InboundEvent, InboundRequest

PAGE = 50
MOST_SHOWN = 64 * 1024
"""Most characters of a body on a page."""
MOST_COUNTED = 1000
EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of the journal, as shown."""

    id: int
    received_at: datetime
    occurred_at: datetime | None
    channel: str
    account: str | None
    workspace: str | None
    kind: str
    state: EventState
    reason: str | None
    attempts: int
    retry_at: datetime | None
    applied_at: datetime | None
    replayed_at: datetime | None

    @property
    def took(self) -> timedelta | None:
        """Return how long it took until it was applied."""
        if self.applied_at is None:
            return None
        return max(self.applied_at - (self.replayed_at or self.received_at), timedelta())


@dataclass(frozen=True, slots=True)
class EventDetail:
    """One event with its content and where it came from."""

    row: EventRow
    event: InboundEvent
    source: str
    remote: str
    text: str | None
    cut: bool
    size: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, the newest first.

    :param older: the id to go on from; None: there are no more.
    :param cut: whether there may be more although the page is not full: that many events were looked through.
    """

    rows: Sequence[EventRow]
    older: int | None
    cut: bool = False


def page(
    session: Session, wanted: Wanted = EVERYTHING, *, before: int | None = None, size: int | None = None
) -> Page:
    """Return up to *size* events as *wanted*, older than the id *before*."""
    size = PAGE if size is None else size
    looked = finding.look(session, wanted, before)
    query = _rows().where(*looked.conditions, InboundEvent.id < looked.high)
    if looked.low:
        query = query.where(InboundEvent.id >= looked.low)
    rows = [_row(row) for row in session.execute(query.order_by(InboundEvent.id.desc()).limit(size + 1))]
    if len(rows) > size:
        return Page(rows[:size], rows[size - 1].id)
    since = 0 if wanted.since is None else finding.first_since(session, wanted.since)
    cut = looked.low > max(since, 1)
    return Page(rows, looked.low if cut else None, cut)


def detail(session: Session, event_id: int) -> EventDetail | None:
    """Return one event with its content, or None."""
    found = session.execute(_rows().where(InboundEvent.id == event_id)).first()
    event = session.get(InboundEvent, event_id)
    if found is None or event is None:
        return None
    request = session.execute(
        sa.select(InboundRequest.source, InboundRequest.remote).where(InboundRequest.id == event.request_id)
    ).first()
    source, remote = ("", "") if request is None else (request[0], request[1])
    text, cut = readable(event.body)
    return EventDetail(_row(found), event, source, remote, text, cut, len(event.body or b""))


def count(session: Session, state: EventState) -> int:
    """Return how many events are in *state*, counted no further than ``MOST_COUNTED``."""
    some = sa.select(InboundEvent.id).where(*in_state(state)).limit(MOST_COUNTED).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def channels(session: Session) -> Sequence[str]:
    """Return the channels accounts are of, those that are gone included."""
    return session.scalars(
        sa.select(ChannelAccount.channel).distinct().order_by(ChannelAccount.channel)
    ).all()


def quiet_for() -> timedelta | None:
    """Return how long no request has come; None if none ever did."""
    with db.read() as session:
        last = session.scalar(
            sa.select(InboundRequest.received_at).order_by(InboundRequest.id.desc()).limit(1)
        )
    return None if last is None else clock.now() - last


def readable(body: bytes | None) -> tuple[str | None, bool]:
    """Return *body* as text for people, JSON with indents, and whether it was cut short."""
    if body is None:
        return None, False
    text = body.decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    text = "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)
    return text[:MOST_SHOWN], len(text) > MOST_SHOWN


def _rows() -> Any:
    return (
        sa.select(
            InboundEvent.id,
            InboundEvent.received_at,
            InboundEvent.occurred_at,
            InboundEvent.channel,
            ChannelAccount.handle,
            Workspace.name,
            InboundEvent.kind,
            InboundEvent.state,
            InboundEvent.reason,
            InboundEvent.attempts,
            InboundEvent.retry_at,
            InboundEvent.applied_at,
            InboundEvent.replayed_at,
        )
        .outerjoin(ChannelAccount, ChannelAccount.id == InboundEvent.account_id)
        .outerjoin(Workspace, Workspace.id == ChannelAccount.workspace_id)
    )


def _row(row: sa.Row[Any]) -> EventRow:
    values = list(row)
    values[7] = EventState(values[7])
    return EventRow(*values)
