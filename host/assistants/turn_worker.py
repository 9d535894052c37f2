"""Work on due turns, each in its own thread, with no write open while a model is asked.

A model that hangs holds only its thread: messages are still received, shown and answered by people. A turn is
claimed for as long as it may take. If its worker dies, the next one takes it with a higher fencing token, and
only the highest token may write.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants import context, events, limits, results, turns, verdicts, words
from host.assistants import tools as tool_calls
from host.assistants.knowledge import retrieval
from host.assistants.language import asking
from host.assistants.language import language_models as models
from host.assistants.models import (
    Assistant,
    AssistantAccount,
    AssistantTurn,
    EntryState,
    KnowledgeEntry,
    Mode,
    TurnState,
)
from host.assistants.results import TurnResult
from host.assistants.turns import Attached
from host.assistants.values import (
    Ask,
    Body,
    Cited,
    ModelAnswer,
    ModelError,
    ModelSetting,
    Thinker,
    Topic,
)
from host.automation import texts
from host.core import clock, db
from host.core.backports.values import replace
from host.core.ports import AssistantDirectory
from host.core.statements import earliest
from host.events.kinds.assistants import ASSISTANT_HANDED_OVER
from host.events.writing import because
from host.inbox.comments.posts import below_private_only
from host.inbox.conversations import locked_conversation
from host.models.channels import ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import ContactIdentity, Conversation, ConversationStatus, Handler
from host.models.users import Workspace
from host.queue import signals
from host.queue.signals import Signal
from host.sdk.channel import AccountRef, ChannelAdapter
from host.users.actor import DESK, UnitOfWork

log = logging.getLogger("lobby.assistants")

MOST_AT_ONCE = 8
"""Turns a process works on concurrently; *MOST_OF_ONE* of them for one workspace."""
MOST_OF_ONE = 3
MOST_TOKENS = 800
"""Most tokens of one answer."""
BEYOND = timedelta(seconds=30)
"""Time a turn is held beyond the model's timeout, for reading and writing."""
MOST_GIVEN = 20
UNOWNED = timedelta(minutes=5)
"""Time after which a customer who waits for an idle assistant is handed to a person."""


class _Slots:
    """Number of turns this process works on, by workspace."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Counter[int] = Counter()

    def free(self) -> int:
        with self._lock:
            return MOST_AT_ONCE - self._open.total()

    def full(self) -> list[int]:
        """Return the workspaces that have the maximum number of turns."""
        with self._lock:
            return [one for one, count in self._open.items() if count >= MOST_OF_ONE]

    def take(self, workspace_id: int) -> None:
        with self._lock:
            self._open[workspace_id] += 1

    def give(self, workspace_id: int) -> None:
        with self._lock:
            self._open[workspace_id] -= 1
            if not self._open[workspace_id]:
                del self._open[workspace_id]


_slots = _Slots()


def due(now: Any) -> list[sa.Select[Any]]:
    """Return what makes the job due at *now*."""
    lost = sa.select(AssistantTurn.id).where(
        AssistantTurn.state == TurnState.THINKING, AssistantTurn.lease_until <= now
    )
    return [
        earliest(AssistantTurn.due_at, now, AssistantTurn.state == TurnState.WAITING),
        lost.order_by(AssistantTurn.due_at),
    ]


def think_due(directory: AssistantDirectory) -> bool:
    """Start working on due turns; return whether there may be more."""
    free = _slots.free()
    if free <= 0:
        return False
    with db.read() as session:
        found = _due(session, clock.now(), _slots.full(), free)
    for turn_id, workspace_id in found:
        _slots.take(workspace_id)
        threading.Thread(
            target=_think_in_thread, args=(turn_id, workspace_id, directory), name="assistant", daemon=True
        ).start()
    return len(found) == free


def _due(session: Session, now: datetime, full: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Return id and workspace of turns that are due or whose claim expired, oldest first."""
    waits = sa.and_(AssistantTurn.state == TurnState.WAITING, AssistantTurn.due_at <= now)
    lost = sa.and_(AssistantTurn.state == TurnState.THINKING, AssistantTurn.lease_until < db.now())
    # A claimed turn has no due time.
    since = sa.func.coalesce(AssistantTurn.lease_until, AssistantTurn.due_at)
    query = (
        sa.select(AssistantTurn.id, AssistantTurn.workspace_id)
        .where(sa.or_(lost, waits), AssistantTurn.workspace_id.not_in(full))
        .order_by(since, AssistantTurn.id)
        .limit(most)
    )
    found: list[tuple[int, int]] = []
    taken: Counter[int] = Counter()
    for id_, workspace_id in session.execute(query):
        if taken[workspace_id] < MOST_OF_ONE:
            taken[workspace_id] += 1
            found.append((id_, workspace_id))
    return found


def _think_in_thread(turn_id: int, workspace_id: int, directory: AssistantDirectory) -> None:
    try:
        think(turn_id, directory)
    except Exception:
        log.exception("the turn %s could not be thought about; it is taken up again", turn_id)
    finally:
        _slots.give(workspace_id)


# ---- one turn ------------------------------------------------------------------------------------------


class ClaimedTurn(msgspec.Struct, frozen=True):
    """A claimed turn.

    :param customer: their id at the provider.
    :param is_persons: whether a person handles the conversation.
    :param setting: None if there is no model.
    """

    turn_id: int
    workspace_id: int
    conversation_id: int
    account: AccountRef
    customer: str
    fence: int
    is_persons: bool
    its: Attached
    setting: ModelSetting | None
    about: context.Context
    ask: Ask
    brought: tool_calls.Brought


def think(turn_id: int, directory: AssistantDirectory, ask_model: Thinker = asking.ask) -> TurnState | None:
    """Work on one turn and write its result; return its state, or None if another worker holds it."""
    begun = db.write(_begin, turn_id, directory, clock.now())
    if begun is None:
        return None
    if isinstance(begun, tuple):
        fence, made = begun
        return db.write(results.settle, turn_id, fence, made, directory, clock.now())
    adapter = directory.adapter(begun.account.channel)
    _show_typing(begun, adapter)
    began = clock.monotonic()
    made = _made(begun, adapter, ask_model)
    made = replace(made, messages=begun.about.messages, took_ms=round((clock.monotonic() - began) * 1000))
    return db.write(results.settle, turn_id, begun.fence, made, directory, clock.now())


def _begin(
    session: Session, turn_id: int, directory: AssistantDirectory, now: datetime
) -> ClaimedTurn | tuple[int, TurnResult] | None:
    """Claim a turn and load its data, or return its fencing token and an immediate result."""
    turn = turns.locked_turn(session, turn_id)
    if turn is None or not _may_take(turn, now):
        return None
    turn.fence, turn.attempts = turn.fence + 1, turn.attempts + 1
    # Claimed from here on, whatever happens: if this worker dies, another one takes it.
    turn.state, turn.due_at, turn.lease_until = TurnState.THINKING, None, db.now() + BEYOND
    if turn.attempts > results.MOST_TRIES:
        return turn.fence, TurnResult(reason=turn.reason or "model_timeout", failed=True)
    its = turns.attached(session, [turn.account_id]).get(turn.account_id)
    conversation = turns.conversation_of(session, turn.conversation_id)
    if its is None or its.stopped or conversation is None:
        return turn.fence, TurnResult(reason="mode")  # writing names the reason
    if below_private_only(session, directory, [conversation.id]):
        return turn.fence, TurnResult(reason="private_only")
    turn.version, turn.mode = its.version, its.mode
    turn.lease_until = db.now() + timedelta(seconds=its.body.limits.seconds) + BEYOND
    about = context.load(session, conversation, its.assistant_id, now)
    if about.asks_for_person:
        return turn.fence, TurnResult(reason="asked_for_person", messages=about.messages)
    setting = None if its.model_id is None else models.setting_of(session, its.model_id)
    if its.model_id is not None and setting is None:
        return turn.fence, TurnResult(reason="model_gone", failed=True, messages=about.messages)
    calls = its.body.limits.calls
    most = limits.most_of(setting, MOST_TOKENS, calls)
    full = limits.room(session, turn, its.body.limits, most, now)
    if full:
        return turn.fence, TurnResult(reason=full, messages=about.messages)
    turn.cost = most.money
    session.flush()
    account = account_ref(session.get_one(ChannelAccount, conversation.account_id))
    brought = tool_calls.brought_for(directory, account.channel)
    ask = Ask(
        context.instructions(its.name, its.body, about),
        about.lines,
        tuple(tool_calls.offers(session, its.assistant_id, its.body, brought)),
        float(its.body.limits.seconds),
        MOST_TOKENS,
        calls,
    )
    customer = session.get_one(ContactIdentity, conversation.identity_id).external_id
    is_persons = conversation.handled_by == Handler.PERSON
    return ClaimedTurn(
        turn.id,
        turn.workspace_id,
        conversation.id,
        account,
        customer,
        turn.fence,
        is_persons,
        its,
        setting,
        about,
        ask,
        brought,
    )


def _may_take(turn: AssistantTurn, now: datetime) -> bool:
    if turn.state == TurnState.WAITING:
        return turn.due_at is not None and turn.due_at <= now
    return turn.state == TurnState.THINKING and turn.lease_until is not None and turn.lease_until < db.now()


def _show_typing(begun: ClaimedTurn, adapter: ChannelAdapter | None) -> None:
    """Show the customer a typing indicator if an answer may be sent automatically."""
    speaks = begun.setting is not None and begun.its.mode is Mode.ANSWER and not begun.is_persons
    if speaks and adapter is not None and adapter.capabilities.typing:
        signals.current().offer(begun.account, begun.customer, Signal.TYPING, begun.conversation_id)


def _made(begun: ClaimedTurn, adapter: ChannelAdapter | None, ask_model: Thinker) -> TurnResult:
    if begun.about.topic is not None:
        with db.read() as session:
            made = _of_topic(session, begun.its.assistant_id, begun.about.topic)
        if made is not None:
            return made
    if begun.setting is None:
        return _offered(begun, adapter)
    runner = tool_calls.Runner(
        begun.workspace_id,
        begun.its.assistant_id,
        begun.ask.tools,
        begun.its.name,
        first_number=len(begun.about.sources) + 1,
        brought=begun.brought,
        turn_id=begun.turn_id,
        conversation_id=begun.conversation_id,
        in_shadow=begun.its.mode is Mode.SHADOW,
    )
    return answered(begun.setting, begun.ask, begun.about, begun.its.body, runner, ask_model)


def answered(
    setting: ModelSetting,
    ask: Ask,
    about: context.Context,
    body: Body,
    runner: tool_calls.Runner,
    ask_model: Thinker,
) -> TurnResult:
    """Return a model's answer to a conversation, judged."""
    try:
        thought = ask_model(setting, ask, runner)
    except ModelError as error:
        cost = setting.cost(error.used.tokens_in, error.used.tokens_out)
        cited = verdicts.judge(ModelAnswer(), about.sources).cited
        return TurnResult(
            reason=error.reason, failed=True, again=error.again, used=error.used, cost=cost, cited=cited
        )
    sources = [*about.sources, *runner.sources]
    said = thought.said
    if runner.wants_person is not None:
        said = ModelAnswer(hands_over=True, sources=said.sources, because=runner.wants_person or said.because)
    verdict = verdicts.judge(
        said,
        sources,
        words_of_owner=(body.prompt, *about.owners),
        phrases=body.phrases,
        said_before=about.said_before,
    )
    reason = "tool_asks" if runner.asked and not verdict.text else verdict.reason
    return TurnResult(
        text=verdict.text,
        cited=verdict.cited,
        reason=reason,
        because=said.because,
        used=thought.used,
        cost=setting.cost(thought.used.tokens_in, thought.used.tokens_out),
    )


# ---- without a model -----------------------------------------------------------------------------------


def _of_topic(session: Session, assistant_id: int, entry_id: int) -> TurnResult | None:
    """Return the entry of a tapped topic in the owner's words, or None if it was deleted."""
    entry = session.get(KnowledgeEntry, entry_id)
    if entry is None or entry.assistant_id != assistant_id or entry.state != EntryState.READY:
        return None
    cited = Cited(1, entry.title, at=entry.checked_at.isoformat(), entry=entry.id)
    return TurnResult(text=entry.text[: verdicts.LONGEST], cited=[cited])


def _offered(begun: ClaimedTurn, adapter: ChannelAdapter | None) -> TurnResult:
    """Return topics the question may be about, for the customer to choose from. Nothing is asserted."""
    with db.read() as session:
        language = session.get_one(Workspace, begun.workspace_id).language
        found = retrieval.topics(session, begun.its.assistant_id, begun.about.question, most=3)
    offers = may_offer(found, adapter)
    if not offers:
        return TurnResult(reason="no_topics")
    cited = [Cited(number, one.title, entry=one.entry) for number, one in enumerate(found, 1)]
    return TurnResult(text=texts.in_language(words.WHICH, language), cited=cited, offers=offers)


def may_offer(found: Sequence[Topic], adapter: ChannelAdapter | None) -> list[Topic]:
    """Return the topics a channel can offer besides *Talk to a person*; none if it has no buttons."""
    can = None if adapter is None else adapter.capabilities.quick_replies
    if adapter is None or can is None or not can_offer_topics(adapter):
        return []
    return list(found)[: can.most - 1]


def can_offer_topics(adapter: ChannelAdapter) -> bool:
    """Return whether customers of a channel can choose among topics."""
    return adapter.capabilities.quick_replies is not None and not adapter.capabilities.public


# ---- abandoned conversations --------------------------------------------------------------------------


def give_forgotten(*, are_off: bool = False) -> bool:
    """Hand conversations that wait in vain for an assistant to people; return whether there were any.

    The model may not respond, or the assistant was stopped or turned off: no customer should wait for that.

    :param are_off: whether all assistants are switched off.
    """
    now = clock.now()
    with db.read() as session:
        found = _forgotten(session, now, are_off=are_off)
    for conversation_id, name in found:
        db.write(_give, conversation_id, name, now)
    return bool(found)


def _forgotten(session: Session, now: datetime, *, are_off: bool) -> Sequence[tuple[int, str]]:
    """Return conversations that wait too long for an assistant, or for one that is off or stopped.

    Each comes with the assistant's name. Conversations of another program on the same account are excluded.
    """
    thinks = sa.exists().where(
        AssistantTurn.conversation_id == Conversation.id,
        AssistantTurn.state.in_([TurnState.WAITING, TurnState.THINKING]),
    )
    answered = sa.exists().where(
        AssistantTurn.conversation_id == Conversation.id,
        AssistantTurn.state == TurnState.SENT,
        AssistantTurn.outcome.is_(None),
    )
    late = Conversation.waiting_since < now - UNOWNED
    # In shadow mode it answers nobody, so the conversation is not its responsibility.
    on = (
        sa.false()
        if are_off
        else sa.and_(AssistantAccount.mode.not_in([Mode.OFF, Mode.SHADOW]), Assistant.stopped_at.is_(None))
    )
    query = (
        sa.select(Conversation.id, Assistant.name)
        .join(AssistantAccount, AssistantAccount.account_id == Conversation.account_id)
        .join(Assistant, Assistant.id == AssistantAccount.assistant_id)
        .where(*_waits(), sa.or_(sa.and_(late, on), sa.and_(answered, ~on)), ~thinks)
        .limit(MOST_GIVEN)
    )
    return [(row.id, row.name) for row in session.execute(query)]


def _waits() -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Conversation.handled_by == Handler.AUTOMATION,
        Conversation.status == ConversationStatus.OPEN,
        Conversation.spam_at.is_(None),
        Conversation.waiting_since.is_not(None),
    )


def _give(session: Session, conversation_id: int, name: str, now: datetime) -> None:
    workspace_id = session.scalar(
        sa.select(Conversation.workspace_id).where(Conversation.id == conversation_id, *_waits())
    )
    if workspace_id is None:
        return
    work = UnitOfWork(session, workspace_id, DESK, now)
    conversation = locked_conversation(work, conversation_id)
    if conversation.handled_by != Handler.AUTOMATION:
        return
    newest = sa.select(AssistantTurn).where(AssistantTurn.conversation_id == conversation_id)
    turn = session.scalars(newest.order_by(AssistantTurn.id.desc()).limit(1)).one_or_none()
    cause = (turn.cause_id, turn.root_id, turn.depth) if turn is not None else (0, 0, 1)
    with because(session, cause_id=cause[0], root_id=cause[1], depth=cause[2]):
        reason = turn.reason if turn is not None and turn.reason else "mode"
        if turn is not None:
            events.of_turn(session, turn, ASSISTANT_HANDED_OVER, reason=reason)
        results.give_to_people(work, conversation, name, reason)
