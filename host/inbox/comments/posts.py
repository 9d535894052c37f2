"""Posts for pages and the API."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock
from host.core.cleaning import clean, clean_short
from host.core.errors import NotFoundError
from host.core.ports import AdapterDirectory
from host.inbox.queries import picture_hash
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, ConversationStatus
from host.models.posts import Post
from host.sdk import messages as told
from host.sdk.messages import PostKind
from host.users.reach import Accounts

MOST_OFFERED = 6
"""Maximum number of posts offered as a filter of the list."""


class PostNotFoundError(NotFoundError):
    """The workspace has no such post."""

    code = "post_not_found"
    title = _l("Post not found")
    default_sentence = _l("This post does not exist in this workspace.")


class PostRow(msgspec.Struct, frozen=True):
    """A post with customers' comments.

    :param text: its caption; empty if it has none, or is not yet known.
    :param picture: a value that changes with its picture; empty if there is none.
    :param ended_at: end of a broadcast; *gone_at*: when the provider first reported it as deleted.
    :param owner: handle of its owner; empty for the account.
    """

    id: int
    account_id: int
    external_id: str
    kind: PostKind
    text: str
    url: str
    picture: str
    owner: str
    channel: str
    published_at: datetime | None
    ended_at: datetime | None
    gone_at: datetime | None
    created_at: datetime

    @property
    def value(self) -> told.Post:
        """Return it as adapters receive it."""
        return told.Post(
            external_id=self.external_id,
            kind=self.kind,
            text=self.text,
            url=self.url,
            published_at=self.published_at,
            ended_at=self.ended_at,
            owner=self.owner,
        )


def _shown(row: Post, channel: str) -> PostRow:
    return PostRow(
        id=row.id,
        account_id=row.account_id,
        external_id=row.external_id,
        kind=PostKind(row.kind) if row.kind in set(PostKind) else PostKind.OTHER,
        text=row.text,
        url=row.url,
        picture=picture_hash(row.picture_url),
        owner=row.owner,
        channel=channel,
        published_at=row.published_at,
        ended_at=row.ended_at,
        gone_at=row.gone_at,
        created_at=row.created_at,
    )


LONGEST_URL = 8_000


def keep(session: Session, account_id: int, post: told.Post) -> int:
    """Store a post of the account that nobody may have commented on yet; return its id.

    A stored post stays as it is.
    """
    account = session.get_one(ChannelAccount, account_id)
    same = sa.select(Post.id).where(Post.account_id == account_id, Post.external_id == post.external_id)
    known = session.scalar(same)
    if known is not None:
        return known
    now = clock.now()
    row = Post(
        workspace_id=account.workspace_id,
        account_id=account_id,
        external_id=post.external_id,
        kind=str(post.kind)[:16],
        text=clean(post.text),
        url=clean_short(post.url, LONGEST_URL) or "",
        picture_url=clean_short(post.picture_url, LONGEST_URL),
        owner=clean_short(post.owner, 255) or "",
        published_at=post.published_at,
        ended_at=post.ended_at,
        fetched_at=now,
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except sa.exc.IntegrityError:
        # A comment on it, or a second press, stored it first.
        return session.scalars(same).one()
    return row.id


def by_id(session: Session, workspace_id: int, ids: Collection[int]) -> dict[int, PostRow]:
    """Return the posts of *ids* that are in the workspace: one statement, none for no ids."""
    if not ids:
        return {}
    query = _of(workspace_id, None).where(Post.id.in_(set(ids)))
    return {row.id: _shown(row, channel) for row, channel in session.execute(query)}


def get(session: Session, workspace_id: int, post_id: int) -> PostRow:
    """Return a post of the workspace.

    :raises PostNotFoundError: if the workspace has no such post.
    """
    found = by_id(session, workspace_id, [post_id]).get(post_id)
    if found is None:
        raise PostNotFoundError()
    return found


def with_open(
    session: Session, workspace_id: int, accounts: Accounts, most: int = MOST_OFFERED
) -> list[PostRow]:
    """Return the posts with open conversations, newest first: one statement.

    :param accounts: the accounts a person sees; None for all.
    """
    is_open = sa.exists().where(
        Conversation.post_id == Post.id,
        Conversation.status == ConversationStatus.OPEN,
        Conversation.snooze_kind.is_(None),
        Conversation.spam_at.is_(None),
    )
    query = _of(workspace_id, accounts).where(is_open).order_by(Post.id.desc()).limit(most)
    return [_shown(row, channel) for row, channel in session.execute(query)]


def below_private_only(
    session: Session, directory: AdapterDirectory, conversation_ids: Collection[int]
) -> set[int]:
    """Return the conversations about posts where only private replies are possible: one statement."""
    query = (
        sa.select(Conversation.id, Conversation.channel, Post.kind)
        .join(Post, Post.id == Conversation.post_id)
        .where(Conversation.id.in_(conversation_ids))
    )
    found = set()
    for id_, channel, kind in session.execute(query) if conversation_ids else ():
        adapter = directory.adapter(channel)
        if adapter is not None and kind in adapter.capabilities.private_only:
            found.add(id_)
    return found


def _of(workspace_id: int, accounts: Accounts) -> Any:
    query = sa.select(Post, ChannelAccount.channel).join(ChannelAccount, ChannelAccount.id == Post.account_id)
    query = query.where(Post.workspace_id == workspace_id)
    return query if accounts is None else query.where(Post.account_id.in_(sorted(accounts)))


def listing(
    session: Session,
    workspace_id: int,
    *,
    account_id: int | None = None,
    before: int | None = None,
    limit: int,
    accounts: Accounts = None,
) -> Sequence[PostRow]:
    """Return up to *limit* posts of a workspace, most recently mentioned first.

    :param before: the id of a post, to continue after it.
    :param accounts: only posts of these accounts; None: of all.
    """
    query = _of(workspace_id, accounts).order_by(Post.id.desc()).limit(limit)
    if account_id is not None:
        query = query.where(Post.account_id == account_id)
    if before is not None:
        query = query.where(Post.id < before)
    return [_shown(row, channel) for row, channel in session.execute(query)]


MOST_LOOKED = 500
"""Maximum number of posts whose captions are searched: the newest."""


def named(session: Session, workspace_id: int, words: str, accounts: Accounts) -> int | None:
    """Return the id of the newest post whose id is *words*, or whose caption begins with it."""
    sought = " ".join(words.casefold().split())
    query = _of(workspace_id, accounts).with_only_columns(Post.id, sa.func.substr(Post.text, 1, 200))
    for id_, text in session.execute(query.order_by(Post.id.desc()).limit(MOST_LOOKED)):
        if sought and (sought == str(id_) or " ".join(text.casefold().split()).startswith(sought)):
            return int(id_)
    return None
