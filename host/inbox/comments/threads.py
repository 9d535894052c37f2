"""Threads below posts: what hangs below which message, and what others said there.

A conversation is one person's part of them. What others said stands in their own conversations about the same
post, and is found by the message at the top of the thread. What was taken back, erased or deleted is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.inbox.list_positions import Position, earlier_than
from host.inbox.messages import Entry, load_messages
from host.inbox.queries import picture_hash
from host.models.inbox import Contact, ContactIdentity, Conversation, Direction, Message
from host.models.posts import MessageModeration, PrivateReply
from host.sdk.channel import Moderated

MOST = 3
"""Most that others said in one thread, of the newest, before somebody asks for more."""
MORE = 50
"""How much is added then."""
MOST_BELOW = 100
"""Most answers to these that are shown below them."""


@dataclass(frozen=True, slots=True)
class Root:
    """The message at the top of a thread."""

    external_id: str
    id: int
    conversation_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Above:
    """What a message answers, and what it hangs below.

    :param external_id: of what is answered; *conversation_id*: where that stands.
    :param is_there: whether it can still be read at the provider.
    :param name: of whose conversation that is.
    :param root: the top of the thread; None: it is another's, and gone.
    """

    external_id: str
    conversation_id: int
    is_there: bool
    name: str
    root: Root | None


def above(
    session: Session, conversation_id: int, account_id: int, external_ids: Collection[str]
) -> dict[str, Above]:
    """Return where messages of an account hang that a conversation answers, by their external ids.

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


@dataclass(frozen=True, slots=True)
class Author:
    """Whose conversation a message of another stands in.

    :param picture: differs for each picture of them; empty: there is none to be had.
    """

    contact_id: int
    identity_id: int
    identity_external_id: str
    name: str
    picture: str


@dataclass(frozen=True, slots=True)
class Other:
    """A message of another conversation about the same post; where ours, an answer to that customer."""

    entry: Entry
    root: Root
    author: Author

    @property
    def is_root(self) -> bool:
        return self.entry.id == self.root.id


@dataclass(frozen=True, slots=True)
class Others:
    """What others said in some threads.

    :param earlier: threads of which there is more, each with the position before which it stands.
    """

    found: Sequence[Other] = ()
    earlier: Mapping[str, Position] = field(default_factory=dict)


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
    """Return what others said in threads of an account, of each the newest: a fixed number of statements.

    :param conversation_id: the one whose own messages are left out.
    :param most: of which threads more than :data:`MOST` is wanted, and how much.
    :param before: only what stands before this position.
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
    """Return those of *ids* that are what others said in threads that a conversation takes part in.

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
    """Return a message below a post as the top of a thread; None: there is none such."""
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


def _is_there(message: Any) -> sa.ColumnElement[bool]:
    """Return the condition that a message is public and still at the provider, be it hidden there."""
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
    """Select the newest answers to one message; the index has them in this order."""
    query = _of_others(account_id, conversation_id).where(Message.reply_to == root)
    if before is not None:
        query = query.where(*earlier_than(before, Message.sent_at, Message.id))
    found = query.order_by(Message.sent_at.desc(), Message.id.desc()).limit(most).subquery()
    return sa.select(found)


def _loaded(session: Session, workspace_id: int, roots: Mapping[int, Root]) -> list[Other]:
    """Return messages by their ids, each in the thread it hangs in, in the order threads show them."""
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
        # What it answers stands above it.
        Other(replace(one, quoted=None), roots[one.id], authors[one.conversation_id])
        for one in entries
        if not one.private and one.external_id is not None and one.unsent_at is None
    ]
