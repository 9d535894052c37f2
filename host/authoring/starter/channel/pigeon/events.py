"""Pigeon's events as the host's types. Pure functions: an envelope may be read again next week."""

from __future__ import annotations

from datetime import UTC, datetime

from host.sdk import strictjson
from host.sdk.messages import Ignored, InboundChange, MessageReceived
from host.sdk.webhooks import Envelope


def read(envelope: Envelope) -> InboundChange:
    """Return the change that *envelope* means for the inbox."""
    try:
        event = strictjson.loads(envelope.body)
        contact, external_id, text = event["from"], event["id"], event["text"]
        sent_at = datetime.fromtimestamp(event["at"] / 1000, UTC)
        name = event.get("name")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError):
        return Ignored("not an event of Pigeon's")
    if not all(isinstance(each, str) and each for each in (contact, external_id, text)):
        return Ignored("a message without an id, a sender or a text")
    return MessageReceived(
        contact=contact,
        external_id=external_id,
        sent_at=sent_at,
        text=text,
        contact_name=name if isinstance(name, str) else None,
    )
