"""Authenticate Telegram's requests, which carry the secret this desk set with the webhook.

https://core.telegram.org/bots/api#setwebhook and https://core.telegram.org/bots/api#update
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from host.sdk import strictjson
from host.sdk.webhooks import Accepted, Envelope, Refused, WebhookRequest

from .accounts import Bound, secrets
from .values import identifier, mapping, moment

HEADER = "x-telegram-bot-api-secret-token"
_NOBODY = Bound(0, b"compared with, so that an unknown bot costs as much as a known one")


def authenticate(request: WebhookRequest) -> Accepted | Refused:
    """Compare the secret, then convert the update to one envelope. *request.account* is the bot's id."""
    bound = secrets.get().get(request.account or "", _NOBODY)
    given = request.headers.get(HEADER, "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(bound.secret, given) or bound is _NOBODY:
        return Refused(401, "secret_token", bound.account_id or None)
    return Accepted((_envelope(bound.account_id, request.body),))


def _envelope(account_id: int, body: bytes) -> Envelope:
    try:
        update = mapping(strictjson.loads(body))
    except ValueError:
        update = {}
    number = identifier(update.get("update_id"))
    if not number:
        reason = "It is not an update of Telegram's."
        return Envelope(
            account_id, "", f"odd:{hashlib.sha256(body).hexdigest()}", "odd", body, set_aside=reason
        )
    kind = next((name for name in ("message", "edited_message") if name in update), "other")
    said: Mapping[str, Any] = mapping(update.get(kind))
    chat = mapping(said.get("chat"))
    ignored = ""
    if kind == "other":
        ignored = "an update of a kind that is no message"
    elif chat.get("type") != "private":
        ignored = "written in a group or a channel, not to the bot alone"
    elif mapping(said.get("from")).get("is_bot") is True:
        ignored = "written by a bot"
    person, message = identifier(chat.get("id")), identifier(said.get("message_id"))
    return Envelope(
        account_id=account_id,
        lane=person,
        # Update ids may restart after a week without updates, so they are not enough.
        dedupe_key=f"{kind}:{person}:{message}:{number}",
        kind={"message": "message", "edited_message": "edit"}.get(kind, "other"),
        body=body,
        occurred_at=moment(said.get("edit_date") or said.get("date")),
        ignored=ignored,
    )
