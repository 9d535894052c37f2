"""Finding events of the journal: by channel, account, time, and any id somebody may hold.

Few of these have an index, for every index is written to with every event. So a page looks at a bounded
number of events, the newest first, and says where to go on; ids that have an index are found however old.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.models import ChannelAccount
from host.delivery.lanes import lane_key
from host.delivery.models import IS_PENDING, IS_SET_ASIDE, EventState, InboundEvent
from host.delivery.wakeups import IN
from host.inbox.models import ContactIdentity, Message

WINDOW = 20_000
"""Most events one page looks through."""
SHORTEST, LONGEST = 3, 200
"""Letters of what can be looked for."""
_MOST = 200
"""Most contacts or messages an id stands for."""

MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: all of them by default.

    :param account_id: of this account.
    :param since: received at that time or later.
    :param until: received before that.
    :param text: of an event, a request, an account, a customer or a message the id, or whatever it holds.
    """

    state: EventState | None = None
    channel: str | None = None
    account_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""

    @property
    def is_narrow(self) -> bool:
        """Tell whether more is asked for than a state."""
        return any((self.channel, self.account_id, self.since, self.until, self.text))


@dataclass(frozen=True, slots=True)
class Range:
    """The events a page looks at: ids from *low* up to, not including, *high*."""

    conditions: Sequence[Any]
    low: int
    high: int


def look(session: Session, wanted: Wanted, before: int | None) -> Range:
    """Return the conditions for *wanted* and which ids to look at."""
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


def conditions(session: Session, wanted: Wanted) -> list[Any]:
    """Return the conditions for *wanted*, but for its times."""
    found = [] if wanted.state is None else [*in_state(wanted.state)]
    if wanted.channel:
        found.append(InboundEvent.channel == wanted.channel)
    if wanted.account_id is not None:
        found.append(InboundEvent.account_id == wanted.account_id)
    if wanted.text:
        found.append(_holds(session, wanted.text))
    return found


def in_state(state: EventState) -> tuple[Any, ...]:
    """Return the conditions for *state*, with the words of the partial index that covers it."""
    if state is EventState.PENDING:
        return (IS_PENDING,)
    if state is EventState.APPLIED:
        return (InboundEvent.state == state,)
    return (IS_SET_ASIDE, InboundEvent.state == state)


def first_since(session: Session, at: datetime) -> int:
    """Return where the events received at *at* or later begin: none before that id is one of them.

    By halving: ids grow with time, and the times have no index.
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
    """Return the condition that an event is *text*'s, whatever kind of id that is."""
    ids = _sources(session, text)
    either: list[Any] = [InboundEvent.dedupe_key == _hash(text)]
    if len(text) >= SHORTEST:
        either.append(_in_body(session, text))
    if text.isascii() and text.isdigit() and int(text) <= MAX_ID:
        ids.add(int(text))
        either.append(InboundEvent.request_id == int(text))
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
        either.append(InboundEvent.lane.in_(lanes))
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
    """Return the events that made the message with the provider's id *text*."""
    query = sa.select(Message.sources).where(
        Message.account_id.in_(sa.select(ChannelAccount.id)), Message.external_id == text
    )
    return {one for sources in session.scalars(query.limit(_MOST)) for one in sources or ()}


def _in_body(session: Session, text: str) -> Any:
    """Return the condition that the body holds *text*, byte for byte."""
    needle = sa.bindparam(None, text.encode("utf-8", "replace"), type_=sa.LargeBinary)
    dialect = session.get_bind().dialect.name
    if dialect == "postgresql":
        return sa.func.pg_catalog.position(InboundEvent.body, needle) > 0
    return sa.func.instr(InboundEvent.body, needle) > 0
