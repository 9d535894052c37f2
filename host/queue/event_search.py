"""Find events of the journal by state, channel, account, time or any id, for the admins' pages.

Few of these have an index, because each index is written with every event. So a page searches a limited
number of events, newest first, and returns where to continue. Ids that have an index are found at any age.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, sqlite_wipe
from host.core.ids import MAX_ID, read_id
from host.models.channels import ChannelAccount
from host.models.inbox import ContactIdentity, Message
from host.models.queue import IS_PENDING, IS_SET_ASIDE, EventState, InboundEvent, InboundRequest
from host.models.users import Workspace
from host.queue import joined_lanes
from host.queue.bodies import stored
from host.queue.lanes import lane_key
from host.queue.wakeups import IN

WINDOW = 20_000
"""Most events that one page searches."""
SHORTEST, LONGEST = 3, 200
"""Bounds of the search text, in characters."""
_MOST = 200
"""Most contacts or messages one id may match."""


class EventFilter(msgspec.Struct, frozen=True):
    """The filter of an event search; by default it matches all.

    :param account_id: events of this account.
    :param since: received at that time or later.
    :param until: received before that.
    :param text: the id of an event, request, account, customer or message, or any text of the body.
    """

    state: EventState | None = None
    channel: str | None = None
    account_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""

    @property
    def is_narrow(self) -> bool:
        """Return whether it filters by more than a state."""
        return any((self.channel, self.account_id, self.since, self.until, self.text))


class Range(msgspec.Struct, frozen=True):
    """The events that a page searches: ids from *low* to *high*, excluding *high*."""

    conditions: Sequence[Any]
    low: int
    high: int


def search_range(session: Session, wanted: EventFilter, before: int | None) -> Range:
    """Return the conditions for *wanted* and the range of ids to search."""
    high = MAX_ID if before is None else before
    low = 0
    if wanted.until is not None:
        high = min(high, first_since(session, wanted.until))
    if wanted.since is not None:
        low = first_since(session, wanted.since)
    if wanted.is_narrow and wanted.state not in {EventState.DEAD, EventState.PENDING}:
        newest = session.scalar(sa.select(sa.func.max(InboundEvent.id)).where(InboundEvent.id < high)) or 0
        low = max(low, newest - WINDOW + 1)
    return Range(conditions(session, wanted), low, high)


def conditions(session: Session, wanted: EventFilter) -> list[Any]:
    """Return the conditions for *wanted*, except its times."""
    found = [] if wanted.state is None else [*in_state(wanted.state)]
    if wanted.channel:
        found.append(InboundEvent.channel == wanted.channel)
    if wanted.account_id is not None:
        found.append(InboundEvent.account_id == wanted.account_id)
    if wanted.text:
        found.append(_holds(session, wanted.text))
    return found


def in_state(state: EventState) -> tuple[Any, ...]:
    """Return the conditions for *state*, written as in the partial index, so that it is used."""
    if state is EventState.PENDING:
        return (IS_PENDING,)
    if state is EventState.APPLIED:
        return (InboundEvent.state == state,)
    return (IS_SET_ASIDE, InboundEvent.state == state)


def first_since(session: Session, at: datetime) -> int:
    """Return the first id of the events received at *at* or later.

    A binary search: ids grow with time, and the times have no index.
    """
    low, high = 0, (session.scalar(sa.select(sa.func.max(InboundEvent.id))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        query = sa.select(InboundEvent.id, InboundEvent.received_at).where(InboundEvent.id >= middle)
        found = session.execute(query.order_by(InboundEvent.id).limit(1)).first()
        if found is None or found.received_at >= at:
            high = middle
        else:
            low = found.id + 1
    return low


def _holds(session: Session, text: str) -> Any:
    """Return the condition that an event belongs to the id *text* of any kind."""
    ids = _sources(session, text)
    either: list[Any] = [InboundEvent.dedupe_key == _hash(text)]
    if len(text) >= SHORTEST:
        either.append(_in_body(session, text))
    number = read_id(text)
    if number is not None:
        ids.add(number)
        either.append(InboundEvent.request_id == number)
    if text.isascii() and len(text) == 64:
        either.append(InboundEvent.dedupe_key == text)
    accounts = session.scalars(
        sa.select(ChannelAccount.id)
        .where(sa.or_(ChannelAccount.handle == text, ChannelAccount.external_id == text))
        .limit(_MOST)
    ).all()
    if accounts:
        either.append(InboundEvent.account_id.in_(accounts))
    lanes = [lane_key(IN, account_id, text) for account_id in _accounts_of_customer(session, text)]
    if lanes:
        either.append(InboundEvent.lane.in_(joined_lanes.mains(session, lanes)))
    if ids:
        either.append(InboundEvent.id.in_(ids))
    return sa.or_(*either)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _accounts_of_customer(session: Session, text: str) -> Sequence[int]:
    query = sa.select(ContactIdentity.account_id).where(
        ContactIdentity.account_id.in_(sa.select(ChannelAccount.id)), ContactIdentity.external_id == text
    )
    return session.scalars(query.limit(_MOST)).all()


def _sources(session: Session, text: str) -> set[int]:
    """Return the events that created the message with the provider's id *text*."""
    query = sa.select(Message.sources).where(
        Message.account_id.in_(sa.select(ChannelAccount.id)), Message.external_id == text
    )
    return {one for sources in session.scalars(query.limit(_MOST)) for one in sources or ()}


def _in_body(session: Session, text: str) -> Any:
    """Return the condition that the body, or the first part of a large one, contains *text* verbatim."""
    needle = sa.bindparam(None, text.encode("utf-8", "replace"), type_=sa.LargeBinary)
    dialect = session.get_bind().dialect.name
    if dialect == "postgresql":
        return sa.func.pg_catalog.position(InboundEvent.body, needle) > 0
    return sa.func.instr(InboundEvent.body, needle) > 0


PAGE = 50
MOST_SHOWN = 64 * 1024
"""Most characters of a body on a page."""
MOST_COUNTED = 1000
EVERYTHING = EventFilter()


class EventSummary(msgspec.Struct, frozen=True):
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
        """Return the time until it was applied."""
        if self.applied_at is None:
            return None
        return max(self.applied_at - (self.replayed_at or self.received_at), timedelta())


class EventDetail(msgspec.Struct, frozen=True):
    """One event with its content and origin."""

    row: EventSummary
    event: InboundEvent
    source: str
    remote: str
    text: str | None
    cut: bool
    size: int


class Page(msgspec.Struct, frozen=True):
    """Some events, newest first.

    :param older: the id from which to continue; None: no more events.
    :param cut: whether the search reached its limit of events: more may match although the page is not full.
    """

    rows: Sequence[EventSummary]
    older: int | None
    cut: bool = False


def page(
    session: Session, wanted: EventFilter = EVERYTHING, *, before: int | None = None, size: int | None = None
) -> Page:
    """Return up to *size* events that match *wanted*, older than the id *before*."""
    size = PAGE if size is None else size
    looked = search_range(session, wanted, before)
    query = _summaries().where(*looked.conditions, InboundEvent.id < looked.high)
    if looked.low:
        query = query.where(InboundEvent.id >= looked.low)
    rows = [_summary(row) for row in session.execute(query.order_by(InboundEvent.id.desc()).limit(size + 1))]
    if len(rows) > size:
        return Page(rows[:size], rows[size - 1].id)
    since = 0 if wanted.since is None else first_since(session, wanted.since)
    cut = looked.low > max(since, 1)
    return Page(rows, looked.low if cut else None, cut)


def detail(session: Session, event_id: int) -> EventDetail | None:
    """Return one event with its content, or None."""
    found = session.execute(_summaries().where(InboundEvent.id == event_id)).first()
    event = session.get(InboundEvent, event_id)
    if found is None or event is None:
        return None
    request = session.execute(
        sa.select(InboundRequest.source, InboundRequest.remote).where(InboundRequest.id == event.request_id)
    ).first()
    source, remote = ("", "") if request is None else (request.source, request.remote)
    text, cut = readable(event.body)
    size = stored.size(session, event_id, len(event.body or b""))
    return EventDetail(_summary(found), event, source, remote, text, cut, size)


def count(session: Session, state: EventState) -> int:
    """Return the number of events in *state*, ``MOST_COUNTED`` at most."""
    some = sa.select(InboundEvent.id).where(*in_state(state)).limit(MOST_COUNTED).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def channels(session: Session) -> Sequence[str]:
    """Return the channels of all accounts, including disconnected ones."""
    return session.scalars(
        sa.select(ChannelAccount.channel).distinct().order_by(ChannelAccount.channel)
    ).all()


def quiet_for() -> timedelta | None:
    """Return the time since the last request; None if none was ever received."""
    with db.read() as session:
        last = session.scalar(
            sa.select(InboundRequest.received_at).order_by(InboundRequest.id.desc()).limit(1)
        )
    return None if last is None else clock.now() - last


def wipe_leftovers() -> None:
    """Wipe traces of deleted rows from an SQLite file, if no request was received recently."""
    database = db.current()
    if database.is_sqlite:
        sqlite_wipe.clear(database, quiet_for)


def readable(body: bytes | None) -> tuple[str | None, bool]:
    """Return *body* as text for people, JSON with indents, and whether it was cut short."""
    if body is None:
        return None, False
    text = body.decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    text = "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)
    return text[:MOST_SHOWN], len(text) > MOST_SHOWN


def _summaries() -> Any:
    return (
        sa.select(
            InboundEvent.id,
            InboundEvent.received_at,
            InboundEvent.occurred_at,
            InboundEvent.channel,
            ChannelAccount.handle.label("account"),
            Workspace.name.label("workspace"),
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


def _summary(row: sa.Row[Any]) -> EventSummary:
    return EventSummary(**{**row._mapping, "state": EventState(row.state)})
