"""Find messages of a thread that the provider did not deliver, and add them to the inbound log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.channels import deliveries, warnings
from host.core import clock, db
from host.core.backports.values import replace
from host.core.cleaning import external_id
from host.delivery import agent_messages, merging
from host.models.channels import ChannelAccount
from host.models.health import Metric, Process
from host.models.inbox import ContactIdentity, Mark, MarkKind, Message
from host.models.queue import IS_PENDING, InboundEvent, MissedMessage
from host.queue import joined_lanes, journal_rows, lanes, wakeups
from host.sdk.channel import AccountRef
from host.sdk.history import LatestMessage
from host.sdk.messages import MessageReceived
from host.sdk.webhooks import Envelope

SOURCE = "second look"
SPOOL_COUNTS = timedelta(hours=1)
"""Time after a process was last seen during which the requests in its spool may still arrive."""
WARNING = "missed"
SHOWN = timedelta(days=7)
TOO_MANY = 3
"""Missed messages in an hour from which the owner is notified."""
TOO_LARGE = 0.01
"""Share of a day's messages from which the owner is notified."""

_missed = MissedMessage.metadata.tables["missed_messages"]
_messages = Message.metadata.tables["messages"]


class Findings(msgspec.Struct, frozen=True):
    """The result of reading a thread.

    :param missed: missed messages with their ids, oldest first.
    :param other: ids of messages that are not stored and were not missed.
    :param later: ids that were not there when the thread was noted, and may still be delivered.
    :param until: the provider's time of the newest message.
    """

    missed: Sequence[tuple[str, Envelope]]
    other: Sequence[str]
    later: Sequence[str]
    until: datetime | None


def here(session: Session, account_id: int, names: Collection[str]) -> dict[str, tuple[datetime, datetime]]:
    """Return sent and stored times of those messages in *names* that are stored."""
    if not names:
        return {}
    columns = _messages.c.external_id, _messages.c.sent_at, _messages.c.created_at
    query = sa.select(*columns).where(
        _messages.c.account_id == account_id, _messages.c.external_id.in_(sorted(names))
    )
    return {row.external_id: (row.sent_at, row.created_at) for row in session.execute(query)}


def may_still_come(session: Session, account_id: int, contacts: Collection[str]) -> bool:
    """Return whether a delivery for one of these customers is in a spool or waits to be applied."""
    keys = joined_lanes.mains(session, [lanes.lane_key(wakeups.IN, account_id, one) for one in contacts])
    pending = sa.select(InboundEvent.id).where(InboundEvent.lane.in_(keys), IS_PENDING).limit(1)
    if session.scalar(pending) is not None:
        return True
    spooled = (
        sa.select(Process.id)
        .where(Process.spooled > 0, Process.seen_at >= clock.now() - SPOOL_COUNTS)
        .limit(1)
    )
    return session.scalar(spooled) is not None


def find(
    session: Session,
    account: AccountRef,
    latest: Sequence[tuple[LatestMessage, MessageReceived | None]],
    *,
    since: datetime,
    listed_until: datetime | None,
) -> Findings:
    """Return which of the *latest* messages of a thread, oldest first, were missed.

    :param latest: each with the change it would make in the inbox.
    :param since: when deliveries began; earlier messages are history.
    :param listed_until: the provider's time of the newest message when the thread was noted.
    """
    known = here(session, account.id, {external_id(one.message.external_id) for one, _ in latest})
    settled = _settled(session, account, latest)
    missed: list[tuple[str, Envelope]] = []
    other: list[str] = []
    later: list[str] = []
    before: datetime | None = None
    for one, change in latest:
        name, at = external_id(one.message.external_id), one.message.sent_at
        if name in known:
            before = known[name][0]
        elif name in settled or one.envelope is None or change is None or at is None or at < since:
            other.append(name)
        elif listed_until is not None and at > listed_until:
            later.append(name)
        else:
            if before is not None and timedelta() <= before - at < merging.SAME_MOMENT:
                # The list only has whole seconds, so its order counts.
                at = before + timedelta(microseconds=1)
            before = at
            missed.append((name, replace(one.envelope, occurred_at=at)))
    times = [one.message.sent_at for one, _ in latest if one.message.sent_at is not None]
    return Findings(missed, other, later, max(times, default=None))


def _settled(
    session: Session,
    account: AccountRef,
    latest: Sequence[tuple[LatestMessage, MessageReceived | None]],
) -> set[str]:
    """Return the ids of messages that arrived but are deliberately not in the inbox."""
    ids = {external_id(one.message.external_id): one for one, _ in latest}
    envelopes = {name: one.envelope for name, one in ids.items() if one.envelope is not None}
    keys = {journal_rows.stored_key(one.dedupe_key): name for name, one in envelopes.items()}
    found: set[str] = set()
    if keys:
        came = sa.select(InboundEvent.dedupe_key).where(
            InboundEvent.channel == account.channel,
            InboundEvent.account_key == str(account.id),
            InboundEvent.dedupe_key.in_(sorted(keys)),
        )
        found |= {keys[key] for key in session.scalars(came)}
    unsent = sa.select(Mark.external_id).where(
        Mark.account_id == account.id, Mark.external_id.in_(sorted(ids)), Mark.kind == MarkKind.UNSEND
    )
    found |= set(session.scalars(unsent))
    changes: dict[str, list[MessageReceived]] = {}
    for _, change in latest:
        if change is not None:
            changes.setdefault(external_id(change.contact), []).append(change)
    query = sa.select(ContactIdentity.external_id, ContactIdentity.erased_at).where(
        ContactIdentity.account_id == account.id,
        ContactIdentity.external_id.in_(sorted(changes)),
        ContactIdentity.erased_at.is_not(None),
    )
    erased = {row.external_id: row.erased_at for row in session.execute(query)}
    for contact, theirs in changes.items():
        erased_at = erased.get(contact)
        gone = [one for one in theirs if erased_at is not None and one.sent_at <= erased_at]
        gone += merging.stored_without_id(session, account.id, contact, theirs)
        found |= {external_id(change.external_id or "") for change in gone}
    return found


def put_in(session: Session, account: AccountRef, missed: Sequence[tuple[str, Envelope]]) -> None:
    """Add missed messages to the inbound log, and record that they were missed; notify owners of many."""
    now = clock.now()
    envelopes = [envelope for _, envelope in missed]
    journal_rows.write(session, source=SOURCE, channel=account.channel, envelopes=envelopes)
    rows = [
        {
            "account_id": account.id,
            "external_id": name,
            "sent_at": envelope.occurred_at or now,
            "found_at": now,
        }
        for name, envelope in missed
    ]
    session.execute(db.insert_ignore(_missed, session.get_bind().dialect.name), rows)
    db.after_commit(session, partial(recording.count, Metric.MISSED, account.channel, by=len(rows)))
    _warn_of_many(session, account)


def count(session: Session, account_id: int, since: datetime) -> int:
    """Return the number of missed messages of an account found since then."""
    query = (
        sa.select(sa.func.count())
        .select_from(_missed)
        .where(_missed.c.account_id == account_id, _missed.c.found_at >= since)
    )
    return session.scalar(query) or 0


def _warn_of_many(session: Session, account: AccountRef) -> None:
    now = clock.now()
    row = session.get_one(ChannelAccount, account.id)
    delivered = sum(sum(hours) for hours in deliveries.by_hour(session, [row]).values())
    of_day = count(session, account.id, now - timedelta(days=1))
    many = count(session, account.id, now - timedelta(hours=1)) >= TOO_MANY
    if many or of_day > TOO_LARGE * (delivered + of_day):
        warnings.raise_warning(
            session,
            account.id,
            kind=WARNING,
            sentence=agent_messages.MISSED,
            next_step=agent_messages.MISSED_STEP,
        )


def calm_down(session: Session, account_id: int) -> None:
    """Clear the warning of an account that has missed nothing for a week."""
    if not count(session, account_id, clock.now() - SHOWN):
        warnings.clear(session, account_id, WARNING)


def forget_old(session: Session) -> None:
    """Delete missed messages that are no longer shown."""
    session.execute(sa.delete(_missed).where(_missed.c.found_at < clock.now() - SHOWN))
