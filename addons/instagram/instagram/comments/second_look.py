"""Find comments no webhook brought: list the newest posts with their newest comments, and read one post's.

Meta's pages: docs/instagram-platform/instagram-graph-api/reference/ig-user/media, ig-media/comments and
ig-comment/replies. One call lists the posts with their comments. It doesn't list comments below ads,
broadcasts and other people's posts, or replies to older comments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from host.sdk import clock
from host.sdk.channel import AccountRef
from host.sdk.history import (
    HistoryThread,
    HistoryTrouble,
    LatestMessage,
    ListedMessage,
    ListedThread,
    NewestPage,
)
from host.sdk.webhooks import Envelope

from .. import restrictions
from ..accounts import Credentials
from ..answers import Paging
from ..graph import GraphError, Usage
from ..history.threads import cannot_ask, trouble_of
from ..values import identifier, mapping, moment, text
from ..webhook.envelopes import author_of, comment_key, is_own
from .catch_up import COMMENTS, Comments, replies_of

POSTS = 25
LISTED = 10
"""Number of comments listed per post, and of replies per comment."""
RECENT = timedelta(days=7)
"""Maximum age of the last post on a page for the next page to be listed."""

_AUTHOR = "id,timestamp,from,username"
_LISTED = f"{_AUTHOR},replies.limit({LISTED}){{{_AUTHOR}}}"
_READ = f"{_AUTHOR},text,media{{id,media_product_type}}"


class _Post(msgspec.Struct, frozen=True):
    id: str = ""
    timestamp: str | int = ""
    comments: Comments = Comments()


class _Posts(msgspec.Struct, frozen=True):
    data: tuple[_Post, ...] = ()
    paging: Paging = Paging()


def newest(found: Credentials | None, account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
    """List a page of the newest posts with the ids of their newest comments, in one call."""
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    fields = f"id,timestamp,comments.limit({LISTED}){{{_LISTED}}}"
    params = {"fields": fields, "limit": str(POSTS), **({"after": after} if after else {})}
    heard: list[Usage] = []
    try:
        answer = found.graph().call(
            "GET", f"{found.ig_user_id}/media", _Posts, params=params, heard=heard.append
        )
    except GraphError as error:
        return trouble_of(error)
    threads = [_listed(post, found) for post in answer.data if post.id and post.comments.data]
    oldest = min((at for post in answer.data if (at := moment(post.timestamp))), default=None)
    goes_on = oldest is not None and oldest > clock.now() - RECENT
    return NewestPage(threads, answer.paging.after if goes_on else "", heard[0].percent if heard else 0)


def _listed(post: _Post, found: Credentials) -> ListedThread:
    named = [_named(one, found) for one, _parent in _flat(post.comments.data)]
    times = [one.sent_at for one in named if one.sent_at is not None]
    # A post has no time of its last comment.
    thread = HistoryThread(identifier(post.id), "", max(times, default=moment(post.timestamp)))
    return ListedThread(thread, [one for one in named if one.external_id], bool(post.comments.paging.after))


def _flat(comments: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield comments and their replies, each with the id of the comment it answers."""
    for comment in comments:
        yield comment, ""
        for reply in replies_of(comment):
            yield reply, identifier(comment.get("id"))


def _named(comment: Mapping[str, Any], found: Credentials) -> ListedMessage:
    author = author_of(comment)[0]
    return ListedMessage(
        identifier(comment.get("id")),
        moment(comment.get("timestamp")),
        is_own(author, found.ig_user_id, found.username) if author else None,
    )


def latest(
    found: Credentials | None, account: AccountRef, thread: HistoryThread
) -> Sequence[LatestMessage] | HistoryTrouble:
    """Read the newest comments of a post as webhooks would have brought them, oldest first."""
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    params = {"fields": f"{_READ},replies.limit({COMMENTS}){{{_READ}}}", "limit": str(COMMENTS)}
    path = f"{quote(thread.external_id, safe='')}/comments"
    try:
        answer = found.graph().call("GET", path, Comments, params=params)
    except GraphError as error:
        return trouble_of(error)
    made = [
        LatestMessage(
            named,
            _envelope(comment, named, parent, thread.external_id, found, account)
            if named.ours is False and named.sent_at is not None
            else None,
        )
        for comment, parent in _flat(answer.data)
        if (named := _named(comment, found)).external_id
    ]
    return sorted(made, key=lambda one: (one.message.sent_at is not None, one.message.sent_at))


def _envelope(
    comment: Mapping[str, Any],
    named: ListedMessage,
    parent: str,
    post: str,
    found: Credentials,
    account: AccountRef,
) -> Envelope:
    """Return a comment in an envelope with the key of the webhook that should have brought it."""
    contact, username = author_of(comment)
    words = text(comment.get("text"))
    value = {
        "id": named.external_id,
        "text": words,
        "from": {"id": contact, **({"username": username} if username else {})},
        "media": {**mapping(comment.get("media")), "id": post},
        **({"parent_id": parent} if parent else {}),
    }
    event = {"field": "comments", "value": value}
    return Envelope(
        account_id=account.id,
        lane=contact,
        dedupe_key=comment_key(named.external_id, words),
        kind="comments",
        body=msgspec.json.encode(
            {"entry": found.ig_user_id, "in": "changes", "event": event, "missed": True}
        ),
        occurred_at=named.sent_at,
    )
