"""Posts that rules may refer to, and the comments on them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.condition_forms import MOST_POSTS
from host.automation.conditions import finders, folded, found_in
from host.inbox.queries import picture_hash
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, Direction, Message
from host.models.posts import Post

MOST_NAMED = 10_000
"""Most posts that rules may refer to; in a workspace with more, only the newest."""
MOST_LOOKED = 5000
"""Most comments searched in a preview: the newest."""
MOST_NEAR = 20
_TITLE = 60


class PostOption(msgspec.Struct, frozen=True):
    """A post to choose from.

    :param external_id: the provider's id of it.
    :param title: the beginning of its caption, or its kind if it has none.
    :param picture: changes with its picture; empty: no picture.
    :param comments: number of comments on it.
    """

    id: int
    account_id: int
    external_id: str
    title: str
    text: str
    kind: str
    url: str
    at: datetime
    picture: str
    account: str
    channel: str
    comments: int


def titles(session: Session, workspace_id: int) -> dict[int, tuple[str, int]]:
    """Return the posts of a workspace, newest first, each with its title and its account."""
    beginning = sa.func.substr(Post.text, 1, 2 * _TITLE).label("beginning")
    query = sa.select(Post.id, Post.account_id, Post.external_id, beginning)
    query = query.where(Post.workspace_id == workspace_id).order_by(Post.id.desc()).limit(MOST_NAMED)
    return {
        row.id: (title_of(row.beginning, row.external_id), row.account_id) for row in session.execute(query)
    }


def title_of(text: str, external_id: str) -> str:
    words = " ".join(text.split())
    return (words if len(words) <= _TITLE else words[:_TITLE].rstrip() + "…") or external_id


def newest(
    session: Session,
    workspace_id: int,
    also: Collection[int] = (),
    accounts: Collection[int] | None = None,
) -> list[PostOption]:
    """Return the newest posts of a workspace and those of *also*, newest first.

    :param accounts: those the viewer may see; None: all.
    """
    mine = sa.select(Post.id).where(Post.workspace_id == workspace_id)
    if accounts is not None:
        mine = mine.where(Post.account_id.in_(accounts))
    ids = {*session.scalars(mine.order_by(Post.id.desc()).limit(MOST_POSTS))}
    ids |= {*session.scalars(mine.where(Post.id.in_(also)))} if also else set()
    written = (
        sa.select(sa.func.count())
        .select_from(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Conversation.post_id == Post.id, Message.direction == Direction.INBOUND)
        .correlate(Post)
        .scalar_subquery()
    )
    query = (
        sa.select(Post, ChannelAccount.name, ChannelAccount.handle, ChannelAccount.channel, written)
        .join(ChannelAccount, ChannelAccount.id == Post.account_id)
        .where(Post.id.in_(ids))
        .order_by(Post.id.desc())
    )
    return [
        _shown(post, name or handle or "", channel, number)
        for post, name, handle, channel, number in session.execute(query)
    ]


def _shown(post: Post, account: str, channel: str, comments: int) -> PostOption:
    return PostOption(
        post.id,
        post.account_id,
        post.external_id,
        title_of(post.text, post.external_id),
        " ".join(post.text.split()),
        post.kind,
        post.url,
        post.published_at or post.created_at,
        picture_hash(post.picture_url),
        account,
        channel,
        comments,
    )


class Tried(msgspec.Struct, frozen=True):
    """The comments that match keywords so far.

    :param looked: number of comments searched; *more*: whether there were more.
    :param near: comments with near matches only, newest first.
    """

    looked: int = 0
    more: bool = False
    matches: int = 0
    missed: int = 0
    near: Sequence[tuple[str, int]] = msgspec.field(default_factory=tuple)


def tried(
    session: Session,
    workspace_id: int,
    words: Sequence[str],
    *,
    ids: Collection[int] = (),
    caption: Sequence[str] = (),
    accounts: Collection[int] | None = None,
) -> Tried:
    """Search comments on posts for *words*: posts in *ids*, with a word of *caption*, or any.

    :param accounts: those the viewer may see; None: all.
    """
    query = (
        sa.select(Message.text, Message.conversation_id, Post.text.label("caption"))
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Post, Post.id == Conversation.post_id)
        .where(
            Conversation.workspace_id == workspace_id,
            Message.direction == Direction.INBOUND,
            Message.unsent_at.is_(None),
        )
        .order_by(Message.id.desc())
        .limit(MOST_LOOKED)
    )
    if ids:
        query = query.where(Conversation.post_id.in_(ids))
    if accounts is not None:
        query = query.where(Conversation.account_id.in_(accounts))
    wanted, captioned = finders(words), finders(caption)
    rows: Sequence[Any] = session.execute(query).all()
    mine = [row for row in rows if not caption or found_in(row.caption, captioned)]
    others = [row for row in mine if not found_in(row.text, wanted)]
    near = [(row.text, row.conversation_id) for row in others if is_near(row.text, words)]
    return Tried(len(mine), len(rows) == MOST_LOOKED, len(mine) - len(others), len(near), near[:MOST_NEAR])


def is_near(text: str, words: Sequence[str]) -> bool:
    """Return whether a text has a near match of one of *words*: inside a longer word, or with a typo."""
    there = folded(text)
    return any(_is_like(there, folded(word)) for word in words if len(word) > 2)


def _is_like(text: str, word: str) -> bool:
    return word in text or any(_slipped(one, word) for one in text.split())


def _slipped(one: str, word: str) -> bool:
    """Return whether two words differ by one letter: replaced, added, removed, or two swapped."""
    if len(word) < 4 or abs(len(one) - len(word)) > 1 or one == word:
        return False
    at = next(
        (at for at, (a, b) in enumerate(zip(one, word, strict=False)) if a != b), min(len(one), len(word))
    )
    swapped = one[at : at + 2] == word[at : at + 2][::-1] and one[at + 2 :] == word[at + 2 :]
    rests = {(one[at + 1 :], word[at + 1 :]), (one[at + 1 :], word[at:]), (one[at:], word[at + 1 :])}
    return swapped or any(a == b for a, b in rests)
