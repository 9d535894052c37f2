"""What the API tells of messages, for golden files: what differs from run to run is written as ``<...>``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from host.api import shapes
from host.api.http.call import encode
from host.api.serialise import some_messages
from host.core import db

RUNNING = ("id", "conversationId", "accountId", "messageId")
"""Numbers that count up from whatever ran before."""


def told(workspace_id: int, message_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return messages as the API answers them, held against its document, fit for a golden file."""
    with db.read() as session:
        found = some_messages(session, workspace_id, message_ids)
    body = encode(shapes.Sent(data=found))
    msgspec.json.decode(body, type=shapes.Sent)
    return [_fixed(one) for one in json.loads(body)["data"]]


def _fixed(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _fixed(inner, key) for key, inner in value.items() if key != "createdAt"}
    if isinstance(value, list):
        return [_fixed(inner, name) for inner in value]
    if name in RUNNING and isinstance(value, int):
        return f"<{name}>"
    if name == "url" and isinstance(value, str) and value.startswith("/api/v1/attachments/"):
        return "/api/v1/attachments/<id>"
    return value
