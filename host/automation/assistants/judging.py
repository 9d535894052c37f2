"""What an assistant made of questions lately, and what people think of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session, aliased

from host.automation.assistants.figures import Accounts
from host.automation.assistants.values import Cited
from host.core.errors import NotFoundError
from host.models.assistants import AssistantTurn, Mode, TurnOutcome, TurnState
from host.models.channels import ChannelAccount
from host.models.inbox import Contact, ContactIdentity, Conversation, Message
from host.models.users import User
from host.sdk import strictjson

PAGE = 50


_asked = aliased(Message)
_answer = aliased(Message)


class Show(StrEnum):
    """Which turns are listed."""

    ALL = "all"
    TAKEN = "taken"
    """Sent, as they stood or edited."""
    HANDED_OVER = "handed_over"
    SHADOW = "shadow"
    """In shadow, where a person answered."""
    WRONG = "wrong"
    FAILED = "failed"


class TurnNotFoundError(NotFoundError):
    """There is no such turn of this assistant."""

    code = "turn_not_found"
    title = _l("No such answer")
    default_sentence = _l("This answer does not exist. Somebody may have erased its conversation.")
    default_next_step = _l("Go back to the list.")


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn as it is listed.

    :param reason: a key of :data:`host.automation.assistants.words.REASONS`; empty: none.
    :param right: what somebody thinks of it; None: nobody said.
    :param cost: in millionths of the model's currency.
    :param asked: the newest message it is about; empty: it has no words, or is gone.
    :param beside: what a person answered instead; empty: nobody did, or it is gone. *beside_by* wrote it.
    """

    id: int
    at: datetime
    state: str
    mode: str
    outcome: str
    reason: str
    text: str
    right: bool | None
    version: int
    cost: int
    sources: Sequence[Cited]
    conversation_id: int
    contact: str
    channel: str
    account: str
    message_id: int = 0
    model: str = ""
    took_ms: int = 0
    tokens: int = 0
    answered_id: int | None = None
    asked: str = ""
    beside: str = ""
    beside_by: str = ""


def _which(show: Show) -> sa.ColumnElement[bool]:
    turns = AssistantTurn
    chosen: Mapping[Show, sa.ColumnElement[bool]] = {
        Show.ALL: turns.state != TurnState.WAITING,
        Show.TAKEN: turns.state == TurnState.SENT,
        Show.HANDED_OVER: turns.state == TurnState.HANDED_OVER,
        Show.SHADOW: sa.and_(turns.mode == Mode.SHADOW, turns.text != "", turns.answered_id.is_not(None)),
        Show.WRONG: turns.right.is_(False),
        Show.FAILED: turns.state == TurnState.FAILED,
    }
    return chosen[show]


def lately(
    session: Session,
    assistant_id: int,
    *,
    show: Show = Show.ALL,
    accounts: Accounts = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[Turn]:
    """Return what an assistant made of questions, the newest first. One statement.

    :param accounts: of these accounts only; None: of all.
    :param before: only turns that are older than the one with this id.
    """
    turns = AssistantTurn
    query = (
        sa.select(
            turns,
            sa.func.coalesce(Contact.name, ContactIdentity.name, ContactIdentity.username, ""),
            ChannelAccount.channel,
            ChannelAccount.handle,
            ChannelAccount.name,
            sa.func.coalesce(_asked.text, ""),
            sa.func.coalesce(_answer.text, ""),
            sa.func.coalesce(User.name, ""),
        )
        .join(Conversation, Conversation.id == turns.conversation_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ChannelAccount, ChannelAccount.id == turns.account_id)
        # What was taken back since has no words.
        .outerjoin(_asked, _asked.id == turns.message_id)
        .outerjoin(
            _answer,
            sa.and_(_answer.id == turns.answered_id, _answer.conversation_id == turns.conversation_id),
        )
        .outerjoin(User, User.id == _answer.author_id)
        .where(turns.assistant_id == assistant_id, _which(show))
        .order_by(turns.id.desc())
        .limit(limit)
    )
    if accounts is not None:
        query = query.where(turns.account_id.in_(accounts))
    if before is not None:
        query = query.where(turns.id < before)
    return [
        _turn(row, contact, channel, handle or name, asked, beside, by)
        for row, contact, channel, handle, name, asked, beside, by in session.execute(query)
    ]


def _turn(
    row: AssistantTurn, contact: str, channel: str, account: str, asked: str, beside: str, by: str
) -> Turn:
    used = [one for one in (strictjson.convert(each, Cited) for each in row.sources) if one.used]
    return Turn(
        row.id,
        row.created_at,
        row.state,
        row.mode,
        row.outcome or "",
        row.reason or "",
        row.text,
        row.right,
        row.version,
        row.cost,
        used,
        row.conversation_id,
        contact,
        channel,
        account,
        row.message_id,
        row.model or "",
        row.took_ms,
        row.tokens_in + row.tokens_out,
        row.answered_id,
        asked,
        beside,
        by,
    )


def rows(
    session: Session,
    *which: sa.ColumnElement[bool],
    show: Show = Show.ALL,
    before: int | None = None,
    limit: int = PAGE,
) -> Sequence[AssistantTurn]:
    """Return turns as they are kept, the newest first. One statement.

    :param which: conditions on :class:`AssistantTurn`.
    :param before: only turns that are older than the one with this id.
    """
    query = sa.select(AssistantTurn).where(_which(show), *which)
    if before is not None:
        query = query.where(AssistantTurn.id < before)
    return session.scalars(query.order_by(AssistantTurn.id.desc()).limit(limit)).all()


def get(
    session: Session, *, workspace_id: int, assistant_id: int, turn_id: int, lock: bool = False
) -> AssistantTurn:
    """Return a turn of an assistant.

    :param lock: until the write ends.
    :raises TurnNotFoundError: if the assistant has no such turn.
    """
    turns = AssistantTurn
    query = sa.select(turns).where(
        turns.id == turn_id, turns.assistant_id == assistant_id, turns.workspace_id == workspace_id
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise TurnNotFoundError()
    return row


def judge(session: Session, *, workspace_id: int, assistant_id: int, turn_id: int, right: bool) -> bool:
    """Note what somebody thinks of a turn. Return whether that changed anything.

    :raises TurnNotFoundError: if the assistant has no such turn.
    """
    row = get(session, workspace_id=workspace_id, assistant_id=assistant_id, turn_id=turn_id, lock=True)
    changed = row.right is not right
    row.right = right
    session.flush()
    return changed


STATES: Mapping[str, object] = {
    TurnState.THINKING: _l("Thinks"),
    TurnState.READY: _l("Waits for a person"),
    TurnState.SENT: _l("Answered by itself"),
    TurnState.DISMISSED: _l("Dismissed"),
    TurnState.DISCARDED: _l("Not used"),
    TurnState.HANDED_OVER: _l("Handed over"),
    TurnState.FAILED: _l("Failed"),
}
OUTCOMES: Mapping[str, object] = {
    TurnOutcome.TAKEN: _l("Taken as it stood"),
    TurnOutcome.USED: _l("A program sent it"),
    TurnOutcome.EDITED: _l("Taken and edited"),
    TurnOutcome.WRITTEN: _l("Somebody wrote something else"),
    TurnOutcome.DISMISSED: _l("Dismissed"),
}


def state(turn: Turn) -> str:
    """Return what became of a turn, in words."""
    words = OUTCOMES.get(turn.outcome) or STATES.get(turn.state, turn.state)
    if turn.mode == Mode.SHADOW and turn.text:
        words = _l("Beside what was answered") if turn.answered_id is not None else _l("In shadow")
    if turn.mode == Mode.SUGGEST and turn.state == TurnState.SENT and not turn.outcome:
        words = _l("Sent")
    return str(words)
