"""Write the effects of a provider's answer on a reply, its account and its customer.

Each function that takes an :class:`OutboxHead` is one write and checks the fence first. If the lease was
lost, it writes nothing and returns False, or None if it otherwise returns a time.

Every write locks rows in the order of :data:`LOCK_ORDER`, so that no two wait for each other in a circle. All
senders of an account need its row, so it comes last, and without its key: a second update of a row in one
transaction locks the keys it refers to on PostgreSQL, which an account locked as a whole would stop.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from host import recording
from host.channels.accounts import set_needs_reconnect
from host.core import clock, db, logs
from host.core.cleaning import external_id
from host.core.statements import Statement
from host.delivery import agent_messages
from host.delivery.outbox_head import OutboxHead
from host.events.kinds.messages import OfMessage
from host.events.writing import Happened, record_all, show
from host.inbox import outcome
from host.inbox.comments import private_reply
from host.inbox.comments.private import redraw_beside
from host.inbox.unsent import placement, resending
from host.media import inbound
from host.models.channels import ChannelAccount
from host.models.health import Outcome
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Message
from host.models.queue import Lane, OutboxEntry
from host.queue import lanes, outbox, policy, send_limiter, wakeups
from host.queue.lanes import Lease
from host.queue.wakeups import OUT
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import AccountRef, Held, NotSent, Pause, ProviderProblem, Rejected
from host.sdk.messages import InboundAttachment

log = logging.getLogger(__name__)

LOCK_ORDER = ("lanes", "outbox", "messages", "conversations", "contact_identities", "channel_accounts")
"""The tables whose rows a write locks, in this order."""


class Begun(Enum):
    """Whether an attempt may go ahead."""

    YES = "yes"
    LOST = "lost"
    MOVED_ON = "moved on"
    """An echo or a person changed the message first."""


class After(Enum):
    """The state of the lane after a message was sent."""

    MORE = "more"
    EMPTY = "empty"
    """The lane is empty and was released."""
    LOST = "lost"


def release(session: Session, lease: Lease, next_at: datetime | None) -> None:
    """Release the lane; see :func:`host.queue.lanes.release`."""
    lanes.release(session, [(lease, next_at)])


# Every message runs these statements: as Core rows they take half the time of ORM objects.
_outbox = cast(sa.Table, OutboxEntry.__table__)
_lanes = Lane.__table__.c
_more = Statement(
    sa.select(_outbox.c.id)
    .where(_outbox.c.lane == sa.bindparam("lane"), _outbox.c.open.is_(sa.true()))
    .limit(1)
)
_entry = (
    sa.select(_outbox.c.open, _outbox.c.resent, _outbox.c.attempted_at, _outbox.c.attempts)
    .where(_outbox.c.id == sa.bindparam("entry"))
    .with_for_update()
)
_rests = (
    sa.update(_outbox)
    .where(_outbox.c.id == sa.bindparam("entry"))
    .values(next_at=sa.null(), waiting=sa.null(), not_before=sa.null(), undo=sa.null())
)
_attempt = Statement(
    _rests.values(
        attempts=sa.bindparam("number"),
        attempted_at=sa.bindparam("began"),
        resent=sa.bindparam("again"),
        readings=0,
    )
)
_close = Statement(_rests.values(open=sa.false()))
_message_state = sa.select(Message.state).where(Message.id == sa.bindparam("message")).with_for_update()


def _ours(session: Session, lease: Lease, head: OutboxHead) -> OutboxEntry | None:
    """Return the entry, locked, if the lease is still valid."""
    if not lanes.held(session, [lease]):
        return None
    return session.get(OutboxEntry, head.entry_id, with_for_update=True, populate_existing=True)


def _state(session: Session, head: OutboxHead) -> DeliveryState | None:
    state = session.scalar(_message_state, {"message": head.message_id})
    return None if state is None else DeliveryState(state)


def _closed(entry: OutboxEntry) -> None:
    entry.open = False
    entry.next_at = entry.not_before = None
    entry.waiting = entry.undo = None


def _count(session: Session, head: OutboxHead, became: Outcome) -> None:
    db.after_commit(session, partial(recording.sent, head.account.channel, became))
    ids = {"message_id": head.message_id, "conversation_id": head.conversation_id}
    db.after_commit(session, partial(logs.follow, became.value, since=head.written_at, **ids))


def begin(
    session: Session, lease: Lease, head: OutboxHead, named: Sequence[InboundAttachment], media: InboundMedia
) -> Begun:
    """Record the attempt before anything is sent.

    :param named: what the reply refers to by an id, to be looked up and shown with it.
    :param media: the place of the channel's files.
    """
    if not lanes.held(session, [lease]):
        return Begun.LOST
    connection = session.connection()
    entry = connection.execute(_entry, {"entry": head.entry_id}).first()
    if entry is None:
        return Begun.MOVED_ON  # it was undone, and the lane is still ours
    if not entry.open or not outcome.record_sending(
        session, head.message_id, only_from=head.state, only_text=head.part.text
    ):
        return Begun.MOVED_ON
    again = entry.resent or head.state is DeliveryState.UNKNOWN
    # For a message that is sent again, keep the time of the first attempt: that attempt may have arrived.
    now = clock.now()
    began = entry.attempted_at if again and entry.attempted_at is not None else now
    if now - head.sent_at >= policy.WAITED and not head.is_forward:
        # Before anyone can answer it, so that answers appear below it.
        placement.move_to(session, head.message_id, now)
    values = {"number": entry.attempts + 1, "began": began, "again": again}
    _attempt.run(connection, {"entry": head.entry_id, **values})
    if head.part.private:
        private_reply.attempted(session, head.message_id, clock.now())
    if named:
        inbound.show_with_reply(session, head.account, head.message_id, named, media)
    return Begun.YES


def undo(session: Session, lease: Lease, head: OutboxHead) -> bool:
    """Undo an attempt that sent no byte."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    entry.attempts -= 1
    session.flush()
    if head.part.private:
        private_reply.attempted(session, head.message_id, None)
    outcome.record_waiting(session, head.message_id, None)
    return True


def sent(
    session: Session, lease: Lease, head: OutboxHead, external_id: str, missed: ProviderProblem | None = None
) -> After:
    """Record that the provider accepted the message. That is true whichever worker holds the lane, so the
    fence is not checked.

    A lane without further messages is released in the same write.

    :param missed: the parts that were not sent.
    """
    ours = bool(lanes.held(session, [lease]))
    send_limiter.current().accepted(head.account.id)
    connection = session.connection()
    if connection.execute(_entry, {"entry": head.entry_id}).first() is not None:
        outcome.record_sent(session, head.message_id, external_id)
        if head.part.private:
            redraw_beside(session, head.message_id)
        if missed is not None:
            outcome.record_missed(session, head.message_id, missed)
        if head.takes_over:
            outcome.record_taken_over(session, head.conversation_id, head.responder, clock.now())
        _close.run(connection, {"entry": head.entry_id})
        _count(session, head, Outcome.SENT)
    if not ours:
        return After.LOST
    if _more.rows(connection, {"lane": lease.key}):
        return After.MORE
    lanes.release(session, [(lease, None)])
    return After.EMPTY


def claim_probe(session: Session, account_id: int, known: datetime) -> bool:
    """Claim the single try for an account whose provider is unavailable; return False if another worker makes
    it.

    :param known: its due time as it was read.
    """
    result: Any = session.execute(
        sa.update(ChannelAccount)
        .where(ChannelAccount.id == account_id, ChannelAccount.probe_at == known)
        .values(probe_at=clock.now() + policy.PROBE_MOST)
    )
    return bool(result.rowcount)


def note_failure(session: Session, account_id: int, *, unreachable: bool = False) -> ChannelAccount | None:
    """Record that a provider refused a call of an account. The account's row is written last, as with limits.

    After several in a row the provider counts as unavailable, and one reply at a time is tried, see
    :func:`note_recovered`.
    """
    send_limiter.current().failed(account_id)
    row = session.get(ChannelAccount, account_id, with_for_update={"key_share": True}, populate_existing=True)
    if row is None:
        return None
    now = clock.now()
    row.failures += 1
    row.failing_since = row.failing_since or now
    if row.failures >= policy.FAILURES_IN_A_ROW:
        delay = policy.probe_delay(now - row.failing_since, unreachable=unreachable)
        row.probe_at = max(row.probe_at or now, now + delay)
    session.flush()
    return row


def note_answers(session: Session, account_id: int) -> None:
    """Note that the provider answers again, if only to reads: a reply is tried immediately."""
    now = clock.now()
    session.execute(
        sa.update(ChannelAccount)
        .where(ChannelAccount.id == account_id, ChannelAccount.probe_at > now)
        .values(probe_at=now)
    )


def note_recovered(session: Session, account_id: int) -> None:
    """Note that the provider accepted a call of an account: work that waited for that is due.

    The lanes come first, as in every write. A lane that waits for another reason is checked and continues to
    wait.
    """
    now = clock.now()
    away = (
        session.scalar(sa.select(ChannelAccount.probe_at).where(ChannelAccount.id == account_id)) is not None
    )
    if away:
        keys = sa.select(_lanes.key).where(_lanes.direction == OUT, _lanes.account_id == account_id)
        lanes.resume(session, keys)
        for entry in session.scalars(_looked_for(account_id, now)).all():
            pause = policy.reading_gap if entry.readings else policy.echo_patience
            longer = pause(entry.transient, answered=True) - policy.TRANSIENT_PAUSES[0]
            entry.next_at = now if entry.unread else max(now, cast(datetime, entry.next_at) - longer)
        session.flush()
        db.after_commit(session, partial(wakeups.wake, OUT))
    session.execute(
        sa.update(ChannelAccount)
        .where(ChannelAccount.id == account_id)
        .values(failures=0, failing_since=None, probe_at=None)
    )


def _looked_for(account_id: int, now: datetime) -> sa.Select[OutboxEntry]:
    """Return the unconfirmed entries of an account that its provider is no longer processing."""
    return (
        sa.select(OutboxEntry)
        .join(Lane, Lane.key == OutboxEntry.lane)
        .join(Message, Message.id == OutboxEntry.message_id)
        .where(
            Lane.direction == OUT,
            Lane.account_id == account_id,
            Lane.next_at.is_not(None),
            OutboxEntry.open.is_(True),
            OutboxEntry.answered.is_(True),
            OutboxEntry.next_at > now,
            Message.state == DeliveryState.UNKNOWN,
        )
        .order_by(OutboxEntry.id)
        .with_for_update(of=OutboxEntry)
    )


def found(session: Session, lease: Lease, head: OutboxHead, external_id: str) -> bool:
    """Record that the message was found at the provider."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    if _state(session, head) is DeliveryState.UNKNOWN:
        outcome.record_sent(session, head.message_id, external_id)
        _count(session, head, Outcome.SENT)
    _closed(entry)
    session.flush()
    note_answers(session, head.account.id)
    return True


def close(session: Session, lease: Lease, head: OutboxHead) -> bool:
    """Close an entry whose message was resolved elsewhere, by an echo."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    if _state(session, head) is head.state:
        _closed(entry)
    return True


def fail(session: Session, lease: Lease, head: OutboxHead, problem: ProviderProblem) -> bool:
    """Record that the message will not be delivered; the lane continues with the next reply.

    Later parts of the same reply are held back. A message that was unconfirmed before stays unconfirmed: an
    earlier attempt may have arrived.
    """
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    _closed(entry)
    session.flush()
    record = outcome.record_unknown if entry.resent else outcome.record_failed
    record(session, head.message_id, problem)
    if not entry.resent:
        outcome.hold_rest(session, head.message_id)
    _count(session, head, Outcome.UNCONFIRMED if entry.resent else Outcome.FAILED)
    return True


def withdraw(session: Session, lease: Lease, head: OutboxHead, problem: ProviderProblem) -> bool:
    """Withdraw an automatic message before it is sent, with the reason; the lane continues with the next."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    _closed(entry)
    session.flush()
    if entry.resent:
        outcome.record_unknown(session, head.message_id, problem)
    else:
        outcome.record_cancelled(session, head.message_id, problem)
        message = session.get_one(Message, head.message_id)
        resending.leave_list(session, resending.conversation_of(session, message), [message])
    return True


def unknown(
    session: Session,
    lease: Lease,
    head: OutboxHead,
    problem: ProviderProblem,
    *,
    transient: bool = False,
    answered: bool = False,
    counts: bool = True,
) -> bool:
    """Record that the message is unconfirmed; its echo gets some time before the thread is read.

    :param transient: whether the provider reported a temporary failure.
    :param answered: whether it answered in full, with any content.
    :param counts: whether it counts as a failure of the provider.
    """
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    entry.transient = entry.transient + 1 if transient else 0
    entry.answered = answered or transient
    entry.next_at = clock.now() + policy.echo_patience(entry.transient, answered=entry.answered)
    entry.readings, entry.unread = 0, False
    entry.waiting = {"sentence": agent_messages.LOOKED_FOR, "until": None}
    session.flush()
    outcome.record_unknown(session, head.message_id, problem)
    row = note_failure(session, head.account.id) if counts else None
    if row is not None and row.probe_at is not None:
        # Reading the thread reveals whether the provider is back without making another message unconfirmed.
        row.probe_at = max(row.probe_at, entry.next_at + policy.PROBE_LEAST)
        session.flush()
    _tell_behind(session, head)
    _count(session, head, Outcome.UNCONFIRMED)
    return True


def tell_behind(session: Session, lease: Lease, head: OutboxHead) -> bool:
    """Show agents what later messages wait for."""
    if not lanes.held(session, [lease]):
        return False
    _tell_behind(session, head)
    return True


def _tell_behind(session: Session, head: OutboxHead) -> None:
    """Show agents what the other messages of this lane wait for."""
    query = (
        sa.select(_outbox.c.id, OutboxEntry.message_id, Message.workspace_id, Message.conversation_id)
        .join(Message, Message.id == OutboxEntry.message_id)
        .where(
            OutboxEntry.lane == outbox.lane_of(head.account.id, head.recipient),
            OutboxEntry.open.is_(True),
            OutboxEntry.id > head.entry_id,
            OutboxEntry.waiting.is_(None),
            Message.state == DeliveryState.QUEUED,
        )
        .order_by(_outbox.c.id)
        .limit(policy.SENDS_PER_CLAIM)
    )
    rows = session.execute(query).all()
    if not rows:
        return
    waiting = {"sentence": agent_messages.BEHIND, "until": None}
    session.execute(
        sa.update(_outbox).where(_outbox.c.id.in_([row.id for row in rows])).values(waiting=waiting)
    )
    record_all(
        session,
        [
            Happened(
                row.workspace_id,
                topic="state",
                conversation_id=row.conversation_id,
                message_id=row.message_id,
                facts=OfMessage(state=DeliveryState.QUEUED),
            )
            for row in rows
        ],
    )


def interrupted(session: Session, lease: Lease, head: OutboxHead) -> bool:
    """Record that sending was interrupted because the worker died."""
    if _state(session, head) is not DeliveryState.SENDING:
        return bool(lanes.held(session, [lease]))
    return unknown(session, lease, head, agent_messages.INTERRUPTED, counts=False)


def absent(session: Session, lease: Lease, head: OutboxHead) -> datetime | None:
    """Count one reading that did not find the message; return when to read again."""
    entry = _ours(session, lease, head)
    if entry is None:
        return None
    entry.readings += 1
    now = clock.now()
    entry.next_at = now + policy.reading_gap(entry.transient, answered=entry.answered)
    if entry.answered and entry.unread:
        # While the thread could not be read, the message had time to appear, too.
        entry.next_at = now + policy.RECOVERED_GAP
    session.flush()
    note_answers(session, head.account.id)
    return entry.next_at


def search_later(session: Session, lease: Lease, head: OutboxHead, asked: Pause) -> datetime | None:
    """Record that the provider's thread could not be read now; return when to read it."""
    entry = _ours(session, lease, head)
    if entry is None:
        return None
    until = pause_as_asked(session, head.account, asked)
    entry.next_at, entry.unread = until, True
    session.flush()
    row = None if asked.whole_account else note_failure(session, head.account.id)
    if row is not None and row.probe_at is not None:
        row.probe_at = max(row.probe_at, min(until, clock.now() + policy.PROBE_MOST) + policy.PROBE_LEAST)
        session.flush()
    return until


def search_held(session: Session, lease: Lease, head: OutboxHead, found: Held) -> datetime | None:
    """Make the account wait for new credentials; the thread is read once it has them."""
    entry = _ours(session, lease, head)
    if entry is None:
        return None
    entry.next_at = None
    session.flush()
    set_needs_reconnect(session, head.account.id, found.problem.sentence, alone=found.alone)
    return clock.now() + policy.WAIT_FOR_CHANNEL


def leave_unknown(session: Session, lease: Lease, head: OutboxHead, problem: ProviderProblem) -> bool:
    """Leave the unconfirmed message to a person; the lane continues. An echo may still confirm it."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    if _state(session, head) is DeliveryState.UNKNOWN:
        raw = session.scalar(sa.select(Message.error).where(Message.id == head.message_id)) or {}
        told = ProviderProblem(
            problem.code, problem.sentence, problem.next_step, raw.get("raw", ""), raw.get("cause", "")
        )
        outcome.record_unknown(session, head.message_id, told)
    _closed(entry)
    return True


def waits(session: Session, lease: Lease, head: OutboxHead, waiting: Mapping[str, Any]) -> bool:
    """Show agents what a queued message waits for."""
    if _ours(session, lease, head) is None:
        return False
    outcome.record_waiting(session, head.message_id, waiting)
    return True


def not_sent(
    session: Session, lease: Lease, head: OutboxHead, result: NotSent, *, unreachable: bool = False
) -> datetime | None:
    """Queue the message again; return when it is due. A limit of the whole account holds back all its lanes.

    :param unreachable: whether no connection to the provider could be made, which is not a limit.
    """
    entry = _ours(session, lease, head)
    if entry is None:
        return None
    now = clock.now()
    until = now + retry_delay(result, entry.attempts)
    away = result.retry_after is None and (unreachable or not result.whole_account)
    if away and head.failures + 1 >= policy.FAILURES_IN_A_ROW:
        until = min(
            until, now + policy.probe_delay(now - (head.failing_since or now), unreachable=unreachable)
        )
    entry.next_at = until
    session.flush()
    sentence = result.problem.sentence or agent_messages.WAITS_TO_RETRY
    # Its message before its account, as a worker that applies an echo writes them.
    outcome.record_waiting(session, head.message_id, {"sentence": sentence, "until": until.isoformat()})
    if away:
        note_failure(session, head.account.id, unreachable=unreachable)
    elif result.whole_account:
        limit_account(session, head.account, result, until)
    _tell_behind(session, head)
    _count(session, head, Outcome.RETRIED)
    return until


def held(session: Session, lease: Lease, head: OutboxHead, result: Held) -> bool:
    """Make the whole account wait for new credentials or a permission; nothing failed."""
    entry = _ours(session, lease, head)
    if entry is None:
        return False
    entry.next_at = None
    session.flush()
    outcome.record_waiting(
        session, head.message_id, {"sentence": agent_messages.RECONNECT_FIRST, "until": None}
    )
    set_needs_reconnect(session, head.account.id, result.problem.sentence, alone=result.alone)
    _count(session, head, Outcome.HELD)
    return True


def retry_delay(result: NotSent, attempts: int) -> timedelta:
    """Return the delay after try number *attempts*."""
    if result.retry_after is None:
        return policy.send_delay(attempts)
    seconds = min(max(result.retry_after, 1.0), policy.LONGEST_RETRY_AFTER.total_seconds())
    return timedelta(seconds=seconds)


def hold_account_back(
    session: Session, account: AccountRef, until: datetime, sentence: str, others: Collection[int] = ()
) -> None:
    """Hold back the queues of an account and of *others* of its channel until *until*.

    The rows are locked in the order of their ids, because other workers may do the same at the same time.
    """
    query = (
        sa.select(ChannelAccount)
        .where(
            ChannelAccount.id.in_({account.id, *others}),
            ChannelAccount.channel == account.channel,
        )
        .order_by(ChannelAccount.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    for row in session.scalars(query).all():
        if row.blocked_until is None or row.blocked_until < until:
            row.blocked_until = until
            row.blocked_reason = (sentence or agent_messages.WAITS_TO_RETRY)[:500]
            session.flush()
            show(session, row.workspace_id, "account", account_id=row.id)


def limit_account(session: Session, account: AccountRef, result: NotSent, until: datetime) -> None:
    """Hold back the queues of every account that a limit stops.

    If the provider names no time, one refusal may be an accident: only repeated refusals, with no message
    accepted in between, hold the account back, each time for longer.
    """
    if result.retry_after is None:
        resting = sa.select(ChannelAccount.blocked_until).where(ChannelAccount.id == account.id)
        known = session.scalar(resting)
        if known is not None and known > clock.now():
            return  # the answer to a call that was in progress when the pause began
        times = send_limiter.current().refused(account.id)
        if times < policy.REFUSALS_IN_A_ROW:
            return
        until = max(until, clock.now() + policy.send_delay(times - policy.REFUSALS_IN_A_ROW + 1))
    hold_account_back(session, account, until, result.problem.sentence, result.other_accounts)


def pause_as_asked(session: Session, account: AccountRef, asked: Pause) -> datetime:
    """Pause for the time requested by the provider; return when the pause ends."""
    seconds = min(max(asked.seconds, 1.0), policy.LONGEST_RETRY_AFTER.total_seconds())
    until = clock.now() + timedelta(seconds=seconds)
    if asked.whole_account:
        hold_account_back(session, account, until, asked.problem.sentence, asked.other_accounts)
    return until


def note_out_of_reach(session: Session, identity_id: int, rejected: Rejected) -> None:
    """Record that a customer cannot be reached until they write."""
    why = {**outcome.as_error(rejected.problem), **({"templates": True} if rejected.templates else {})}
    _reach(session, identity_id, clock.now(), rejected.until, why)


def note_within_reach(session: Session, identity_id: int) -> None:
    """Record that a customer can be reached again."""
    _reach(session, identity_id, None, None, None)


def note_recipient(session: Session, identity_id: int, recipient: str) -> None:
    """Give a customer the id that the provider has for them, if nobody else has it.

    What is already queued keeps the id it was written to, which the provider knows as well.
    """
    identity = session.get(ContactIdentity, identity_id, with_for_update=True)
    stored = external_id(recipient)
    if identity is None or identity.external_id == stored:
        return
    try:
        with session.begin_nested():
            identity.external_id = stored
    except IntegrityError:
        log.warning("the customer %s is known to the account as somebody else, too", identity_id)


def _reach(
    session: Session,
    identity_id: int,
    since: datetime | None,
    until: datetime | None,
    why: dict[str, Any] | None,
) -> None:
    session.execute(
        sa.update(ContactIdentity)
        .where(ContactIdentity.id == identity_id)
        .values(
            unreachable_since=since,
            unreachable_until=until,
            unreachable=sa.null() if why is None else why,
        )
    )
    conversations = session.execute(
        sa.select(Conversation.id, Conversation.workspace_id).where(Conversation.identity_id == identity_id)
    )
    record_all(
        session,
        [Happened(workspace, topic="conversation", conversation_id=id_) for id_, workspace in conversations],
    )
