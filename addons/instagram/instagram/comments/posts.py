"""Request posts and the contents of mentions from Meta.

Meta's pages: docs/instagram-platform/reference/instagram-media,
docs/instagram-platform/instagram-graph-api/reference/ig-user/mentioned_media and mentioned_comment,
docs/instagram-platform/instagram-graph-api/reference/ig-user/live_media,
docs/instagram-platform/instagram-graph-api/reference/ig-user/media.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import msgspec

from host.sdk import clock
from host.sdk.channel import AccountRef, NoPost, PostPage, ProviderProblem
from host.sdk.i18n import noop
from host.sdk.messages import Post, PostKind
from host.sdk.webhooks import Envelope

from .. import posts, restrictions
from ..accounts import Credentials
from ..answers import Paging
from ..errors import CatalogueEntry, Outcome, classify, problem
from ..graph import Graph, GraphError
from ..sending.replies import NO_CREDENTIALS, NO_SUCH_POST
from ..values import identifier, mapping, moment
from ..webhook.envelopes import author_of
from .events import MENTION, elsewhere, named_elsewhere, post_of

MEDIA = "id,caption,permalink,media_type,media_product_type,media_url,thumbnail_url,timestamp,username"
GONE = (100, 33)
"""Meta's code and subcode for an object that does not exist or that this token may not see."""
UNKNOWN_FIELD = 100
LISTED = 24
"""How many posts a page lists: whole rows of two, three and four."""
WITHIN = 10.0
"""Seconds for a call that a person waits for."""
_ID = re.compile(r"[0-9]{1,40}", re.ASCII)
_AUTHORS = ("from,username,", "username,", "")
"""Additional fields of a mentioning comment to try. Meta's page lists neither; its example has the second."""


class Media(msgspec.Struct, frozen=True):
    """A post's id and number of comments."""

    id: str = ""
    comments_count: int = 1


class MediaList(msgspec.Struct, frozen=True):
    data: tuple[Media, ...] = ()
    paging: Paging = Paging()


class _MediaPage(msgspec.Struct, frozen=True):
    data: tuple[dict[str, Any], ...] = ()
    paging: Paging = Paging()


RECONNECT = noop("Reconnect the account in Settings, Channels. Then open the list again.")
ANOTHER = noop("Copy the link of one of this account's posts, then try again.")
WAIT = noop("Wait a few minutes, then open the list again.")
NOT_LISTED = CatalogueEntry(
    code=0,
    outcome=Outcome.WAIT,
    sentence=noop("Instagram didn't return the posts."),
    cause=noop("Meta's reason is shown after the error."),
    next_step=noop("Try again. If it fails again, choose Diagnose on the account's card."),
)


def recent(found: Credentials | None, after: str) -> PostPage | ProviderProblem:
    """List a page of the account's posts and reels, newest first."""
    if found is None or restrictions.is_restricted(found.app):
        return _cannot_ask(found)
    params = {"fields": MEDIA, "limit": str(LISTED), **({"after": after} if after else {})}
    try:
        path = f"{found.ig_user_id}/media"
        answer = found.graph().call("GET", path, _MediaPage, params=params, within=WITHIN)
    except GraphError as error:
        return _problem(error)
    listed = tuple(post for media in answer.data if (post := post_of(media)).external_id)
    return PostPage(listed, answer.paging.after)


def find(found: Credentials | None, named: str) -> Post | ProviderProblem:
    """Find a post of the account by its id or its link."""
    if found is None or restrictions.is_restricted(found.app):
        return _cannot_ask(found)
    try:
        id_ = posts.find(found, named, within=WITHIN) if posts.is_link(named) else named
        if id_ is None or not _ID.fullmatch(id_):
            return replace(problem(NO_SUCH_POST), next_step=ANOTHER)
        media = found.graph().call("GET", id_, dict[str, Any], params={"fields": MEDIA}, within=WITHIN)
    except GraphError as error:
        known = (error.code, error.subcode) == GONE
        return replace(problem(NO_SUCH_POST, error), next_step=ANOTHER) if known else _problem(error)
    return post_of(media, external_id=id_)


def _cannot_ask(found: Credentials | None) -> ProviderProblem:
    known, step = (NO_CREDENTIALS, RECONNECT) if found is None else (restrictions.RESTRICTED, WAIT)
    return replace(problem(known), next_step=step)


def _problem(error: GraphError) -> ProviderProblem:
    """Return why posts were not returned. The catalogue's advice is about messages that wait."""
    known = classify(error)
    if known.outcome is Outcome.RECONNECT:
        return replace(problem(known, error), next_step=RECONNECT)
    if known.outcome is Outcome.WAIT:
        return replace(problem(known, error), next_step=WAIT)
    return problem(NOT_LISTED, error)


def fetch(found: Credentials, external_id: str) -> Post | NoPost:
    """Request a post's details, and for a broadcast, whether it is still running."""
    if elsewhere(external_id) is not None:
        return NoPost("the post belongs to another account; its details came with the mention", retry=False)
    graph = found.graph()
    try:
        media = graph.call("GET", quote(external_id, safe=""), dict[str, Any], params={"fields": MEDIA})
        post = post_of(media, external_id=external_id)
        if post.kind is PostKind.LIVE and not _runs(graph, found, external_id):
            return replace(post, ended_at=clock.now())
    except GraphError as error:
        return _none(error)
    return post


def _runs(graph: Graph, found: Credentials, external_id: str) -> bool:
    answer = graph.call("GET", f"{found.ig_user_id}/live_media", MediaList, params={"fields": "id"})
    return any(one.id == external_id for one in answer.data)


def _none(error: GraphError) -> NoPost:
    known = classify(error)
    if (error.code, error.subcode) == GONE:
        return NoPost(error.quote, retry=False, gone=True)
    if known.outcome is Outcome.WAIT:
        wait = error.usage.regain_seconds or known.wait_seconds
        return NoPost(error.quote, retry=True, retry_after=wait)
    return NoPost(error.quote, retry=known.outcome is not Outcome.REJECTED)


def look_up(found: Credentials, account: AccountRef, what: Mapping[str, str]) -> Sequence[Envelope]:
    """Request a mention's text and author; return it as an event for the inbound log.

    :raises GraphError: if Meta cannot be reached now.
    """
    media_id, comment_id = identifier(what.get("media_id")), identifier(what.get("comment_id"))
    try:
        if comment_id:
            comment = _comment(found, comment_id)
            media = mapping(comment.get("media")) or {"id": media_id}
            told = {"comment": {**comment, "id": comment_id}, "media": {**media, "id": media_id}}
        else:
            told = {
                "media": {**_asked(found, f"mentioned_media.media_id({media_id}){{{MEDIA}}}"), "id": media_id}
            }
    except GraphError as error:
        if (error.code, error.subcode) != GONE:
            raise
        return [_envelope(account, media_id, comment_id, {}, ignored="the mention is no longer there")]
    return [_envelope(account, media_id, comment_id, told)]


def _comment(found: Credentials, comment_id: str) -> Mapping[str, Any]:
    """Request a mentioning comment with whatever author details Meta gives."""
    for author in _AUTHORS:
        fields = f"id,text,timestamp,{author}media{{{MEDIA}}}"
        try:
            return _asked(found, f"mentioned_comment.comment_id({comment_id}){{{fields}}}")
        except GraphError as error:
            if error.code != UNKNOWN_FIELD or error.subcode is not None or not author:
                raise
    return {}


def _asked(found: Credentials, fields: str) -> Mapping[str, Any]:
    answer = found.graph().call("GET", found.ig_user_id, dict[str, Any], params={"fields": fields})
    return mapping(answer.get(fields.partition(".")[0]))


def _envelope(
    account: AccountRef, media_id: str, comment_id: str, told: Mapping[str, Any], *, ignored: str = ""
) -> Envelope:
    said = mapping(told.get("comment")) or mapping(told.get("media"))
    event = {"field": MENTION, "value": told}
    return Envelope(
        account_id=account.id,
        lane=author_of(said)[0],
        dedupe_key=f"{MENTION}:{named_elsewhere(media_id, comment_id)}",
        kind=MENTION,
        body=msgspec.json.encode({"entry": account.external_id, "in": "changes", "event": event}),
        occurred_at=moment(said.get("timestamp")) or clock.now(),
        ignored=ignored,
        channel=account.channel,
    )
