"""Earlier comments, and those missed during an outage: the newest posts and their comments.

Meta's pages: docs/instagram-platform/instagram-graph-api/reference/ig-media/comments and ig-user/media. A
response lists fifty comments, newest first, each with its replies. No event reports a deleted comment, so a
comment missing from the list is requested by its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from host.sdk import clock
from host.sdk.history import HistoryPage, HistoryThread, HistoryTrouble, ThreadPage
from host.sdk.messages import (
    InboundChange,
    MessageEchoed,
    MessageEdited,
    MessageReceived,
    MessageUnsent,
    Post,
)

from .. import restrictions
from ..accounts import Credentials
from ..answers import Paging
from ..graph import GraphError
from ..history.threads import cannot_ask, trouble_of
from ..values import identifier, mapping, moment, text
from ..webhook.envelopes import author_of, is_own
from .events import kind_of_post
from .posts import GONE, MediaList

POSTS = 25
COMMENTS = 50
ASKED = 10
"""Maximum number of comments requested by id per page."""
FIELDS = f"id,text,timestamp,from,username,replies.limit({COMMENTS}){{id,text,timestamp,from,username}}"
LIVE = "live"
"""Cursor of the second page of threads, which lists running broadcasts."""


class Comments(msgspec.Struct, frozen=True):
    """A page of comments on a post."""

    data: tuple[dict[str, Any], ...] = ()
    paging: Paging = Paging()


def threads(found: Credentials | None, after: str) -> ThreadPage | HistoryTrouble:
    """List the newest posts that have comments, then the running broadcasts."""
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    live = after == LIVE
    params = {"fields": "id" if live else "id,comments_count", "limit": str(POSTS)}
    try:
        edge = "live_media" if live else "media"
        answer = found.graph().call("GET", f"{found.ig_user_id}/{edge}", MediaList, params=params)
    except GraphError as error:
        return trouble_of(error)
    # A post belongs to no customer; each comment names its author.
    listed = [HistoryThread(one.id, "") for one in answer.data if one.id and one.comments_count]
    return ThreadPage(listed, "" if live else LIVE)


def read(found: Credentials | None, thread: HistoryThread, after: str) -> HistoryPage | HistoryTrouble:
    """Read a page of a post's comments, and request those that should be on it but are not."""
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    media = quote(thread.external_id, safe="")
    params = {"fields": FIELDS, "limit": str(COMMENTS), **({"after": after} if after else {})}
    try:
        answer = found.graph().call("GET", f"{media}/comments", Comments, params=params)
        listed = set(_ids(answer.data))
        gone = list(_gone(found, thread, answer, listed)) if not after else []
    except GraphError as error:
        return trouble_of(error)
    changes: list[InboundChange] = []
    for comment in reversed(answer.data):
        changes += _thread_changes(comment, thread.external_id, found)
    return HistoryPage([*changes, *gone], after=answer.paging.after)


def _ids(comments: tuple[dict[str, Any], ...]) -> Iterator[str]:
    for comment in comments:
        yield identifier(comment.get("id"))
        yield from (identifier(one.get("id")) for one in replies_of(comment))


def replies_of(comment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the replies to a comment."""
    data = mapping(comment.get("replies")).get("data")
    return [mapping(one) for one in data] if isinstance(data, list) else []


def _thread_changes(comment: Mapping[str, Any], post: str, found: Credentials) -> list[InboundChange]:
    """Return a comment and its replies; our reply belongs to the conversation of the customer it answers."""
    contact = author_of(comment)[0]
    customer = "" if is_own(contact, found.ig_user_id, found.username) else contact
    changes = _changes(comment, post, "", customer, found)
    for reply in sorted(replies_of(comment), key=lambda one: text(one.get("timestamp"))):
        changes += _changes(reply, post, identifier(comment.get("id")), customer, found)
    return changes


def _changes(
    comment: Mapping[str, Any], post: str, parent: str, customer: str, found: Credentials
) -> list[InboundChange]:
    """Return the changes of one comment; none for our own comment unless it answers a customer."""
    name, at = identifier(comment.get("id")), moment(comment.get("timestamp"))
    contact, username = author_of(comment)
    words = text(comment.get("text"))
    if not name or at is None or not contact:
        return []
    content = {"post": post, **({"parent": parent} if parent else {})}
    if is_own(contact, found.ig_user_id, found.username):
        if not customer or not parent:
            return []
        return [MessageEchoed(customer, name, at, text=words, content=content, reply_to=parent)]
    received = MessageReceived(
        contact=contact,
        external_id=name,
        sent_at=at,
        text=words,
        content=content,
        opens_window=False,
        contact_username=username or None,
        reply_to=parent or None,
        post=Post(post, kind_of_post("FEED")),
    )
    # Meta does not say when it was edited. An edit with the same text changes nothing.
    return [received, MessageEdited(contact, name, clock.now(), words)] if words else [received]


def _gone(
    found: Credentials, thread: HistoryThread, answer: Comments, listed: set[str]
) -> Iterator[InboundChange]:
    """Request stored comments missing from this page; yield those Meta no longer has.

    :raises GraphError: if Meta cannot be asked.
    """
    times = [moment(comment.get("timestamp")) for comment in answer.data]
    known = [at for at in times if at is not None]
    since = min(known) if answer.paging.after and known else None
    missing = [
        one for one in thread.known if one.external_id not in listed and _stands_here(one.sent_at, since)
    ]
    for one in missing[:ASKED]:
        path = quote(one.external_id, safe="")
        try:
            found.graph().call("GET", path, dict[str, Any], params={"fields": "id"})
        except GraphError as error:
            if (error.code, error.subcode) != GONE:
                raise
            yield MessageUnsent(one.contact, one.external_id, clock.now())


def _stands_here(at: datetime, since: datetime | None) -> bool:
    return since is None or at >= since
