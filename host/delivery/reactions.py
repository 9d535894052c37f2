"""Telling providers of the team's reactions. Twice the same is harmless: what is unclear is repeated."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import clock, db
from host.channels.accounts import set_needs_reconnect
from host.channels.models import AccountState, ChannelAccount
from host.delivery import blocking, gate, policy, sentences
from host.delivery.ports import AdapterDirectory
from host.inbox.models import ContactIdentity, Conversation, DeliveryState, Reaction
from host.inbox.outcome import as_error
from host.inbox.reacting import announce
from host.sdk.accounts import ref
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
    """A reaction to be told of; *at* tells whether it is still the same when the answer comes."""

    id: int
    at: datetime
    identity_id: int
    last_inbound_at: datetime | None
    request: ReactRequest

    @property
    def account(self) -> AccountRef:
        return self.request.account


def send_due(directory: AdapterDirectory, *, most: int = BATCH) -> int:
    """Tell providers of up to *most* reactions that are due; return how many were looked at."""
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
    """Take reactions for this process: whoever else looks finds them due only after a while."""
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
    for row, account, conversation, recipient in rows:
        if account.state == AccountState.DISCONNECTED:
            _fail(session, row, sentences.DISCONNECTED)
        elif account.state == AccountState.NEEDS_RECONNECT:
            row.next_at = now + policy.PARKED
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
    """Ask the adapter; None while no active addon brings the channel: it is looked at again later."""
    adapter = directory.adapter(due.account.channel)
    if adapter is None:
        return None
    try:
        context = ReplyContext(due.account, clock.now(), due.last_inbound_at)
        if adapter.reply_policy(context).state is not ReplyState.OPEN:
            return Rejected(sentences.WINDOW_CLOSED)
        waits = gate.current().take(due.account.id, adapter.limits(due.request), due.account.channel)
        if waits is not None:
            return NotSent(ProviderProblem("", waits.limit.sentence), retry_after=waits.seconds)
        return _checked(adapter, due.request)
    except Exception:
        log.exception("the adapter of %s raised while reacting", due.account.channel)
        return Unknown(sentences.ADAPTER_RAISED)


def _checked(adapter: ChannelAdapter, request: ReactRequest) -> SendResult:
    result: object = adapter.react(request)
    return result if isinstance(result, SendResult) else Unknown(sentences.ADAPTER_RAISED)


def _record(session: Session, due: _Due, result: SendResult) -> None:
    row = session.get(Reaction, due.id, with_for_update=True, populate_existing=True)
    if row is None or row.at != due.at:
        return  # somebody chose another meanwhile; that one is due already
    now = clock.now()
    match result:
        case Sent():
            row.state, row.error, row.next_at = DeliveryState.SENT, None, None
            session.flush()
            announce(session, row)
        case Held(problem):
            row.next_at = now + policy.PARKED
            session.flush()
            set_needs_reconnect(session, due.account.id, problem.sentence)
        case NotSent():
            until = now + blocking.patience(result, row.attempts)
            row.next_at = until
            session.flush()
            if result.whole_account:
                blocking.block(session, due.account, result, until)
        case Rejected(problem):
            _fail(session, row, problem)
            if result.whole_contact:
                blocking.out_of_reach(session, due.identity_id, result)
        case Unknown(problem):
            if row.attempts >= policy.REACTION_TRIES:
                _fail(session, row, problem)
            else:
                row.next_at = now + policy.send_delay(row.attempts)


def _fail(session: Session, row: Reaction, problem: ProviderProblem) -> None:
    """Note that it is not there and why; one that could not be taken away is still there."""
    row.state, row.error, row.next_at = DeliveryState.FAILED, as_error(problem), None
    row.removed_at = None
    session.flush()
    announce(session, row)
