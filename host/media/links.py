"""Addresses where a provider may fetch a file we send: signed, for an hour, without a login."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from host.core import clock, guard, secrets
from host.core.config import Config

LIVES = timedelta(hours=1)
"""How long an address works. A provider fetches within minutes; every further try gets a new address."""

_PURPOSE = "file"
_TOKEN = re.compile(r"([0-9]{1,19})\.([0-9]{1,12})\.([\w-]{43})", re.ASCII)
_PRIVATE_NAMES = ("localhost", "local", "internal", "lan", "home", "corp", "intranet", "test", "invalid")


class HasId(Protocol):
    @property
    def id(self) -> int: ...


_base: str | None = None


def use(config: Config) -> None:
    """Decide by LOBBY_PUBLIC_FILES whether providers can fetch from this process's address."""
    global _base  # noqa: PLW0603 - one address per process
    wanted = config.public_files
    fetched = wanted == "1" or (wanted == "auto" and is_public(config.public_url))
    _base = config.public_url if fetched else None


def is_public(url: str) -> bool:
    """Return whether a provider could fetch from *url*: https, and no private name or address."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https" or not host:
        return False
    try:
        return guard.is_public(str(ipaddress.ip_address(host)))
    except ValueError:
        return "." in host and host.rpartition(".")[2] not in _PRIVATE_NAMES and host != "home.arpa"


def reachable() -> bool:
    """Return whether providers can fetch a file of ours at all."""
    return _base is not None


def public_url(attachment: HasId) -> str | None:
    """Return an address where anybody may fetch *attachment* for an hour; None if providers cannot reach it.

    The sender then uploads the bytes instead.
    """
    return None if _base is None else f"{_base}/media/public/{token(attachment.id)}"


def token(attachment_id: int) -> str:
    """Return a token that opens one attachment for an hour."""
    until = int((clock.now() + LIVES).timestamp())
    return f"{attachment_id}.{until}.{secrets.keyring().sign(_PURPOSE, attachment_id, until)}"


def opened_by(text: str) -> int | None:
    """Return the id of the attachment that the token *text* opens now, or None."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    attachment_id, until = int(match[1]), int(match[2])
    if not secrets.keyring().is_signed(match[3], _PURPOSE, attachment_id, until):
        return None
    return attachment_id if clock.now().timestamp() < until else None
