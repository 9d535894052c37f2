"""Signed URLs from which providers can fetch our files, without a login, for an hour."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from host.core import clock, guard, secrets
from host.core.config import Config

LIVES = timedelta(hours=1)
"""Lifetime of a URL. Providers fetch within minutes, and each attempt to send gets a new URL."""

_PURPOSE = "file"
_TOKEN = re.compile(r"([0-9]{1,19})\.([0-9]{1,12})\.([\w-]{43})", re.ASCII)
_PRIVATE_NAMES = ("localhost", "local", "internal", "lan", "home", "corp", "intranet", "test", "invalid")


class HasId(Protocol):
    @property
    def id(self) -> int: ...


_base: str | None = None


def use(config: Config) -> None:
    """Set from LOBBY_PUBLIC_FILES whether providers can fetch files from this process's URL."""
    global _base  # noqa: PLW0603 - one URL per process
    wanted = config.public_files
    fetched = wanted == "1" or (wanted == "auto" and is_public(config.public_url))
    _base = config.public_url if fetched else None


def is_public(url: str) -> bool:
    """Return whether a provider can fetch from *url*: https, and no private host name or IP address."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https" or not host:
        return False
    try:
        return guard.is_public(str(ipaddress.ip_address(host)))
    except ValueError:
        return "." in host and host.rpartition(".")[2] not in _PRIVATE_NAMES and host != "home.arpa"


def reachable() -> bool:
    """Return whether providers can fetch our files at all."""
    return _base is not None


def public_url(attachment: HasId) -> str | None:
    """Return a public URL of *attachment*, valid for an hour; None if providers cannot reach this desk.

    In that case the sender uploads the bytes instead.
    """
    return None if _base is None else f"{_base}/media/public/{token(attachment.id)}"


def token(attachment_id: int) -> str:
    """Return a token that gives access to one attachment for an hour."""
    until = int((clock.now() + LIVES).timestamp())
    return f"{attachment_id}.{until}.{secrets.keyring().sign(_PURPOSE, attachment_id, until)}"


def opened_by(text: str) -> int | None:
    """Return the id of the attachment of the valid token *text*, or None."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    attachment_id, until = int(match[1]), int(match[2])
    if not secrets.keyring().is_signed(match[3], _PURPOSE, attachment_id, until):
        return None
    return attachment_id if clock.now().timestamp() < until else None
