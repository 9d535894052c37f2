"""Verification of Pigeon's requests: each is signed with the token of its account."""

from __future__ import annotations

import hmac
import json

from host.sdk import strictjson
from host.sdk.secrets import Secret
from host.sdk.webhooks import Accepted, Envelope, Refused, WebhookRequest

from .accounts import by_uuid

_NOBODY = Secret("compared with, so that an unknown account costs as much as a known one")


def authenticate(request: WebhookRequest) -> Accepted | Refused:
    """Verify the signature over the raw bytes, then split them into one envelope per event."""
    account_id, token = by_uuid.get().get(request.account or "", (None, _NOBODY))
    expected = hmac.new(token.reveal().encode(), request.body, "sha256").hexdigest()
    given = request.headers.get("x-pigeon-signature", "")
    if not hmac.compare_digest(expected.encode(), given.encode()) or account_id is None:
        return Refused(401, "signature", account_id)
    try:
        events = strictjson.loads(request.body)["events"]
        return Accepted(tuple(_envelope(account_id, event) for event in events))
    except (ValueError, KeyError, TypeError, AttributeError):
        odd = Envelope(account_id, "", "odd", "odd", request.body, set_aside="It is not what Pigeon sends.")
        return Accepted((odd,))


def _envelope(account_id: int, event: dict[str, object]) -> Envelope:
    body = json.dumps(event).encode()
    return Envelope(account_id, str(event["from"]), f"message:{event['id']}", "message", body)
