"""Checks of the content of each type of message, as the Cloud API does them (W1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sandbox.box import Sandbox
from sandbox.whatsapp import files
from sandbox.whatsapp.errors import cloud_error, invalid
from sandbox.whatsapp.world import Number
from sandbox.world import Json

TEXT, CAPTION, BODY, FOOTER = 4096, 1024, 1024, 60
LABEL, ROW_TITLE, ROW_TEXT, ROWS, BUTTONS = 20, 24, 72, 10, 3
MEDIA_KEYS: dict[str, tuple[str, ...]] = {
    "audio": ("id", "link", "voice"),
    "document": ("id", "link", "caption", "filename"),
    "image": ("id", "link", "caption"),
    "sticker": ("id", "link"),
    "video": ("id", "link", "caption"),
}


@dataclass(slots=True)
class Content:
    """A checked message: what the customer reads, can tap, and its file."""

    body: Json | list[Json]
    text: str = ""
    buttons: list[Json] = field(default_factory=list)
    media_id: str | None = None
    link: str | None = None


def obj(container: Json, name: str, where: str | None = None) -> Json:
    """Return an object of a container; raise 100 if it is missing or of another type."""
    value = container.get(name)
    if not isinstance(value, dict):
        raise invalid(f"The parameter {where or name} is required.")
    return value


def text_of(container: Json, where: str, name: str, most: int, *, required: bool = True) -> str:
    """Return a text of an object; raise 100 if it is missing or too long."""
    value = container.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        raise invalid(f"The parameter {where}['{name}'] is required.")
    if len(value) > most:
        raise invalid(f"Param {where}['{name}'] must be at most {most} characters long.")
    return value


def check(box: Sandbox, number: Number, kind: str, params: Json) -> Content:
    """Return the checked content of a message that is no template; raise 100, 131008, 131009 or 131051."""
    if kind in MEDIA_KEYS:
        return media(box, number, kind, obj(params, kind))
    return CHECKS[kind](params)


def media(box: Sandbox, number: Number, kind: str, content: Json, where: str | None = None) -> Content:
    """Check a media object: an id or a link, and the keys its kind has."""
    where = where or kind
    for key in content:
        if key not in MEDIA_KEYS[kind]:
            raise invalid(f'Unexpected key "{key}" on param "{where}".')
    media_id, link = content.get("id"), content.get("link")
    if (media_id is None) == (link is None):
        raise invalid(f"The parameter {where}['id'] or {where}['link'] is required.")
    if media_id is not None:
        kept = box.whatsapp.media.get(str(media_id))
        if kept is None or kept.gone or box.clock.now() >= kept.expires_at or kept.number_id != number.id:
            raise invalid(
                f"Param {where}['id'] is not a valid whatsapp business account media attachment ID ."
            )
        allowed = files.TYPES[kind][1]
        if kind != "document" and files.plain_type(kept.mime_type) not in allowed:
            why = f"Unsupported {kind.title()} mime type {kept.mime_type}."
            raise cloud_error(131053, f"{why} Please use one of the following - {', '.join(allowed)}.")
    elif urlsplit(str(link)).scheme not in ("http", "https"):
        raise invalid(f"Param {where}['link'] is not a valid URI.")
    caption = text_of(content, where, "caption", CAPTION, required=False)
    text_of(content, where, "filename", 240, required=False)
    return Content(
        content,
        caption,
        media_id=None if media_id is None else str(media_id),
        link=None if link is None else str(link),
    )


def _text(params: Json) -> Content:
    content = obj(params, "text")
    if not isinstance(content.get("preview_url", False), bool | str):
        raise invalid("Param text['preview_url'] must be a boolean.")
    return Content(content, text_of(content, "text", "body", TEXT))


def _location(params: Json) -> Content:
    content = obj(params, "location")
    for name, most in (("latitude", 90), ("longitude", 180)):
        try:
            value = float(content[name])
        except (KeyError, TypeError, ValueError):
            raise invalid(f"The parameter location['{name}'] is required.") from None
        if abs(value) > most:
            raise cloud_error(131009, f"location['{name}'] must be between -{most} and {most}")
    return Content(content, str(content.get("name") or content.get("address") or ""))


def _contacts(params: Json) -> Content:
    content = params.get("contacts")
    if not isinstance(content, list) or not content:
        raise invalid("The parameter contacts is required.")
    names = []
    for at, person in enumerate(content):
        name = person.get("name") if isinstance(person, dict) else None
        if not isinstance(name, dict) or not name.get("formatted_name"):
            raise cloud_error(131008, f"contacts[{at}]['name']['formatted_name'] is required")
        if len(name) < 2:
            raise cloud_error(131009, f"contacts[{at}]['name'] needs one more part of the name")
        names.append(str(name["formatted_name"]))
    return Content(content, ", ".join(names))


def _reaction(params: Json) -> Content:
    content = obj(params, "reaction")
    text_of(content, "reaction", "message_id", 200)
    emoji = content.get("emoji")
    if not isinstance(emoji, str):
        raise invalid("The parameter reaction['emoji'] is required.")
    if emoji.isascii() and emoji:
        raise cloud_error(131009, "Reaction emoji is not valid.")
    return Content(content, emoji)


def _interactive(params: Json) -> Content:
    content = obj(params, "interactive")
    kind = content.get("type")
    if not isinstance(kind, str) or kind not in ACTIONS:
        known = ", ".join(sorted(ACTIONS))
        raise invalid(f"Param interactive['type'] must be one of {{{known}}} - got {kind!r}.")
    body = obj(content, "body", "interactive['body']")
    text = text_of(body, "interactive['body']", "text", TEXT if kind == "list" else BODY)
    if "footer" in content:
        footer = obj(content, "footer", "interactive['footer']")
        text_of(footer, "interactive['footer']", "text", FOOTER)
    if "header" in content:
        _header(obj(content, "header", "interactive['header']"), kind)
    buttons = ACTIONS[kind](obj(content, "action", "interactive['action']"))
    return Content(content, text, buttons)


def _header(header: Json, kind: str) -> None:
    form = header.get("type")
    allowed = ("text",) if kind == "list" else ("text", "image", "video", "document")
    if form not in allowed:
        raise invalid(f"Param interactive['header']['type'] must be one of {{{', '.join(allowed)}}}.")
    if form == "text":
        text_of(header, "interactive['header']", "text", 60)
    else:
        content = obj(header, str(form), f"interactive['header']['{form}']")
        if ("id" in content) == ("link" in content):
            raise invalid(f"The parameter interactive['header']['{form}']['id'] or ['link'] is required.")


def _label(value: Any, name: str, most: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise cloud_error(131009, f"{name} invalid length. Min length: 1, Max length: {most}")
    return value


def _reply_buttons(action: Json) -> list[Json]:
    buttons = action.get("buttons")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= BUTTONS:
        raise cloud_error(
            131009, f"Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: {BUTTONS}"
        )
    found = []
    for button in buttons:
        reply = button.get("reply") if isinstance(button, dict) else None
        if not isinstance(reply, dict) or button.get("type") != "reply":
            raise cloud_error(131009, "Invalid button type. Supported types: reply")
        title, reply_id = (
            _label(reply.get("title"), "Button title", LABEL),
            _label(reply.get("id"), "Button id", 256),
        )
        found.append({"kind": "button_reply", "id": reply_id, "title": title})
    _different(found, "Buttons")
    if len({each["title"].casefold() for each in found}) < len(found):
        raise cloud_error(131009, "Buttons titles must be unique")
    return found


def _list(action: Json) -> list[Json]:
    _label(action.get("button"), "Button label", LABEL)
    sections = action.get("sections")
    if not isinstance(sections, list) or not 1 <= len(sections) <= ROWS:
        raise cloud_error(131009, f"Invalid sections count. Min allowed: 1, Max allowed: {ROWS}")
    found = []
    for section in sections:
        rows = section.get("rows") if isinstance(section, dict) else None
        if not isinstance(rows, list) or not rows:
            raise cloud_error(131009, "Section has no rows")
        if len(sections) > 1:
            _label(section.get("title"), "Section title", ROW_TITLE)
        for row in rows:
            if not isinstance(row, dict):
                raise cloud_error(131009, "Row is not an object")
            shown = {
                "kind": "list_reply",
                "id": _label(row.get("id"), "Row id", 200),
                "title": _label(row.get("title"), "Row title", ROW_TITLE),
            }
            if row.get("description"):
                shown["description"] = _label(row["description"], "Row description", ROW_TEXT)
            found.append(shown)
    if len(found) > ROWS:
        raise cloud_error(131009, f"Total row count exceed max allowed count: {ROWS}")
    _different(found, "Rows")
    return found


def _different(found: list[Json], what: str) -> None:
    if len({each["id"] for each in found}) < len(found):
        raise cloud_error(131009, f"{what} ids must be unique")


def _cta_url(action: Json) -> list[Json]:
    parameters = action.get("parameters")
    if action.get("name") != "cta_url" or not isinstance(parameters, dict):
        raise cloud_error(131009, "Action needs the name cta_url and parameters")
    title = _label(parameters.get("display_text"), "Button display_text", LABEL)
    url = parameters.get("url")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
        raise cloud_error(131009, "Button url is not a valid URL")
    return [{"kind": "link", "id": url, "title": title}]


def _location_request(action: Json) -> list[Json]:
    if action.get("name") != "send_location":
        raise cloud_error(131009, "Action needs the name send_location")
    return [{"kind": "location", "id": "", "title": "Send location"}]


def _contact_request(action: Json) -> list[Json]:
    """Check a request for the number, whose button WhatsApp names."""
    if action.get("name") != "request_contact_info":
        raise cloud_error(131009, "Action needs the name request_contact_info")
    return [{"kind": "contact_request", "id": "", "title": "Share contact info"}]


ACTIONS: dict[str, Callable[[Json], list[Json]]] = {
    "button": _reply_buttons,
    "list": _list,
    "cta_url": _cta_url,
    "location_request_message": _location_request,
    "request_contact_info": _contact_request,
}
CHECKS: dict[str, Callable[[Json], Content]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "interactive": _interactive,
}
SENDABLE = (*CHECKS, *MEDIA_KEYS, "template")
RECEIVED_ONLY = ("button", "order", "system", "unsupported", "unknown", "edit", "revoke", "request_welcome")
"""Types that only customers' messages have (131051)."""
