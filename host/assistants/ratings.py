"""Recent turns of an assistant, and people's ratings of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session, aliased

from host.assistants.figures import Accounts
from host.assistants.models import AssistantTurn, Mode, TurnOutcome, TurnState
from host.assistants.values import Cited
from host.core.errors import NotFoundError
from host.models.channels import ChannelAccount
from host.models.inbox import Contact, ContactIdentity, Conversation, Message
from host.models.users import User
from host.sdk import strictjson
from host.users.actor import UnitOfWork

PAGE = 50


_asked = aliased(Message)
_answer = aliased(Message)


class TurnFilter(StrEnum):
    """Filters for the list of turns."""

    ALL = "all"
    TAKEN = "taken"
    """Sent, unchanged or edited."""
    HANDED_OVER = "handed_over"
    SHADOW = "shadow"
    """Thought about in shadow mode, and answered by a person."""
    WRONG = "wrong"
    FAILED = "failed"


class TurnNotFoundError(NotFoundError):
    """The assistant has no such turn."""

    code = "turn_not_found"
    title = _l("Answer not found")
    default_sentence = _l("This answer does not exist. Its conversation may have been erased.")
    default_next_step = _l("Go back to the list.")
    program_step = ""


class Turn(msgspec.Struct, frozen=True):
    """A turn in the list.

    :param reason: a key of :data:`host.assistants.words.REASONS`; empty if there is none.
    :param right: a person's rating; None if not rated.
    :param cost: in millionths of the model's currency.
    :param asked: the newest message it answers; empty if that has no text or was deleted.
    :param beside: the answer that a person, *beside_by*, sent instead; empty if there is none or it was
        deleted.
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


def _which(show: TurnFilter) -> sa.ColumnElement[bool]:
    turns = AssistantTurn
    chosen: Mapping[TurnFilter, sa.ColumnElement[bool]] = {
        TurnFilter.ALL: turns.state != TurnState.WAITING,
        TurnFilter.TAKEN: turns.state == TurnState.SENT,
        TurnFilter.HANDED_OVER: turns.state == TurnState.HANDED_OVER,
        TurnFilter.SHADOW: sa.and_(
            turns.mode == Mode.SHADOW, turns.text != "", turns.answered_id.is_not(None)
        ),
        TurnFilter.WRONG: turns.right.is_(False),
        TurnFilter.FAILED: turns.state == TurnState.FAILED,
    }
    return chosen[show]


def lately(
    session: Session,
    assistant_id: int,
    *,
    show: TurnFilter = TurnFilter.ALL,
    accounts: Accounts = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[Turn]:
    """Return an assistant's recent turns, newest first. One statement.

    :param accounts: only turns on these accounts; None for all.
    :param before: only turns older than the one with this id.
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
        # A message deleted since then has no text.
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
    show: TurnFilter = TurnFilter.ALL,
    before: int | None = None,
    limit: int = PAGE,
) -> Sequence[AssistantTurn]:
    """Return rows of turns, newest first. One statement.

    :param which: conditions on :class:`AssistantTurn`.
    :param before: only turns older than the one with this id.
    """
    query = sa.select(AssistantTurn).where(_which(show), *which)
    if before is not None:
        query = query.where(AssistantTurn.id < before)
    return session.scalars(query.order_by(AssistantTurn.id.desc()).limit(limit)).all()


def get(
    session: Session, *, workspace_id: int, assistant_id: int, turn_id: int, lock: bool = False
) -> AssistantTurn:
    """Return a turn of an assistant.

    :param lock: lock it until the write ends.
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


def judge(work: UnitOfWork, assistant_id: int, turn_id: int, *, right: bool) -> AssistantTurn:
    """Save a person's rating of a turn, and return it.

    :raises TurnNotFoundError: if the assistant has no such turn.
    """
    named = {"workspace_id": work.workspace_id, "assistant_id": assistant_id, "turn_id": turn_id}
    row = get(work.session, **named, lock=True)
    row.right = right
    work.session.flush()
    return row


STATES: Mapping[str, object] = {
    TurnState.THINKING: _l("Thinking"),
    TurnState.READY: _l("Waiting for a person"),
    TurnState.SENT: _l("Answered automatically"),
    TurnState.DISMISSED: _l("Dismissed"),
    TurnState.DISCARDED: _l("Unused"),
    TurnState.HANDED_OVER: _l("Handed off"),
    TurnState.FAILED: _l("Failed"),
}
OUTCOMES: Mapping[str, object] = {
    TurnOutcome.TAKEN: _l("Accepted unchanged"),
    TurnOutcome.USED: _l("Sent by a program"),
    TurnOutcome.EDITED: _l("Accepted with edits"),
    TurnOutcome.WRITTEN: _l("Someone wrote a different answer"),
    TurnOutcome.DISMISSED: _l("Dismissed"),
}


def state(turn: Turn) -> str:
    """Return the state of a turn in words."""
    words = OUTCOMES.get(turn.outcome) or STATES.get(turn.state, turn.state)
    if turn.mode == Mode.SHADOW and turn.text:
        words = _l("Not used; the team answered") if turn.answered_id is not None else _l("Shadow mode")
    if turn.mode == Mode.SUGGEST and turn.state == TurnState.SENT and not turn.outcome:
        words = _l("Sent")
    return str(words)
