"""The program that sent a message or controls a conversation, if Meta says which. Never guessed.

Meta's pages: documentation/business-messaging/messenger-platform/webhooks/webhook-events/message-echoes,
docs/messenger-platform/reference/handover-protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host.sdk.messages import Program, Who

from ..values import identifier

INBOXES = {"1217981644879628": "Instagram", "263902037430900": "Meta Business Suite"}
"""Apps in which people answer, by the ids in Meta's docs."""
_OWNERS = ("new_owner_app_id", "requested_owner_app_id")


def sender(message: Mapping[str, Any], own_app: str) -> Program | None:
    """Return the program that sent the echoed *message*, or None if Meta does not say."""
    return _program(identifier(message.get("app_id")), own_app)


def owner(passed: Mapping[str, Any], own_app: str) -> Program | None:
    """Return the program that a conversation was passed to, or that requests it; None if Meta names none."""
    found = (identifier(passed.get(name)) for name in _OWNERS)
    return _program(next(filter(None, found), ""), own_app)


def _program(app_id: str, own_app: str) -> Program | None:
    if not app_id:
        return None
    if app_id == own_app:
        return Program(Who.DESK, app_id)
    if app_id in INBOXES:
        return Program(Who.PROVIDER, app_id, INBOXES[app_id])
    return Program(Who.OTHER, app_id)
