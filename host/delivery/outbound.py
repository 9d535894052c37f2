"""Send the replies of a leased lane, strictly in order.

The adapter is called outside any transaction. The attempt is committed before the call. So if a worker dies
while sending, the reply is unconfirmed, and is looked for at the provider before it is sent again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from functools import partial
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, storage
from host.core.backports.values import replace
from host.core.cleaning import clean_attachment
from host.core.guard import Departure, watch_departure
from host.core.ports import AdapterDirectory
from host.core.transport import before_first_byte
from host.delivery import agent_messages, results
from host.delivery.merging import take_back
from host.delivery.outbox_head import OutboxHead, read_outbox_head, search_request, send_request
from host.inbox.contacts import marketing
from host.models.channels import AccountState
from host.models.inbox import DeliveryState
from host.queue import policy, send_limiter
from host.queue.lanes import Lease
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import (
    Absent,
    CannotTell,
    ChannelAdapter,
    Found,
    Held,
    NotSent,
    Pause,
    ProviderProblem,
    Rejected,
    ReplyPolicy,
    ReplyState,
    SearchRequest,
    SearchResult,
    SendLimit,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from host.sdk.messages import InboundAttachment, MessageKind

log = logging.getLogger(__name__)

R = TypeVar("R")

RECORD_TRIES = 6
RECORD_PAUSE_SECONDS = 1.0


class Next(Enum):
    """The next action for the lane, other than waiting until a time."""

    GO_ON = "go on"
    DONE = "done"
    """All messages were sent; the lane was released."""
    LOST = "lost"


Step = Next | datetime

_AFTER = {
    results.After.MORE: Next.GO_ON,
    results.After.EMPTY: Next.DONE,
    results.After.LOST: Next.LOST,
}


def work(lease: Lease, directory: AdapterDirectory, stopping: Callable[[], bool] = lambda: False) -> None:
    """Send the due messages in the lane of *lease* and release the lane.

    :param stopping: called between two messages; if it returns True, other workers send the rest.
    """
    if lease.account_id is not None:
        send_limiter.current().pick_up(lease.key, lease.account_id)
    try:
        _work(lease, directory, stopping)
    finally:
        send_limiter.current().finish(lease.key)


def _work(lease: Lease, directory: AdapterDirectory, stopping: Callable[[], bool]) -> None:
    for _ in range(policy.SENDS_PER_CLAIM):
        with db.read() as session:
            head = read_outbox_head(session, lease.key)
        if head is None:
            db.write(results.release, lease, None)
            return
        step = _step(lease, head, directory)
        if step is Next.LOST:
            log.warning("the lease of an outbound lane was lost; its result is discarded")
            return
        if isinstance(step, datetime):
            db.write(results.release, lease, step)
        if step is not Next.GO_ON:
            return
        if stopping():
            break
    db.write(results.release, lease, clock.now())


def _step(lease: Lease, head: OutboxHead, directory: AdapterDirectory) -> Step:
    """Take one step with the first open reply of the lane."""
    adapter = directory.adapter(head.account.channel)
    if head.state is DeliveryState.SENDING:
        # No other worker holds the lane, so the worker that was sending this is gone.
        return _apply(results.interrupted, lease, head)
    if head.state is DeliveryState.UNKNOWN:
        return _find_out(lease, head, adapter)
    if head.state is not DeliveryState.QUEUED:
        return _apply(results.close, lease, head)
    if head.unwanted is not None:
        # What a person or a program wrote is shown as failed: they count on it.
        end = results.withdraw if head.automatic else results.fail
        return _apply(end, lease, head, head.unwanted)
    if head.account_state is AccountState.DISCONNECTED:
        return _apply(results.fail, lease, head, agent_messages.DISCONNECTED)
    if head.is_forward and not head.forwards:
        return _apply(results.fail, lease, head, agent_messages.FORWARDED_GONE)
    if adapter is None:
        return _wait(lease, head, clock.now() + policy.WAIT_FOR_CHANNEL, agent_messages.CHANNEL_INACTIVE)
    return _send_if_allowed(lease, head, adapter)


def _send_if_allowed(lease: Lease, head: OutboxHead, adapter: ChannelAdapter) -> Step:
    now = clock.now()
    allowed = _policy(head, adapter)
    if allowed is None:
        return _wait(lease, head, now + policy.READING_GAP, agent_messages.POLICY_BROKEN)
    # Check for failures before delays: otherwise an agent would learn hours later that the reply was too
    # late.
    if allowed.state is ReplyState.CLOSED:
        return _apply(results.fail, lease, head, _window_closed(head, now))
    if allowed.state is ReplyState.PEOPLE_ONLY and not head.by_person:
        return _apply(results.fail, lease, head, agent_messages.PEOPLE_ONLY)
    if allowed.until is None and head.attempts and now - head.written_at > policy.GIVE_UP_AFTER:
        return _apply(results.fail, lease, head, agent_messages.GAVE_UP)
    if head.account_state is AccountState.NEEDS_RECONNECT:
        until = _not_after(allowed, now + policy.WAIT_FOR_CHANNEL)
        return _wait(lease, head, until, agent_messages.RECONNECT_FIRST)
    if head.blocked_until is not None and head.blocked_until > now:
        sentence = head.blocked_reason or agent_messages.ACCOUNT_LIMIT
        return _wait(lease, head, _not_after(allowed, head.blocked_until), sentence, shown=head.blocked_until)
    if head.next_at is not None and head.next_at > now:
        return _wait_on(lease, head, _not_after(allowed, head.next_at))
    # While the provider is unavailable, the worker that claims the probe sends one reply; all others stay
    # parked.
    if head.probe_at is not None and not (
        head.probe_at <= now and db.write(results.claim_probe, head.account.id, head.probe_at)
    ):
        return _wait(lease, head, _not_after(allowed, now + policy.PARKED), agent_messages.PROVIDER_AWAY)
    return _send(lease, head, adapter, allowed)


def _window_closed(head: OutboxHead, now: datetime) -> ProviderProblem:
    """Return why a reply is too late: its own delay, or the reason why its account was held back."""
    until = head.blocked_until
    if (
        until is None
        or until <= head.written_at
        or until <= now - policy.HOLD_DELAYS
        or not head.blocked_reason
    ):
        return agent_messages.WINDOW_CLOSED
    return replace(agent_messages.WINDOW_CLOSED_WHILE_HELD, cause=head.blocked_reason)


def _send(lease: Lease, head: OutboxHead, adapter: ChannelAdapter, allowed: ReplyPolicy) -> Step:
    try:
        if not head.files_are_there():
            return _apply(results.fail, lease, head, agent_messages.FILE_GONE)
    except storage.StoreAwayError as error:
        log.warning("replies with files wait for where files are kept: %s", error.words)
        until = _not_after(allowed, clock.now() + policy.WAIT_FOR_FILES)
        return _wait(lease, head, until, agent_messages.FILES_AWAY)
    with db.read() as session:
        request = send_request(session, head, adapter, allowed.tag)
    limits = _limits(adapter, request)
    if limits is None:
        return _wait(lease, head, clock.now() + policy.READING_GAP, agent_messages.POLICY_BROKEN)
    account, channel = head.account.id, head.account.channel
    waits = send_limiter.current().check(account, limits, channel)
    if waits is not None:
        return _wait_for_limit(lease, head, allowed, waits)
    begun = db.write(results.begin, lease, head, *_named(head, adapter))
    if begun is not results.Begun.YES:
        return Next.LOST if begun is results.Begun.LOST else Next.GO_ON
    # Count as late as possible: the provider counts on arrival, and the write above takes time.
    if lease.alive():
        waits = send_limiter.current().take_turn(account, limits, channel, lease.key)
    if waits is not None or not lease.alive():
        # No byte was sent, so this is not an attempt. Without the lease, another worker may hold the lane at
        # any time.
        if not db.write(results.undo, lease, head):
            return Next.LOST
        return Next.GO_ON if waits is None else _wait_for_limit(lease, head, allowed, waits)
    # If the adapter raises, the message may or may not have left.
    result: SendResult = Unknown(agent_messages.ADAPTER_RAISED)
    with watch_departure() as departure:
        try:
            with before_first_byte(partial(_leave, lease, limits, channel)):
                result = adapter.send(request)
        except Exception as error:
            log.exception(
                "the adapter of %s raised while sending message %s", head.account.channel, head.message_id
            )
            result = Unknown(agent_messages.raised(error))
    if isinstance(result, Unknown) and departure.unreachable:
        # No connection was made, so the customer cannot have got it: it is safe to send again.
        result = NotSent(agent_messages.NOT_REACHED)
    _note_recipient(head, result)
    try:
        return _apply(_record, lease, head, result, allowed, departure)
    except sa.exc.IntegrityError:
        # The message has left. Unknown prevents a second send.
        log.exception("the result of sending message %s cannot be stored", head.message_id)
        return _apply(_record, lease, head, Unknown(agent_messages.RESULT_UNUSABLE), allowed, departure)
    finally:
        _note_reach(head, result)
        _note_target(head, adapter, result)


def _leave(lease: Lease, limits: Sequence[SendLimit], channel: str) -> None:
    """Hold a call before its first byte until it keeps within *limits* again.

    :raises TimeoutError: if the lease expired meanwhile: a process that was suspended must not send
        afterwards, because another one may have looked for the message in vain and resent it.
    """
    send_limiter.current().leave(limits, channel)
    if not lease.alive():
        raise TimeoutError("the lease of the lane ended before the request left")


def _named(head: OutboxHead, adapter: ChannelAdapter) -> tuple[Sequence[InboundAttachment], InboundMedia]:
    """Return what the message refers to by an id, to show it in the thread, and the place of the channel's
    files.
    """
    if head.part.content.get("products") and not head.shown_with:
        try:
            found = adapter.named_files(head.account, head.part.content)
            return [clean_attachment(one) for one in found], adapter.inbound_media()
        except Exception:
            log.exception("the adapter of %s cannot tell what a reply names", head.account.channel)
    return (), InboundMedia()


def _limits(adapter: ChannelAdapter, request: SendRequest | SearchRequest) -> Sequence[SendLimit] | None:
    """Return the limits a call counts against; None if the adapter raised."""
    try:
        return adapter.limits(request)
    except Exception:
        log.exception("the adapter of %s cannot tell its limits", request.account.channel)
        return None


def _wait_for_limit(lease: Lease, head: OutboxHead, allowed: ReplyPolicy, waits: send_limiter.Waits) -> Step:
    """Make the lane wait for a limit of the provider; a short wait is not shown to agents."""
    if waits.seconds < policy.WAIT_SHOWN.total_seconds():
        if waits.limit.whole_account:
            # The limiter prevents claims of the account's lanes; this lane keeps its place among them.
            return head.next_at or head.written_at
        return _not_after(allowed, waits.until)
    if waits.limit.whole_account:
        db.write(results.hold_account_back, head.account, waits.until, waits.limit.sentence)
    until = _not_after(allowed, waits.until)
    return _wait(lease, head, until, waits.limit.sentence, shown=waits.until)


def _note_recipient(head: OutboxHead, result: SendResult) -> None:
    """Record the id that the provider has for the customer, before its reports use it.

    The message has left, which is still to be recorded: nothing is raised, whatever the adapter returned.
    """
    if not isinstance(result, Sent) or result.recipient is None or result.recipient == head.recipient:
        return
    try:
        db.write(results.note_recipient, head.identity_id, result.recipient)
    except Exception:
        log.exception("the provider's id of the recipient of message %s is not noted", head.message_id)


def _note_reach(head: OutboxHead, result: SendResult) -> None:
    """Record what the response reveals about the customer and the provider, besides the outcome."""
    try:
        if isinstance(result, Rejected):
            send_limiter.current().answered(head.account.id)
        if head.failures and isinstance(result, Sent | Rejected):
            db.write(results.note_recovered, head.account.id)
        if isinstance(result, Rejected) and result.stopped_marketing:
            db.write(marketing.note_stopped, head.message_id, clock.now())
        if isinstance(result, Rejected) and result.whole_contact:
            db.write(results.note_out_of_reach, head.identity_id, result)
        elif (
            isinstance(result, Sent)
            and head.unreachable
            # These may arrive where nothing else does.
            and head.part.kind is not MessageKind.APPROVED_TEMPLATE
        ):
            db.write(results.note_within_reach, head.identity_id)
    except sa.exc.SQLAlchemyError:
        log.exception("what the answer to message %s says besides is not noted", head.message_id)


def _note_target(head: OutboxHead, adapter: ChannelAdapter, result: SendResult) -> None:
    """Take back what the message answers, if the provider no longer has it."""
    if isinstance(result, Rejected) and result.target_gone and head.part.reply_to:
        take_back(head.account, adapter, head.part.reply_to)


def _record(
    session: Session,
    lease: Lease,
    head: OutboxHead,
    result: object,
    allowed: ReplyPolicy,
    departure: Departure,
) -> Step | bool | None:
    """Write the provider's answer. None: the lease was lost, so the answer no longer matters."""
    match result:
        case Sent(external_id, pause, missed):
            after = results.sent(session, lease, head, external_id, missed)
            if isinstance(pause, Pause):
                results.pause_as_asked(session, head.account, pause)
            return _AFTER[after]
        case NotSent():
            until = results.not_sent(session, lease, head, result, unreachable=departure.unreachable)
            return None if until is None else _not_after(allowed, until)
        case Held():
            kept = results.held(session, lease, head, result)
            return _not_after(allowed, clock.now() + policy.WAIT_FOR_CHANNEL) if kept else None
        case Rejected(problem):
            return results.fail(session, lease, head, problem)
        case Unknown(problem, transient):
            answered = departure.answered
            return results.unknown(session, lease, head, problem, transient=transient, answered=answered)
        case _:
            log.error("the adapter of %s answered with %s", head.account.channel, type(result).__name__)
            return results.unknown(session, lease, head, agent_messages.ADAPTER_RAISED)


def _find_out(lease: Lease, head: OutboxHead, adapter: ChannelAdapter | None) -> Step:
    """Find out whether an unconfirmed message was sent: by its echo, else by reading the thread."""
    now = clock.now()
    if head.next_at is not None and head.next_at > now:
        return _wait_on(lease, head, head.next_at)
    if head.account_state is AccountState.DISCONNECTED:
        return _apply(results.leave_unknown, lease, head, agent_messages.CANNOT_TELL)
    if adapter is None or head.account_state is AccountState.NEEDS_RECONNECT:
        return now + policy.WAIT_FOR_CHANNEL
    if head.blocked_until is not None and head.blocked_until > now:
        return head.blocked_until
    found = _search(head, adapter)
    if isinstance(found, datetime):
        return found
    if isinstance(found, Pause | Held):
        return _look_later(lease, head, found)
    if isinstance(found, Found):
        return _apply(results.found, lease, head, found.external_id)
    if isinstance(found, CannotTell):
        return _apply(results.leave_unknown, lease, head, agent_messages.CANNOT_TELL)
    if head.readings + 1 < policy.ABSENT_READINGS:
        return _apply(results.absent, lease, head)
    if not policy.may_resend(head.resent, head.transient):
        return _apply(results.leave_unknown, lease, head, agent_messages.NOT_FOUND)
    return _send_once_more(lease, head, adapter)


def _look_later(lease: Lease, head: OutboxHead, found: Pause | Held) -> Step:
    """Search again after a pause or a reconnect; if that is impossible for long, leave it to a person."""
    if isinstance(found, Held):
        return _apply(results.search_held, lease, head, found)
    if clock.now() - (head.attempted_at or head.written_at) > policy.LOOK_UP_PATIENCE:
        return _apply(results.leave_unknown, lease, head, agent_messages.CANNOT_TELL)
    return _apply(results.search_later, lease, head, found)


def _search(head: OutboxHead, adapter: ChannelAdapter) -> SearchResult | datetime:
    """Read the provider's thread; return a time if a limit does not allow that earlier."""
    with db.read() as session:
        request = search_request(session, head)
    waits = send_limiter.current().take_turn(
        head.account.id, _limits(adapter, request) or (), head.account.channel
    )
    if waits is not None:
        return waits.until
    try:
        found = adapter.search(request)
    except Exception:
        log.exception("the adapter of %s raised while searching", head.account.channel)
        return CannotTell("the addon failed")
    if isinstance(found, Found) and found.external_id in request.known:
        # It found a message with the same words that is stored already; ours is not in the thread.
        return Absent()
    return found


def _send_once_more(lease: Lease, head: OutboxHead, adapter: ChannelAdapter) -> Step:
    """Resend a message that is certainly not in the thread, if a reply is still allowed."""
    allowed = _policy(head, adapter)
    open_to_us = allowed is not None and (
        allowed.state is ReplyState.OPEN or (allowed.state is ReplyState.PEOPLE_ONLY and head.by_person)
    )
    if allowed is None or not open_to_us:
        return _apply(results.leave_unknown, lease, head, agent_messages.NOT_FOUND)
    return _send(lease, head, adapter, allowed)


def _policy(head: OutboxHead, adapter: ChannelAdapter) -> ReplyPolicy | None:
    try:
        return head.may_reply(adapter)
    except Exception:
        log.exception("the adapter of %s cannot tell whether a reply is allowed", head.account.channel)
        return None


def _not_after(allowed: ReplyPolicy, at: datetime) -> datetime:
    """Return *at*, or when the reply window changes if that is earlier: the message is checked again then."""
    return at if allowed.until is None else min(at, allowed.until)


def _wait(
    lease: Lease, head: OutboxHead, until: datetime, sentence: str, *, shown: datetime | None = None
) -> Step:
    """Make the lane wait and show agents the reason; *shown*: the end of the wait, if known."""
    waiting = {"sentence": sentence, "until": clock.to_text(shown)}
    if head.waiting != waiting and not db.write(results.waits, lease, head, waiting):
        return Next.LOST
    return until


def _wait_on(lease: Lease, head: OutboxHead, until: datetime) -> Step:
    """Make the lane continue to wait: a new reply made it due early."""
    return until if db.write(results.tell_behind, lease, head) else Next.LOST


def _apply(fn: Callable[..., Step | bool | None], lease: Lease, head: OutboxHead, *args: object) -> Step:
    """Write a result; retry for some seconds if the database is unavailable, so that none is lost."""
    for attempt in range(1, RECORD_TRIES + 1):
        try:
            outcome = db.write(fn, lease, head, *args)
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError):
            if attempt == RECORD_TRIES:
                raise
            log.warning("a result could not be written; trying again")
            time.sleep(RECORD_PAUSE_SECONDS)
            continue
        if outcome is None or outcome is False:
            return Next.LOST
        return Next.GO_ON if outcome is True else outcome
    raise AssertionError("unreachable")
