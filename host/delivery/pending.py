"""Reading what waits in claimed inbound lanes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.models import ChannelAccount
from host.delivery import policy
from host.delivery.models import InboundEvent
from host.sdk.accounts import ref
from host.sdk.channel import AccountRef

SMALL = 64 * 1024
MOST_BYTES = 16 * 1024 * 1024
"""Most bytes of events one worker holds in memory at a time; one event alone may be larger."""

_COLUMNS = (
    InboundEvent.id,
    InboundEvent.lane,
    InboundEvent.channel,
    InboundEvent.account_id,
    InboundEvent.kind,
    InboundEvent.dedupe_key,
    InboundEvent.occurred_at,
    InboundEvent.received_at,
    InboundEvent.attempts,
    InboundEvent.retry_at,
    InboundEvent.forgotten_at,
    InboundEvent.replayed_at,
    InboundEvent.request_id,
)


@dataclass(slots=True)
class Pending:
    """One journalled event that waits to be applied."""

    id: int
    lane: str
    channel: str
    account_id: int | None
    kind: str
    dedupe_key: str
    occurred_at: datetime | None
    received_at: datetime
    attempts: int
    retry_at: datetime | None
    forgotten_at: datetime | None
    replayed_at: datetime | None
    request_id: int
    size: int
    body: bytes | None


@functools.cache
def _query(lanes: int) -> sa.TextualSelect:
    """Return the statement that reads the oldest events of that many lanes, each by its own index seek."""
    names = ", ".join(column.name for column in _COLUMNS)
    each = (
        f"SELECT * FROM (SELECT {names}, length(body) AS size, "  # noqa: S608 - constants and numbers only
        f"CASE WHEN length(body) <= {SMALL} THEN body END AS body "
        "FROM inbound_events WHERE lane = :lane{number} AND state = 'pending' "
        f"ORDER BY id LIMIT {policy.EVENTS_PER_LANE}) AS q{{number}}"
    )
    statement = sa.text(" UNION ALL ".join(each.replace("{number}", str(n)) for n in range(lanes)))
    return statement.columns(*_COLUMNS, sa.column("size", sa.Integer), InboundEvent.body)


@dataclass(slots=True)
class Helping:
    """The oldest pending events of one lane, in order, and whether there may be *more*."""

    events: list[Pending] = field(default_factory=list)
    more: bool = False


def read_pending(session: Session, lanes: Sequence[str]) -> dict[str, Helping]:
    """Return what waits in each of *lanes*, at most ``EVENTS_PER_LANE`` events of each."""
    found: dict[str, Helping] = {lane: Helping() for lane in lanes}
    if not found:
        return found
    # A power of two of lanes, so that only few statements are ever prepared; no lane is called "".
    count = 1 << (len(lanes) - 1).bit_length()
    names = {f"lane{n}": lanes[n] if n < len(lanes) else "" for n in range(count)}
    for row in session.connection().execute(_query(count), names):
        found[row[1]].events.append(Pending(*row))
    for helping in found.values():
        helping.events.sort(key=lambda one: one.id)
        helping.more = len(helping.events) == policy.EVENTS_PER_LANE
    _read_large_bodies(session, found.values())
    return found


def _read_large_bodies(session: Session, helpings: Iterable[Helping]) -> None:
    """Read the bodies that are not small, and leave for later what does not fit into memory."""
    room = MOST_BYTES
    for helping in helpings:
        for position, one in enumerate(helping.events):
            size = one.size or 0
            if size > room and room < MOST_BYTES:
                del helping.events[position:]
                helping.more = True
                break
            if size > SMALL:
                one.body = session.scalar(sa.select(InboundEvent.body).where(InboundEvent.id == one.id))
            room -= size


@dataclass(frozen=True, slots=True)
class Account:
    """An account, as far as applying an event needs it."""

    ref: AccountRef
    state: str
    disconnected_at: datetime | None


_account: Any = ChannelAccount.__table__
_accounts = sa.select(_account).where(_account.c.id.in_(sa.bindparam("ids", expanding=True)))


def read_accounts(session: Session, ids: Iterable[int | None]) -> dict[int, Account]:
    """Return the accounts with these ids, by id."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return {}
    rows = session.connection().execute(_accounts, {"ids": list(wanted)})
    return {row.id: Account(ref(cast(ChannelAccount, row)), row.state, row.disconnected_at) for row in rows}
