"""Sign requests according to Standard Webhooks: https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime

from host.core.secrets import Secret

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> Secret:
    """Return a new secret, ``whsec_`` and base64."""
    return Secret(PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode())


def headers(id_: str, at: datetime, body: bytes, keys: Iterable[Secret]) -> Mapping[str, str]:
    """Return the headers that prove to a receiver that *body* is from this desk.

    :param id_: the same in every attempt.
    :param at: the time of this attempt; receivers refuse old ones.
    :param keys: each makes a signature; a receiver needs one of them.
    """
    stamp = str(int(at.timestamp()))
    signed = b".".join((id_.encode(), stamp.encode(), body))
    return {
        "webhook-id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in keys),
    }


def _signature(key: Secret, signed: bytes) -> str:
    raw = base64.b64decode(key.reveal().removeprefix(PREFIX))
    return base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
