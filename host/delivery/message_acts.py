"""Apply the team's actions on a message at the provider: a reaction, hiding it, deleting it.

Repeating a request is harmless, so an unconfirmed one is retried.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.accounts import set_needs_reconnect
from host.core import clock, db
from host.core.ports import AdapterDirectory
from host.core.statements import earliest
from host.delivery import agent_messages, results
from host.delivery.merging import take_back
from host.inbox.comments.moderating import stands_now
from host.inbox.outcome import as_error
from host.inbox.reacting import publish_reaction
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Message, Reaction
from host.models.posts import MessageModeration
from host.queue import paused, policy, send_limiter
from host.sdk.channel import (
    AccountRef,
    ChannelAdapter,
    Held,
    Moderated,
    ModerateRequest,
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

Row = TypeVar("Row", Reaction, MessageModeration)
Request = TypeVar("Request", ReactRequest, ModerateRequest)


@dataclass(frozen=True, slots=True)
class _Due(Generic[Request]):
    """A pending action; *at* reveals whether it was changed before the answer arrives."""

    id: int
    at: datetime
    identity_id: int
    last_inbound_at: datetime | None
    request: Request

    @property
    def account(self) -> AccountRef:
        return self.request.account


class _Acts(ABC, Generic[Row, Request]):
    """One kind of action: its table, and its request to a provider."""

    model: type[Row]

    @property
    def key(self) -> Any:
        """Return the column of the row's id."""
        return sa.inspect(self.model).primary_key[0]

    def claims(self) -> sa.Select[Any]:
        """Select rows, with account, conversation, recipient and the message's external id."""
        model: Any = self.model
        return (
            sa.select(model, ChannelAccount, Conversation, ContactIdentity.external_id, self.named())
            .join(ChannelAccount, ChannelAccount.id == model.account_id)
            .join(Conversation, Conversation.id == model.conversation_id)
            .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        )

    @abstractmethod
    def named(self) -> Any:
        """Return the column with the external id of the message."""

    @abstractmethod
    def request(self, row: Row, account: AccountRef, recipient: str, message: str) -> Request:
        """Return the request to the adapter."""

    @abstractmethod
    def tell(self, adapter: ChannelAdapter, request: Request) -> object:
        """Pass the action to the adapter."""

    def may(self, adapter: ChannelAdapter, due: _Due[Request]) -> bool:
        """Return whether the channel allows it now."""
        return True

    @abstractmethod
    def done(self, session: Session, row: Row) -> None:
        """Write the effects of the provider's success response."""

    @abstractmethod
    def failed(self, session: Session, row: Row) -> None:
        """Record the consequences of a refusal by the provider."""


class _Reactions(_Acts[Reaction, ReactRequest]):
    model = Reaction

    def named(self) -> Any:
        return Reaction.external_id

    def request(self, row: Reaction, account: AccountRef, recipient: str, message: str) -> ReactRequest:
        emoji = "" if row.removed_at is not None else row.emoji
        return ReactRequest(account, recipient, message, emoji, row.attempts)

    def tell(self, adapter: ChannelAdapter, request: ReactRequest) -> object:
        return adapter.react(request)

    def may(self, adapter: ChannelAdapter, due: _Due[ReactRequest]) -> bool:
        context = ReplyContext(due.account, clock.now(), due.last_inbound_at)
        return adapter.reply_policy(context).state is ReplyState.OPEN

    def done(self, session: Session, row: Reaction) -> None:
        publish_reaction(session, row)

    def failed(self, session: Session, row: Reaction) -> None:
        row.removed_at = None  # a new reaction is not set, or a removed one is still there
        session.flush()
        publish_reaction(session, row)


class _Moderations(_Acts[MessageModeration, ModerateRequest]):
    model = MessageModeration

    def claims(self) -> sa.Select[Any]:
        return super().claims().join(Message, Message.id == MessageModeration.message_id)

    def named(self) -> Any:
        return Message.external_id

    def request(
        self, row: MessageModeration, account: AccountRef, recipient: str, message: str
    ) -> ModerateRequest:
        return ModerateRequest(account, recipient, message, Moderated(row.wanted), row.attempts)

    def tell(self, adapter: ChannelAdapter, request: ModerateRequest) -> object:
        return adapter.moderate(request)

    def done(self, session: Session, row: MessageModeration) -> None:
        row.stood = row.wanted
        stands_now(session, row)

    def failed(self, session: Session, row: MessageModeration) -> None:
        stands_now(session, row)


_KINDS: tuple[_Acts[Any, Any], ...] = (_Reactions(), _Moderations())


def due(now: Any) -> list[sa.Select[Any]]:
    """Return what makes the job due at *now*."""
    return [earliest(kind.model.next_at, now) for kind in _KINDS]


def send_due(directory: AdapterDirectory, *, most: int = BATCH) -> int:
    """Send up to *most* due actions of each kind to the provider; return how many were tried."""
    return sum(_send_due(kind, directory, most) for kind in _KINDS)


def _send_due(kind: _Acts[Any, Any], directory: AdapterDirectory, most: int) -> int:
    with db.read() as session:
        due = session.execute(sa.select(kind.key).where(kind.model.next_at <= clock.now()).limit(1)).first()
    if due is None:
        return 0
    claimed = db.write(_claim, kind, most)
    for one in claimed:
        result = _tell(kind, directory, one)
        if result is not None:
            db.write(_record, kind, one, result)
        adapter = directory.adapter(one.account.channel)
        if isinstance(result, Rejected) and result.target_gone and adapter is not None:
            take_back(one.account, adapter, one.request.message)
    return len(claimed)


def _claim(session: Session, kind: _Acts[Any, Any], most: int) -> list[_Due[Any]]:
    """Claim actions for this process: for other processes they become due only later."""
    now = clock.now()
    rows = session.execute(
        kind.claims()
        .where(kind.model.next_at <= now)
        .order_by(kind.model.next_at)
        .limit(most)
        .with_for_update(skip_locked=True, of=kind.model)
    ).all()
    claimed = []
    resting = paused.current(session).accounts
    for row, account, conversation, recipient, message in rows:
        if account.state == AccountState.DISCONNECTED:
            _fail(session, kind, row, agent_messages.DISCONNECTED)
        elif account.state == AccountState.NEEDS_RECONNECT or account.id in resting:
            row.next_at = now + policy.WAIT_FOR_CHANNEL
        elif account.blocked_until is not None and account.blocked_until > now:
            row.next_at = account.blocked_until
        else:
            row.attempts += 1
            row.next_at = now + policy.REACTION_CLAIM
            request = kind.request(row, ref(account), recipient, message)
            id_ = sa.inspect(row).identity[0]
            claimed.append(_Due(id_, row.at, conversation.identity_id, conversation.last_inbound_at, request))
    session.flush()
    return claimed


def _tell(kind: _Acts[Any, Any], directory: AdapterDirectory, due: _Due[Any]) -> SendResult | None:
    """Call the adapter; None if no active addon has the channel, and the action is retried later."""
    adapter = directory.adapter(due.account.channel)
    if adapter is None:
        return None
    try:
        if not kind.may(adapter, due):
            return Rejected(agent_messages.WINDOW_CLOSED)
        waits = send_limiter.current().take_turn(
            due.account.id, adapter.limits(due.request), due.account.channel
        )
        if waits is not None:
            return NotSent(ProviderProblem("", waits.limit.sentence), retry_after=waits.seconds)
        result = kind.tell(adapter, due.request)
        return result if isinstance(result, SendResult) else Unknown(agent_messages.ADAPTER_RAISED)
    except Exception as error:
        log.exception("the adapter of %s raised while acting on a message", due.account.channel)
        return Unknown(agent_messages.raised(error))


def _record(session: Session, kind: _Acts[Any, Any], due: _Due[Any], result: SendResult) -> None:
    row = session.get(kind.model, due.id, with_for_update=True, populate_existing=True)
    if row is None or row.at != due.at:
        return  # it was changed meanwhile, and the new action is already due
    now = clock.now()
    match result:
        case Sent():
            row.state, row.error, row.next_at = DeliveryState.SENT, None, None
            results.note_answers(session, due.account.id)
            session.flush()
            kind.done(session, row)
        case Held(problem, alone):
            row.next_at = now + policy.WAIT_FOR_CHANNEL
            session.flush()
            set_needs_reconnect(session, due.account.id, problem.sentence, alone=alone)
        case NotSent():
            until = now + results.retry_delay(result, row.attempts)
            row.next_at = until
            session.flush()
            if result.whole_account:
                results.limit_account(session, due.account, result, until)
        case Rejected(problem):
            _fail(session, kind, row, problem)
            if result.whole_contact:
                results.note_out_of_reach(session, due.identity_id, result)
        case Unknown(problem):
            if row.attempts >= policy.REACTION_TRIES:
                _fail(session, kind, row, problem)
            else:
                row.next_at = now + policy.send_delay(row.attempts)


def _fail(session: Session, kind: _Acts[Any, Any], row: Any, problem: ProviderProblem) -> None:
    """Record the failure and its reason."""
    row.state, row.error, row.next_at = DeliveryState.FAILED, as_error(problem), None
    session.flush()
    kind.failed(session, row)
