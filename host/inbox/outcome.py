"""Record the outcome of sending a message. Nothing else changes a message's delivery state.

A state only moves forward: once the provider has the message, a late failure of the same attempt changes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.cleaning import clean, external_id
from host.core.statements import Statement
from host.events.writing import record_all, show
from host.features import registry
from host.inbox.apply import responders
from host.inbox.apply.bounces import ARRIVED_FOR_SURE
from host.inbox.apply.changes import apply_marks
from host.inbox.apply.happenings import Sent, of_state
from host.inbox.apply.tables import CONVERSATIONS, IDENTITIES, MESSAGES, OUTBOX
from host.inbox.apply.writing import mark_seen
from host.inbox.conversations import publish_conversation
from host.models.inbox import (
    ARRIVED,
    Attachment,
    ContactIdentity,
    Conversation,
    DeliveryState,
    Direction,
    Message,
    Origin,
    Reaction,
)
from host.models.queue import OutboxEntry
from host.queue import outbox, replay
from host.sdk.channel import ProviderProblem
from host.sdk.i18n import noop
from host.sdk.messages import MessageKind
from host.search import postings

PART_BEFORE_FAILED = noop(
    "An earlier part of this reply was not sent. Retry that part, or send this one without it."
)

WROTE_FIRST = noop("They wrote first, so this was not sent.")
RESTORED = noop("Lobby was restored from a backup, so this stays here until someone sends it.")
STAYS = frozenset({WROTE_FIRST, RESTORED})
"""Reasons why a scheduled reply is held back until a person decides."""


# Every sent message runs these statements; Core rows take half the time of ORM objects. Those that read many
# columns are no ``Statement``, which describes the columns of its result each time.
_message = (
    sa.select(
        MESSAGES.c.id,
        MESSAGES.c.workspace_id,
        MESSAGES.c.conversation_id,
        MESSAGES.c.account_id,
        MESSAGES.c.external_id,
        MESSAGES.c.state,
        MESSAGES.c.text,
        MESSAGES.c.sent_at,
        MESSAGES.c.origin,
        MESSAGES.c.author_id,
        MESSAGES.c.direction,
        MESSAGES.c.reply_key,
    )
    .where(MESSAGES.c.id == sa.bindparam("message"))
    .with_for_update()
)
_takes = sa.update(MESSAGES).where(MESSAGES.c.id == sa.bindparam("message")).values(error=sa.null())
_takes = _takes.values(state=sa.bindparam("to"))
_takes_state = Statement(_takes)
_takes_id = Statement(_takes.values(external_id=sa.bindparam("stored")))
_has_id = Statement(
    sa.select(MESSAGES.c.id).where(
        MESSAGES.c.account_id == sa.bindparam("account"), MESSAGES.c.external_id == sa.bindparam("stored")
    )
)
_seen_by = (
    sa.select(IDENTITIES.c.seen_at, IDENTITIES.c.seen_early, OUTBOX.c.attempted_at)
    .select_from(MESSAGES)
    .join(CONVERSATIONS, CONVERSATIONS.c.id == MESSAGES.c.conversation_id)
    .join(IDENTITIES, IDENTITIES.c.id == CONVERSATIONS.c.identity_id)
    .outerjoin(OUTBOX, OUTBOX.c.message_id == MESSAGES.c.id)
    .where(MESSAGES.c.id == sa.bindparam("message"))
)


def record_sending(
    session: Session,
    message_id: int,
    *,
    only_from: DeliveryState | None = None,
    only_text: str | None = None,
) -> bool:
    """Record that a worker is about to send the message; return whether it was recorded.

    :param only_from: the state the message must still be in.
    :param only_text: the text it must still have, as it may be edited while it waits.
    """
    session.flush()
    connection = session.connection()
    message = connection.execute(_message, {"message": message_id}).first()
    if message is None or message.state in ARRIVED or (only_from is not None and message.state != only_from):
        return False
    if only_text is not None and message.text != only_text:
        return False
    _takes_state.run(connection, {"message": message_id, "to": DeliveryState.SENDING})
    _tell_state(session, message, DeliveryState.SENDING)
    return True


def record_sent(session: Session, message_id: int, external_id_: str) -> None:
    """Record that the provider accepted the message and gave it an id.

    The echo of the message may have been applied before the provider answered. If it was stored as a message
    from the provider's app, that row becomes this message. If it was matched to another message of ours with
    the same text, that message is unconfirmed again.
    """
    session.flush()
    message = session.connection().execute(_message, {"message": message_id}).first()
    if message is None:
        return
    stored = external_id(external_id_)
    db.after_commit(session, partial(apply_marks, {(message.account_id, stored)}))
    if message.external_id == stored:
        if message.state == DeliveryState.SENDING:
            # It bounced and was sent again under the same id.
            _takes_state.run(session.connection(), {"message": message_id, "to": DeliveryState.SENT})
            _tell_state(session, message, DeliveryState.SENT)
        return
    if message.external_id is not None or not _is_first(session, message, stored):
        _record_after_echo(session, message_id, stored)


def _is_first(session: Session, message: sa.Row[*tuple[Any, ...]], stored: str) -> bool:
    """Record *message* as sent if no message has the id *stored* yet; return whether that is so."""
    connection = session.connection()
    if _has_id.rows(connection, {"account": message.account_id, "stored": stored}):
        return False
    seen = _seen_already(session, message, stored)
    state = DeliveryState.READ if seen else DeliveryState.SENT
    try:
        with connection.begin_nested():
            _takes_id.run(connection, {"message": message.id, "to": state, "stored": stored})
    except IntegrityError:
        return False
    _tell_state(session, message, state)
    return True


def _record_after_echo(session: Session, message_id: int, stored: str) -> None:
    """Record a message as sent if an echo with its id was applied before the provider answered."""
    message = _locked(session, message_id)
    assert message is not None  # the caller has locked it
    other = _take_id(session, message, stored)
    message.error = None
    seen = _seen_already(session, message, stored) or (
        other is not None and other.state == DeliveryState.READ
    )
    state = DeliveryState.READ if seen else DeliveryState.SENT
    if other is not None and other.state == DeliveryState.FAILED:
        state, message.error = DeliveryState.FAILED, other.error
    elif other is not None and other.state == DeliveryState.DELIVERED and not seen:
        state = DeliveryState.DELIVERED
    if other is not None and other.content.get(ARRIVED_FOR_SURE):
        message.content = {**message.content, ARRIVED_FOR_SURE: True}
    _set_state(session, message, state)


def _take_id(session: Session, message: Message, stored: str) -> Message | None:
    """Give *message* the id *stored*; return the message that had it before, if any."""
    if message.external_id is not None:
        _keep_echo(session, message)
    query = sa.select(Message).where(Message.account_id == message.account_id, Message.external_id == stored)
    for _attempt in range(3):
        other = session.scalars(query).one_or_none()
        if other is not None:
            _inherit(session, message, other)
            _give_way(session, other)
        try:
            with session.begin_nested():
                message.external_id = stored
            return other
        except IntegrityError:
            # Its echo was applied between the two statements, and can be read now.
            session.refresh(message)
    raise AssertionError("an id was taken three times")


def record_failed(session: Session, message_id: int, problem: ProviderProblem) -> None:
    """Record that the message will not reach the customer, and why."""
    _move(session, message_id, DeliveryState.FAILED, problem)


def record_unknown(session: Session, message_id: int, problem: ProviderProblem) -> None:
    """Record that it is unknown whether the message reached the customer.

    A message that a report of the provider already confirmed, and says that it failed, stays failed.
    """
    message = _locked(session, message_id)
    if message is None or message.state != DeliveryState.FAILED or message.external_id is None:
        _move(session, message_id, DeliveryState.UNKNOWN, problem)


def record_missed(session: Session, message_id: int, problem: ProviderProblem) -> None:
    """Record the parts of a sent message that were not delivered; its state stays."""
    message = _locked(session, message_id)
    if message is not None:
        message.error = as_error(problem)
        session.flush()


def record_taken_over(
    session: Session, conversation_id: int, known: Mapping[str, Any] | None, now: datetime
) -> None:
    """Record that a sent message took a conversation from another program.

    :param known: who had it before the message was sent. A handover since then counts more.
    """
    conversation = session.get(Conversation, conversation_id, with_for_update=True, populate_existing=True)
    if conversation is None or not responders.is_held(conversation, now):
        return
    if responders.is_handed_over(conversation, since=known):
        return
    responders.take(conversation, now)
    session.flush()
    publish_conversation(session, conversation)


def record_waiting(session: Session, message_id: int, waiting: Mapping[str, Any] | None) -> None:
    """Record why the message waits (``sentence``) and until when (``until``); None if it no longer waits.

    A message that was being sent is queued again; an unconfirmed one stays unconfirmed while it waits.
    """
    message = _locked(session, message_id)
    if message is None or message.state in ARRIVED:
        return
    session.execute(
        sa.update(OutboxEntry)
        .where(OutboxEntry.message_id == message_id)
        .values(waiting=sa.null() if waiting is None else dict(waiting))
    )
    state = DeliveryState.UNKNOWN if message.state == DeliveryState.UNKNOWN else DeliveryState.QUEUED
    if state is DeliveryState.QUEUED:
        message.error = None
    _set_state(session, message, state)


def record_queued(session: Session, message_id: int) -> None:
    """Record that the message is queued again, because an agent resends it."""
    _move(session, message_id, DeliveryState.QUEUED, None)


def record_cancelled(session: Session, message_id: int, problem: ProviderProblem | None = None) -> None:
    """Record that the message was cancelled before any of it was handed to the provider.

    :param problem: the reason, if no person cancelled it.
    """
    _move(session, message_id, DeliveryState.CANCELLED, problem)


def hold_rest(session: Session, message_id: int) -> None:
    """Hold back the parts of a reply after one that failed, until a person decides."""
    for entry in _queued_behind(session, message_id):
        entry.open = False
        entry.not_before = None
        session.flush()
        record_waiting(session, entry.message_id, {"sentence": PART_BEFORE_FAILED, "until": None})


def release_rest(session: Session, message_id: int, *, itself: bool = False) -> None:
    """Queue the parts held back behind a message again, up to the next failed one.

    :param itself: whether to include the message itself, which is also held back.
    """
    for entry in _queued_behind(session, message_id, itself=itself):
        if not entry.open:
            entry.open = True
            session.flush()
            record_waiting(session, entry.message_id, None)


def _queued_behind(session: Session, message_id: int, *, itself: bool = False) -> list[OutboxEntry]:
    """Return the locked entries of the queued parts behind a message of a reply, up to a failed one."""
    session.flush()
    before = session.get_one(Message, message_id)
    same = (Message.conversation_id == before.conversation_id, Message.reply_key == before.reply_key)
    behind = Message.position >= before.position if itself else Message.position > before.position
    failed = session.scalar(
        sa.select(sa.func.min(Message.position)).where(*same, behind, Message.state == DeliveryState.FAILED)
    )
    query = (
        sa.select(OutboxEntry)
        .join(Message, Message.id == OutboxEntry.message_id)
        .where(*same, behind, Message.state == DeliveryState.QUEUED)
        .order_by(OutboxEntry.id)
    )
    if failed is not None:
        query = query.where(Message.position < failed)
    return list(session.scalars(query.with_for_update(of=OutboxEntry)))


def _locked(session: Session, message_id: int) -> Message | None:
    session.flush()
    return session.get(Message, message_id, with_for_update=True, populate_existing=True)


def _move(session: Session, message_id: int, state: DeliveryState, problem: ProviderProblem | None) -> None:
    message = _locked(session, message_id)
    if message is None or message.state in ARRIVED:
        return
    message.error = None if problem is None else as_error(problem)
    _set_state(session, message, state)


def as_error(problem: ProviderProblem) -> dict[str, str]:
    """Return *problem* in the stored form."""
    return {
        "code": clean(problem.code),
        "sentence": clean(problem.sentence),
        "next_step": clean(problem.next_step),
        "raw": clean(problem.raw),
        "cause": clean(problem.cause),
        **({"final": "yes"} if problem.final else {}),
    }


def _set_state(session: Session, message: Message, state: DeliveryState) -> None:
    before = message.state
    message.state = state
    session.flush()
    _tell_state(session, message, state, before, message.error)


def _tell_state(
    session: Session,
    message: Message | sa.Row[*tuple[Any, ...]],
    state: DeliveryState,
    before: str | None = None,
    error: Mapping[str, Any] | None = None,
) -> None:
    """Notify browsers of the new *state* of *message*, and count failed messages if that changed.

    :param before: its previous state; None for the state of *message*.
    :param error: its error, if it has one now.
    """
    if DeliveryState.FAILED in {before or message.state, state}:
        count_failed(session, message.conversation_id)
    told = Sent(*(getattr(message, name) for name in Sent._fields))
    record_all(session, of_state(told, state, before or message.state, error))


def count_failed(session: Session, conversation_id: int) -> None:
    """Recount the failed messages of a conversation."""
    failed = (
        sa.select(sa.func.count())
        .where(Message.conversation_id == conversation_id, Message.state == DeliveryState.FAILED)
        .scalar_subquery()
    )
    session.execute(
        sa.update(Conversation).where(Conversation.id == conversation_id).values(failed_count=failed)
    )


def _inherit(session: Session, message: Message, other: Message) -> None:
    """Move reactions, edits and an unsend from *other* to *message*, which they were meant for."""
    _move_reactions(session, other, message)
    message.sources = sorted({*(message.sources or ()), *(other.sources or ())})
    if other.edited_at is None and other.unsent_at is None:
        return
    message.text, message.content, message.reply_to = other.text, other.content, other.reply_to
    message.edited_at, message.edit_count, message.unsent_at = (
        other.edited_at,
        other.edit_count,
        other.unsent_at,
    )
    other.edited_at, other.edit_count, other.unsent_at = None, 0, None
    session.flush()
    if message.unsent_at is not None:
        registry.hooks().forget_messages(session=session, ids=[message.id])
    else:
        postings.forget_messages(session, [message.id])


def _move_reactions(session: Session, source: Message, target: Message) -> None:
    session.flush()
    session.execute(
        sa.update(Reaction)
        .where(Reaction.account_id == source.account_id, Reaction.external_id == source.external_id)
        .values(message_id=target.id, conversation_id=target.conversation_id)
    )


def _give_way(session: Session, other: Message) -> None:
    """Clear the external id of *other*, because it belongs to another message."""
    if other.origin == Origin.PROVIDER:
        session.execute(sa.delete(Attachment).where(Attachment.message_id == other.id))
        session.delete(other)
        session.flush()
        postings.forget_messages(session, [other.id])
        ids = {"conversation_id": other.conversation_id, "message_id": other.id}
        show(session, other.workspace_id, "gone", **ids)
        return
    other.external_id = None
    _set_state(session, other, DeliveryState.UNKNOWN)
    outbox.check_now(session, other.id)


def _keep_echo(session: Session, message: Message) -> None:
    """Store the echo that was matched to *message* as its own message, from the provider's app.

    An echo with text is rebuilt from the data on *message*. Any other is applied again from its received
    event, which contains its files.
    """
    sources = message.sources if message.kind != MessageKind.TEXT else None
    if sources and replay.apply_again(session, sources):
        message.external_id, message.sources = None, None
        session.flush()
        return
    echo = Message(
        workspace_id=message.workspace_id,
        conversation_id=message.conversation_id,
        account_id=message.account_id,
        external_id=message.external_id,
        direction=Direction.OUTBOUND,
        origin=Origin.PROVIDER,
        kind=message.kind,
        text=message.text,
        content={},
        state=message.state,
        sent_at=message.sent_at,
        sources=message.sources,
        created_at=clock.now(),
    )
    message.external_id, message.sources = None, None
    session.flush()
    session.add(echo)
    session.flush()
    _move_reactions(session, echo, echo)
    ids = {"conversation_id": echo.conversation_id, "message_id": echo.id}
    show(session, echo.workspace_id, "message", **ids)


def _seen_already(session: Session, message: Message | sa.Row[*tuple[Any, ...]], stored: str) -> bool:
    """Return whether the customer saw the message before Lobby knew its id."""
    if message.direction == Direction.INTERNAL:
        return False
    known = session.connection().execute(_seen_by, {"message": message.id}).one()
    position = known.attempted_at or message.sent_at
    if stored not in (known.seen_early or ()):
        return known.seen_at is not None and position <= known.seen_at
    # Locked as late as possible: a worker applying echoes holds it and may wait for this message.
    query = (
        sa.select(ContactIdentity)
        .join(Conversation, Conversation.identity_id == ContactIdentity.id)
        .where(Conversation.id == message.conversation_id)
    )
    identity = session.scalars(
        query.with_for_update(key_share=True).execution_options(populate_existing=True)
    ).one()
    identity.seen_early = [early for early in identity.seen_early or () if early != stored]
    if identity.seen_at is None or identity.seen_at < position:
        identity.seen_at = position
    record_all(session, mark_seen(session.connection(), {identity.id: identity.seen_at}))
    return True
