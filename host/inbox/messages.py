"""Load messages with their files, reactions, quotes and authors.

Everything that shows or selects messages, such as pages and the API, reads them here. Loading takes three
statements, plus one for quotes and one for counting parts of replies, regardless of the number of messages.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.core import clock, db
from host.core.cleaning import is_providers
from host.inbox.errors import MessageNotFoundError
from host.inbox.list_positions import Position, earlier_than, later_than
from host.media import senders
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import (
    Attachment,
    AttachmentState,
    Conversation,
    DeliveryState,
    Direction,
    Message,
    Origin,
    Reaction,
)
from host.models.posts import MessageModeration
from host.models.queue import OutboxEntry
from host.models.users import User
from host.sdk.i18n import noop
from host.sdk.messages import INVITATION, AttachmentRole, MessageKind
from host.users.reach import Accounts

PAGE = 50
RECONNECT_FIRST = noop("Reconnect the account. The reply will then be sent automatically.")
ACCOUNT_LIMIT = noop("The provider is rate limiting this account right now.")
EXCERPT = 300
"""Maximum characters read of a quoted text; fewer are shown."""


class File(msgspec.Struct, frozen=True):
    """An attachment of a message.

    :param state: where its bytes are, see :class:`~host.models.inbox.AttachmentState`.
    :param size: in bytes; None if unknown.
    :param width: and *height*: of a picture, in pixels, if known.
    :param outside: URL of a file the desk does not fetch.
    :param inline: whether the formatted form of its message shows it.
    """

    id: int
    kind: str
    name: str
    content_type: str
    size: int | None
    state: str
    width: int | None = None
    height: int | None = None
    outside: str | None = None
    inline: bool = False

    @property
    def viewable(self) -> bool:
        """Whether its content can be shown: stored here, or available at the provider."""
        return self.state not in {AttachmentState.EXPIRED, AttachmentState.OUTSIDE}


class Reacted(msgspec.Struct, frozen=True):
    """A reaction on a message.

    :param state: of the team's reaction: queued, sent or failed; None for the customer's.
    """

    actor: str
    emoji: str
    name: str
    author_name: str | None
    state: str | None


class Quoted(msgspec.Struct, frozen=True):
    """A message that another one quotes. If it is not stored, only *external_id* is known."""

    external_id: str
    id: int | None = None
    conversation_id: int | None = None
    direction: str = ""
    kind: str = ""
    text: str = ""
    author_name: str | None = None
    sent_at: datetime | None = None
    unsent: bool = False


class Moderation(msgspec.Struct, frozen=True):
    """The moderation of a customer's message at the provider.

    :param wanted: and *stood*: the requested and confirmed state, names of
        :class:`host.sdk.channel.Moderated`.
    :param author: the rule or key that did it; empty for *author_name* or a deleted person.
    :param state: of the last request: queued, sent or failed.
    """

    wanted: str
    stood: str
    author_name: str | None
    author: str
    at: datetime
    state: str
    error: dict[str, Any] | None


class PrivateReply(msgspec.Struct, frozen=True):
    """Our private reply to a message below a post, reported by another account as a direct message.

    :param origin: see :class:`host.models.inbox.Origin`.
    """

    message_id: int
    conversation_id: int
    author_id: int | None
    author_name: str | None
    origin: str


class Answered(msgspec.Struct, frozen=True):
    """The team's answer to the invitation of a message.

    :param state: of the message that carries it, see :class:`~host.models.inbox.DeliveryState`.
    """

    answer: str
    author_name: str | None
    state: str | None


class Entry(msgspec.Struct, frozen=True):
    """One entry of a thread: a message, a note or an activity line.

    :param external_id: the provider's id; None if the provider does not know the entry.
    :param waiting: why it waits and until when: ``sentence``, ``until`` (ISO 8601).
    :param not_before: earliest time it is sent: the scheduled time if *planned*, otherwise the time until
        which its reply can be undone. None: as soon as possible.
    :param unless_written: whether a planned one is held back if the customer writes first.
    :param position: its index among the *parts* of the reply that *reply_key* names, from 0.
    :param parts: number of messages of that reply; 1 if they were not counted.
    :param reply_to: the external id of the message it quotes, see *quoted*.
    :param private_reply: set if it is our private reply, with its author; otherwise None.
    :param moderation: None if the team did not hide or delete it.
    :param answered: the team's answer to its invitation; None if it has none, or nobody answered.
    :param pictures_shown: whether remote pictures in its formatted form are shown without asking.
    """

    id: int
    conversation_id: int
    account_id: int
    external_id: str | None
    direction: str
    origin: str
    kind: str
    text: str
    content: dict[str, Any]
    sent_at: datetime
    created_at: datetime
    author_id: int | None = None
    author_name: str | None = None
    state: str | None = None
    error: dict[str, Any] | None = None
    waiting: dict[str, Any] | None = None
    not_before: datetime | None = None
    planned: bool = False
    unless_written: bool = False
    reply_key: str | None = None
    position: int = 0
    parts: int = 1
    files: tuple[File, ...] = ()
    reactions: tuple[Reacted, ...] = ()
    reply_to: str | None = None
    quoted: Quoted | None = None
    edited_at: datetime | None = None
    edit_count: int = 0
    unsent_at: datetime | None = None
    erased: bool = False
    imported: bool = False
    hidden: bool = False
    moderation: Moderation | None = None
    private_reply: PrivateReply | None = None
    pictures_shown: bool = False
    answered: Answered | None = None

    @property
    def private(self) -> bool:
        """Whether it is the private reply to the message it answers."""
        return self.content.get("private") is True

    @property
    def addressable(self) -> bool:
        """Whether it can be quoted or reacted to, because the provider knows it."""
        return self.external_id is not None


class Thread(msgspec.Struct, frozen=True):
    """A page of a thread, oldest first, and whether there is anything before and after it."""

    entries: Sequence[Entry]
    has_earlier: bool
    has_later: bool

    @property
    def first(self) -> Position | None:
        """The position of the first entry; None for an empty page."""
        return (self.entries[0].sent_at, self.entries[0].id) if self.entries else None

    @property
    def last(self) -> Position | None:
        """The position of the last entry; None for an empty page."""
        return (self.entries[-1].sent_at, self.entries[-1].id) if self.entries else None

    @property
    def earlier(self) -> Position | None:
        """The position from which the page above continues, or None at the start of the thread."""
        return self.first if self.has_earlier else None


@cache
def _thread_query(*, forward: bool, whole: bool) -> Any:
    """Return the query of a page of a thread: after a position, before it, or of the *whole* thread."""
    position: Any = sa.bindparam("at"), sa.bindparam("id")
    query = _select().where(
        Message.conversation_id == sa.bindparam("conversation"),
        Message.workspace_id == sa.bindparam("workspace"),
    )
    if not whole:
        beyond = later_than if forward else earlier_than
        query = query.where(*beyond(position, Message.sent_at, Message.id))
    order = (Message.sent_at, Message.id) if forward else (Message.sent_at.desc(), Message.id.desc())
    return query.order_by(*order).limit(sa.bindparam("limit", type_=sa.Integer))


def load_thread(
    session: Session,
    workspace_id: int,
    conversation_id: int,
    *,
    before: Position | None = None,
    after: Position | None = None,
    limit: int = PAGE,
    parts: bool = True,
) -> Thread:
    """Return up to *limit* messages of a conversation before or after a position, by default the newest.

    :param parts: whether to count the parts of each reply.
    """
    values: dict[str, Any] = {"workspace": workspace_id, "conversation": conversation_id, "limit": limit + 1}
    position = before if after is None else after
    if position is not None:
        values["at"], values["id"] = position
    query = _thread_query(forward=after is not None, whole=position is None)
    found = db.read_rows(session, query, **values)
    more = len(found) > limit
    found = found[:limit]
    if after is None:
        found = found[::-1]
    return Thread(
        _built(session, found, parts=parts),
        has_earlier=more if after is None else True,
        has_later=more if after is not None else before is not None,
    )


@cache
def _numbered_query(*, forward: bool) -> Any:
    id_: Any = sa.bindparam("id")
    return (
        _select()
        .where(
            Message.conversation_id == sa.bindparam("conversation"),
            Message.workspace_id == sa.bindparam("workspace"),
            Message.id > id_ if forward else Message.id < id_,
        )
        .order_by(Message.id if forward else Message.id.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


LAST_ID = 2**63 - 1


def load_by_id(
    session: Session,
    workspace_id: int,
    conversation_id: int,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> Thread:
    """Return up to *limit* messages of a conversation before or after an id, by default the highest ids.

    They are in the order threads show them. A waiting message moves when it is sent but keeps its id, so
    reading page by page misses none.
    """
    values: dict[str, Any] = {"workspace": workspace_id, "conversation": conversation_id, "limit": limit + 1}
    values["id"] = (LAST_ID if before is None else before) if after is None else after
    found = db.read_rows(session, _numbered_query(forward=after is not None), **values)
    more = len(found) > limit
    found = sorted(found[:limit], key=lambda row: (row.sent_at, row.id))
    return Thread(
        _built(session, found, parts=False),
        has_earlier=more if after is None else True,
        has_later=more if after is not None else before is not None,
    )


MOST_LOOKED_AT = 5000
"""Maximum number of messages read to find those of some accounts: a page may then be short, or empty."""


def load_all_by_id(
    session: Session,
    workspace_id: int,
    *,
    beyond: int | None,
    oldest_first: bool,
    limit: int,
    accounts: Accounts,
) -> tuple[list[Entry], int | None]:
    """Return up to *limit* messages of a workspace in the order of their ids, and where the next page begins.

    That is the id for *beyond*, or None if there are no more. A page of some accounts can be short, or empty,
    although there are more: no index leads to their messages in this order, so the number read is limited.

    :param beyond: the id after which the page begins; None: the list begins.
    :param accounts: only messages of these.
    """
    page = partial(_ids, workspace_id, oldest_first)
    if accounts is None:
        ids = session.scalars(page(beyond, limit + 1)).all()
        ids, end = ids[:limit], ids[limit - 1] if len(ids) > limit else None
    else:
        ids, end = _ids_of(session, accounts, page, beyond, limit)
    found = load_messages(session, workspace_id, None, ids, parts=False) if ids else []
    found.sort(key=lambda entry: entry.id, reverse=not oldest_first)
    return found, end


def _ids(workspace_id: int, oldest_first: bool, beyond: int | None, limit: int) -> Any:
    # Ids alone, from the index: MariaDB reads every row of the workspace otherwise.
    query = sa.select(Message.id).where(Message.workspace_id == workspace_id)
    if beyond is not None:
        query = query.where(Message.id > beyond if oldest_first else Message.id < beyond)
    return query.order_by(Message.id if oldest_first else Message.id.desc()).limit(limit)


def _ids_of(
    session: Session,
    accounts: frozenset[int],
    page: Callable[[int | None, int], Any],
    beyond: int | None,
    limit: int,
) -> tuple[list[int], int | None]:
    """Return up to *limit* ids of messages of *accounts*, and where the next page begins.

    :param page: returns the query for a number of ids beyond one.
    """
    found: list[int] = []
    looked_at, end, batch = 0, beyond, 2 * limit
    while accounts and looked_at < MOST_LOOKED_AT:
        ids = session.scalars(page(end, batch)).all()
        rows = session.execute(
            sa.select(Message.id, Message.account_id).where(Message.id.in_(db.padded(ids or [0])))
        )
        account_of = {row.id: row.account_id for row in rows}
        for id_ in ids:
            if account_of.get(id_) in accounts:
                if len(found) == limit:
                    return found, end
                found.append(id_)
            end = id_
        if len(ids) < batch:
            return found, None
        looked_at += len(ids)
        batch = min(2 * batch, 1000)
    return found, end if accounts else None


AROUND = 8
"""Number of messages shown on each side of a found message."""


def load_around(
    session: Session, workspace_id: int, conversation_id: int, message_id: int
) -> Sequence[Entry]:
    """Return a message of a conversation with those around it, in the order threads show them.

    :raises MessageNotFoundError: if the conversation has no such message.
    """
    sent_at = session.scalar(
        sa.select(Message.sent_at).where(
            Message.id == message_id,
            Message.conversation_id == conversation_id,
            Message.workspace_id == workspace_id,
        )
    )
    if sent_at is None:
        raise MessageNotFoundError()
    where = session, workspace_id, conversation_id
    until = load_thread(*where, before=(sent_at, message_id + 1), limit=AROUND + 1, parts=False)
    later = load_thread(*where, after=(sent_at, message_id), limit=AROUND, parts=False)
    return [*until.entries, *later.entries]


def load_messages(
    session: Session,
    workspace_id: int,
    conversation_id: int | None,
    ids: Collection[int],
    *,
    parts: bool = True,
) -> list[Entry]:
    """Return the messages of *ids* that are in the workspace, in the order threads show them.

    :param conversation_id: only messages of this conversation; None for any.
    :param parts: whether to count the parts of each reply.
    """
    query = _messages_query(conversation_id is not None)
    found = db.read_rows(session, query, workspace=workspace_id, conversation=conversation_id, ids=ids)
    return _built(session, found, parts=parts)


@cache
def _messages_query(of_conversation: bool) -> Any:
    query = _select().where(
        Message.id.in_(sa.bindparam("ids", expanding=True)),
        Message.workspace_id == sa.bindparam("workspace"),
    )
    if of_conversation:
        query = query.where(Message.conversation_id == sa.bindparam("conversation"))
    return query.order_by(Message.sent_at, Message.id)


_moderator = aliased(User)


@cache
def _select() -> Any:
    return (
        sa.select(
            Message.id,
            Message.workspace_id,
            Message.conversation_id,
            Message.account_id,
            Message.external_id,
            Message.direction,
            Message.origin,
            Message.kind,
            Message.text,
            Message.content,
            Message.author_id,
            User.name.label("author_name"),
            Message.state,
            Message.error,
            OutboxEntry.waiting,
            OutboxEntry.not_before,
            OutboxEntry.open,
            OutboxEntry.unless_written,
            ChannelAccount.state.label("account_state"),
            ChannelAccount.blocked_until,
            ChannelAccount.blocked_reason,
            ChannelAccount.beside_id,
            Message.reply_key,
            Message.position,
            Message.reply_to,
            Message.edited_at,
            Message.edit_count,
            Message.unsent_at,
            Message.erased_at.is_not(None).label("erased"),
            Message.imported_at.is_not(None).label("imported"),
            Message.hidden_at.is_not(None).label("hidden"),
            Message.sent_at,
            Message.created_at,
            MessageModeration.wanted,
            MessageModeration.stood,
            _moderator.name.label("moderator_name"),
            MessageModeration.author.label("moderator"),
            MessageModeration.at.label("moderated_at"),
            MessageModeration.state.label("moderation_state"),
            MessageModeration.error.label("moderation_error"),
        )
        .select_from(Message)
        .outerjoin(User, User.id == Message.author_id)
        .outerjoin(MessageModeration, MessageModeration.message_id == Message.id)
        .outerjoin(_moderator, _moderator.id == MessageModeration.author_id)
        .outerjoin(OutboxEntry, OutboxEntry.message_id == Message.id)
        .join(ChannelAccount, ChannelAccount.id == Message.account_id)
    )


def _built(session: Session, rows: Sequence[Any], *, parts: bool) -> list[Entry]:
    """Return the entries of rows from :func:`_select`, with their files, reactions and quotes."""
    ids = [row.id for row in rows]
    files = _files(session, ids)
    reactions = _reactions(session, ids)
    quoted = _quoted(session, {(row.account_id, row.reply_to) for row in rows if row.reply_to is not None})
    replies = {(row.conversation_id, row.reply_key) for row in rows if row.reply_key is not None}
    counted = _parts(session, replies) if parts else {}
    sent = [senders.Sent(row.id, row.workspace_id, row.conversation_id, row.content) for row in rows]
    private = _private_replies(session, rows)
    answered = _answered(session, rows)
    unasked = senders.shown_unasked(session, sent)
    return [
        Entry(
            id=row.id,
            conversation_id=row.conversation_id,
            account_id=row.account_id,
            external_id=row.external_id if is_providers(row.external_id) else None,
            direction=row.direction,
            origin=row.origin,
            kind=row.kind,
            text=row.text,
            content=row.content,
            author_id=row.author_id if row.id not in private else private[row.id].author_id,
            author_name=row.author_name if row.id not in private else private[row.id].author_name,
            private_reply=private.get(row.id),
            state=row.state,
            error=row.error,
            waiting=row.waiting or _waits_with_others(row),
            not_before=row.not_before if row.state == DeliveryState.QUEUED else None,
            planned=_is_planned(row),
            unless_written=_is_planned(row) and bool(row.unless_written),
            reply_key=row.reply_key,
            position=row.position,
            parts=counted.get((row.conversation_id, row.reply_key), 1),
            files=tuple(files.get(row.id, ())),
            reactions=tuple(reactions.get(row.id, ())),
            reply_to=row.reply_to,
            quoted=quoted.get((row.account_id, row.reply_to)),
            edited_at=row.edited_at,
            edit_count=row.edit_count,
            unsent_at=row.unsent_at,
            erased=bool(row.erased),
            imported=bool(row.imported),
            hidden=bool(row.hidden),
            moderation=_moderation(row),
            pictures_shown=row.id in unasked,
            answered=answered.get(row.id),
            sent_at=row.sent_at,
            created_at=row.created_at,
        )
        for row in rows
    ]


@cache
def _private_query() -> Any:
    theirs = aliased(Message)
    return (
        sa.select(
            theirs.id.label("id"),
            Message.id.label("message_id"),
            Message.conversation_id,
            Message.author_id,
            Message.origin,
            User.name.label("author_name"),
        )
        .select_from(theirs)
        .join(ChannelAccount, ChannelAccount.id == theirs.account_id)
        .join(
            Message,
            sa.and_(
                Message.account_id == ChannelAccount.beside_id, Message.external_id == theirs.external_id
            ),
        )
        .outerjoin(User, User.id == Message.author_id)
        .where(
            theirs.id.in_(sa.bindparam("ids", expanding=True)),
            Message.direction == Direction.OUTBOUND,
            Message.origin != Origin.PROVIDER,
        )
    )


def _private_replies(session: Session, rows: Sequence[Any]) -> dict[int, PrivateReply]:
    """Return our private replies among messages reported by the provider, by id.

    One statement; none if no account beside may have sent them.
    """
    ids = [
        row.id
        for row in rows
        if row.beside_id is not None and row.external_id is not None
        if row.origin == Origin.PROVIDER and row.direction == Direction.OUTBOUND
    ]
    if not ids:
        return {}
    return {
        row.id: PrivateReply(row.message_id, row.conversation_id, row.author_id, row.author_name, row.origin)
        for row in db.read_rows(session, _private_query(), ids=ids)
    }


def _answered(session: Session, rows: Sequence[Any]) -> dict[int, Answered]:
    """Return the answers to invitations among messages, by id. One statement, and none without an answer."""
    given = {
        row.id: answer
        for row in rows
        if isinstance(found := row.content.get(INVITATION), dict) and (answer := found.get("answer"))
    }
    if not given:
        return {}
    query = (
        sa.select(Message.id, Message.state, User.name)
        .outerjoin(User, User.id == Message.author_id)
        .where(Message.id.in_([one["message"] for one in given.values()]))
    )
    sent = {row.id: row for row in session.execute(query)}
    return {
        id_: Answered(one["answer"], sent[one["message"]].name, sent[one["message"]].state)
        for id_, one in given.items()
        if one["message"] in sent
    }


def _moderation(row: Any) -> Moderation | None:
    if row.wanted is None:
        return None
    return Moderation(
        row.wanted,
        row.stood,
        row.moderator_name,
        row.moderator,
        row.moderated_at,
        row.moderation_state,
        row.moderation_error,
    )


def _is_planned(row: Any) -> bool:
    """Return whether a queued message waits outside its lane for its scheduled time."""
    return row.state == DeliveryState.QUEUED and row.not_before is not None and not row.open


def _waits_with_others(row: Any) -> dict[str, Any] | None:
    """Return why a queued message that no worker has tried yet waits: its account's reason."""
    if row.state != DeliveryState.QUEUED or _is_planned(row):
        return None
    if row.account_state == AccountState.NEEDS_RECONNECT:
        return {"sentence": RECONNECT_FIRST, "until": None}
    if row.blocked_until is None or row.blocked_until <= clock.now():
        return None
    return {"sentence": row.blocked_reason or ACCOUNT_LIMIT, "until": row.blocked_until.isoformat()}


@cache
def _files_query() -> Any:
    return (
        sa.select(
            Attachment.message_id,
            Attachment.id,
            Attachment.kind,
            Attachment.name,
            Attachment.content_type,
            Attachment.size,
            Attachment.state,
            Attachment.width,
            Attachment.height,
            sa.case((Attachment.state == AttachmentState.OUTSIDE, Attachment.url)).label("outside"),
            Attachment.role,
        )
        .where(Attachment.message_id.in_(sa.bindparam("ids", expanding=True)))
        .order_by(Attachment.id)
    )


def _files(session: Session, ids: Collection[int]) -> dict[int, list[File]]:
    """Return the files of messages, by the message's id."""
    found: dict[int, list[File]] = {}
    for row in db.read_rows(session, _files_query(), ids=ids):
        file = File(
            row.id,
            row.kind,
            row.name,
            row.content_type,
            row.size,
            row.state,
            row.width,
            row.height,
            row.outside,
            row.role == AttachmentRole.INLINE,
        )
        # The formatted form is the message itself, not a file of it.
        if row.role != AttachmentRole.FORMATTED:
            found.setdefault(row.message_id, []).append(file)
    return found


@cache
def _reactions_query() -> Any:
    return (
        sa.select(
            Reaction.message_id,
            Reaction.actor,
            Reaction.emoji,
            Reaction.name,
            User.name.label("author_name"),
            Reaction.state,
        )
        .outerjoin(User, User.id == Reaction.author_id)
        .where(Reaction.message_id.in_(sa.bindparam("ids", expanding=True)), Reaction.removed_at.is_(None))
        .order_by(Reaction.at, Reaction.id)
    )


def _reactions(session: Session, ids: Collection[int]) -> dict[int, list[Reacted]]:
    """Return the reactions on messages, by the message's id, without removed ones."""
    found: dict[int, list[Reacted]] = {}
    for row in db.read_rows(session, _reactions_query(), ids=ids):
        if row.message_id is not None:
            reaction = Reacted(row.actor, row.emoji, row.name, row.author_name, row.state)
            found.setdefault(row.message_id, []).append(reaction)
    return found


@cache
def _quoted_query() -> Any:
    text = sa.case((Message.hidden_at.is_(None), sa.func.substr(Message.text, 1, EXCERPT)), else_="")
    return (
        sa.select(
            Message.account_id,
            Message.external_id,
            Message.id,
            Message.conversation_id,
            Message.direction,
            Message.kind,
            text.label("text"),
            User.name.label("author_name"),
            Message.sent_at,
            Message.unsent_at.is_not(None).label("unsent"),
        )
        .outerjoin(User, User.id == Message.author_id)
        .where(
            Message.account_id.in_(sa.bindparam("accounts", expanding=True)),
            Message.external_id.in_(sa.bindparam("external_ids", expanding=True)),
        )
    )


def _quoted(session: Session, wanted: Collection[tuple[int, str]]) -> dict[tuple[int, str], Quoted]:
    """Return quoted messages, by account and external id."""
    if not wanted:
        return {}
    accounts = list({account_id for account_id, _ in wanted})
    external_ids = list({external_id for _, external_id in wanted})
    found = {
        (account_id, external_id): Quoted(external_id) for account_id, external_id in wanted if external_id
    }
    for row in db.read_rows(session, _quoted_query(), accounts=accounts, external_ids=external_ids):
        if (row.account_id, row.external_id) in found:
            found[row.account_id, row.external_id] = Quoted(
                external_id=row.external_id,
                id=row.id,
                conversation_id=row.conversation_id,
                direction=row.direction,
                kind=row.kind,
                text=row.text,
                author_name=row.author_name,
                sent_at=row.sent_at,
                unsent=bool(row.unsent),
            )
    return found


@cache
def _parts_query() -> Any:
    return (
        sa.select(Message.conversation_id, Message.reply_key, sa.func.count().label("number"))
        .where(
            Message.conversation_id.in_(sa.bindparam("conversations", expanding=True)),
            Message.reply_key.in_(sa.bindparam("reply_keys", expanding=True)),
        )
        .group_by(Message.conversation_id, Message.reply_key)
    )


def _parts(session: Session, replies: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Return the number of messages of each reply, by conversation and reply key."""
    if not replies:
        return {}
    conversations = list({conversation_id for conversation_id, _ in replies})
    reply_keys = list({reply_key for _, reply_key in replies})
    found = db.read_rows(session, _parts_query(), conversations=conversations, reply_keys=reply_keys)
    return {(row.conversation_id, row.reply_key): row.number for row in found}


def named_audio(session: Session, conversation_ids: Sequence[int]) -> set[int]:
    """Return those of the conversations whose last message is an audio file with a name."""
    if not conversation_ids:
        return set()
    query = (
        sa.select(Message.conversation_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Attachment, Attachment.message_id == Message.id)
        .where(
            Message.conversation_id.in_(conversation_ids),
            Message.sent_at == Conversation.last_message_at,
            Message.kind == MessageKind.AUDIO,
            Attachment.name != "",
        )
    )
    return set(session.scalars(query))
