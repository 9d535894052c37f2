"""Deciding on the toy provider's requests: it says which account it means and proves it with the secret."""

from __future__ import annotations

import hmac
import json

from sqlalchemy import select

from host.sdk import db, strictjson
from host.sdk.secrets import Place, unseal
from host.sdk.webhooks import Accepted, Envelope, Refused, Verified, WebhookRequest

from .models import ToyAccount

_accounts = db.host_table("channel_accounts")


def place(workspace_id: int, uuid: str) -> Place:
    """Return where an account's secret is kept."""
    return Place("toy_accounts", "secret", workspace_id, uuid)


def _load() -> dict[str, tuple[int, bytes]]:
    query = select(_accounts.c.id, _accounts.c.workspace_id, _accounts.c.uuid, ToyAccount.secret).join(
        ToyAccount, ToyAccount.account_id == _accounts.c.id
    )
    with db.read() as session:
        return {
            row.uuid: (row.id, unseal(row.secret, place(row.workspace_id, row.uuid)).reveal().encode())
            for row in session.execute(query.where(_accounts.c.state != "disconnected"))
        }


secrets = db.Snapshot(_load)


def verify(request: WebhookRequest) -> Verified | Refused:
    """Answer the challenge for an account that exists."""
    if request.account not in secrets.get():
        return Refused(403, "verify_token")
    return Verified(request.query.get("challenge", ""))


def authenticate(request: WebhookRequest) -> Accepted | Refused:
    """Believe a body signed with the account's secret; cut it into one envelope for each event."""
    account_id, secret = secrets.get().get(request.account or "", (None, b"nobody"))
    expected = hmac.new(secret, request.body, "sha256").hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-toy-signature", "")) or account_id is None:
        return Refused(401, "signature", account_id)
    try:
        events = strictjson.loads(request.body)["events"]
        return Accepted(tuple(_envelope(account_id, event) for event in events))
    except (ValueError, KeyError, TypeError):
        odd = Envelope(account_id, "", "odd", "odd", request.body, set_aside="It is not what the toy sends.")
        return Accepted((odd,))


def _envelope(account_id: int, event: dict[str, object]) -> Envelope:
    body = json.dumps(event).encode()
    return Envelope(account_id, str(event["from"]), f"message:{event['id']}", "message", body)
