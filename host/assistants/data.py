"""Erasure and clean-up of what assistants store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.assistants import assistants, turn_worker, words
from host.assistants.models import Assistant, AssistantAccount, AssistantCall, AssistantTurn, TurnState
from host.core import clock, db
from host.events.kinds.assistants import ASSISTANT_HANDED_OVER
from host.events.models import DomainEvent
from host.features import registry
from host.features.hookspecs import hookimpl
from host.features.use import Use
from host.features.while_off import WhileOff
from host.models.channels import ChannelAccount
from host.models.inbox import Message
from host.web.languages import gettext as _

TURNS = cast(sa.Table, AssistantTurn.__table__)
CALLS = cast(sa.Table, AssistantCall.__table__)
TURN = sa.select(AssistantTurn.account_id).where(
    AssistantTurn.id == sa.bindparam("id"), AssistantTurn.workspace_id == sa.bindparam("workspace")
)
CALL = (
    sa.select(AssistantTurn.account_id)
    .join(AssistantCall, AssistantCall.turn_id == AssistantTurn.id)
    .where(AssistantCall.id == sa.bindparam("id"), AssistantTurn.workspace_id == sa.bindparam("workspace"))
)
NAMES = sa.select(Assistant.id, Assistant.name)
NOTHING: Mapping[str, Any] = {"text": "", "sources": [], "offers": []}
STILL_OPEN = (TurnState.WAITING, TurnState.THINKING, TurnState.READY)
_open = sa.select(AssistantTurn.id).where(AssistantTurn.state.in_(STILL_OPEN))


@hookimpl
def uses(session: Session, workspace_id: int, kind: str) -> dict[int, list[Use]]:
    """Return the accounts that each assistant suggests or answers on."""
    found: dict[int, list[Use]] = {}
    if kind == "assistant":
        query = (
            sa.select(AssistantAccount.assistant_id, ChannelAccount.name)
            .join(ChannelAccount, ChannelAccount.id == AssistantAccount.account_id)
            .where(ChannelAccount.workspace_id == workspace_id)
            .order_by(ChannelAccount.name, ChannelAccount.id)
        )
        for id_, name in session.execute(query):
            found.setdefault(id_, []).append(Use(_("Account"), name, "", ("channels.index", {}), "accounts"))
    return found


@hookimpl
def forget_messages(session: Session, ids: Collection[int]) -> None:
    """Delete the assistants' answers to these messages. The turns and their costs stay."""
    theirs = sa.select(Message.conversation_id).where(Message.id.in_(ids))
    about = sa.and_(
        TURNS.c.conversation_id.in_(theirs),
        sa.or_(TURNS.c.message_id.in_(ids), TURNS.c.sent_id.in_(ids)),
    )
    connection = session.connection()
    if _are_off():  # otherwise the consumer of the event log does it
        conversations = sorted(set(session.scalars(theirs)))
        assistants.discard(
            session, TURNS.c.conversation_id.in_(conversations), "taken_back", clock.now(), **NOTHING
        )
        assistants.forget_cases(session, conversations)
    found = list(connection.execute(sa.select(TURNS.c.id, TURNS.c.conversation_id).where(about)))
    if not found:
        return
    turns = [row.id for row in found]
    connection.execute(sa.delete(CALLS).where(CALLS.c.turn_id.in_(turns)))
    connection.execute(sa.update(TURNS).where(TURNS.c.id.in_(turns)).values(**NOTHING))
    left = sa.and_(TURNS.c.id.in_(turns), TURNS.c.state.in_(STILL_OPEN))
    over = {"state": TurnState.DISCARDED, "reason": "taken_back", "due_at": sa.null()}
    connection.execute(sa.update(TURNS).where(left).values(**over))
    assistants.forget_cases(session, sorted({row.conversation_id for row in found}))


@hookimpl
def let_go(most: int) -> bool | None:
    """Hand pending turns and waiting conversations to people after assistants were switched off."""
    if not _are_off():
        return None
    with db.read() as session:
        is_open = session.scalar(_open.limit(1)) is not None
    discarded = db.write(_discard_open, most) if is_open else 0
    return turn_worker.give_forgotten(are_off=True) or discarded == most or None


@hookimpl
def while_off(session: Session, name: str, workspace_id: int, since: datetime | None) -> WhileOff | None:
    """Return the assistants, and the conversations that waited for one."""
    if name != "assistants":
        return None
    mine = sa.select(Assistant.name).where(Assistant.workspace_id == workspace_id)
    kept = [(one, "") for one in session.scalars(mine.order_by(Assistant.name, Assistant.id))]
    if since is None:
        return WhileOff(kept, ())
    went = sa.select(DomainEvent.conversation_id).where(
        DomainEvent.workspace_id == workspace_id,
        DomainEvent.kind == ASSISTANT_HANDED_OVER,
        DomainEvent.at >= since,
        DomainEvent.conversation_id.is_not(None),
    )
    return WhileOff(kept, {id_ for id_ in session.scalars(went) if id_ is not None})


def _discard_open(session: Session, most: int) -> int:
    found = session.scalars(_open.limit(most)).all()
    if found:
        assistants.discard(session, AssistantTurn.id.in_(found), "mode", clock.now(), **NOTHING)
    return len(found)


def _are_off() -> bool:
    return not registry.is_on("assistants")


@hookimpl
def reason(key: str) -> LazyString | None:
    """Return why an assistant handed a conversation to people."""
    return words.REASONS.get(key)


@hookimpl
def restored(session: Session, now: datetime) -> None:
    """Hand unfinished turns to people after a restore."""
    thinks = AssistantTurn.state.in_([TurnState.WAITING, TurnState.THINKING])
    assistants.discard(session, thinks, "restored", now)
