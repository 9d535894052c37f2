"""Erase a customer: their profile, and the content of every message and note of their conversations.

The rows stay, with author, time and the provider's ids of customer and messages, so that a redelivered
webhook is recognised and not applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.errors import ConflictError
from host.events.kinds.browsers import OfErased
from host.events.kinds.contacts import CONTACT_ERASED, OfContact
from host.events.writing import Happened, record
from host.features import registry
from host.inbox.apply.tables import MARKS, MESSAGES, OUTBOX, REACTIONS
from host.inbox.contacts import people
from host.inbox.contacts.models import ContactEntry, EntryKind
from host.inbox.conversations import add_activity, publish_conversation, show_erased
from host.inbox.errors import ContactNotFoundError
from host.media import senders
from host.media.person_pictures import forget_pictures
from host.models.channels import ChannelAccount
from host.models.inbox import (
    ARRIVED,
    ERASED,
    Attachment,
    ContactIdentity,
    Conversation,
    DeliveryState,
    Direction,
    InternalKind,
    MarkKind,
    Message,
)
from host.models.queue import CatchUpThread
from host.queue import journal_erasure, lanes, wakeups
from host.users.actor import UnitOfWork
from host.users.reach import Accounts

CHUNK = 500
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""``profile_at`` of an erased customer: their profile is fetched again if they write again."""
IN_FLIGHT = frozenset({DeliveryState.SENDING})


class BeingSentError(ConflictError):
    """A message to the customer is being sent right now."""

    code = "being_sent"
    title = _l("A message is being sent")
    default_sentence = _l("A message to this customer is being sent right now, so nothing was erased.")
    default_next_step = _l("Try again in a minute.")


class Holdings(msgspec.Struct, frozen=True):
    """How much is stored about a customer.

    :param said: number of messages from both sides, without *notes*.
    :param waiting: number of unsent replies.
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
        notes=(session.scalar(joined.where(mine, note, left, Message.unsent_at.is_(None))) or 0)
        + _notes_about(session, contact_id),
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


def erase(work: UnitOfWork, contact_id: int) -> Holdings:
    """Erase a customer permanently; return how much was stored.

    :raises ContactNotFoundError: if the workspace has no such customer.
    :raises BeingSentError: if a message to them is being sent.
    """
    session, workspace_id = work.session, work.workspace_id
    now = clock.now()
    found = holdings(session, workspace_id, contact_id, accounts=work.accounts)
    # In the lock order of received changes, to avoid deadlocks.
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
    _erase_around(session, [one.id for one in conversations], [one.id for one in identities])
    senders.forget_senders(session, workspace_id, {identity.external_id for identity in identities})
    parts = people.members_of(session, contact_id)
    registry.hooks().forget_contacts(
        session=session, ids=parts, conversations=[one.id for one in conversations]
    )
    _erase_identities(session, identities, now)
    for conversation in joined:
        publish_conversation(session, conversation)
    show_erased(session, ((one.workspace_id, one.id) for one in joined))
    for conversation in conversations:
        conversation.subject, conversation.last_preview = None, ""
        conversation.last_kind, conversation.last_direction = ERASED, Direction.INTERNAL
        conversation.unread_count = conversation.failed_count = 0
        conversation.read_count, conversation.waiting_since = conversation.arrived_count, None
        conversation.scheduled_at = None
        session.flush()
        add_activity(work, conversation, {"what": ERASED})
        publish_conversation(session, conversation)
    record(
        session,
        *_told(workspace_id, contact_id, conversations, identities),
        Happened(
            workspace_id,
            CONTACT_ERASED,
            actor_kind=work.actor.kind,
            actor_id=work.actor.id,
            facts=OfContact(contact=contact_id),
        ),
    )
    # No name: the audit log must not keep what was erased.
    work.audit(
        "contact.erased",
        f"contact {contact_id}",
        details={
            "conversations": found.conversations,
            "messages": found.said,
            "notes": found.notes,
            "files": found.files,
            "replies_withdrawn": found.waiting,
        },
    )
    journal_erasure.forget_events(session, events)
    journal_erasure.forget_lanes(
        session, [lanes.lane_key(wakeups.IN, one.account_id, one.external_id) for one in identities]
    )
    journal_erasure.clear_away(session, (), names)
    db.after_commit(session, forget_pictures)
    return found


def _told(
    workspace_id: int,
    contact_id: int,
    conversations: Sequence[Conversation],
    identities: Sequence[ContactIdentity],
) -> Iterator[Happened]:
    """Yield the events for browsers, one for each conversation and each account without one."""
    facts = OfErased(contact=contact_id)
    for conversation in conversations:
        yield Happened(workspace_id, topic="erased", conversation_id=conversation.id, facts=facts)
    told = {one.account_id for one in conversations}
    for account_id in sorted({one.account_id for one in identities} - told):
        yield Happened(workspace_id, topic="erased", account_id=account_id, facts=facts)
    if not identities:
        yield Happened(workspace_id, topic="erased", facts=facts)


def _joined(session: Session, identities: Sequence[int]) -> Sequence[Conversation]:
    """Lock and return other contacts' conversations in which they wrote, and clear previews of their text."""
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
    """Yield the messages matching *which*, locked, :data:`CHUNK` at a time."""
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
    """Delete the content of these messages everywhere. Waiting replies among them are never sent."""
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
    # Waiting replies are never sent: without a state, no worker finds them.
    unsent = sa.and_(some, MESSAGES.c.state.is_not(None), MESSAGES.c.state.not_in(ARRIVED))
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
    registry.hooks().forget_messages(session=session, ids=ids)


def _erase_around(session: Session, conversations: Sequence[int], identities: Sequence[int]) -> None:
    """Delete reactions, and marks for messages that have not arrived, except unsend marks."""
    connection = session.connection()
    connection.execute(sa.delete(REACTIONS).where(REACTIONS.c.conversation_id.in_(conversations)))
    mine = MARKS.c.identity_id.in_(identities)
    connection.execute(sa.delete(MARKS).where(mine, MARKS.c.kind != MarkKind.UNSEND))


def _erase_identities(session: Session, identities: Sequence[ContactIdentity], now: datetime) -> None:
    """Delete the provider's profile data of a contact on each account."""
    for identity in identities:
        identity.username = identity.name = identity.picture_url = None
        identity.profile, identity.profile_failures = {}, 0
        identity.profile_at, identity.profile_due_at = LONG_AGO, None
        identity.seen_early, identity.unreachable = None, None
        identity.phone = identity.phone_key = identity.verified_email = None
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
