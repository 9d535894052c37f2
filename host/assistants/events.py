"""Record domain events about assistants: ids and reasons, never texts."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from host.assistants.models import Assistant, AssistantTurn, Mode, TurnState
from host.events.kinds.assistants import (
    ASSISTANT_ANSWERED,
    ASSISTANT_FAILED,
    ASSISTANT_HANDED_OVER,
    ASSISTANT_MODE_CHANGED,
    ASSISTANT_SUGGESTED,
    OfAssistant,
)
from host.events.writing import Happened, publish, record
from host.users.actor import DESK, Actor, UnitOfWork

_OF_STATE = {
    TurnState.READY: ASSISTANT_SUGGESTED,
    TurnState.SENT: ASSISTANT_ANSWERED,
    TurnState.HANDED_OVER: ASSISTANT_HANDED_OVER,
    TurnState.FAILED: ASSISTANT_FAILED,
}


def thought(session: Session, turn: AssistantTurn) -> None:
    """Record the result of a turn. Overtaken turns have no event."""
    kind = _OF_STATE.get(TurnState(turn.state))
    if kind is not None:
        reason = (turn.reason or "") if turn.state != TurnState.READY else ""
        of_turn(session, turn, kind, reason=reason)


def of_turn(
    session: Session,
    turn: AssistantTurn,
    kind: str,
    *,
    actor: Actor = DESK,
    **more: Any,
) -> None:
    """Record a change of a turn. Turns in shadow mode have no events.

    :param more: further facts.
    """
    if turn.mode == Mode.SHADOW:
        return
    facts = OfAssistant(assistant=turn.assistant_id, turn=turn.id, **more)
    record(
        session,
        Happened(
            turn.workspace_id,
            kind,
            "",
            turn.account_id,
            turn.conversation_id,
            turn.message_id,
            actor_kind=actor.kind,
            actor_id=actor.id,
            facts=facts,
        ),
    )


def of_mode(work: UnitOfWork, assistant: Assistant, account_id: int, *, mode: str, before: str) -> None:
    """Record a change to what an assistant may do on an account."""
    facts = OfAssistant(assistant=assistant.id, mode=mode, before=before)
    publish(work, ASSISTANT_MODE_CHANGED, facts, account_id=account_id)
