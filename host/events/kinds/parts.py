"""Shared parts of bodies of several kinds of events, and of their samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from host.events.declaration import AnyFile, AnyMessage, ConversationRow, EventSubject
from host.events.kinds import shapes
from host.events.models import ActorKind
from host.models.channels import ChannelAccount
from host.sdk.messages import MessageKind

FILES = "/api/v1/attachments"
"""Path where a program downloads a file of a message, with its key."""

CHANNEL_ID = "5f0f6c0e-8a53-4d0a-9c5d-6f6a1f2b7c11"
CUSTOMER = "1026000000000003"
AT = "2026-01-15T10:30:00Z"
LATER = "2026-01-16T08:00:00Z"
MIA = shapes.Person(id="7", name="Mia")

_ASKS = {"phone": "user_phone_number", "email": "user_email"}
_WITH_KEY = frozenset(
    {MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE, MessageKind.STICKER}
)


SAMPLE_IDS: Mapping[str, str] = {
    "channel_id": CHANNEL_ID,
    "channel_type": "email",
    "conversation_id": "42",
    "contact_id": "17",
}
"""Result of :func:`ids` for the conversation of the samples."""


def ids(account: ChannelAccount, talk: ConversationRow) -> dict[str, Any]:
    """Return the fields of a body with the ids of its account, conversation and contact."""
    return {
        "channel_id": account.uuid,
        "channel_type": account.channel,
        "conversation_id": str(talk.id),
        "contact_id": str(talk.contact_id),
    }


def metadata(message: AnyMessage, talk: ConversationRow) -> shapes.Metadata:
    return shapes.Metadata(mid=message.external_id or "", username=talk.username or "")


def author(message: AnyMessage) -> shapes.Person | UnsetType:
    if message.author_id is None:
        return UNSET
    return shapes.Person(id=str(message.author_id), name=message.author_name or "")


def person(about: EventSubject, id_: int | None) -> shapes.Person | UnsetType:
    return shapes.Person(id=str(id_), name=about.names["people"].get(id_, "")) if id_ else UNSET


def team(about: EventSubject, id_: int | None) -> shapes.Team | UnsetType:
    return shapes.Team(id=str(id_), name=about.names["teams"].get(id_, "")) if id_ else UNSET


def by(about: EventSubject) -> shapes.Person | UnsetType:
    """Return the person who did it; unset for a program or nobody."""
    event = about.event
    return person(about, event.actor_id) if event.actor_kind == ActorKind.USER else UNSET


def at(about: EventSubject) -> str:
    """Return when it happened, in the time format of events."""
    return shapes.timestamp(about.event.occurred_at)


def url(file: AnyFile, base: str) -> str:
    """Return the address where a program downloads a file."""
    return file.outside or f"{base}{FILES}/{file.id}"


def content(message: AnyMessage, base: str) -> shapes.Content:
    """Return the content of a message; the first of several files also appears where a single file would."""
    named: dict[str, Any] = {}
    files = list(message.files)
    if message.kind in _WITH_KEY:
        if files:
            named[message.kind] = shapes.Media(url=url(files[0], base))
        elif message.content.get("sticker"):
            named["sticker"] = shapes.Media(id=str(message.content["sticker"]))
        files = files if len(files) > 1 else []
    return shapes.Content(
        type=message.kind,
        text=message.text,
        payload=str(message.content.get("payload") or ""),
        quick_replies=[_quick_reply(one) for one in message.content.get("quick_replies") or ()],
        template=_template(message.content.get("template")),
        attachments=[shapes.Attachment(type=one.kind, url=url(one, base), name=one.name) for one in files],
        **named,
    )


def _quick_reply(offered: Mapping[str, Any]) -> dict[str, Any]:
    if "ask" in offered:
        return {"contentType": _ASKS.get(str(offered["ask"]), str(offered["ask"]))}
    return {"contentType": "text", **offered}


def _template(value: Mapping[str, Any] | None) -> dict[str, Any] | UnsetType:
    if not value:
        return UNSET
    found: dict[str, Any] = _camel(value)
    return {
        "type": "generic" if "elements" in found else "button" if "buttons" in found else "product"
    } | found


def _camel(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_camel_name(name): _camel(inner) for name, inner in value.items()}
    return [_camel(inner) for inner in value] if isinstance(value, list) else value


def _camel_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
