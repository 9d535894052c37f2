"""What people do with what an assistant suggests: take it, change it, send it away, have it tried again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session, aliased

from host.automation.assistants import events, turns, writing
from host.automation.assistants.values import Cited, Topic
from host.automation.assistants.writing import end
from host.core.errors import ConflictError, NotFoundError
from host.inbox.conversations import locked_conversation, publish_conversation
from host.inbox.reply import Hold, Voice, queue_parts, take_lane
from host.models.assistants import (
    Assistant,
    AssistantAccount,
    AssistantCall,
    AssistantTurn,
    Mode,
    TurnOutcome,
    TurnState,
)
from host.models.inbox import Conversation, Message, Origin
from host.record import catalogue
from host.sdk import strictjson
from host.sdk.channel import ChannelAdapter
from host.users.reach import Accounts


class SuggestionNotFoundError(NotFoundError):
    """There is no such suggestion in this conversation."""

    code = "suggestion_not_found"
    title = _l("No such suggestion")
    default_sentence = _l("This suggestion does not exist.")
    default_next_step = _l("Open the conversation again.")


class SuggestionGoneError(ConflictError):
    """The suggestion is not the newest any more, so nothing was done."""

    code = "suggestion_gone"
    title = _l("The suggestion is no longer current")
    default_sentence = _l("Something was said since, so this suggestion was not used.")
    default_next_step = _l("Read what is new, then write or wait for the next one.")


@dataclass(frozen=True, slots=True)
class Suggested:
    """What an assistant does in a conversation.

    :param turn: the newest; None: there was none.
    :param others: how many turns it had here, how many of them were taken as they stood, and their cost.
    """

    assistant_id: int
    name: str
    mode: Mode
    stopped: bool
    turn: AssistantTurn | None = None

    @property
    def cited(self) -> list[Cited]:
        """Return the sources its answer rests on."""
        return [one for one in self._sources() if one.used]

    @property
    def weighed(self) -> int:
        """Return how many sources it was given."""
        return len(self._sources())

    @property
    def offers(self) -> list[Topic]:
        return [] if self.turn is None else [strictjson.convert(one, Topic) for one in self.turn.offers]

    def _sources(self) -> list[Cited]:
        return [] if self.turn is None else [strictjson.convert(one, Cited) for one in self.turn.sources]


def of(session: Session, conversation_id: int, account_id: int) -> Suggested | None:
    """Return what an assistant does in a conversation; None: its account has none that people see."""
    others = aliased(AssistantTurn)
    newest = sa.select(sa.func.max(others.id)).where(
        others.conversation_id == conversation_id, others.mode != Mode.SHADOW
    )
    its = AssistantTurn.account_id == AssistantAccount.account_id
    query = (
        sa.select(Assistant.id, Assistant.name, Assistant.stopped_at, AssistantAccount.mode, AssistantTurn)
        .join(AssistantAccount, AssistantAccount.assistant_id == Assistant.id)
        .outerjoin(AssistantTurn, sa.and_(its, AssistantTurn.id == newest.scalar_subquery()))
        .where(
            AssistantAccount.account_id == account_id, AssistantAccount.mode.not_in([Mode.OFF, Mode.SHADOW])
        )
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    return Suggested(row.id, row.name, Mode(row.mode), row.stopped_at is not None, row.AssistantTurn)


def calls(session: Session, turn_id: int) -> Sequence[AssistantCall]:
    """Return the uses of tools in a turn, in their order."""
    query = sa.select(AssistantCall).where(AssistantCall.turn_id == turn_id)
    return session.scalars(query.order_by(AssistantCall.number)).all()


@dataclass(frozen=True, slots=True)
class Here:
    """What assistants did in a conversation.

    :param cost: in millionths.
    """

    turns: int = 0
    taken: int = 0
    cost: int = 0


def summed(session: Session, conversation_id: int) -> Here:
    """Return what assistants did in a conversation."""
    query = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(sa.case((AssistantTurn.outcome == TurnOutcome.TAKEN, 1), else_=0)), 0),
        sa.func.coalesce(sa.func.sum(AssistantTurn.cost), 0),
    ).where(AssistantTurn.conversation_id == conversation_id, AssistantTurn.fence > 0)
    count, taken, cost = session.execute(query).one()
    return Here(int(count), int(taken), int(cost))


# ---- what people decide --------------------------------------------------------------------------------


def accept(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    accounts: Accounts,
    turn_id: int,
    user_id: int | None,
    adapter: ChannelAdapter | None,
    now: datetime,
    hold: Hold,
    voice: Voice = Voice.PERSON,
    along: Mapping[str, Any] | None = None,
) -> list[Message]:
    """Send a suggestion as it stands, as a person's reply; a repeated press returns what the first sent.

    :param user_id: who does; None: a program, of whom nobody knows that a person read it.
    :param voice: of a program: whether it speaks for people.
    :param along: what goes along with it, see :class:`host.inbox.sendable.Along`.

    :raises SuggestionNotFoundError: if the conversation has no such suggestion.
    :raises SuggestionGoneError: if the customer wrote since, or somebody decided about it.

    Besides, what :func:`host.inbox.reply.queue_parts` raises.
    """
    take_lane(session, workspace_id, conversation_id)
    conversation = locked_conversation(session, workspace_id, conversation_id, accounts=accounts)
    turn = _turn(session, conversation, turn_id)
    outcome = TurnOutcome.USED if user_id is None else TurnOutcome.TAKEN
    if turn.outcome == outcome and turn.decided_by == user_id and turn.sent_id is not None:
        return [session.get_one(Message, turn.sent_id)]
    if turn.state != TurnState.READY or turns.newest_inbound(session, conversation_id) != turn.message_id:
        raise SuggestionGoneError()
    draft = writing.draft(session, turn, turn.text, adapter, person=False)
    messages = queue_parts(
        session,
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        author_id=user_id,
        drafts=[replace(draft, content={**draft.content, **(along or {})})],
        reply_key=f"accepted-{turn.id}",
        adapter=adapter,
        now=now,
        by_person=user_id is not None,
        voice=voice,
        seen_id=turn.message_id,
        hold=hold,
        accounts=accounts,
    )
    if user_id is None and voice is Voice.PERSON:
        for message in messages:
            message.origin = Origin.API
    _decide(turn, TurnState.SENT, outcome, user_id, now)
    turn.sent_id = messages[0].id
    events.of_turn(session, turn, catalogue.ASSISTANT_TAKEN, **_by(user_id))
    session.flush()
    publish_conversation(session, conversation)
    return messages


def note_reply(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    accounts: Accounts,
    turn_id: int,
    user_id: int,
    message: Message,
    now: datetime,
) -> None:
    """Note that a person sent a reply which began as a suggestion. One that is gone is left alone."""
    conversation = locked_conversation(session, workspace_id, conversation_id, accounts=accounts)
    turn = session.get(AssistantTurn, turn_id, with_for_update=True, populate_existing=True)
    if turn is None or turn.conversation_id != conversation.id or turn.state != TurnState.READY:
        return
    if turn.mode == Mode.SHADOW:
        return
    same = " ".join(message.text.split()) == " ".join(turn.text.split())
    _decide(turn, TurnState.SENT, TurnOutcome.TAKEN if same else TurnOutcome.EDITED, user_id, now)
    turn.sent_id = message.id
    events.of_turn(session, turn, catalogue.ASSISTANT_TAKEN, edited=not same, **_by(user_id))
    session.flush()


def dismiss(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    accounts: Accounts,
    turn_id: int,
    user_id: int | None,
    now: datetime,
) -> None:
    """Send a suggestion away, or stop thinking about one. Twice is once.

    :param user_id: who does; None: a program.
    :raises SuggestionNotFoundError: if the conversation has no such suggestion.
    """
    conversation = locked_conversation(session, workspace_id, conversation_id, accounts=accounts)
    turn = _turn(session, conversation, turn_id)
    if turn.state in {TurnState.READY, TurnState.WAITING, TurnState.THINKING}:
        events.of_turn(session, turn, catalogue.ASSISTANT_DISMISSED, **_by(user_id))
    if turn.state == TurnState.READY:
        _decide(turn, TurnState.DISMISSED, TurnOutcome.DISMISSED, user_id, now)
    elif turn.state in {TurnState.WAITING, TurnState.THINKING}:
        end(turn, TurnState.DISCARDED, now, "not_wanted")
        turn.decided_by = user_id
    elif turn.state in {TurnState.HANDED_OVER, TurnState.FAILED}:
        turn.outcome, turn.decided_by = TurnOutcome.DISMISSED, user_id  # the page says it no more
    session.flush()
    publish_conversation(session, conversation)


def again(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    accounts: Accounts,
    turn_id: int,
    now: datetime,
) -> None:
    """Have a turn thought about once more that failed, or that nobody wanted.

    :raises SuggestionNotFoundError: if the conversation has no such suggestion.
    :raises SuggestionGoneError: if the customer wrote since, or somebody answered.
    """
    conversation = locked_conversation(session, workspace_id, conversation_id, accounts=accounts)
    turn = _turn(session, conversation, turn_id)
    if turn.state in {TurnState.WAITING, TurnState.THINKING, TurnState.READY}:
        return
    if turn.state == TurnState.SENT or turns.newest_inbound(session, conversation_id) != turn.message_id:
        raise SuggestionGoneError()
    turn.state, turn.reason, turn.outcome, turn.right = TurnState.WAITING, None, None, None
    turn.due_at, turn.done_at, turn.attempts = now, None, 0
    session.flush()
    publish_conversation(session, conversation)


def _turn(session: Session, conversation: Conversation, turn_id: int) -> AssistantTurn:
    turn: Any = session.get(AssistantTurn, turn_id, with_for_update=True, populate_existing=True)
    if turn is None or turn.conversation_id != conversation.id or turn.mode == Mode.SHADOW:
        raise SuggestionNotFoundError()
    return turn  # type: ignore[no-any-return]


def _by(user_id: int | None) -> dict[str, Any]:
    """Return who does something, as the record says it."""
    return {"actor": events.actor_of(user_id), "actor_id": user_id}


def _decide(
    turn: AssistantTurn, state: TurnState, outcome: TurnOutcome, user_id: int | None, now: datetime
) -> None:
    end(turn, state, now)
    turn.outcome, turn.decided_by = outcome, user_id
