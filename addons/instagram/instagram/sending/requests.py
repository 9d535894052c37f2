"""Build requests for the Send API, and recognise sent messages in a thread. Makes no calls.

Meta's pages: docs/instagram-messaging/features/send-message,
docs/instagram-messaging/features/quick-replies, docs/instagram-messaging/generic-template,
docs/instagram-messaging/button-template, docs/instagram-messaging/features/product-template,
docs/instagram-messaging/features/sender-actions, docs/instagram-messaging/features/attachment-upload,
docs/messenger-platform/instagram/features/conversation.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from host.sdk.http import Multipart
from host.sdk.messages import MessageKind, OutgoingFile, OutgoingPart

from ..capabilities import HEART
from ..values import clean, text

HUMAN_AGENT = "HUMAN_AGENT"
Body = dict[str, Any]

MEDIA = {
    MessageKind.IMAGE: "image",
    MessageKind.VIDEO: "video",
    MessageKind.AUDIO: "audio",
    MessageKind.FILE: "file",
}
"""Lobby's kinds of file and Meta's names for them."""
SAMPLE_NAMES = {
    "image/jpeg": "picture.jpg",
    "image/png": "picture.png",
    "image/gif": "picture.gif",
    "video/mp4": "video.mp4",
    "video/quicktime": "video.mov",
    "video/ogg": "video.ogv",
    "video/x-msvideo": "video.avi",
    "video/webm": "video.webm",
    "audio/aac": "audio.aac",
    "audio/mp4": "audio.m4a",
    "audio/wav": "audio.wav",
    "application/pdf": "document.pdf",
}
"""File names for uploads: Meta accepts only ASCII names, and the customer sees none."""


class UnsendableError(ValueError):
    """The part's kind cannot be sent, or its content is incomplete."""


def send_body(recipient: str, part: OutgoingPart, files: Sequence[Body], tag: str | None) -> Body:
    """Return the body that sends *part*: as an ordinary response, or under the human agent tag.

    :param files: the ``payload`` of each file: ``{"url": ...}`` or ``{"attachment_id": ...}``.
    :raises UnsendableError: if the part cannot be sent.
    """
    body: Body = {"recipient": {"id": recipient}, "message": message_body(part, files)}
    if part.reply_to:
        body["reply_to"] = {"mid": part.reply_to}
    if tag:
        return body | {"messaging_type": "MESSAGE_TAG", "tag": tag}
    return body | {"messaging_type": "RESPONSE"}


def message_body(part: OutgoingPart, files: Sequence[Body]) -> Body:
    """Return *part* as a message, without its recipient.

    :raises UnsendableError: if the part cannot be sent.
    """
    if part.kind in MEDIA and (files or part.content.get("provider_files")):
        files = files or [{"attachment_id": one} for one in part.content["provider_files"]]
        parts = [{"type": MEDIA[part.kind], "payload": payload} for payload in files]
        return {"attachment": parts[0]} if len(parts) == 1 else {"attachments": parts}
    if part.kind is MessageKind.TEXT and part.text:
        message: Body = {"text": clean(part.text)}
        # Requests for a phone number or email date from before Meta withdrew them; the text is sent without
        # them.
        offered = [one for one in part.content.get("quick_replies") or () if not one.get("ask")]
        if offered:
            message["quick_replies"] = [_quick_reply(one) for one in offered]
        return message
    if part.kind is MessageKind.STICKER and part.content.get("sticker") == "heart":
        return {"attachment": {"type": "like_heart"}}
    if part.kind is MessageKind.SHARE and part.content.get("own_post"):
        return {"attachment": {"type": "MEDIA_SHARE", "payload": {"id": part.content["own_post"]}}}
    if part.kind is MessageKind.TEMPLATE:
        return {"attachment": {"type": "template", "payload": _template(part.content)}}
    raise UnsendableError(part.kind)


def _quick_reply(offered: Mapping[str, Any]) -> Body:
    return {"content_type": "text", "title": offered["title"], "payload": offered["payload"]}


def file_count(part: OutgoingPart) -> int:
    """Return how many files *part* has, including those already uploaded to Meta."""
    return len(part.files) or len(part.content.get("provider_files", ()))


def _template(content: Mapping[str, Any]) -> Body:
    if content.get("products"):
        return {"template_type": "product", "elements": [{"id": one} for one in content["products"]]}
    if content.get("template", {}).get("text"):
        with_buttons = content["template"]
        buttons = [button_body(one) for one in with_buttons["buttons"]]
        return {"template_type": "button", "text": with_buttons["text"], "buttons": buttons}
    if content.get("template"):
        elements = [_element(one) for one in content["template"]["elements"]]
        return {"template_type": "generic", "elements": elements}
    raise UnsendableError("an empty template")


def _element(card: Mapping[str, Any]) -> Body:
    """Return a card under Meta's field names, without empty fields."""
    element: Body = {"title": card["title"]}
    for name in ("subtitle", "image_url"):
        if card.get(name):
            element[name] = card[name]
    if card.get("url"):
        element["default_action"] = {"type": "web_url", "url": card["url"]}
    if card.get("buttons"):
        element["buttons"] = [button_body(one) for one in card["buttons"]]
    return element


def button_body(button: Mapping[str, Any]) -> Body:
    """Return a button that opens a page or sends a payload."""
    if button.get("url"):
        return {"type": "web_url", "title": button["title"], "url": button["url"]}
    return {"type": "postback", "title": button["title"], "payload": button["payload"]}


def upload_form(file: OutgoingFile) -> Multipart:
    """Return the form that uploads *file*; ``is_reusable`` is a string in Meta's docs too."""
    message = f'{{"attachment":{{"type":"{MEDIA[file.kind]}","is_reusable":"true"}}}}'
    return Multipart(
        fields={"platform": "instagram", "message": message},
        file_field="filedata",
        name=SAMPLE_NAMES.get(file.content_type, "file"),
        content_type=file.content_type,
        size=file.size,
        open=file.open,
    )


def react_body(recipient: str, message: str, emoji: str) -> Body:
    """Return the body that sets our reaction to *message*, or removes it without *emoji*."""
    if not emoji:
        payload = {"message_id": message}
        return {"recipient": {"id": recipient}, "sender_action": "unreact", "payload": payload}
    reaction = "love" if text(emoji).strip("\ufe0f") == HEART.strip("\ufe0f") else emoji
    payload = {"message_id": message, "reaction": reaction}
    return {"recipient": {"id": recipient}, "sender_action": "react", "payload": payload}


def action_body(recipient: str, action: str) -> Body:
    """Return the body of ``typing_on``, ``typing_off`` or ``mark_seen``, which allow no other fields."""
    return {"recipient": {"id": recipient}, "sender_action": action}


def alike(one: str, other: str) -> bool:
    """Return whether two texts are the same message, because Meta trims and may normalise texts."""
    return _normal(one) == _normal(other)


def _normal(words: str) -> str:
    return " ".join(unicodedata.normalize("NFC", clean(words)).split())
