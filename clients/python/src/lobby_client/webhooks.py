"""Standard Webhooks: ``verify`` received ones, ``sign`` ones for tests.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Optional, Union, cast

from lobby_client._event import Webhook
from lobby_client.errors import WebhookVerificationError
from lobby_client.event_data import DeskWebhook
from lobby_client.instagram import InstagramWebhook

__all__ = [
    "PREFIX",
    "TOLERANCE",
    "AnyWebhook",
    "Webhook",
    "headers_of",
    "new_secret",
    "sign",
    "verify",
]

PREFIX = "whsec_"
TOLERANCE = 300.0
"""Seconds a webhook may be older, or newer, than this machine's clock."""
_MOMENT = re.compile(r"[0-9]{1,12}")


AnyWebhook = Union[DeskWebhook, InstagramWebhook]
"""Every webhook that is known, told apart by ``event``. A newer desk may send others: pass over these."""


def verify(
    headers: Mapping[str, str],
    body: Union[bytes, str],
    secret: Union[str, Sequence[str]],
    *,
    tolerance: float = TOLERANCE,
    now: Optional[float] = None,
) -> AnyWebhook:
    """Return the webhook if its signature is valid.

    :param headers: of the request, in whatever case.
    :param body: as it came; what a framework parsed and wrote again has another signature.
    :param secret: ``whsec_...``; while it is being changed, the old and the new one.
    :param tolerance: seconds by which the clocks may differ.
    :param now: the time in seconds; default: this machine's.
    :raises WebhookVerificationError: if it is not genuine, or too old.
    :raises ValueError: for a secret that is none.
    """
    keys = [_key(one) for one in ([secret] if isinstance(secret, str) else secret)]
    if not keys:
        raise ValueError("there is no secret")
    given = {name.lower(): value for name, value in headers.items()}
    missing = [
        name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not given.get(name)
    ]
    if missing:
        raise WebhookVerificationError(f"the header {missing[0]} is missing")
    raw = body.encode() if isinstance(body, str) else bytes(body)
    id_, stamp = given["webhook-id"], given["webhook-timestamp"]
    if not _MOMENT.fullmatch(stamp):
        raise WebhookVerificationError("the header webhook-timestamp is no number of seconds")
    wanted = [_signature(key, id_, stamp, raw) for key in keys]
    signatures = [one.encode("utf-8", "replace") for one in given["webhook-signature"].split(" ")]
    if not any([hmac.compare_digest(one, right) for one in signatures for right in wanted]):  # noqa: C419 - all
        raise WebhookVerificationError("no signature is right")
    apart = (time.time() if now is None else now) - int(stamp)
    if abs(apart) > tolerance:
        raise WebhookVerificationError("it is too old" if apart > 0 else "it comes from the future")
    return _read(id_, int(stamp), raw)


def _read(id_: str, stamp: int, raw: bytes) -> AnyWebhook:
    try:
        found = json.loads(raw)
        event, data = str(found["event"]), dict(found["data"])
        read = Webhook(id_, event, data, datetime.fromtimestamp(stamp, timezone.utc))
        return cast("AnyWebhook", read)
    except (ValueError, KeyError, TypeError):
        raise WebhookVerificationError("its body is not of the form {event, data}") from None


def sign(secret: str, id_: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a webhook, ``v1,...``.

    :raises ValueError: for a secret that is none.
    """
    return _signature(_key(secret), id_, str(timestamp), body).decode()


def headers_of(secret: str, id_: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers a desk sends with *body*."""
    return {
        "Content-Type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, id_, timestamp, body),
    }


def new_secret() -> str:
    """Return a new secret in the desk's format."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def _signature(key: bytes, id_: str, stamp: str, body: bytes) -> bytes:
    signed = f"{id_}.{stamp}.".encode("utf-8", "replace") + body
    return b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret[len(PREFIX) :] if secret.startswith(PREFIX) else secret, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError("the secret is not of the form whsec_...")
    return key
