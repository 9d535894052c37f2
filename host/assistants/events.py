"""Record domain events about assistants: ids and reasons, never texts."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.assistants.models import Assistant, AssistantTurn, Mode, TurnState
from host.events.kinds.assistants import (
    ASSISTANT_ANSWERED,
    ASSISTANT_FAILED,
    ASSISTANT_HANDED_OVER,
    ASSISTANT_SUGGESTED,
    OfAssistant,
)
from host.events.models import ActorKind
from host.events.writing import Happened, record
from host.users.actor import Actor

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
    reason: str = "",
    edited: bool = False,
    actor: ActorKind = ActorKind.SYSTEM,
    actor_id: int | None = None,
) -> None:
    """Record a change of a turn. Turns in shadow mode have no events."""
    if turn.mode == Mode.SHADOW:
        return
    facts = OfAssistant(assistant=turn.assistant_id, turn=turn.id, reason=reason, edited=edited)
    record(
        session,
        Happened(
            turn.workspace_id,
            kind,
            "",
            turn.account_id,
            turn.conversation_id,
            turn.message_id,
            actor_kind=actor,
            actor_id=actor_id,
            facts=facts,
        ),
    )


def of_assistant(
    session: Session,
    assistant: Assistant,
    kind: str,
    *,
    actor: Actor,
    account_id: int | None = None,
    mode: str = "",
    before: str = "",
) -> None:
    """Record a change to what an assistant may do.

    :param account_id: the account; None for all accounts.
    """
    record(
        session,
        Happened(
            assistant.workspace_id,
            kind,
            account_id=account_id,
            actor_kind=actor.kind,
            actor_id=actor.id,
            facts=OfAssistant(assistant=assistant.id, mode=mode, before=before),
        ),
    )


def actor_of(author_id: int | None) -> ActorKind:
    """Return the kind of actor: a member, or a program if there is no author."""
    return ActorKind.KEY if author_id is None else ActorKind.USER
