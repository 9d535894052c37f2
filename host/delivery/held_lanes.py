"""Handle lanes that wait on purpose: for a limit, new credentials or an inactive channel.

While a limit of an account is used up, its lanes are not claimed, so that waiting costs nothing.
:func:`look_after_limited` shows long waits to agents, and fails replies whose window has closed.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.ports import AdapterDirectory
from host.core.statements import earliest
from host.delivery import outbound
from host.events.kinds.messages import OfMessage
from host.events.writing import Happened, record_all
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import Conversation, DeliveryState, Message, Origin
from host.models.queue import IS_PENDING, EventState, InboundEvent, Lane, OutboxEntry
from host.queue import lanes, paused, policy, send_limiter, wakeups
from host.queue.wakeups import OUT
from host.sdk.channel import AccountRef, ChannelAdapter, ReplyContext, ReplyState
from host.sdk.messages import MessageKind

log = logging.getLogger(__name__)

COUNTED_MOST = 10_000
"""Maximum number of conversations that are counted."""


class Reason(StrEnum):
    """Why the replies of a conversation wait on purpose."""

    LIMIT = "limit"
    """A limit of their account, reported by the provider or counted by the host."""
    RECONNECT = "reconnect"
    """New credentials of their account."""
    LATER = "later"
    """A time of their own: a limit for this customer, the next try, an echo, an inactive addon."""


_accounts = ChannelAccount.__table__.c
_lanes = Lane.__table__.c
_with_account = Lane.__table__.outerjoin(ChannelAccount.__table__, _accounts.id == _lanes.account_id)


def _still(column: Any, now: datetime) -> sa.ColumnElement[bool]:
    # Never NULL, unlike NULL > now, so that it can be negated.
    return sa.and_(column.is_not(None), column > now)


def _reconnects() -> sa.ColumnElement[bool]:
    return sa.and_(_accounts.state.is_not(None), _accounts.state == AccountState.NEEDS_RECONNECT)


def _limited(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(_still(_accounts.blocked_until, now), _still(_accounts.limited_until, now))


def oldest_due(session: Session, direction: str) -> datetime | None:
    """Return the time since which the longest-waiting lane of *direction* is due, or None if none is waiting.

    Lanes of an account that waits for a limit or for new credentials are left out.
    """
    now = clock.now()
    query = (
        sa.select(_lanes.next_at)
        .where(_lanes.direction == direction, lanes.is_free(db.now()))
        .order_by(_lanes.next_at)
        .limit(1)
    )
    resting = paused.current(session).accounts
    if resting:
        query = query.where(sa.or_(_lanes.account_id.is_(None), _lanes.account_id.not_in(resting)))
    if direction == OUT:
        query = query.select_from(_with_account).where(~_limited(now), ~_reconnects())
    return session.scalar(query)


def oldest_unconfirmed(session: Session) -> datetime | None:
    """Return when the oldest unconfirmed reply that is still looked up was sent, or None."""
    query = (
        sa.select(sa.func.min(OutboxEntry.attempted_at))
        .join(Lane, Lane.key == OutboxEntry.lane)
        .join(Message, Message.id == OutboxEntry.message_id)
        .where(
            Lane.direction == OUT,
            Lane.next_at.is_not(None),
            OutboxEntry.open.is_(True),
            Message.state == DeliveryState.UNKNOWN,
        )
    )
    return session.scalar(query)


def on_purpose(session: Session) -> dict[Reason, int]:
    """Count conversations with intentionally waiting replies, by reason, up to :data:`COUNTED_MOST`."""
    now = clock.now()
    unleased = sa.or_(_lanes.lease_until.is_(None), _lanes.lease_until <= db.now())
    queued = (_lanes.direction == OUT, _lanes.next_at.is_not(None), unleased)
    reasons = {
        Reason.LIMIT: (_limited(now), ~_reconnects()),
        Reason.RECONNECT: (_reconnects(),),
        Reason.LATER: (_lanes.next_at > now, ~_limited(now), ~_reconnects()),
    }
    found = {}
    for reason, which in reasons.items():
        some = (
            sa.select(_lanes.key)
            .select_from(_with_account)
            .where(*queued, *which)
            .limit(COUNTED_MOST)
            .subquery()
        )
        found[reason] = session.scalar(sa.select(sa.func.count()).select_from(some)) or 0
    return found


class Unfinished(msgspec.Struct, frozen=True):
    """The replies that were tried but are not finished.

    :param unconfirmed: unconfirmed ones that the desk looks up.
    :param refused: those that certainly were not sent and are retried.
    :param behind: those that wait for either, because their customers get them in order.
    :param since: when the first unconfirmed one was tried.
    """

    unconfirmed: int = 0
    refused: int = 0
    behind: int = 0
    since: datetime | None = None


def unfinished(session: Session) -> Unfinished:
    """Return the unfinished replies, counted up to :data:`COUNTED_MOST`.

    Those of an account that waits for a limit or for new credentials only count if they are unconfirmed.
    """
    unconfirmed = Message.state == DeliveryState.UNKNOWN
    tried = sa.and_(OutboxEntry.attempts > 0, ~_limited(clock.now()), ~_reconnects())
    open_entries = sa.and_(
        _lanes.direction == OUT,
        _lanes.next_at.is_not(None),
        OutboxEntry.open.is_(True),
        _lanes.key == OutboxEntry.lane,
    )
    some = (
        sa.select(OutboxEntry.lane, OutboxEntry.attempted_at, unconfirmed.label("unconfirmed"))
        .select_from(_with_account)
        .join(OutboxEntry, OutboxEntry.lane == _lanes.key)
        .join(Message, Message.id == OutboxEntry.message_id)
        .where(open_entries, sa.or_(unconfirmed, sa.and_(Message.state == DeliveryState.QUEUED, tried)))
        .limit(COUNTED_MOST)
    )
    rows = session.execute(some).all()
    if not rows:
        return Unfinished()
    lanes_of = {row.lane for row in rows}
    waiting = sa.select(sa.func.count()).where(OutboxEntry.lane.in_(lanes_of), OutboxEntry.open.is_(True))
    since = [row.attempted_at for row in rows if row.unconfirmed and row.attempted_at is not None]
    count = sum(bool(row.unconfirmed) for row in rows)
    return Unfinished(
        count, len(rows) - count, (session.scalar(waiting) or 0) - len(rows), min(since, default=None)
    )


def wake_active_channels(directory: AdapterDirectory) -> None:
    """Make lanes due that may have waited for a channel of the running generation.

    Called whenever the generation has changed. A lane that waits for another reason is checked and continues
    to wait.
    """
    with db.read() as session:
        channels = set(session.scalars(sa.select(ChannelAccount.channel).distinct()))
        active = sorted(channel for channel in channels if directory.adapter(channel) is not None)
        later = sa.select(Lane.key).where(Lane.next_at > db.now()).limit(1)
        if not active or session.execute(later).first() is None:
            return
    received = sa.select(InboundEvent.lane).where(IS_PENDING, InboundEvent.channel.in_(active)).distinct()
    written = (
        sa.select(OutboxEntry.lane)
        .join(ChannelAccount, ChannelAccount.id == OutboxEntry.account_id)
        .where(OutboxEntry.open.is_(True), ChannelAccount.channel.in_(active))
        .distinct()
    )
    for keys in (received, written):
        db.write(lanes.make_due, keys, at=clock.now())


def count_waiting(session: Session, channels: Collection[str]) -> int:
    """Return the number of received events that wait for an addon with one of *channels*."""
    query = sa.select(sa.func.count()).where(IS_PENDING, InboundEvent.channel.in_(channels))
    return session.scalar(query) or 0


def give_up(session: Session, channels: Collection[str], reason: str) -> None:
    """Turn the events that wait for *channels* into dead letters, because these channels will not return.

    They can be replayed if a channel becomes active again.
    """
    session.execute(
        sa.update(InboundEvent)
        .where(IS_PENDING, InboundEvent.channel.in_(channels))
        .values(state=EventState.DEAD, attempts=InboundEvent.attempts + 1, reason=reason, retry_at=None)
        .execution_options(synchronize_session=False)
    )


TOLD_AT_ONCE = 500
"""Replies whose wait is shown to agents in one write."""
MOST_LOOKED_AT = 5_000

_earlier = sa.orm.aliased(OutboxEntry)


def _heads(account_id: int) -> sa.Select[int, Conversation, str, str, str]:
    """Return the first open entries of those of the account's lanes that have been due for some time."""
    now = db.now()
    before = sa.select(_earlier.id).where(
        _earlier.lane == OutboxEntry.lane, _earlier.open.is_(True), _earlier.id < OutboxEntry.id
    )
    return (
        sa.select(OutboxEntry.message_id, Conversation, Message.origin, Lane.key, Message.kind)
        .join(Message, Message.id == OutboxEntry.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Lane, Lane.key == OutboxEntry.lane)
        .where(
            OutboxEntry.account_id == account_id,
            OutboxEntry.open.is_(True),
            Message.state == DeliveryState.QUEUED,
            Lane.next_at <= now - policy.WAIT_SHOWN,
            sa.or_(Lane.lease_until.is_(None), Lane.lease_until <= now),
            ~before.exists(),
        )
        .order_by(OutboxEntry.id)
    )


def due_probes(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(_accounts.probe_at, now)


def wake_probes() -> None:
    """For each account whose provider is unavailable, make one reply due when its next try is due."""
    now = clock.now()
    with db.read() as session:
        due = sa.select(ChannelAccount.id).where(ChannelAccount.probe_at <= now)
        resting = paused.current(session).accounts
        chosen = [
            session.scalar(_probes(account_id, now))
            for account_id in session.scalars(due)
            if account_id not in resting
        ]
    keys = [key for key in chosen if key is not None]
    if keys:
        db.write(lanes.make_due, keys, at=now)
        wakeups.wake(OUT)


def _probes(account_id: int, now: datetime) -> sa.Select[str]:
    """Return a parked lane of the account whose first reply is not scheduled."""
    at = db.now()
    before = sa.select(_earlier.id).where(
        _earlier.lane == OutboxEntry.lane, _earlier.open.is_(True), _earlier.id < OutboxEntry.id
    )
    return (
        sa.select(Lane.key)
        .join(OutboxEntry, OutboxEntry.lane == Lane.key)
        .join(Message, Message.id == OutboxEntry.message_id)
        .where(
            Lane.direction == OUT,
            Lane.account_id == account_id,
            Lane.next_at > at,
            sa.or_(Lane.lease_until.is_(None), Lane.lease_until <= at),
            OutboxEntry.open.is_(True),
            sa.or_(OutboxEntry.next_at.is_(None), OutboxEntry.next_at <= now),
            Message.state == DeliveryState.QUEUED,
            ~before.exists(),
        )
        .limit(1)
    )


def look_after_limited(directory: AdapterDirectory) -> None:
    """Show agents which replies now wait; fail those whose reply window has closed."""
    waiting = send_limiter.current().waiting(policy.WAIT_SHOWN)
    if not waiting:
        return
    with db.read() as session:
        resting = paused.current(session).accounts
    for account_id, sentence in waiting.items():
        if account_id in resting:
            continue
        while db.write(_tell, account_id, sentence) == TOLD_AT_ONCE:
            pass
        for lane in _closed(account_id, directory):
            lease = db.write(lanes.claim_one, lane)
            if lease is not None:
                outbound.work(lease, directory)


def _tell(session: Session, account_id: int, sentence: str) -> int:
    """Show agents what these replies wait for; return their number."""
    now = clock.now()
    session.execute(
        sa.update(ChannelAccount)
        .where(
            ChannelAccount.id == account_id,
            sa.or_(
                ChannelAccount.limited_until.is_(None),
                ChannelAccount.limited_until < now + policy.LIMIT_KNOWN / 2,
            ),
        )
        .values(limited_until=now + policy.LIMIT_KNOWN)
    )
    query = _heads(account_id).where(OutboxEntry.waiting.is_(None)).limit(TOLD_AT_ONCE)
    rows = session.execute(query.with_for_update(of=OutboxEntry, skip_locked=True)).all()
    if rows:
        session.execute(
            sa.update(OutboxEntry)
            .where(OutboxEntry.message_id.in_([row.message_id for row in rows]))
            .values(waiting={"sentence": sentence, "until": None})
        )
    record_all(
        session,
        [
            Happened(
                conversation.workspace_id,
                topic="state",
                conversation_id=conversation.id,
                message_id=message_id,
                facts=OfMessage(state=DeliveryState.QUEUED),
            )
            for message_id, conversation, _origin, _lane, _kind in rows
        ],
    )
    return len(rows)


class _Waiting(msgspec.Struct, frozen=True):
    lane: str
    context: ReplyContext
    is_template: bool

    def may_go(self, adapter: ChannelAdapter) -> bool:
        policy_of = adapter.approved_policy if self.is_template else adapter.reply_policy
        state = policy_of(self.context).state
        return state is ReplyState.OPEN or (state is ReplyState.PEOPLE_ONLY and self.context.by_person)


def _closed(account_id: int, directory: AdapterDirectory) -> list[str]:
    """Return the lanes whose first message may no longer be sent."""
    now = clock.now()
    with db.read() as session:
        row = session.get(ChannelAccount, account_id)
        adapter = None if row is None else directory.adapter(row.channel)
        if row is None or adapter is None:
            return []
        account: AccountRef = ref(row)
        found = [
            _Waiting(
                lane,
                ReplyContext(account, now, conversation.last_inbound_at, by_person=origin == Origin.AGENT),
                kind == MessageKind.APPROVED_TEMPLATE,
            )
            for _message_id, conversation, origin, lane, kind in session.execute(
                _heads(account_id).limit(MOST_LOOKED_AT)
            )
        ]
    try:
        return [one.lane for one in found if not one.may_go(adapter)]
    except Exception:
        log.exception("the adapter of %s cannot tell whether a reply is allowed", account.channel)
        return []
