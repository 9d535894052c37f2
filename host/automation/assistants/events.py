"""Record what assistants do, for programs that are told of it: ids and reasons, never what was said."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.models.assistants import Assistant, AssistantTurn, Mode, TurnState
from host.models.record import ActorKind
from host.record import catalogue
from host.record.catalogue import OfAssistant
from host.record.writing import Happened, record

_OF_STATE = {
    TurnState.READY: catalogue.ASSISTANT_SUGGESTED,
    TurnState.SENT: catalogue.ASSISTANT_ANSWERED,
    TurnState.HANDED_OVER: catalogue.ASSISTANT_HANDED_OVER,
    TurnState.FAILED: catalogue.ASSISTANT_FAILED,
}


def thought(session: Session, turn: AssistantTurn) -> None:
    """Record what came of thinking about a turn; of what something else came first, nothing."""
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
    """Record that something became of a turn. What is thought in shadow is told nobody."""
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
    author_id: int | None,
    account_id: int | None = None,
    mode: str = "",
    before: str = "",
) -> None:
    """Record that somebody changed what an assistant may do.

    :param author_id: a member; None: a program.
    :param account_id: where; None: everywhere.
    """
    record(
        session,
        Happened(
            assistant.workspace_id,
            kind,
            account_id=account_id,
            actor_kind=actor_of(author_id),
            actor_id=author_id,
            facts=OfAssistant(assistant=assistant.id, mode=mode, before=before),
        ),
    )


def actor_of(author_id: int | None) -> ActorKind:
    """Return who a use case was called by: a member, or without one a program."""
    return ActorKind.KEY if author_id is None else ActorKind.USER
