"""Write the result of a turn: suggest it, send it, hand the conversation to people, or do nothing.

One write rechecks everything while holding the locks that every answer takes: that this try still holds the
turn, that nothing newer was written, that nobody answered, that the assistant may write here. So the second
of two concurrent writers sees the result of the first, and a worker that dies has done all or nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants import events, turns, words
from host.assistants.models import AssistantTurn, Mode, TurnState
from host.assistants.turns import Attached
from host.assistants.values import Body, Cited, ModelUsage, Topic
from host.automation import facts, handover_phrases, texts
from host.core.cleaning import clean_written
from host.core.errors import LobbyError
from host.core.ports import AdapterDirectory
from host.events.kinds.assistants import ASSISTANT_HANDED_OVER
from host.events.writing import because
from host.inbox import notes
from host.inbox.comments.posts import below_private_only
from host.inbox.conversation_actions import Changes, hand_over
from host.inbox.conversations import by_program, locked_conversation, publish_conversation
from host.inbox.drafts import Draft
from host.inbox.errors import ConversationNotFoundError
from host.inbox.reply import ANNOUNCES_PERSON, Voice, queue_parts, take_lane
from host.inbox.sendable import told_apart
from host.models.automation import AccountAutomation
from host.models.inbox import Conversation, Handler, Message, Presence, PresenceState
from host.models.users import Workspace
from host.sdk.channel import ChannelAdapter
from host.users.actor import DESK, UnitOfWork, person_or_desk
from host.working_hours import hours

ANNOUNCED_FOR = timedelta(days=1)
"""Time without an answer of its own after which the assistant announces itself again."""
MOST_TRIES = 2
"""Most tries of a turn when the model, or a worker, fails."""
AGAIN_AFTER = timedelta(seconds=2)
LONGEST_BECAUSE = 500
"""Most characters of a model's note to the team."""
ENOUGH_TITLE = 20
"""Most characters of a quick reply's title."""


class TurnResult(msgspec.Struct, frozen=True):
    """The result of a turn.

    :param text: text for the customer; empty if nothing is sent.
    :param reason: why nothing is sent, a key of the reasons.
    :param because: the model's explanation, for the team.
    :param failed: whether an error occurred; False if it found no answer.
    :param again: whether a retry makes sense.
    :param offers: topics offered as buttons.
    """

    text: str = ""
    cited: Sequence[Cited] = ()
    reason: str = ""
    because: str = ""
    failed: bool = False
    again: bool = False
    offers: Sequence[Topic] = ()
    messages: int = 0
    used: ModelUsage = msgspec.field(default_factory=ModelUsage)
    cost: int = 0
    took_ms: int = 0


def settle(
    session: Session, turn_id: int, fence: int, made: TurnResult, directory: AdapterDirectory, now: datetime
) -> TurnState | None:
    """Write the result of a turn; return its state, or None if another try holds it."""
    row = session.execute(
        sa.select(AssistantTurn.workspace_id, AssistantTurn.conversation_id, AssistantTurn.account_id).where(
            AssistantTurn.id == turn_id
        )
    ).one_or_none()
    if row is None:
        return None  # deleted with its conversation
    work = UnitOfWork(session, row.workspace_id, DESK, now)
    try:
        take_lane(session, row.workspace_id, row.conversation_id)
        conversation = locked_conversation(work, row.conversation_id)
    except ConversationNotFoundError:
        return None
    turn = turns.locked_turn(session, turn_id)
    if turn is None or turn.fence != fence:
        return None
    _note(turn, made)
    if turn.state != TurnState.THINKING:
        return TurnState(turn.state)  # overtaken; its usage is recorded
    its = turns.attached(session, [row.account_id]).get(row.account_id)
    adapter = directory.adapter(conversation.channel)
    with because(session, cause_id=turn.cause_id, root_id=turn.root_id, depth=turn.depth):
        gone = _overtaken(work, turn, its)
        if not gone and below_private_only(session, directory, [conversation.id]):
            gone = "private_only"  # the answer it is compared with is known only now
        if gone == "answered" and turn.mode == Mode.SHADOW and made.text:
            # A person answered first, without waiting for it: both are compared all the same.
            turn.text = made.text
            turns.set_beside(session, turn, now)
        elif gone or its is None:
            end(turn, TurnState.DISCARDED, now, gone)
        else:
            _Writer(work, turn, conversation, its, adapter).write(made)
        session.flush()
        events.thought(session, turn)
    if turn.mode != Mode.SHADOW:
        publish_conversation(session, conversation)
    return TurnState(turn.state)


def _note(turn: AssistantTurn, made: TurnResult) -> None:
    turn.messages = made.messages or turn.messages
    turn.model = made.used.model or turn.model
    turn.tokens_in += made.used.tokens_in
    turn.tokens_out += made.used.tokens_out
    turn.cost = made.cost
    turn.took_ms = made.took_ms
    turn.sources = [msgspec.to_builtins(one) for one in made.cited]
    turn.lease_until = None


def end(turn: AssistantTurn, state: TurnState, now: datetime, reason: str = "") -> None:
    """Set the final state of a turn, or that a person must decide about it."""
    turn.state, turn.reason, turn.done_at, turn.due_at = state, reason or None, now, None


_THEIRS = frozenset(
    {
        *("answered", "handled_by_person", "person", "answered_meanwhile", "answered_elsewhere"),
        *("opted_out", "spam"),
    }
)
"""Reasons that mean that a person already has the conversation, or that nobody may write to the customer."""


def _overtaken(work: UnitOfWork, turn: AssistantTurn, its: Attached | None) -> str:
    """Return what overtook this turn, a key of the reasons; empty if nothing did."""
    if its is None or its.assistant_id != turn.assistant_id:
        return "mode"
    if its.stopped:
        return "stopped"
    if turns.newest_inbound(work.session, turn.conversation_id) != turn.message_id:
        return "newer"
    if turns.is_answered(work.session, turn.conversation_id, turn.message_id):
        return "answered"
    return ""


@dataclass(frozen=True, slots=True)
class _Writer:
    """The write that ends a turn which nothing has overtaken.

    :param its: the assistant on the conversation's account.
    :param adapter: None: no active addon provides the channel.
    """

    work: UnitOfWork
    turn: AssistantTurn
    conversation: Conversation
    its: Attached
    adapter: ChannelAdapter | None

    def write(self, made: TurnResult) -> None:
        """Suggest or send the answer, hand the conversation to people, or leave the turn for a retry."""
        turn, now = self.turn, self.work.now
        if made.again and turn.attempts < MOST_TRIES:
            turn.state, turn.due_at, turn.reason = TurnState.WAITING, now + AGAIN_AFTER, made.reason
            return
        speaks = self.its.mode is Mode.ANSWER and self.conversation.handled_by != Handler.PERSON
        if made.reason:
            end(turn, TurnState.FAILED if made.failed else TurnState.HANDED_OVER, now, made.reason)
            if speaks:
                self._tell_handoff()
                give_to_people(self.work, self.conversation, self.its.name, made.reason, made.because)
            return
        turn.text, turn.offers = made.text, [msgspec.to_builtins(one) for one in made.offers]
        if not speaks or self._somebody_types():
            why = "typing" if speaks else "person"
            end(turn, TurnState.READY, now, why if self.its.mode is Mode.ANSWER else "")
            return
        reason = self._silent() or self._send()
        if not reason:
            end(turn, TurnState.SENT, now)
            return
        end(turn, TurnState.DISCARDED, now, reason)
        if reason not in _THEIRS:
            events.of_turn(self.work.session, turn, ASSISTANT_HANDED_OVER, reason=reason)
            give_to_people(self.work, self.conversation, self.its.name, reason)

    def _somebody_types(self) -> bool:
        """Return whether a person of the team is typing here."""
        query = sa.select(Presence.user_id).where(
            Presence.conversation_id == self.conversation.id,
            Presence.state == PresenceState.TYPING,
            Presence.until > self.work.now,
        )
        return self.work.session.scalar(query.limit(1)) is not None

    def _silent(self) -> str:
        """Return why nothing may be sent automatically here; empty if it may.

        A recent greeting of the customer doesn't count, and neither does an answer of this assistant.
        """
        session, message_id = self.work.session, self.turn.message_id
        known = facts.known(session, [message_id]).get(message_id)
        if known is None:
            return "taken_back"
        hindrance = known.hindrance(self.adapter, self.work.now)
        if hindrance not in {"", "automation"}:
            return hindrance
        return "budget" if _already_answered(session, self.conversation.id, message_id) else ""

    def _send(self) -> str:
        """Queue the answer; return why that failed, or an empty text."""
        session, turn = self.work.session, self.turn
        text = turn.text
        if self.its.body.announces and not _announced(session, turn, self.work.now):
            text = f"{text}\n\n{announcement(session, self.its)}"
        try:
            its_draft = draft(session, turn, text, self.adapter)
            messages = self._queue(its_draft, f"assistant-{turn.id}", Voice.AUTOMATION)
        except LobbyError as error:
            # Raised before anything is written: a person has the conversation, or the channel doesn't allow
            # it.
            return error.code
        turn.sent_id = messages[0].id
        return ""

    def _queue(self, draft: Draft, key: str, voice: Voice) -> Sequence[Message]:
        """Queue an automatic message of the turn, under a key of its own.

        :raises LobbyError: before anything is written, if a person has the conversation or the channel
            doesn't allow it.
        """
        return queue_parts(
            self.work,
            self.turn.conversation_id,
            [draft],
            reply_key=key,
            adapter=self.adapter,
            by_person=False,
            voice=voice,
            seen_id=self.turn.message_id,
        )

    def _tell_handoff(self) -> None:
        """Tell the customer that people get the conversation, unless someone is about to write."""
        if self.adapter is None or self._somebody_types():
            return
        text = handoff(self.work, self.its.body, self.conversation.account_id, self.adapter)
        if not text or self._silent():
            return
        with suppress(LobbyError):  # raised before anything is written: people get the conversation anyway
            key = f"assistant-{self.turn.id}{ANNOUNCES_PERSON}"
            self._queue(Draft(text=text), key, Voice.NOTICE)


def _already_answered(session: Session, conversation_id: int, message_id: int) -> bool:
    """Return whether an answer to this message, or to a later one, was already sent."""
    query = sa.select(AssistantTurn.id).where(
        AssistantTurn.conversation_id == conversation_id,
        AssistantTurn.message_id >= message_id,
        AssistantTurn.state == TurnState.SENT,
    )
    return session.scalar(query.limit(1)) is not None


def handoff(work: UnitOfWork, body: Body, account_id: int, adapter: ChannelAdapter) -> str:
    """Return what customers are told at a handoff on an account; empty for nothing, as below public posts.

    Outside working hours it says when people are back, unless the account's away message does.
    """
    if not body.tells_handoff or adapter.capabilities.public:
        return ""
    session, now = work.session, work.now
    workspace = session.get_one(Workspace, work.workspace_id)
    text = body.handoff.strip() or texts.in_language(words.HANDOFF, workspace.language)
    account = session.get(AccountAutomation, account_id)
    if account is not None and account.tells_away:
        return text
    team_id = None if account is None else account.team_id
    theirs = hours.load(session, {workspace.id}).of(workspace.id, team_id)
    opens = None if theirs.is_open(now) else theirs.opens_at(now)
    if opens is None:
        return text
    when = texts.said_time(opens, now, workspace.timezone, workspace.language)
    return f"{text} {texts.in_language(words.BACK_AT, workspace.language) % {'when': when}}"


def draft(
    session: Session, turn: AssistantTurn, text: str, adapter: ChannelAdapter | None, *, person: bool = True
) -> Draft:
    """Return an answer to send, with a button for a person and the offered topics.

    :param person: whether to add the button for a person.
    """
    offers = [Topic(**one) for one in turn.offers]
    public = adapter is not None and adapter.capabilities.public
    limits = None if adapter is None else adapter.capabilities.quick_replies
    buttons = []
    if limits is not None and not public:
        buttons = [
            {"title": _short(one.title), "payload": f"{handover_phrases.TOPIC_PAYLOAD}{one.entry}"}
            for one in offers
        ]
        if person or offers:
            title = texts.in_language(texts.PERSON, _language(session, turn.workspace_id))
            buttons.append({"title": _short(title), "payload": handover_phrases.PERSON_PAYLOAD})
    content: dict[str, Any] = {"quick_replies": told_apart(buttons)} if buttons else {}
    return Draft(text=text, content=content, reply_to=turn.message_id if public else None)


def _short(title: str) -> str:
    return title if len(title) <= ENOUGH_TITLE else title[: ENOUGH_TITLE - 1].rstrip() + "…"


def announcement(session: Session, its: Attached) -> str:
    """Return the text by which an assistant says that it is automatic."""
    own = its.body.announcement.strip()
    return own or texts.in_language(words.AUTOMATIC, _language(session, its.workspace_id))


def _announced(session: Session, turn: AssistantTurn, now: datetime) -> bool:
    query = sa.select(AssistantTurn.id).where(
        AssistantTurn.conversation_id == turn.conversation_id,
        AssistantTurn.state == TurnState.SENT,
        AssistantTurn.outcome.is_(None),
        AssistantTurn.done_at > now - ANNOUNCED_FOR,
    )
    return session.scalar(query.limit(1)) is not None


def _language(session: Session, workspace_id: int) -> str | None:
    return session.get_one(Workspace, workspace_id).language


def give_to_people(
    work: UnitOfWork, conversation: Conversation, name: str, reason: str, note: str = ""
) -> None:
    """Hand a conversation to people, with a line that gives the reason, and a note if the model wrote one.

    :param name: the assistant's, in whose name the desk does it.
    :param note: the model's explanation.
    """
    changes: Changes = {}
    if conversation.assignee_id is None and conversation.team_id is None:
        team_id = work.session.scalar(
            sa.select(AccountAutomation.team_id).where(
                AccountAutomation.account_id == conversation.account_id
            )
        )
        if team_id is not None:
            changes = {"team_id": team_id}
    by = replace(work, actor=person_or_desk(None, name))
    text = clean_written(note)[:LONGEST_BECAUSE]
    with by_program(work.session, "assistant"):
        hand_over(by, conversation.id, changes, why=reason)
        if text:
            notes.add_note(by, conversation.id, text=text, reply_key=uuid.uuid4().hex)
