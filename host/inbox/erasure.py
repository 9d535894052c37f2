"""Erase a customer: their profile, and the content of every message and note of their conversations.

The rows stay, with author, time and the provider's ids of customer and messages: by these a webhook that the
provider delivers again is recognised and not applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, cast

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.db import Base
from host.core.errors import ConflictError
from host.inbox import mentions
from host.inbox.apply.tables import MARKS, MESSAGES, OUTBOX, REACTIONS
from host.inbox.contacts import people
from host.inbox.conversations import actor_of, add_activity, publish_conversation
from host.inbox.errors import ContactNotFoundError
from host.media import file_removal, senders
from host.media.person_pictures import forget_pictures
from host.models.assistants import AssistantCall, AssistantCase, AssistantTurn, TurnState
from host.models.channels import ChannelAccount
from host.models.contacts import ContactEntry, ContactMerge, ContactValue, EntryKind
from host.models.inbox import (
    Attachment,
    Contact,
    ContactIdentity,
    Conversation,
    DeliveryState,
    Direction,
    InternalKind,
    MarkKind,
    Message,
)
from host.models.queue import CatchUpThread
from host.outgoing import erasing
from host.queue import journal_erasure, lanes, wakeups
from host.record import catalogue
from host.record.catalogue import OfContact
from host.record.writing import Happened, record
from host.search import postings
from host.users.reach import Accounts

CHUNK = 500
ERASED = "erased"
"""``last_kind`` of a conversation of which nothing is left to show."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""``profile_at`` of an erased customer: their profile is fetched anew if they write again."""
IN_FLIGHT = frozenset({DeliveryState.SENDING})
GONE_OUT = frozenset({DeliveryState.SENT, DeliveryState.READ})
TURNS = cast(sa.Table, AssistantTurn.__table__)
CALLS = cast(sa.Table, AssistantCall.__table__)
STILL_OPEN = (TurnState.WAITING, TurnState.THINKING, TurnState.READY)


class BeingSentError(ConflictError):
    """A message to the customer is being sent at this moment."""

    code = "being_sent"
    title = _l("A message is being sent")
    default_sentence = _l("A message to this customer is being sent at this moment, so nothing was erased.")
    default_next_step = _l("Try again in a minute.")


@dataclass(frozen=True, slots=True)
class Holdings:
    """How much is stored of a customer.

    :param said: number of messages either side sent, without *notes*.
    :param waiting: number of replies that were not sent yet.
    :param ids: the customer's id on each account, with the account's handle.
    """

    contact_id: int
    conversations: int
    said: int
    notes: int
    files: int
    waiting: int
    ids: Sequence[tuple[str, str]]


def holdings(session: Session, workspace_id: int, contact_id: int, *, accounts: Accounts) -> Holdings:
    """Return how much :func:`erase` would remove.

    :raises ContactNotFoundError: if the workspace has no such customer.
    """
    if people.get(session, workspace_id, contact_id, accounts=accounts).id != contact_id:
        raise ContactNotFoundError()
    mine = Conversation.contact_id == contact_id
    joined = (
        sa.select(sa.func.count())
        .select_from(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
    )
    left = Message.erased_at.is_(None)
    told = Message.direction != Direction.INTERNAL
    waits = Message.state.in_([DeliveryState.QUEUED, DeliveryState.UNKNOWN])
    note = Message.kind == InternalKind.NOTE
    files = joined.join(Attachment, Attachment.message_id == Message.id)
    ids = sa.select(ContactIdentity.external_id, ChannelAccount.handle).join(
        ChannelAccount, ChannelAccount.id == ContactIdentity.account_id
    )
    return Holdings(
        contact_id=contact_id,
        conversations=session.scalar(sa.select(sa.func.count()).select_from(Conversation).where(mine)) or 0,
        said=session.scalar(joined.where(mine, told, left)) or 0,
        notes=(session.scalar(joined.where(mine, note, left)) or 0) + _notes_about(session, contact_id),
        files=session.scalar(files.where(mine)) or 0,
        waiting=session.scalar(joined.where(mine, waits)) or 0,
        ids=[
            (row[0], row[1]) for row in session.execute(ids.where(ContactIdentity.contact_id == contact_id))
        ],
    )


def _notes_about(session: Session, contact_id: int) -> int:
    ids = people.members_of(session, contact_id)
    told = ContactEntry.contact_id.in_(ids), ContactEntry.kind == EntryKind.NOTE
    return session.scalar(sa.select(sa.func.count()).where(*told)) or 0


def erase(
    session: Session, *, workspace_id: int, contact_id: int, author_id: int | None, accounts: Accounts
) -> Holdings:
    """Erase a customer for good; return how much there was.

    :raises ContactNotFoundError: if the workspace has no such customer.
    :raises BeingSentError: if a message to them is under way.
    """
    now = clock.now()
    found = holdings(session, workspace_id, contact_id, accounts=accounts)
    # Locked in the order in which received changes lock them, so that neither waits for the other for ever.
    identities = session.scalars(
        sa.select(ContactIdentity)
        .where(ContactIdentity.contact_id == contact_id)
        .order_by(ContactIdentity.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    conversations = session.scalars(
        sa.select(Conversation)
        .where(Conversation.contact_id == contact_id)
        .order_by(Conversation.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    ids = [one.id for one in identities]
    joined = _joined(session, ids)
    names: set[str] = {identity.external_id for identity in identities}
    events: set[int] = set()
    theirs = MESSAGES.c.conversation_id.in_([one.id for one in conversations])
    for chunk in chain(_messages(session, theirs), _messages(session, MESSAGES.c.writer_id.in_(ids))):
        if any(row.state in IN_FLIGHT for row in chunk):
            raise BeingSentError()
        names.update(row.external_id for row in chunk if row.external_id)
        events.update(id_ for row in chunk for id_ in row.sources or ())
        erase_messages(session, [row.id for row in chunk], now)
        erasing.forget_messages(session, [row.id for row in chunk])
        postings.forget_messages(session, [row.id for row in chunk])
    _erase_around(session, [one.id for one in conversations], [one.id for one in identities])
    senders.forget_senders(session, workspace_id, {identity.external_id for identity in identities})
    parts = people.members_of(session, contact_id)
    for id_ in parts:
        erasing.forget_contact(session, id_)
        postings.forget_contact(session, id_)
    _forget_answers(session, [one.id for one in conversations])
    _erase_people(session, parts, identities, now)
    for conversation in joined:
        publish_conversation(session, conversation)
    for conversation in conversations:
        conversation.subject, conversation.last_preview = None, ""
        conversation.last_kind, conversation.last_direction = ERASED, Direction.INTERNAL
        conversation.unread_count = conversation.failed_count = 0
        conversation.read_count, conversation.waiting_since = conversation.arrived_count, None
        conversation.scheduled_at = None
        session.flush()
        add_activity(session, conversation, author_id, {"what": ERASED}, now)
        publish_conversation(session, conversation)
    record(
        session,
        Happened(
            workspace_id,
            catalogue.CONTACT_ERASED,
            actor_kind=actor_of(author_id),
            actor_id=author_id,
            facts=OfContact(contact=contact_id),
        ),
    )
    journal_erasure.forget_events(session, events)
    journal_erasure.forget_lanes(
        session, [lanes.lane_key(wakeups.IN, one.account_id, one.external_id) for one in identities]
    )
    journal_erasure.clear_away(session, (), names)
    db.after_commit(session, forget_pictures)
    return found


def _joined(session: Session, identities: Sequence[int]) -> Sequence[Conversation]:
    """Return the conversations of others in which they wrote, locked; their words are no preview."""
    wrote = sa.select(Message.conversation_id).where(Message.writer_id.in_(identities))
    found = session.scalars(
        sa.select(Conversation)
        .where(Conversation.id.in_(wrote))
        .order_by(Conversation.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for conversation in found:
        last = wrote.where(
            Message.conversation_id == conversation.id, Message.sent_at == conversation.last_message_at
        )
        if session.scalar(last.limit(1)) is not None:
            conversation.last_preview = ""
    session.flush()
    return found


def _messages(session: Session, which: sa.ColumnElement[bool]) -> Iterator[Sequence[Any]]:
    """Yield the messages for which *which* holds, locked, :data:`CHUNK` at a time."""
    after = 0
    while True:
        query = (
            sa.select(
                MESSAGES.c.id, MESSAGES.c.external_id, MESSAGES.c.state, MESSAGES.c.sources, MESSAGES.c.kind
            )
            .where(which, MESSAGES.c.id > after)
            .order_by(MESSAGES.c.id)
            .limit(CHUNK)
            .with_for_update()
        )
        rows = session.connection().execute(query).all()
        if not rows:
            return
        after = rows[-1].id
        yield rows


def erase_messages(session: Session, ids: Sequence[int], now: datetime) -> None:
    """Remove what these messages say, and their files. A reply among them that waits is never sent."""
    connection = session.connection()
    spoken = sa.or_(MESSAGES.c.direction != Direction.INTERNAL, MESSAGES.c.kind != InternalKind.ACTIVITY)
    some = MESSAGES.c.id.in_(ids)
    connection.execute(
        sa.update(MESSAGES)
        .where(some, spoken)
        .values(
            text="",
            content={},
            reply_to=None,
            error=sa.null(),
            sources=None,
            erased_at=now,
            unsent_at=sa.func.coalesce(MESSAGES.c.unsent_at, now, type_=MESSAGES.c.unsent_at.type),
        )
    )
    # A reply that was not sent yet never is: without a state, no worker finds it.
    unsent = sa.and_(some, MESSAGES.c.state.is_not(None), MESSAGES.c.state.not_in(GONE_OUT))
    waiting = sa.select(MESSAGES.c.id).where(unsent)
    nothing = {name: sa.null() for name in ("not_before", "waiting", "undo")}
    connection.execute(
        sa.update(OUTBOX).where(OUTBOX.c.message_id.in_(waiting)).values(open=False, **nothing)
    )
    connection.execute(sa.update(MESSAGES).where(unsent).values(state=None))
    # An activity line about a handover may hold a note of another app.
    passed = sa.and_(
        some, MESSAGES.c.kind == InternalKind.ACTIVITY, MESSAGES.c.external_id.like("handover:%")
    )
    connection.execute(sa.update(MESSAGES).where(passed).values(content={"what": "handed_over"}))
    mentions.forget(session, ids)
    _forget_turns(session, ids)
    file_removal.forget_files(session, list(ids))


def _forget_turns(session: Session, ids: Sequence[int]) -> None:
    """Remove what assistants said about these messages. That they were asked, and what it cost, stays."""
    theirs = sa.select(MESSAGES.c.conversation_id).where(MESSAGES.c.id.in_(ids))
    about = sa.and_(
        TURNS.c.conversation_id.in_(theirs),
        sa.or_(TURNS.c.message_id.in_(ids), TURNS.c.sent_id.in_(ids)),
    )
    found = list(session.connection().execute(sa.select(TURNS.c.id, TURNS.c.conversation_id).where(about)))
    if not found:
        return
    turns = [row.id for row in found]
    connection = session.connection()
    connection.execute(sa.delete(CALLS).where(CALLS.c.turn_id.in_(turns)))
    connection.execute(sa.update(TURNS).where(TURNS.c.id.in_(turns)).values(text="", sources=[], offers=[]))
    left = sa.and_(TURNS.c.id.in_(turns), TURNS.c.state.in_(STILL_OPEN))
    over = {"state": TurnState.DISCARDED, "reason": "taken_back", "due_at": sa.null()}
    connection.execute(sa.update(TURNS).where(left).values(**over))
    forget_cases(session, sorted({row.conversation_id for row in found}))


def _erase_around(session: Session, conversations: Sequence[int], identities: Sequence[int]) -> None:
    """Delete reactions, and marks for messages that have not arrived, except that they were unsent."""
    connection = session.connection()
    connection.execute(sa.delete(REACTIONS).where(REACTIONS.c.conversation_id.in_(conversations)))
    mine = MARKS.c.identity_id.in_(identities)
    connection.execute(sa.delete(MARKS).where(mine, MARKS.c.kind != MarkKind.UNSEND))


def forget_cases(session: Session, conversations: Sequence[int]) -> int:
    """Forget the cases of assistants that were asked in *conversations*; return how many there were."""
    forgotten = 0
    for start in range(0, len(conversations), CHUNK):
        some = conversations[start : start + CHUNK]
        deleted: Any = session.execute(
            sa.delete(AssistantCase).where(AssistantCase.conversation_id.in_(some))
        )
        forgotten += deleted.rowcount
    return forgotten


def _forget_answers(session: Session, conversations: Sequence[int]) -> None:
    """Empty the API's stored answers about *conversations*; their idempotency keys stay used."""
    table = Base.metadata.tables.get("api_idempotent_requests")
    if table is None:
        return
    for id_ in conversations:
        named = sa.or_(
            table.c.answer.like(f'%"conversationId":{id_},%'),
            table.c.answer.like(f'%"conversationId":{id_}}}%'),
        )
        session.execute(sa.update(table).where(named).values(answer='{"data":[]}'))


def _erase_people(
    session: Session, ids: Sequence[int], identities: Sequence[ContactIdentity], now: datetime
) -> None:
    """Remove who a contact is, and those who are a part of it. That they opted out, or are blocked, stays."""
    for id_ in ids:
        contact = session.get_one(Contact, id_, with_for_update=True)
        contact.name = contact.email = contact.opted_out_source = None
    session.execute(sa.delete(ContactValue).where(ContactValue.contact_id.in_(ids)))
    session.execute(sa.delete(ContactEntry).where(ContactEntry.contact_id.in_(ids)))
    # Whose they were is not known any more, so nothing can be split: what was taken over was of one of them.
    told = sa.or_(ContactMerge.contact_id.in_(ids), ContactMerge.other_id.in_(ids))
    session.execute(sa.delete(ContactMerge).where(told))
    for identity in identities:
        identity.username = identity.name = identity.picture_url = None
        identity.profile, identity.profile_failures = {}, 0
        identity.profile_at, identity.profile_due_at = LONG_AGO, None
        identity.seen_early, identity.unreachable = None, None
        identity.erased_at = now
        session.execute(
            sa.update(CatchUpThread)
            .where(
                CatchUpThread.account_id == identity.account_id, CatchUpThread.contact == identity.external_id
            )
            .values(username=None)
            .execution_options(synchronize_session=False)
        )
    session.flush()
