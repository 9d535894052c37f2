"""Act on an assistant's suggestions: accept, edit, dismiss, retry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session, aliased

from host.assistants import events, results, turns
from host.assistants.models import (
    Assistant,
    AssistantAccount,
    AssistantCall,
    AssistantTurn,
    Mode,
    TurnOutcome,
    TurnState,
)
from host.assistants.results import end
from host.assistants.values import Cited, Topic
from host.core.backports.values import replace
from host.core.errors import ConflictError, NotFoundError
from host.events.kinds.assistants import ASSISTANT_DISMISSED, ASSISTANT_TAKEN
from host.inbox.conversations import locked_conversation, publish_conversation
from host.inbox.reply import Hold, Voice, queue_parts, take_lane
from host.models.inbox import Conversation, Message, Origin
from host.sdk import strictjson
from host.sdk.channel import ChannelAdapter
from host.users.actor import UnitOfWork


class SuggestionNotFoundError(NotFoundError):
    """The conversation has no such suggestion."""

    code = "suggestion_not_found"
    title = _l("Suggestion not found")
    default_sentence = _l("This suggestion does not exist.")
    default_next_step = _l("Open the conversation again.")
    program_step = ""
    place = "turn_id"


class SuggestionGoneError(ConflictError):
    """The suggestion is no longer the newest, so nothing was done."""

    code = "suggestion_gone"
    title = _l("The suggestion is no longer current")
    default_sentence = _l("There are newer messages, so this suggestion was not used.")
    default_next_step = _l("Read the new messages, then reply or wait for the next suggestion.")
    program_step = _l("Read the newer messages, then decide whether to send yours.")


class Suggested(msgspec.Struct, frozen=True):
    """The assistant's activity in a conversation.

    :param turn: the newest turn; None if there is none.
    :param others: number of turns here, number of those accepted unchanged, and their cost.
    """

    assistant_id: int
    name: str
    mode: Mode
    stopped: bool
    turn: AssistantTurn | None = None

    @property
    def cited(self) -> list[Cited]:
        """Return the sources of its answer."""
        return [one for one in self._sources() if one.used]

    @property
    def weighed(self) -> int:
        """Return the number of sources it was given."""
        return len(self._sources())

    @property
    def offers(self) -> list[Topic]:
        return [] if self.turn is None else [strictjson.convert(one, Topic) for one in self.turn.offers]

    def _sources(self) -> list[Cited]:
        return [] if self.turn is None else [strictjson.convert(one, Cited) for one in self.turn.sources]


def of(session: Session, conversation_id: int, account_id: int) -> Suggested | None:
    """Return the assistant's activity in a conversation, or None if the account has none that people see."""
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
    """Return the tool calls of a turn in order."""
    query = sa.select(AssistantCall).where(AssistantCall.turn_id == turn_id)
    return session.scalars(query.order_by(AssistantCall.number)).all()


class ConversationTotals(msgspec.Struct, frozen=True):
    """Totals of assistants in a conversation.

    :param cost: in millionths.
    """

    turns: int = 0
    taken: int = 0
    cost: int = 0


def summed(session: Session, conversation_id: int) -> ConversationTotals:
    """Return the totals of assistants in a conversation."""
    query = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(sa.case((AssistantTurn.outcome == TurnOutcome.TAKEN, 1), else_=0)), 0),
        sa.func.coalesce(sa.func.sum(AssistantTurn.cost), 0),
    ).where(AssistantTurn.conversation_id == conversation_id, AssistantTurn.fence > 0)
    count, taken, cost = session.execute(query).one()
    return ConversationTotals(int(count), int(taken), int(cost))


# ---- decisions of people ------------------------------------------------------------------------------


def accept(
    work: UnitOfWork,
    conversation_id: int,
    turn_id: int,
    *,
    adapter: ChannelAdapter | None,
    hold: Hold,
    voice: Voice = Voice.PERSON,
    along: Mapping[str, Any] | None = None,
) -> list[Message]:
    """Send a suggestion unchanged, as a person's reply; a repeated request returns the first result.

    A program does not prove that a person read it.

    :param voice: for a program: whether it speaks for people.
    :param along: extras to send with it, see :class:`host.inbox.sendable.MessageExtras`.

    :raises SuggestionNotFoundError: if the conversation has no such suggestion.
    :raises SuggestionGoneError: if the customer has written since, or it was already decided.

    Also raises the errors of :func:`host.inbox.reply.queue_parts`.
    """
    session, user_id = work.session, work.actor.id
    take_lane(session, work.workspace_id, conversation_id)
    conversation = locked_conversation(work, conversation_id)
    turn = _turn(session, conversation, turn_id)
    outcome = TurnOutcome.USED if user_id is None else TurnOutcome.TAKEN
    if turn.outcome == outcome and turn.decided_by == user_id and turn.sent_id is not None:
        return [session.get_one(Message, turn.sent_id)]
    if turn.state != TurnState.READY or turns.newest_inbound(session, conversation_id) != turn.message_id:
        raise SuggestionGoneError()
    draft = results.draft(session, turn, turn.text, adapter, person=False)
    messages = queue_parts(
        work,
        conversation_id,
        [replace(draft, content={**draft.content, **(along or {})})],
        reply_key=f"accepted-{turn.id}",
        adapter=adapter,
        by_person=user_id is not None,
        voice=voice,
        seen_id=turn.message_id,
        hold=hold,
    )
    if user_id is None and voice is Voice.PERSON:
        for message in messages:
            message.origin = Origin.API
    _decide(work, turn, TurnState.SENT, outcome)
    turn.sent_id = messages[0].id
    events.of_turn(session, turn, ASSISTANT_TAKEN, actor=work.actor)
    session.flush()
    publish_conversation(session, conversation)
    return messages


def note_reply(work: UnitOfWork, turn_id: int, message: Message) -> None:
    """Record that a person sent a reply based on a suggestion. A deleted suggestion is ignored."""
    conversation = locked_conversation(work, message.conversation_id)
    turn = work.session.get(AssistantTurn, turn_id, with_for_update=True, populate_existing=True)
    if turn is None or turn.conversation_id != conversation.id or turn.state != TurnState.READY:
        return
    if turn.mode == Mode.SHADOW:
        return
    same = " ".join(message.text.split()) == " ".join(turn.text.split())
    _decide(work, turn, TurnState.SENT, TurnOutcome.TAKEN if same else TurnOutcome.EDITED)
    turn.sent_id = message.id
    events.of_turn(work.session, turn, ASSISTANT_TAKEN, actor=work.actor, edited=not same)
    work.session.flush()


def dismiss(work: UnitOfWork, conversation_id: int, turn_id: int) -> AssistantTurn:
    """Dismiss a suggestion, or stop thinking about one, and return it. Repeating it has no effect.

    :raises SuggestionNotFoundError: if the conversation has no such suggestion.
    """
    conversation = locked_conversation(work, conversation_id)
    turn = _turn(work.session, conversation, turn_id)
    if turn.state in {TurnState.READY, TurnState.WAITING, TurnState.THINKING}:
        events.of_turn(work.session, turn, ASSISTANT_DISMISSED, actor=work.actor)
    if turn.state == TurnState.READY:
        _decide(work, turn, TurnState.DISMISSED, TurnOutcome.DISMISSED)
    elif turn.state in {TurnState.WAITING, TurnState.THINKING}:
        end(turn, TurnState.DISCARDED, work.now, "not_wanted")
        turn.decided_by = work.actor.id
    elif turn.state in {TurnState.HANDED_OVER, TurnState.FAILED}:
        turn.outcome, turn.decided_by = TurnOutcome.DISMISSED, work.actor.id  # the page no longer shows it
    work.session.flush()
    publish_conversation(work.session, conversation)
    return turn


def again(work: UnitOfWork, conversation_id: int, turn_id: int) -> None:
    """Retry a turn that failed or was dismissed.

    :raises SuggestionNotFoundError: if the conversation has no such suggestion.
    :raises SuggestionGoneError: if the customer has written since, or someone has answered.
    """
    conversation = locked_conversation(work, conversation_id)
    turn = _turn(work.session, conversation, turn_id)
    if turn.state in {TurnState.WAITING, TurnState.THINKING, TurnState.READY}:
        return
    if turn.state == TurnState.SENT or turns.newest_inbound(work.session, conversation_id) != turn.message_id:
        raise SuggestionGoneError()
    turn.state, turn.reason, turn.outcome, turn.right = TurnState.WAITING, None, None, None
    turn.due_at, turn.done_at, turn.attempts = work.now, None, 0
    work.session.flush()
    publish_conversation(work.session, conversation)


def _turn(session: Session, conversation: Conversation, turn_id: int) -> AssistantTurn:
    turn: Any = session.get(AssistantTurn, turn_id, with_for_update=True, populate_existing=True)
    if turn is None or turn.conversation_id != conversation.id or turn.mode == Mode.SHADOW:
        raise SuggestionNotFoundError()
    return turn  # type: ignore[no-any-return]


def _decide(work: UnitOfWork, turn: AssistantTurn, state: TurnState, outcome: TurnOutcome) -> None:
    end(turn, state, work.now)
    turn.outcome, turn.decided_by = outcome, work.actor.id
