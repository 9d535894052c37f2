"""Send the team's reactions to providers. Sending twice is harmless: an unconfirmed one is repeated."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.accounts import set_needs_reconnect
from host.core import clock, db
from host.core.ports import AdapterDirectory
from host.delivery import agent_messages, results
from host.inbox.outcome import as_error
from host.inbox.reacting import publish_reaction
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Reaction
from host.queue import paused, policy, send_limiter
from host.sdk.channel import (
    AccountRef,
    ChannelAdapter,
    Held,
    NotSent,
    ProviderProblem,
    ReactRequest,
    Rejected,
    ReplyContext,
    ReplyState,
    SendResult,
    Sent,
    Unknown,
)

log = logging.getLogger(__name__)

BATCH = 20


@dataclass(frozen=True, slots=True)
class _Due:
    """A reaction to send; *at* shows whether it is still the same when the answer comes."""

    id: int
    at: datetime
    identity_id: int
    last_inbound_at: datetime | None
    request: ReactRequest

    @property
    def account(self) -> AccountRef:
        return self.request.account


def send_due(directory: AdapterDirectory, *, most: int = BATCH) -> int:
    """Send up to *most* reactions that are due; return how many were tried."""
    with db.read() as session:
        due = session.execute(sa.select(Reaction.id).where(Reaction.next_at <= clock.now()).limit(1)).first()
    if due is None:
        return 0
    claimed = db.write(_claim, most)
    for one in claimed:
        result = _tell(directory, one)
        if result is not None:
            db.write(_record, one, result)
    return len(claimed)


def _claim(session: Session, most: int) -> list[_Due]:
    """Claim reactions for this process: other processes find them due only after a while."""
    now = clock.now()
    rows = session.execute(
        sa.select(Reaction, ChannelAccount, Conversation, ContactIdentity.external_id)
        .join(ChannelAccount, ChannelAccount.id == Reaction.account_id)
        .join(Conversation, Conversation.id == Reaction.conversation_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Reaction.next_at <= now)
        .order_by(Reaction.next_at)
        .limit(most)
        .with_for_update(skip_locked=True, of=Reaction)
    ).all()
    claimed = []
    resting = paused.current(session).accounts
    for row, account, conversation, recipient in rows:
        if account.state == AccountState.DISCONNECTED:
            _fail(session, row, agent_messages.DISCONNECTED)
        elif account.state == AccountState.NEEDS_RECONNECT or account.id in resting:
            row.next_at = now + policy.WAIT_FOR_CHANNEL
        elif account.blocked_until is not None and account.blocked_until > now:
            row.next_at = account.blocked_until
        else:
            row.attempts += 1
            row.next_at = now + policy.REACTION_CLAIM
            emoji = "" if row.removed_at is not None else row.emoji
            request = ReactRequest(ref(account), recipient, row.external_id, emoji, row.attempts)
            claimed.append(
                _Due(row.id, row.at, conversation.identity_id, conversation.last_inbound_at, request)
            )
    session.flush()
    return claimed


def _tell(directory: AdapterDirectory, due: _Due) -> SendResult | None:
    """Call the adapter; None while no active addon brings the channel: it is tried again later."""
    adapter = directory.adapter(due.account.channel)
    if adapter is None:
        return None
    try:
        context = ReplyContext(due.account, clock.now(), due.last_inbound_at)
        if adapter.reply_policy(context).state is not ReplyState.OPEN:
            return Rejected(agent_messages.WINDOW_CLOSED)
        waits = send_limiter.current().take_turn(
            due.account.id, adapter.limits(due.request), due.account.channel
        )
        if waits is not None:
            return NotSent(ProviderProblem("", waits.limit.sentence), retry_after=waits.seconds)
        return _checked(adapter, due.request)
    except Exception:
        log.exception("the adapter of %s raised while reacting", due.account.channel)
        return Unknown(agent_messages.ADAPTER_RAISED)


def _checked(adapter: ChannelAdapter, request: ReactRequest) -> SendResult:
    result: object = adapter.react(request)
    return result if isinstance(result, SendResult) else Unknown(agent_messages.ADAPTER_RAISED)


def _record(session: Session, due: _Due, result: SendResult) -> None:
    row = session.get(Reaction, due.id, with_for_update=True, populate_existing=True)
    if row is None or row.at != due.at:
        return  # it was changed meanwhile, and the new one is due already
    now = clock.now()
    match result:
        case Sent():
            row.state, row.error, row.next_at = DeliveryState.SENT, None, None
            session.flush()
            publish_reaction(session, row)
        case Held(problem):
            row.next_at = now + policy.WAIT_FOR_CHANNEL
            session.flush()
            set_needs_reconnect(session, due.account.id, problem.sentence)
        case NotSent():
            until = now + results.retry_delay(result, row.attempts)
            row.next_at = until
            session.flush()
            if result.whole_account:
                results.limit_account(session, due.account, result, until)
        case Rejected(problem):
            _fail(session, row, problem)
            if result.whole_contact:
                results.note_out_of_reach(session, due.identity_id, result)
        case Unknown(problem):
            if row.attempts >= policy.REACTION_TRIES:
                _fail(session, row, problem)
            else:
                row.next_at = now + policy.send_delay(row.attempts)


def _fail(session: Session, row: Reaction, problem: ProviderProblem) -> None:
    """Record the failure and its reason: a new reaction is not set, or a removed one is still there."""
    row.state, row.error, row.next_at = DeliveryState.FAILED, as_error(problem), None
    row.removed_at = None
    session.flush()
    publish_reaction(session, row)
