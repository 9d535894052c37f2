"""Translate Telegram's updates for the host. Pure, because envelopes may be read again much later.

https://core.telegram.org/bots/api#message
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from host.sdk import strictjson
from host.sdk.messages import (
    Ignored,
    InboundAttachment,
    InboundChange,
    MessageEdited,
    MessageKind,
    MessageReceived,
)
from host.sdk.webhooks import Envelope

from .values import identifier, mapping, moment, text

FILES = "https://api.telegram.org/file-by-id/"
"""Prefix of the placeholder URLs of files, which :mod:`.files` resolves."""
MOST_BYTES = 20 * 1024 * 1024
"""Bots cannot download larger files. https://core.telegram.org/bots/api#getfile"""

_FILE_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")

_MEDIA = {
    "video": MessageKind.VIDEO,
    "animation": MessageKind.VIDEO,
    "video_note": MessageKind.VIDEO,
    "voice": MessageKind.AUDIO,
    "audio": MessageKind.AUDIO,
    "sticker": MessageKind.STICKER,
    "document": MessageKind.FILE,
}
"""Kind by field of a message. An animation comes first, because it has a ``document``, too."""
_ENVELOPE = frozenset(
    {"message_id", "from", "chat", "date", "edit_date", "reply_to_message", "entities", "media_group_id"}
)
"""Fields that don't determine a message's kind."""


def read(envelope: Envelope) -> InboundChange:
    """Return the change of the inbox for the update in *envelope*."""
    try:
        update = mapping(strictjson.loads(envelope.body))
    except ValueError:
        return Ignored("not JSON")
    edited = "edited_message" in update
    said = mapping(update.get("edited_message" if edited else "message"))
    contact, message_id = identifier(mapping(said.get("chat")).get("id")), identifier(said.get("message_id"))
    at = moment(said.get("edit_date") if edited else said.get("date"))
    if not contact or not message_id or at is None:
        return Ignored("not a message with an id, a chat and a time")
    if edited:
        words = text(said.get("text")) or text(said.get("caption"))
        return MessageEdited(contact, external_id(contact, message_id), at, words)
    return _message(said, contact, message_id, at)


def external_id(chat: str, message_id: str) -> str:
    """Return the external id of a message, because Telegram numbers messages per chat."""
    return f"{chat}:{message_id}"


def _message(said: Mapping[str, Any], contact: str, message_id: str, at: datetime) -> MessageReceived:
    person = mapping(said.get("from"))
    name = f"{text(person.get('first_name'))} {text(person.get('last_name'))}".strip()
    quoted = identifier(mapping(said.get("reply_to_message")).get("message_id"))
    kind, attachments, content = _what(said)
    return MessageReceived(
        contact=contact,
        external_id=external_id(contact, message_id),
        sent_at=at,
        kind=kind,
        text=text(said.get("text")) or text(said.get("caption")),
        attachments=attachments,
        content=content,
        contact_name=name or None,
        contact_username=text(person.get("username")) or None,
        reply_to=external_id(contact, quoted) if quoted else None,
    )


def _what(said: Mapping[str, Any]) -> tuple[MessageKind, tuple[InboundAttachment, ...], dict[str, str]]:
    """Return kind, files and content of a message."""
    sizes = said.get("photo")
    if isinstance(sizes, list) and sizes:
        # The last is the largest. Telegram makes them all JPEG.
        return _file("photo", MessageKind.IMAGE, mapping(sizes[-1]), "image/jpeg")
    for field, kind in _MEDIA.items():
        if isinstance(said.get(field), dict):
            return _file(field, kind, said[field], text(said[field].get("mime_type")))
    if text(said.get("text")):
        return MessageKind.TEXT, (), {}
    others = sorted(set(said) - _ENVELOPE)
    return MessageKind.UNSUPPORTED, (), {"event": (others[0] if others else "message")[:60]}


def _file(
    field: str, kind: MessageKind, found: Mapping[str, Any], content_type: str
) -> tuple[MessageKind, tuple[InboundAttachment, ...], dict[str, str]]:
    file_id, size = text(found.get("file_id")), found.get("file_size")
    if not _FILE_ID.fullmatch(file_id):
        return MessageKind.UNSUPPORTED, (), {"event": f"{field} without a file"}
    if isinstance(size, int) and size > MOST_BYTES:
        return MessageKind.UNSUPPORTED, (), {"event": f"{field} over 20 MB"}
    if field == "sticker" and (found.get("is_animated") is True or found.get("is_video") is True):
        # Its thumbnail is a picture; browsers can't show the format of the animation itself.
        still = text(mapping(found.get("thumbnail")).get("file_id"))
        if not _FILE_ID.fullmatch(still):
            return MessageKind.UNSUPPORTED, (), {"event": "animated sticker"}
        file_id = still
    url = FILES + file_id
    name = text(found.get("file_name"))[:255]
    return kind, (InboundAttachment(kind, url=url, name=name, content_type=content_type[:100]),), {}
