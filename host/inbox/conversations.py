"""Load and lock conversations and messages, add activity lines, and publish live events.

Every write to one conversation begins with :func:`locked_conversation` or :func:`locked_message`. The caller
has checked that the person or API key may act in the workspace, and its unit of work names the accounts they
see. A conversation of any other account is reported as not found, as is one of another workspace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core.backports.values import replace
from host.events.kinds.browsers import OfPresence
from host.events.kinds.conversations import OfConversation
from host.events.models import ActorKind
from host.events.writing import Happened, acting_addon, is_caused, record, record_all, show
from host.inbox import queries
from host.inbox.apply.states import state_of
from host.inbox.errors import ConversationNotFoundError, MessageNotFoundError, ReplyKeyError
from host.inbox.queries import Row
from host.models.inbox import Conversation, Direction, InternalKind, Message, Origin
from host.users import reach
from host.users.actor import UnitOfWork
from host.users.reach import Accounts

_PROGRAM = "the program that acts"
_KEY = re.compile(r"[0-9A-Za-z_-]{8,64}")


def check_key(reply_key: str) -> None:
    """Raise if a reply key is malformed.

    :raises ReplyKeyError: if it is not 8 to 64 letters, digits, hyphens or underscores.
    """
    if not _KEY.fullmatch(reply_key):
        raise ReplyKeyError()


def conversation_row(
    session: Session,
    workspace_id: int,
    conversation_id: int,
    user_id: int | None = None,
    *,
    accounts: Accounts,
) -> Row:
    """Return a conversation of the workspace for reading, with its contact and account.

    :param user_id: the viewer, if their read state matters.
    :param accounts: the accounts the viewer sees.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    row = queries.get_row(session, workspace_id, conversation_id, user_id, accounts=accounts)
    if row is None:
        raise ConversationNotFoundError()
    return row


def get_conversation(
    session: Session, workspace_id: int, conversation_id: int, *, accounts: Accounts, locked: bool = False
) -> Conversation:
    """Return a conversation of the workspace.

    :param accounts: the accounts the viewer sees.
    :param locked: whether to refresh its row and lock it until the write ends.
    :raises ConversationNotFoundError: if the workspace has no such conversation on one of *accounts*.
    """
    query = sa.select(Conversation).where(
        Conversation.id == conversation_id, Conversation.workspace_id == workspace_id
    )
    if accounts is not None:
        query = query.where(Conversation.account_id.in_(accounts))
    if locked:
        query = query.with_for_update().execution_options(populate_existing=True)
    conversation = session.scalars(query).one_or_none()
    if conversation is None:
        raise ConversationNotFoundError()
    return conversation


def locked_conversation(work: UnitOfWork, conversation_id: int) -> Conversation:
    """Return a conversation as :func:`get_conversation` does, locked until the write ends."""
    place = work.session, work.workspace_id, conversation_id
    return get_conversation(*place, accounts=work.accounts, locked=True)


def locked_message(
    work: UnitOfWork, message_id: int, *, conversation_id: int | None = None
) -> tuple[Conversation, Message]:
    """Return a message that the customer or the team sent, with its conversation locked until the write ends.

    :param conversation_id: the conversation it must be in; None for any of the workspace.
    :raises ConversationNotFoundError: if the workspace has no conversation *conversation_id*.
    :raises MessageNotFoundError: if there is no such message, or it is a note or an activity line.
    """
    if conversation_id is None:
        conversation_id = conversation_of(work, message_id)
    conversation = locked_conversation(work, conversation_id)
    return conversation, message_of(work.session, conversation, message_id, populate_existing=True)


def conversation_of(work: UnitOfWork, message_id: int) -> int:
    """Return the id of a message's conversation.

    :raises MessageNotFoundError: if the workspace has no such message.
    """
    query = sa.select(Message.conversation_id).where(
        Message.id == message_id, Message.workspace_id == work.workspace_id
    )
    conversation_id = work.session.scalar(query)
    if conversation_id is None:
        raise MessageNotFoundError()
    return conversation_id


def message_of(
    session: Session, conversation: Conversation, message_id: int, *, populate_existing: bool = False
) -> Message:
    """Return a message of *conversation* that the customer or the team sent.

    :param populate_existing: whether to refresh its row even if the session has loaded it.
    :raises MessageNotFoundError: if there is no such message, or it is a note or an activity line.
    """
    message = session.get(Message, message_id, populate_existing=populate_existing)
    if (
        message is None
        or message.conversation_id != conversation.id
        or message.direction == Direction.INTERNAL
    ):
        raise MessageNotFoundError()
    return message


def check_message(
    session: Session, workspace_id: int, conversation_id: int, message_id: int, *, accounts: Accounts
) -> None:
    """Raise if a message belongs to another conversation. It locks nothing: the caller locks the outbox
    entry.

    :raises MessageNotFoundError: if the workspace's conversation has no such message.
    """
    message = session.get(Message, message_id)
    if (
        message is None
        or message.workspace_id != workspace_id
        or message.conversation_id != conversation_id
        or not reach.includes(accounts, message.account_id)
    ):
        raise MessageNotFoundError()


def publish_conversation(session: Session, conversation: Conversation) -> None:
    """Notify browsers that *conversation* changed."""
    show(session, conversation.workspace_id, "conversation", conversation_id=conversation.id)


def show_erased(session: Session, conversations: Iterable[tuple[int, int]]) -> None:
    """Notify browsers that messages of conversations were erased: what shows or keeps them follows.

    :param conversations: ids of the workspace and of the conversation.
    """
    told = (Happened(place, topic="erased", conversation_id=id_) for place, id_ in conversations)
    record_all(session, told)


def show_presence(session: Session, conversation: Conversation, user_id: int, state: str) -> None:
    """Notify browsers of a member's presence in *conversation*: ``viewing``, ``typing``, ``away``,
    ``read``.
    """
    record(
        session,
        Happened(
            conversation.workspace_id,
            "",
            "presence",
            conversation_id=conversation.id,
            facts=OfPresence(user=user_id, state=state),
        ),
    )


def record_conversation(
    work: UnitOfWork,
    conversation: Conversation,
    kind: str,
    facts: OfConversation | None = None,
    *,
    message_id: int | None = None,
) -> None:
    """Record an event for a change of *conversation* with its state, and notify browsers.

    :param kind: the event, a name of :mod:`host.events.catalogue`; empty to notify browsers only.
    :param message_id: the message that made it; browsers are notified of that instead.
    """
    session, author_id = work.session, work.author_id
    if kind:
        facts = replace(
            facts or OfConversation(),
            state=state_of(session, conversation),
            program=session.info.get(_PROGRAM) or "",
        )
    record(
        session,
        Happened(
            conversation.workspace_id,
            kind,
            "conversation" if message_id is None else "message",
            account_id=conversation.account_id,
            conversation_id=conversation.id,
            message_id=message_id,
            actor_kind=actor_of(author_id) if work.by is None else program_of(session)[0],
            actor_id=author_id,
            facts=facts,
        ),
    )


def program_of(session: Session) -> tuple[ActorKind, Origin]:
    """Return the kind of a named program: an addon if one acts in this write, a rule if it has a causing
    event, otherwise an API key.
    """
    if acting_addon(session) is not None:
        return ActorKind.ADDON, Origin.SYSTEM
    if is_caused(session):
        return ActorKind.SYSTEM, Origin.SYSTEM
    return ActorKind.KEY, Origin.API


@contextmanager
def by_program(session: Session, program: Literal["assistant", "campaign", "sequence"]) -> Iterator[None]:
    """Mark the notes and lines that are added inside the block as those of *program*, not of a rule."""
    before = session.info.get(_PROGRAM)
    session.info[_PROGRAM] = program
    try:
        yield
    finally:
        session.info[_PROGRAM] = before


def named_by(session: Session, by: str) -> dict[str, Any]:
    """Return the content that names the program *by* as the author of a note or activity line."""
    addon = acting_addon(session)
    if addon is not None:
        return {"by": by, "addon": addon}
    program = session.info.get(_PROGRAM)
    return {"by": by} if program is None else {"by": by, program: True}


def actor_of(author_id: int | None) -> ActorKind:
    """Return the kind of actor: a user, or the system if *author_id* is None."""
    return ActorKind.SYSTEM if author_id is None else ActorKind.USER


def publish_message(
    session: Session, message: Message, *, kind: str = "", actor: ActorKind | None = None
) -> None:
    """Notify browsers of a new message, note or activity line.

    :param kind: the event to record, a name of :mod:`host.events.catalogue`; empty for none.
    :param actor: its author, if an event is recorded.
    """
    ids = message.account_id, message.conversation_id, message.id
    record(
        session,
        Happened(message.workspace_id, kind, "message", *ids, actor_kind=actor, actor_id=message.author_id),
    )


def publish_changed_message(session: Session, message: Message) -> None:
    """Notify browsers that a message they show has changed."""
    ids = {"conversation_id": message.conversation_id, "message_id": message.id}
    show(session, message.workspace_id, "changed", **ids)


def record_changed_message(work: UnitOfWork, message: Message, kind: str) -> None:
    """Record a change of *message*, and notify browsers.

    :param kind: the event, a name of :mod:`host.events.catalogue`.
    """
    ids = message.account_id, message.conversation_id, message.id
    actor = work.actor
    record(
        work.session,
        Happened(message.workspace_id, kind, "changed", *ids, actor_kind=actor.kind, actor_id=actor.id),
    )


def add_activity(work: UnitOfWork, conversation: Conversation, content: dict[str, Any]) -> Message:
    """Add an activity line to *conversation*: an action and its author.

    :param content: ``what`` names the activity, see :data:`host.inbox.pages.message_view.ACTIVITIES`.
    """
    session, author_id = work.session, work.author_id
    origin = Origin.SYSTEM if author_id is None else Origin.AGENT
    if work.by is not None:
        content, origin = {**content, **named_by(session, work.by)}, program_of(session)[1]
    message = Message(
        workspace_id=conversation.workspace_id,
        conversation_id=conversation.id,
        account_id=conversation.account_id,
        direction=Direction.INTERNAL,
        origin=origin,
        kind=InternalKind.ACTIVITY,
        text="",
        content=content,
        author_id=author_id,
        sent_at=work.now,
        created_at=work.now,
    )
    session.add(message)
    session.flush()
    publish_message(session, message)
    return message
