"""Translate comments and mentions into changes of the inbox. Never raises, whatever the bytes.

Meta's pages: docs/instagram-platform/webhooks/examples, docs/instagram-platform/self-messaging,
docs/instagram-platform/instagram-graph-api/reference/ig-user/mentioned_comment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from host.sdk.messages import (
    Ignored,
    InboundChange,
    MessageEchoed,
    MessageEdited,
    MessageReceived,
    MessageUnsent,
    Post,
    PostKind,
    ToLookUp,
)
from host.sdk.webhooks import Envelope

from ..values import identifier, mapping, moment, text
from ..webhook.envelopes import Comment, author_of, change_kind, comment_key, comment_of
from ..webhook.events import UNREADABLE, Event, read_event

MENTION = "mention"
"""The kind of a looked-up mention in the inbound log."""
_ELSEWHERE = "mention:"
"""Prefix of the ids of mentions on other people's posts, which are answered by another call."""
_ID = re.compile(r"[0-9_]{1,40}", re.ASCII)
_KINDS = {
    "FEED": PostKind.POST,
    "REELS": PostKind.REEL,
    "AD": PostKind.AD,
    "STORY": PostKind.STORY,
    "LIVE": PostKind.LIVE,
}


def parse(envelope: Envelope) -> Sequence[InboundChange]:
    """Return the changes an envelope means for the inbox."""
    event = read_event(envelope)
    if event is None:
        return [Ignored(UNREADABLE)]
    kind = change_kind(event.data)
    if kind == "mentions":
        return [_mentioned(event)]
    if kind == MENTION:
        return [_looked_up(event)]
    if kind in {"comments", "live_comments"}:
        return _commented(event, kind)
    return [Ignored(f"{kind}: nothing about comments")]


def kind_of_post(product: object) -> PostKind:
    """Return the kind of post for Meta's ``media_product_type``."""
    return _KINDS.get(text(product).upper(), PostKind.OTHER)


def named_elsewhere(media_id: str, comment_id: str = "") -> str:
    """Return the id of a mention: of a comment on someone else's post, or of the post itself."""
    return f"{_ELSEWHERE}{media_id}:{comment_id}" if comment_id else f"{_ELSEWHERE}{media_id}"


def elsewhere(external_id: str) -> tuple[str, str] | None:
    """Return the post's and comment's ids in a mention's id; None if it is not a mention."""
    if not external_id.startswith(_ELSEWHERE):
        return None
    media_id, _colon, comment_id = external_id.removeprefix(_ELSEWHERE).partition(":")
    return media_id, comment_id


def _commented(event: Event, kind: str) -> Sequence[InboundChange]:
    found = comment_of(event.data, event.entry_id, event.own_name)
    if not found.id:
        return [_without_id(event, found, kind)]
    if found.removed:
        keys = (comment_key(found.id, found.text),)
        return [MessageUnsent("" if found.ours else found.author, found.id, event.at, carried_by=keys)]
    live = kind == "live_comments"
    content = _content(found, live=live)
    if event.missed:
        content["missed"] = True
    if found.ours:
        if not found.parent:
            return [Ignored(f"{kind}: our own, below no comment")]
        echo = MessageEchoed(
            contact="",
            external_id=found.id,
            sent_at=event.at,
            text=found.text,
            content=content,
            reply_to=found.parent,
        )
        return [echo]
    if not found.author:
        return [Ignored(f"{kind}: names no customer")]
    received = MessageReceived(
        contact=found.author,
        external_id=found.id,
        sent_at=event.at,
        text=found.text,
        content=content,
        opens_window=False,
        contact_username=found.username or None,
        reply_to=found.parent or None,
        post=Post(found.post, PostKind.LIVE if live else _kind(found)) if found.post else None,
    )
    if not found.text:
        return [received]
    # An edited comment comes again as if new. For a new one, this edit changes nothing.
    return [received, MessageEdited(found.author, found.id, event.at, found.text)]


def _without_id(event: Event, found: Comment, kind: str) -> InboundChange:
    """Read a comment that Meta names no id of: it is shown, but cannot be answered below the post."""
    if found.ours or found.removed or not found.author or not found.text:
        return Ignored(f"{kind}: names no comment")
    return MessageReceived(
        contact=found.author,
        external_id=None,
        sent_at=event.at,
        text=found.text,
        content=_content(found, live=kind == "live_comments"),
        opens_window=False,
        contact_username=found.username or None,
    )


def _kind(found: Comment) -> PostKind:
    kind = kind_of_post(found.media.get("media_product_type"))
    shows_post = identifier(found.media.get("original_media_id"))
    return PostKind.AD if identifier(found.media.get("ad_id")) and not shows_post else kind


def _content(found: Comment, *, live: bool) -> dict[str, Any]:
    """Return the details of a comment for webhooks and policies, besides its text."""
    content: dict[str, Any] = {"post": found.post} if found.post else {}
    if found.parent:
        content["parent"] = found.parent
    if live:
        content["live"] = True
    ad = identifier(found.media.get("ad_id"))
    if ad:
        content["ad"] = {"id": ad, "title": text(found.media.get("ad_title"))}
    return content


# ---- mentions -----------------------------------------------------------------------------------------


def _mentioned(event: Event) -> InboundChange:
    """Read a mention, for which Meta sends only ids; for a comment, that of its post too."""
    found = comment_of(event.data, event.entry_id)
    what = {name: one for name, one in (("media_id", found.post), ("comment_id", found.id)) if one}
    if not found.post or not all(_ID.fullmatch(one) for one in what.values()):
        return Ignored("mentions: names no post")
    return ToLookUp(what)


def _looked_up(event: Event) -> InboundChange:
    value = mapping(event.data.get("value"))
    media, comment = mapping(value.get("media")), mapping(value.get("comment"))
    said = comment or media
    contact, username = author_of(said)
    media_id, comment_id = identifier(media.get("id")), identifier(comment.get("id"))
    if not contact or not media_id:
        return Ignored("mention: Meta does not tell whose it is")
    content: dict[str, Any] = {"post": media_id, "mention": True}
    if comment_id:
        content["comment"] = comment_id
    return MessageReceived(
        contact=contact,
        external_id=named_elsewhere(media_id, comment_id),
        sent_at=event.at,
        text=text(comment.get("text")) if comment else text(media.get("caption")),
        content=content,
        opens_window=False,
        contact_username=username or None,
        post=post_of(media, external_id=named_elsewhere(media_id), foreign=True),
    )


def post_of(media: Mapping[str, Any], *, external_id: str = "", foreign: bool = False) -> Post:
    """Return a Meta IG Media object as a post.

    :param foreign: whether it belongs to someone else; then its author is included.
    """
    kind = kind_of_post(media.get("media_product_type"))
    film = text(media.get("media_type")).upper() == "VIDEO"
    picture = text(media.get("thumbnail_url")) or ("" if film else text(media.get("media_url")))
    return Post(
        external_id=external_id or identifier(media.get("id")),
        kind=kind,
        text=text(media.get("caption")),
        url=text(media.get("permalink")),
        picture_url=picture or None,
        published_at=moment(media.get("timestamp")),
        owner=text(media.get("username")) if foreign else "",
    )
