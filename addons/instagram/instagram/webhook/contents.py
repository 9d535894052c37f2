"""Contents of a ``message`` object: its kind, text, files and the rest worth storing.

Meta's pages: docs/instagram-platform/webhooks/examples, docs/instagram-messaging/webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from host.sdk.messages import InboundAttachment, MessageKind

from ..values import flag, identifier, mapping, plain, text

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


_OLD_SHARES = frozenset({"share", "media_share"})
"""Names of a share that don't say what is shared; Meta also sends a second attachment that does."""
_IDS = (
    *("ig_post_media_id", "reel_video_id", "story_media_id", "sticker_id", "id"),
    *("url", "story_media_url", "link"),
)
"""Fields of a payload that identify two attachments as the same one."""
_NAMES = ("title", "name", "file_name", "filename")
_WORDS = ("title", "name", "address", "description", "text")


class MessageParts(NamedTuple):
    """The contents of a message: text, attachments and context."""

    kind: MessageKind
    text: str
    attachments: tuple[InboundAttachment, ...]
    content: Mapping[str, Any]
    reply_to: str | None = None


def said(message: Mapping[str, Any]) -> MessageParts:
    """Return the contents of *message*. Unknown kinds become ``UNSUPPORTED``, with their name in
    ``content``.
    """
    words = text(message.get("text"))
    content: dict[str, Any] = {}
    _context(message, content)
    attachments, kinds = _attachments(message.get("attachments"), content)
    words = words or _described(content, attachments)
    kind = _kind(message, words, kinds, content)
    story = mapping(content.get("story")).get("url")
    if story and all(attachment.url != story for attachment in attachments):
        attachments = (*attachments, InboundAttachment(kind=MessageKind.STORY_REPLY, url=story))
    if content.get("sticker") == "like_heart" and not attachments and not words:
        words = HEART
    reply_to = identifier(mapping(message.get("reply_to")).get("mid")) or None
    return MessageParts(kind, words, attachments, content, reply_to)


def _described(content: Mapping[str, Any], attachments: Sequence[InboundAttachment]) -> str:
    """Return the words of a share or a place that has no link to show; empty if it has none, or a link.

    Those of a template are shown as its card.
    """
    if attachments:
        return ""
    shared = (one for one in content.get("shared", ()) if one.get("type") != "template")
    found = (text(mapping(one["payload"]).get(name)) for one in shared for name in _WORDS)
    return "\n".join(dict.fromkeys(filter(None, found)))


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
    """Read attachments of every kind; without a URL, only their kind is kept."""
    items = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    found: list[InboundAttachment] = []
    kinds: list[MessageKind] = []
    shared: list[Any] = []
    for name, payload in _each_once(items[:MOST_ATTACHMENTS]):
        url = _address(payload)
        kind = _kind_of(name, payload)
        answered, story_id = mapping(content.get("story")), identifier(payload.get("story_media_id"))
        if kind is MessageKind.SHARE and story_id and story_id == answered.get("id"):
            # A duplicate of the story in reply_to.
            content["story"] = {"id": story_id, "url": answered.get("url") or url or ""}
            continue
        kinds.append(kind)
        if kind is MessageKind.STORY_MENTION:
            content.setdefault("story", {"id": story_id, "url": url or ""})
        if kind is MessageKind.UNSUPPORTED:
            content.setdefault("event", f"attachment {name[:60]}")
        if name == "like_heart":
            content["sticker"] = "like_heart"
        if kind in {MessageKind.SHARE, MessageKind.TEMPLATE, MessageKind.UNSUPPORTED}:
            shared.append({"type": name, "payload": plain(_with_url(payload, url))})
        if url:
            called = next(filter(None, (text(payload.get(name)) for name in _NAMES)), "")
            found.append(InboundAttachment(kind=kind, url=url, name=called[:255]))
    if shared:
        content["shared"] = shared
    return tuple(found), kinds


def _with_url(payload: Mapping[str, Any], url: str | None) -> Mapping[str, Any]:
    """Return *payload* with a story's URL in the field where the host expects shared URLs."""
    return {**payload, "url": url} if "story_media_url" in payload and url else payload


def _kind_of(name: str, payload: Mapping[str, Any]) -> MessageKind:
    if name not in _KINDS and _address(payload):
        return MessageKind.SHARE
    if name in {"image", "media"} and identifier(payload.get("sticker_id")):
        return MessageKind.STICKER
    return _KINDS.get(name, MessageKind.UNSUPPORTED)


def _each_once(items: list[Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return name and payload of each attachment once; of two forms, the more detailed one.

    Meta sends a share under both its old and new name, and a sticker both as a picture and a sticker.
    """
    found: list[tuple[str, Mapping[str, Any]]] = []
    for item in items:
        name = text(mapping(item).get("type")).lower() or "nothing"
        payload = mapping(mapping(item).get("payload"))
        same = next((n for n, (_, known) in enumerate(found) if _is_same(payload, known)), None)
        if same is None or _kind_of(name, payload) is not _kind_of(*found[same]):
            found.append((name, payload))
        elif found[same][0] in _OLD_SHARES or len(payload) > len(found[same][1]):
            found[same] = (name, payload)
    old = [one for one in found if one[0] in _OLD_SHARES]
    new = [one for one in found if one[0] not in _OLD_SHARES and _kind_of(*one) is MessageKind.SHARE]
    # Their URLs may differ, so each item of the new form stands for one of the old form.
    return [one for one in found if one not in old] if old and len(old) == len(new) else found


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(
        identifier(one.get(name)) and identifier(one.get(name)) == identifier(other.get(name))
        for name in _IDS
    )


def _address(payload: Mapping[str, Any]) -> str | None:
    for name in ("url", "story_media_url", "link"):
        url = text(payload.get(name)).strip()
        if url.startswith(("https://", "http://")) and len(url) <= 8_000:
            return url
    return None


def _context(message: Mapping[str, Any], content: dict[str, Any]) -> None:
    """Add the message it answers, the tapped button and its origin to *content*."""
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
    offered = message.get("quick_replies")
    if isinstance(offered, list):
        content["quick_replies"] = [
            {"title": text(one.get("title")), "payload": text(one.get("payload"))}
            for one in map(mapping, offered[:MOST_ATTACHMENTS])
        ]
