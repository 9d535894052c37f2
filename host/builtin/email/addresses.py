"""Normalise mail addresses, so that they are safe in an SMTP command and a header."""

from __future__ import annotations

import re

MAX_ADDRESS = 254

_LOCAL = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\"(),:;<>@\[\\\]]{1,64}\Z")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def normal(address: str) -> str | None:
    """Return *address* lower-cased with an ASCII domain, or None if it is not a plain ``local@domain``.

    Quoted local parts and address literals are refused: real correspondents do not use them.
    """
    local, at, domain = address.strip().lower().rpartition("@")
    if not at or not _LOCAL.match(local) or _SURROGATE.search(local) or ".." in local or local[0] == ".":
        return None
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    result = f"{local}@{domain}"
    return result if _DOMAIN.match(domain) and len(result.encode()) <= MAX_ADDRESS else None


def domain_of(address: str) -> str:
    """Return the part after the last ``@``."""
    return address.rpartition("@")[2]


def without_tag(address: str) -> str:
    """Return *address* without a ``+tag`` in its local part."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"
