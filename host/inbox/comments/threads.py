"""Threads below posts: replies to comments, and other people's comments in the same thread.

A conversation is one person's part of a thread. Other people's comments belong to separate conversations
about the same post and are found by the thread's top comment. Deleted and erased comments are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.core.backports.values import replace
from host.inbox.list_positions import Position, earlier_than
from host.inbox.messages import Entry, load_messages
from host.inbox.queries import picture_hash
from host.models.inbox import Contact, ContactIdentity, Conversation, Direction, Message
from host.models.posts import MessageModeration, PrivateReply
from host.sdk.channel import Moderated

MOST = 3
"""Number of other people's comments initially shown in a thread: the newest."""
MORE = 50
"""Number of further comments loaded on request."""
MOST_BELOW = 100
"""Maximum number of replies shown below these comments."""


class Root(msgspec.Struct, frozen=True):
    """The comment at the top of a thread."""

    external_id: str
    id: int
    conversation_id: int
    at: datetime


class Above(msgspec.Struct, frozen=True):
    """The message that another one answers, and its thread.

    :param external_id: id of the answered message; *conversation_id*: its conversation.
    :param is_there: whether it still exists at the provider.
    :param name: name of the contact of its conversation.
    :param root: the top of the thread; None if it belongs to somebody else and was deleted.
    """

    external_id: str
    conversation_id: int
    is_there: bool
    name: str
    root: Root | None


def above(
    session: Session, conversation_id: int, account_id: int, external_ids: Collection[str]
) -> dict[str, Above]:
    """Return the answered messages of a conversation's comments, by external id.

    One statement, none for no ids.
    """
    if not external_ids:
        return {}
    parent = aliased(Message)
    query = (
        sa.select(
            *(Message.external_id, Message.id, Message.conversation_id, Message.sent_at, _is_there(Message)),
            *(parent.external_id, parent.id, parent.conversation_id, parent.sent_at, _is_there(parent)),
            Contact.name,
        )
        .select_from(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .outerjoin(
            parent, sa.and_(parent.account_id == Message.account_id, parent.external_id == Message.reply_to)
        )
        .where(Message.account_id == account_id, Message.external_id.in_(set(external_ids)))
    )
    found = {}
    for *answered, is_there, top, top_id, top_in, top_at, top_is_there, name in session.execute(query):
        external_id, id_, in_, at = answered
        root = None
        if top is not None and (top_in == conversation_id or top_is_there):
            root = Root(top, top_id, top_in, top_at)
        elif in_ == conversation_id or is_there:
            root = Root(external_id, id_, in_, at)
        found[str(external_id)] = Above(external_id, in_, bool(is_there), name or "", root)
    return found


class Author(msgspec.Struct, frozen=True):
    """The contact of another conversation whose message is shown.

    :param picture: a value that changes with their picture; empty if there is none.
    """

    contact_id: int
    identity_id: int
    identity_external_id: str
    name: str
    picture: str


class Other(msgspec.Struct, frozen=True):
    """A message of another conversation about the same post: that customer's, or our answer to them."""

    entry: Entry
    root: Root
    author: Author

    @property
    def is_root(self) -> bool:
        return self.entry.id == self.root.id


class Others(msgspec.Struct, frozen=True):
    """Other people's comments in some threads.

    :param earlier: threads with earlier comments, each with the position before which they continue.
    """

    found: Sequence[Other] = ()
    earlier: Mapping[str, Position] = msgspec.field(default_factory=dict)


def others(
    session: Session,
    workspace_id: int,
    conversation_id: int,
    account_id: int,
    roots: Iterable[Root],
    *,
    most: Mapping[str, int] | None = None,
    before: Position | None = None,
) -> Others:
    """Return the newest comments of others in threads of an account: a fixed number of statements.

    :param conversation_id: the conversation whose own messages are left out.
    :param most: number of comments for threads that show more than :data:`MOST`.
    :param before: only comments before this position.
    """
    tops = {one.external_id: one for one in roots}
    if not tops:
        return Others()
    wanted = most or {}
    parts = [
        _answers(account_id, conversation_id, top, wanted.get(top, MOST) + 1, before) for top in sorted(tops)
    ]
    below: dict[int, Root] = {}
    earlier = {}
    by_root: dict[str, list[Any]] = {}
    for row in session.execute(sa.union_all(*parts)):
        by_root.setdefault(row.reply_to, []).append(row)
    theirs: dict[str, Root] = {}
    for top, rows in by_root.items():
        rows.sort(key=lambda row: (row.sent_at, row.id), reverse=True)
        shown = rows[: wanted.get(top, MOST)]
        if len(rows) > len(shown):
            earlier[top] = (shown[-1].sent_at, shown[-1].id)
        below |= {row.id: tops[top] for row in shown}
        theirs |= {row.external_id: tops[top] for row in shown}
    if theirs:
        query = _of_others(account_id, conversation_id).where(Message.reply_to.in_(theirs))
        query = query.order_by(Message.sent_at.desc(), Message.id.desc()).limit(MOST_BELOW)
        below |= {row.id: theirs[row.reply_to] for row in session.execute(query)}
    below |= {one.id: one for one in tops.values() if one.conversation_id != conversation_id}
    return Others(_loaded(session, workspace_id, below), earlier)


def again(
    session: Session,
    workspace_id: int,
    conversation_id: int,
    account_id: int,
    post_id: int,
    ids: Collection[int],
) -> list[Other]:
    """Return the messages of *ids* that are other people's comments in a conversation's threads.

    A fixed number of statements, none for no ids.
    """
    if not ids:
        return []
    parent, top = aliased(Message), aliased(Message)
    over, over_top = (
        sa.and_(one.account_id == below.account_id, one.external_id == below.reply_to, _is_there(one))
        for one, below in ((parent, Message), (top, parent))
    )
    query = (
        _of_others(account_id, conversation_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .outerjoin(parent, over)
        .outerjoin(top, over_top)
        .where(Message.id.in_(ids), Conversation.post_id == post_id)
        .add_columns(
            *(Message.conversation_id, parent.external_id, parent.id, parent.conversation_id, parent.sent_at),
            *(top.external_id, top.id, top.conversation_id, top.sent_at),
        )
    )
    roots = {}
    for id_, external_id, _reply_to, at, in_, *rest in session.execute(query):
        chain = [Root(external_id, id_, in_, at)]
        for one, one_id, one_in, one_at in (rest[:4], rest[4:]):
            chain += [Root(one, one_id, one_in, one_at)] if one is not None else []
        roots[id_] = chain[-1]
    tops = {one.external_id for one in roots.values()}
    mine = sa.select(Message.external_id, Message.reply_to).where(
        Message.conversation_id == conversation_id,
        sa.or_(Message.external_id.in_(tops), Message.reply_to.in_(tops)),
    )
    part_of = {one for row in session.execute(mine) for one in row} if tops else set()
    return _loaded(
        session, workspace_id, {id_: root for id_, root in roots.items() if root.external_id in part_of}
    )


def root_of(session: Session, account_id: int, post_id: int, message_id: int) -> Root | None:
    """Return a comment as the top of a thread, or None if it is not one."""
    query = (
        sa.select(Message.external_id, Message.id, Message.conversation_id, Message.sent_at)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(
            Message.id == message_id,
            Message.account_id == account_id,
            Message.external_id.is_not(None),
            Conversation.post_id == post_id,
        )
    )
    row: Any = session.execute(query).first()
    return None if row is None else Root(*row)


def answers_deleted(session: Session, message: Message) -> bool:
    """Return whether *message* answers a comment that was deleted."""
    if not message.reply_to or session.get_one(Conversation, message.conversation_id).post_id is None:
        return False
    found = above(session, message.conversation_id, message.account_id, {message.reply_to})
    return any(not over.is_there for over in found.values())


def _is_there(message: Any) -> sa.ColumnElement[bool]:
    """Return the condition that a message is public and exists at the provider, even if hidden there."""
    deleted = sa.exists().where(
        MessageModeration.message_id == message.id, MessageModeration.stood == Moderated.DELETED
    )
    private = sa.exists().where(PrivateReply.message_id == message.id)
    return sa.and_(
        message.unsent_at.is_(None),
        message.external_id.is_not(None),
        message.direction != Direction.INTERNAL,
        ~deleted,
        ~private,
    )


def _of_others(account_id: int, conversation_id: int) -> Any:
    return sa.select(Message.id, Message.external_id, Message.reply_to, Message.sent_at).where(
        Message.account_id == account_id, Message.conversation_id != conversation_id, _is_there(Message)
    )


def _answers(
    account_id: int, conversation_id: int, root: str, most: int, before: Position | None
) -> sa.Select[Any]:
    """Select the newest answers to one message; the index has this order."""
    query = _of_others(account_id, conversation_id).where(Message.reply_to == root)
    if before is not None:
        query = query.where(*earlier_than(before, Message.sent_at, Message.id))
    found = query.order_by(Message.sent_at.desc(), Message.id.desc()).limit(most).subquery()
    return sa.select(found)


def _loaded(session: Session, workspace_id: int, roots: Mapping[int, Root]) -> list[Other]:
    """Return messages by their ids, each in its thread, in the order threads show them."""
    if not roots:
        return []
    entries = load_messages(session, workspace_id, None, roots, parts=False)
    query = (
        sa.select(
            *(Conversation.id, Contact.id, ContactIdentity.id, ContactIdentity.external_id),
            sa.func.coalesce(Contact.name, ContactIdentity.name, ContactIdentity.username, Contact.email),
            ContactIdentity.picture_url,
        )
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Conversation.id.in_({one.conversation_id for one in entries}))
    )
    authors = {
        in_: Author(contact_id, identity_id, external_id, name or "", picture_hash(picture))
        for in_, contact_id, identity_id, external_id, name, picture in session.execute(query)
    }
    return [
        # The answered message is shown above it.
        Other(replace(one, quoted=None), roots[one.id], authors[one.conversation_id])
        for one in entries
        if not one.private and one.external_id is not None and one.unsent_at is None
    ]
