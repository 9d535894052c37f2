"""Calls on the number: one that nobody took is a line in the caller's conversation.

Meta tells that a call rings (*connect*), and that it is over (*terminate*), with ``start_time``, ``end_time``
and ``duration`` only if it was taken.
https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-initiated-calls
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host.sdk.messages import Ignored, InboundChange, MessageKind, MessageReceived

from .people import Person
from .values import digits, identifier, mapping, moment, number, text

_OF_THE_LINE = frozenset({"session", "connection"})
"""Fields with what a phone says of its network. Whoever takes the call needs them; Lobby takes none."""


def kept(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return *call* as the log of received events keeps it."""
    return {name: value for name, value in call.items() if name not in _OF_THE_LINE}


def ignored(call: Mapping[str, Any], ours: str) -> str:
    """Return why *call* is no line; empty: it is one.

    :param ours: the account's number.
    """
    direction, event = text(call.get("direction"), 40), text(call.get("event"), 40)
    if direction == "BUSINESS_INITIATED" or (not direction and digits(text(call.get("from"), 40)) == ours):
        return "a call to the customer"
    if event == "connect":
        return "a call that rings"
    if event != "terminate":
        return f"tells of a call: {event or '?'}"
    return "a call that was taken" if _was_taken(call) else ""


def _was_taken(call: Mapping[str, Any]) -> bool:
    times = any(moment(call.get(name)) is not None for name in ("start_time", "end_time"))
    return times or (number(call.get("duration")) or 0) > 0


def read(call: Mapping[str, Any], about: Mapping[str, Any], caller: Person) -> InboundChange:
    """Return the line about a call that nobody took.

    The id of the call is that of the line, so that there is one however often Meta tells of it.

    :param about: the entry of ``contacts`` that is about the caller.
    """
    id_, at = identifier(call.get("id")), moment(call.get("timestamp"))
    if not caller.id or not id_ or at is None:
        return Ignored("not a call with an id, a caller and a time")
    profile = mapping(about.get("profile"))
    return MessageReceived(
        contact=caller.id,
        external_id=id_,
        sent_at=at,
        kind=MessageKind.CALL,
        # A call begins the 24 hours anew, as a message does.
        opens_window=True,
        contact_name=text(profile.get("name"), 200) or None,
        contact_username=text(profile.get("username"), 100).removeprefix("@") or None,
        contact_phone=caller.phone if caller.phone.isdecimal() else None,
    )
