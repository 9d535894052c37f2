"""Outgoing events about comments, key by key. Keys Meta did not send are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from host.sdk.i18n import noop
from host.sdk.outgoing import DeskEvent, OutgoingEvent, OutgoingKind, ToldMessage

from ..config import CHANNEL
from ..values import identifier, mapping, text
from .events import elsewhere

COMMENT = f"{CHANNEL}.comment"

KINDS: Sequence[OutgoingKind] = (
    OutgoingKind(
        COMMENT,
        noop("A customer commented on a post, reel, ad or live broadcast, or mentioned the account."),
        {
            "commentId": "17900000000000100",
            "postId": "17895000000000001",
            "parentId": "17900000000000099",
            "username": "sample.customer",
            "text": "How much is it?",
            "live": False,
            "mention": False,
            "ad": {"id": "6045246247001", "title": "Summer sale"},
        },
    ),
)


def outgoing(event: DeskEvent, message: ToldMessage | None) -> Sequence[OutgoingEvent]:
    """Return *event* under Instagram's names: a comment if one was received."""
    if message is None or event.reaction is not None:
        return ()
    content = message.content
    named = message.external_id or ""
    found = elsewhere(named)
    told: dict[str, Any] = {
        "commentId": named if found is None else found[1],
        "postId": identifier(content.get("post")),
        "parentId": identifier(content.get("parent")),
        "username": event.username or "",
        "text": message.text,
    }
    told = {name: value for name, value in told.items() if value}
    told |= {"live": content.get("live") is True, "mention": content.get("mention") is True}
    ad = mapping(content.get("ad"))
    if ad:
        told["ad"] = {name: text(ad.get(name)) for name in ("id", "title") if text(ad.get(name))}
    return (OutgoingEvent(COMMENT, told),)
