"""The valid content of a ``message``: shapes and limits of the Send API (M5, M7-M10, M12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import GraphError
from sandbox.world import Json

MB = 1024 * 1024
TEXT_BYTES = 1000
BUTTON_TEXT = 640
ELEMENTS = 10
BUTTONS = 3
TITLE = 80
BUTTON_TITLE = 20
PAYLOAD = 1000
QUICK_REPLIES = 13
QUICK_REPLY_TITLE = 20
IMAGES = 10


@dataclass(frozen=True, slots=True)
class MediaRule:
    """The files and sizes one attachment type accepts (M5, M6, M12)."""

    types: tuple[str, ...]
    limit: int


MEDIA: dict[str, MediaRule] = {
    "image": MediaRule(("image/png", "image/jpeg", "image/gif"), 8 * MB),
    "audio": MediaRule(
        (
            "audio/aac",
            "audio/mp4",
            "audio/m4a",
            "audio/x-m4a",
            "audio/wav",
            "audio/x-wav",
            "audio/vnd.wave",
            "video/mp4",
        ),
        25 * MB,
    ),
    "video": MediaRule(
        ("video/mp4", "video/ogg", "video/x-msvideo", "video/avi", "video/quicktime", "video/webm"),
        25 * MB,
    ),
    "file": MediaRule(("application/pdf",), 25 * MB),
}


@dataclass(slots=True)
class AttachmentPart:
    """One attachment of a message, by address, upload or shape."""

    type: str
    url: str | None = None
    attachment_id: str | None = None
    payload: Json = field(default_factory=dict)


@dataclass(slots=True)
class Content:
    """A checked message."""

    kind: str
    text: str | None = None
    parts: list[AttachmentPart] = field(default_factory=list)
    quick_replies: list[Json] = field(default_factory=list)


def invalid(wording: str) -> GraphError:
    """Return error 100 with *wording*."""
    return GraphError(100, None, wording)


def read_message(message: Any, *, uploaded: bool = False) -> Content:
    """Check a ``message``; raise 100 and its subcodes.

    :param uploaded: whether the request contains the bytes of its one file, as ``filedata`` (M12).
    """
    if not isinstance(message, dict) or not message:
        raise GraphError(100, 2018034)
    text = message.get("text")
    parts = _parts(message, uploaded)
    if text is not None:
        if not isinstance(text, str):
            raise invalid("Param message[text] must be a string")
        if len(text.encode("utf-8", "surrogatepass")) > TEXT_BYTES:
            raise invalid("Length of param message[text] must be less than or equal to 1000")
        if parts:
            raise GraphError(100, 2534015)
    if not text and not parts:
        raise GraphError(100, 2018034)
    replies = _quick_replies(message.get("quick_replies"))
    kind = "text" if not parts else parts[0].type
    if kind == "template":
        kind = f"{parts[0].payload['template_type']} template"
    return Content(kind, text, parts, replies)


def _parts(message: Json, uploaded: bool) -> list[AttachmentPart]:
    single, several = message.get("attachment"), message.get("attachments")
    if isinstance(several, dict):
        single, several = several, None
    if single is not None:
        return [_part(single, uploaded)]
    if several is None:
        return []
    if not isinstance(several, list) or not several:
        raise GraphError(100, 2534015)
    if len(several) > IMAGES:
        raise invalid(f"A message can have at most {IMAGES} attachments")
    parts = [_part(item) for item in several]
    if len(parts) > 1 and any(part.type != "image" for part in parts):
        raise GraphError(100, 2534015)
    return parts


def _part(raw: Any, uploaded: bool = False) -> AttachmentPart:
    if not isinstance(raw, dict):
        raise GraphError(100, 2534015)
    kind, payload = raw.get("type"), raw.get("payload", {})
    if not isinstance(kind, str) or not isinstance(payload, dict):
        raise GraphError(100, 2534015)
    if kind == "like_heart":
        return AttachmentPart(kind)
    if kind == "template":
        return AttachmentPart(kind, payload=read_template(payload))
    if kind.upper() == "MEDIA_SHARE":
        own = payload.get("id") or payload.get("attachment_id")
        if not own:
            raise GraphError(100, 2534015)
        return AttachmentPart("MEDIA_SHARE", attachment_id=payload.get("attachment_id"), payload=payload)
    if kind not in MEDIA:
        raise invalid(
            "Param message[attachment][type] must be one of {AUDIO, FILE, IMAGE, TEMPLATE, VIDEO, "
            "MEDIA_SHARE, LIKE_HEART}"
        )
    url, attachment_id = payload.get("url"), payload.get("attachment_id")
    if isinstance(attachment_id, str):
        return AttachmentPart(kind, attachment_id=attachment_id, payload=payload)
    if uploaded and url is None:
        return AttachmentPart(kind, payload=payload)
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise GraphError(100, 2018008)
    return AttachmentPart(kind, url=url, payload=payload)


def read_template(payload: Json) -> Json:
    """Check a template and return it (M7, M8, M9)."""
    kind = payload.get("template_type")
    if not isinstance(kind, str) or kind not in TEMPLATES:
        names = ", ".join(TEMPLATES)
        raise invalid(f"Param payload[template_type] must be one of {{{names}}}")
    TEMPLATES[kind](payload)
    return payload


def _elements(payload: Json) -> list[Any]:
    elements = payload.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= ELEMENTS:
        raise invalid(f"Param payload[elements] must have 1 to {ELEMENTS} elements")
    return elements


def _generic(payload: Json) -> None:
    for number, element in enumerate(_elements(payload)):
        where = f"payload[elements][{number}]"
        if not isinstance(element, dict):
            raise invalid(f"Param {where} must be an object")
        _short(element.get("title"), f"{where}[title]", TITLE)
        if "subtitle" in element:
            _short(element["subtitle"], f"{where}[subtitle]", TITLE)
        if not set(element) & {"subtitle", "image_url", "default_action", "buttons"}:
            raise invalid(f"Param {where} needs a property besides title")
        if "default_action" in element:
            _web_url(element["default_action"], f"{where}[default_action]")
        _buttons(element.get("buttons", []), where, 0)


def _button(payload: Json) -> None:
    _short(payload.get("text"), "payload[text]", BUTTON_TEXT)
    _buttons(payload.get("buttons"), "payload", 1)


def _product(payload: Json) -> None:
    for element in _elements(payload):
        if not isinstance(element, dict) or not isinstance(element.get("id"), str):
            raise invalid("Param payload[elements] must hold product ids")


def _opt_in(payload: Json) -> None:
    _short(payload.get("title"), "payload[title]", 65)


TEMPLATES: dict[str, Callable[[Json], None]] = {
    "generic": _generic,
    "button": _button,
    "product": _product,
    "notification_messages": _opt_in,
}


def _short(value: Any, name: str, limit: int) -> None:
    if not isinstance(value, str) or not value:
        raise invalid(f"Param {name} must be a non-empty string")
    if len(value) > limit:
        raise invalid(f"Length of param {name} must be less than or equal to {limit}")


def _web_url(action: Any, where: str) -> None:
    if not isinstance(action, dict) or action.get("type", "web_url") != "web_url":
        raise invalid(f"Param {where}[type] must be web_url")
    url = action.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise invalid(f"Param {where}[url] must be a URL")


def _buttons(buttons: Any, where: str, least: int) -> None:
    if not isinstance(buttons, list) or not least <= len(buttons) <= BUTTONS:
        raise invalid(f"Param {where}[buttons] must have {least} to {BUTTONS} elements")
    for number, button in enumerate(buttons):
        here = f"{where}[buttons][{number}]"
        if not isinstance(button, dict) or button.get("type") not in ("web_url", "postback"):
            raise invalid(f"Param {here}[type] must be one of {{WEB_URL, POSTBACK}}")
        _short(button.get("title"), f"{here}[title]", BUTTON_TITLE)
        if button["type"] == "web_url":
            _web_url(button, here)
        else:
            _short(button.get("payload"), f"{here}[payload]", PAYLOAD)


def _quick_replies(replies: Any) -> list[Json]:
    """Check quick replies; a long title is truncated, not refused (M10, M36).

    Those that request a phone number or email address are accepted but ignored, as by Meta since 5 October
    2026 (docs/instagram-platform/changelog).
    """
    if replies is None:
        return []
    if not isinstance(replies, list) or not 1 <= len(replies) <= QUICK_REPLIES:
        raise invalid(f"Param message[quick_replies] must have 1 to {QUICK_REPLIES} elements")
    out: list[Json] = []
    for number, reply in enumerate(replies):
        here = f"message[quick_replies][{number}]"
        kind = reply.get("content_type") if isinstance(reply, dict) else None
        if kind not in ("text", "user_phone_number", "user_email"):
            raise invalid(
                f"Param {here}[content_type] must be one of {{TEXT, USER_PHONE_NUMBER, USER_EMAIL}}"
            )
        if kind == "text":
            if not isinstance(reply.get("title"), str) or not reply["title"]:
                raise invalid(f"Param {here}[title] must be a non-empty string")
            _short(reply.get("payload"), f"{here}[payload]", PAYLOAD)
            out.append({**reply, "title": reply["title"][:QUICK_REPLY_TITLE]})
    return out
