"""Conversations that several apps of a provider can answer: find who has one, take, pass on, release."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import db
from host.inbox.apply import responders
from host.inbox.conversations import add_activity, conversation_row, locked_conversation
from host.inbox.errors import (
    AccountDisconnectedError,
    ProviderRefusedError,
    ThreadControlError,
    UnknownChannelError,
)
from host.inbox.queries import Row
from host.models.channels import AccountState
from host.models.inbox import Conversation, Direction, InternalKind, Message
from host.sdk.channel import ChannelAdapter, ProviderProblem
from host.users.actor import Acting, UnitOfWork
from host.web.languages import gettext as _

log = logging.getLogger(__name__)

TAKEN, PASSED, RELEASED = "thread_taken", "thread_passed", "thread_released"
LOOKED_AT = 20
"""Number of newest entries examined; handovers reported by others are among them."""


def is_elsewhere(session: Session, conversation_id: int) -> bool:
    """Return whether another app controls the conversation, judging by its newest entries."""
    query = (
        sa.select(Message.direction, Message.content)
        .where(
            Message.conversation_id == conversation_id,
            sa.or_(Message.direction == Direction.INBOUND, Message.kind == InternalKind.ACTIVITY),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(LOOKED_AT)
    )
    for direction, content in session.execute(query):
        if direction == Direction.INBOUND:
            return content.get("standby") is True
        if content.get("what") in {TAKEN, PASSED, RELEASED}:
            return bool(content["what"] != TAKEN)
    return False


class Elsewhere(NamedTuple):
    """Another program answers in a conversation.

    :param name: the program; empty if unknown.
    :param sending_takes: whether sending a message takes the conversation over.
    :param can_take: whether it can be taken over without a message.
    :param chosen: False: nobody answers yet, because Lobby released the conversation.
    """

    name: str = ""
    sending_takes: bool = False
    can_take: bool = True
    chosen: bool = True


def elsewhere(session: Session, row: Row, adapter: ChannelAdapter | None, now: datetime) -> Elsewhere | None:
    """Return which other program answers in a conversation, for whoever is about to write there; or None."""
    if adapter is None:
        return None
    abilities = adapter.capabilities
    if abilities.responder_keeps is not None:
        stored = session.scalar(sa.select(Conversation.responder).where(Conversation.id == row.id))
        return _held_by(responders.other(stored, now), adapter)
    return Elsewhere() if abilities.thread_control and is_elsewhere(session, row.id) else None


def _held_by(found: responders.Responder | None, adapter: ChannelAdapter) -> Elsewhere | None:
    if found is None:
        return None
    return Elsewhere(found.name or found.id, True, adapter.capabilities.thread_control, found.chosen)


class Control(NamedTuple):
    """A conversation's responder, and what a person can do about it.

    :param other: the program that has it instead of Lobby.
    :param can_take, can_release: whether a person can take it over from that program, or release it.
    """

    other: Elsewhere | None
    can_take: bool
    can_release: bool


def control(row: Row, adapter: ChannelAdapter | None, now: datetime) -> Control | None:
    """Return who answers in a conversation; None where no other program can."""
    if adapter is None or adapter.capabilities.responder_keeps is None:
        return None
    found, can = _held_by(responders.other(row.responder, now), adapter), adapter.capabilities
    there = row.account_state != AccountState.DISCONNECTED
    return Control(
        found, there and found is not None and can.thread_control, there and not found and can.thread_release
    )


def take(acting: Acting, directory: Directory, conversation_id: int, *, note: str = "") -> None:
    """Take a conversation from another app. It calls the provider, so do not call it inside a transaction.

    :param note: for the other app.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises UnknownChannelError: if no active addon provides its channel.
    :raises ThreadControlError: if its channel does not support this.
    :raises AccountDisconnectedError: if its account is disconnected.
    :raises ProviderRefusedError: with the provider's reason.
    """
    row, adapter = _checked(acting, directory, conversation_id)
    _ask(row, adapter.label, lambda: adapter.take_thread(row.account, row.identity_external_id, note))
    acting.write(_tell, row, adapter, {"what": TAKEN})


def hand_on(acting: Acting, directory: Directory, conversation_id: int, *, to: str, note: str = "") -> None:
    """Pass a conversation to the app *to*; see :func:`take` for the rest."""
    row, adapter = _checked(acting, directory, conversation_id)
    _ask(row, adapter.label, lambda: adapter.pass_thread(row.account, row.identity_external_id, to, note))
    acting.write(_tell, row, adapter, {"what": PASSED, "to": to})


def release(acting: Acting, directory: Directory, conversation_id: int, *, note: str = "") -> None:
    """Let go of a conversation, so that the provider chooses who answers; see :func:`take` for the rest."""
    row, adapter = _checked(acting, directory, conversation_id)
    if not adapter.capabilities.thread_release:
        raise ThreadControlError()
    _ask(row, adapter.label, lambda: adapter.release_thread(row.account, row.identity_external_id, note))
    acting.write(_tell, row, adapter, {"what": RELEASED})


def _checked(acting: Acting, directory: Directory, conversation_id: int) -> tuple[Row, ChannelAdapter]:
    with db.read() as session:
        row = conversation_row(session, acting.workspace_id, conversation_id, accounts=acting.accounts)
    adapter = directory.adapter(row.channel)
    if adapter is None:
        raise UnknownChannelError()
    if not adapter.capabilities.thread_control:
        raise ThreadControlError()
    if row.account_state == AccountState.DISCONNECTED:
        raise AccountDisconnectedError()
    return row, adapter


def _ask(row: Row, label: str, ask: Callable[[], ProviderProblem | None]) -> None:
    try:
        problem = ask()
    except Exception:
        log.exception("the adapter of %s failed while a conversation was handed over", row.channel)
        raise ProviderRefusedError(
            _l("The addon of this channel failed."), next_step=_l("Tell an admin.")
        ) from None
    if problem is not None:
        next_step = _(problem.next_step) if problem.next_step else ""
        if problem.raw:
            said = _("%(channel)s says: %(words)s", channel=label, words=problem.raw)
            next_step = f"{next_step} {said}".strip()
        raise ProviderRefusedError(_(problem.sentence) if problem.sentence else None, next_step=next_step)


def _tell(work: UnitOfWork, row: Row, adapter: ChannelAdapter, content: dict[str, str]) -> None:
    conversation = locked_conversation(work, row.id)
    if content["what"] == TAKEN:
        responders.take(conversation, work.now)
    else:
        keeps = adapter.capabilities.responder_keeps
        responders.give(conversation, work.now, keeps, content.get("to", ""))
    add_activity(work, conversation, dict(content))
