"""What a ``message`` object says: its kind, text, files and the rest worth keeping.

Meta's pages: docs/instagram-platform/webhooks/examples, docs/instagram-messaging/webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from host.sdk.messages import InboundAttachment, MessageKind

from .values import flag, identifier, mapping, plain, text

MOST_ATTACHMENTS = 50
HEART = "\u2764\ufe0f"

_KINDS = {
    "image": MessageKind.IMAGE,
    "media": MessageKind.IMAGE,
    "video": MessageKind.VIDEO,
    "audio": MessageKind.AUDIO,
    "file": MessageKind.FILE,
    "sticker": MessageKind.STICKER,
    "gif": MessageKind.STICKER,
    "animated_image": MessageKind.STICKER,
    "like_heart": MessageKind.STICKER,
    "share": MessageKind.SHARE,
    "post": MessageKind.SHARE,
    "ig_post": MessageKind.SHARE,
    "ig_reel": MessageKind.SHARE,
    "reel": MessageKind.SHARE,
    "story": MessageKind.SHARE,
    "ig_story": MessageKind.SHARE,
    "media_share": MessageKind.SHARE,
    "story_mention": MessageKind.STORY_MENTION,
    "template": MessageKind.TEMPLATE,
    "ephemeral": MessageKind.DISAPPEARING,
}


class Said(NamedTuple):
    """A message's substance."""

    kind: MessageKind
    text: str
    attachments: tuple[InboundAttachment, ...]
    content: Mapping[str, Any]
    reply_to: str | None = None


def said(message: Mapping[str, Any]) -> Said:
    """Return what *message* says. What it does not know is ``UNSUPPORTED``, with its name in ``content``."""
    words = text(message.get("text"))
    content: dict[str, Any] = {}
    attachments, kinds = _attachments(message.get("attachments"), content)
    _context(message, content)
    kind = _kind(message, words, kinds, content)
    story = mapping(content.get("story")).get("url")
    if story and all(attachment.url != story for attachment in attachments):
        attachments = (*attachments, InboundAttachment(kind=MessageKind.STORY_REPLY, url=story))
    if kind is MessageKind.STICKER and not attachments and not words:
        words = HEART
    reply_to = identifier(mapping(message.get("reply_to")).get("mid")) or None
    return Said(kind, words, attachments, content, reply_to)


def _kind(
    message: Mapping[str, Any], words: str, kinds: list[MessageKind], content: dict[str, Any]
) -> MessageKind:
    if flag(message.get("is_unsupported")):
        content["event"] = "unsupported"
        return MessageKind.UNSUPPORTED
    if "payload" in content:
        return MessageKind.QUICK_REPLY
    if MessageKind.STORY_MENTION in kinds:
        return MessageKind.STORY_MENTION
    if "story" in content:
        return MessageKind.STORY_REPLY
    known = [kind for kind in kinds if kind is not MessageKind.UNSUPPORTED]
    if known:
        return known[0]
    if words:
        return MessageKind.TEXT
    content.setdefault("event", "message")
    return MessageKind.UNSUPPORTED


def _attachments(
    value: object, content: dict[str, Any]
) -> tuple[tuple[InboundAttachment, ...], list[MessageKind]]:
    """Read attachments of every kind; those without an address leave only what they were."""
    items = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    found: list[InboundAttachment] = []
    kinds: list[MessageKind] = []
    shared: list[Any] = []
    for item in items[:MOST_ATTACHMENTS]:
        name = text(mapping(item).get("type")).lower() or "nothing"
        payload = mapping(mapping(item).get("payload"))
        url = _address(payload)
        kind = _KINDS.get(name)
        if kind is None:
            kind = MessageKind.SHARE if name == "fallback" and url else MessageKind.UNSUPPORTED
        if name == "ig_story" and "story_media_id" in payload:
            kind = MessageKind.STORY_REPLY
        kinds.append(kind)
        if kind in {MessageKind.STORY_MENTION, MessageKind.STORY_REPLY}:
            content["story"] = {"id": identifier(payload.get("story_media_id")), "url": url or ""}
        if kind is MessageKind.UNSUPPORTED:
            content["event"] = f"attachment {name[:60]}"
        if kind is MessageKind.STICKER and name == "like_heart":
            content["sticker"] = "like_heart"
        if kind in {MessageKind.SHARE, MessageKind.TEMPLATE, MessageKind.UNSUPPORTED}:
            shared.append({"type": name, "payload": plain(payload)})
        if url:
            found.append(InboundAttachment(kind=kind, url=url, name=text(payload.get("title"))[:255]))
    if shared:
        content["shared"] = shared
    return tuple(found), kinds


def _address(payload: Mapping[str, Any]) -> str | None:
    for name in ("url", "story_media_url", "link"):
        url = text(payload.get(name)).strip()
        if url.startswith(("https://", "http://")) and len(url) <= 8_000:
            return url
    return None


def _context(message: Mapping[str, Any], content: dict[str, Any]) -> None:
    """Note what a message answers, which button was tapped and where it came from."""
    quick = message.get("quick_reply")
    if isinstance(quick, dict):
        content["payload"] = text(quick.get("payload"))
    answered = mapping(message.get("reply_to"))
    story = answered.get("story")
    if isinstance(story, dict):
        content["story"] = {"id": identifier(story.get("id")), "url": _address(story) or ""}
    referral = message.get("referral")
    if isinstance(referral, dict):
        content["referral"] = plain(referral)
